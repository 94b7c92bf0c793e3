"""Verbs of the book: publish a generation, read a client, forget a score.

A publication writes in chunks, each a short transaction of its own, beside the generation in
force; one last transaction moves the pointer. On SQLite, where only one connection can write, a
chunk lasts a few dozen milliseconds and is followed by a pause as long, so that an alert or a
request that waits for the lock soon has it, however many clients there are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout
from sqlalchemy import Select

from keepwell.core.errors import UsageError
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.frame.problem import NotFound
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.book import generation_repo as repo
from keepwell.trust.book import read_repo
from keepwell.trust.book.model import Client

Rows: TypeAlias = pa.RecordBatch | Sequence[dict[str, Any]]
Before = Callable[[Frame, int], object]
Along = Callable[[Tx, int], object]

SCHEMA: Final = pa.schema(
    [
        ("client_id", pa.string()), ("name", pa.string()), ("phone", pa.string()),
        ("birth_year", pa.int64()), ("opened_on", pa.date32()), ("region", pa.string()),
        ("city_tier", pa.string()), ("investor_class", pa.string()), ("risk_level", pa.string()),
        ("assessed_on", pa.date32()), ("manager_id", pa.string()), ("adviser_id", pa.string()),
        ("branch_id", pa.string()), ("segment", pa.string()), ("status", pa.string()),
        ("assets", pa.int64()), ("value", pa.int64()), ("value_low", pa.int64()),
        ("value_high", pa.int64()), ("value_lost", pa.int64()), ("last_activity", pa.date32()),
        ("note", pa.string()), ("score", pa.float64()), ("probability", pa.float64()),
        ("coverage", pa.float64()), ("tier", pa.string()), ("reasons", pa.string()),
    ]
)  # fmt: skip
"""Rows that `publish` takes; columns may be missing, `reasons` is JSON text."""

KEPT: Final = 2
"""Published generations that stay, the one in force among them."""


def publish(
    frame: Frame,
    rows: Iterable[Rows],
    *,
    as_of: datetime,
    model_version: str,
    manifest: int,
    before: Before | None = None,
    value_basis: Mapping[str, Any] | None = None,
    along: Along | None = None,
) -> int:
    """Put clients and scores in force under a new generation.

    Readers see the generation before until the very end, then all of the new one. Killed at any
    moment, nothing is in force that was not complete; what is left is removed by the next
    publication. Staff and branches that the rows name are made where they are unknown. Clients who
    refuse profiling are published without a score.

    Args:
        frame: the desk.
        rows: clients, each once, in batches of `SCHEMA` or as dicts of its columns.
        as_of: the instant of the ranking.
        model_version: the model behind the scores.
        manifest: number of the lake's manifest.
        before: called with the desk and the generation's number when all is written and nothing
            shown yet: the hold-out's draw.
        value_basis: what the values are made of; None where there are none.
        along: called with the transaction that puts the generation in force, and its number.

    Returns:
        The generation's number.

    Raises:
        UsageError: another publication is at work.
    """
    with _alone(frame):
        with frame.write() as tx:
            repo.abandon(tx)
        sweep(frame)
        basis = dict(value_basis) if value_basis else None
        with frame.write() as tx:
            number = repo.begin(tx, {
                "as_of": as_of, "model_version": model_version, "manifest": manifest,
                "state": "building", "created_at": tx.at, "clients": 0, "scored": 0,
                "value_basis": basis,
            })  # fmt: skip
        work = _Work(frame, number)
        work.load()
        for batch in rows:
            work.add(batch)
        if before is not None:
            before(frame, number)
        with frame.read() as tx:
            # Who refused while the rows were written has lost the score already.
            work.scored = repo.scored(tx, number)
        with frame.write() as tx:
            if along is not None:
                along(tx, number)
            _put_in_force(tx, number, work, as_of, model_version)
    return number


def _put_in_force(tx: Tx, number: int, work: _Work, as_of: datetime, model_version: str) -> None:
    from keepwell.jobs.service import enqueue
    from keepwell.trust.evidence.policy import EvidenceKind
    from keepwell.trust.evidence.service import record

    # Or refused before their row was written, and after the work had begun.
    scored = work.scored - repo.unscore(tx, number, _refusing(tx))
    repo.point(tx, number, work.clients, scored)
    data = {
        "clients": work.clients, "scored": scored, "as_of": as_of.isoformat(),
        "model_version": model_version,
    }  # fmt: skip
    record(tx, SYSTEM, EvidenceKind.GENERATION_PUBLISHED, subject=str(number), data=data)
    emit(tx, Event(EventName.GENERATION_PUBLISHED, str(number), SYSTEM.user_id, None, data))
    enqueue(tx, "alert.sweep", {"generation_id": number}, key=f"alert.sweep:{number}")


def sweep(frame: Frame, still: Callable[[], object] | None = None) -> int:
    """Remove generations that nobody needs, in short transactions; how many clients went.

    Args:
        frame: the desk.
        still: called before each transaction.
    """
    with frame.read() as tx:
        numbers = repo.superfluous(tx, KEPT)
    pace = _Pace(frame.database.is_sqlite)
    total = 0
    for number in numbers:
        gone = 1
        while gone:
            if still is not None:
                still()
            with pace.turn(), frame.write() as tx:
                gone = repo.remove_some(tx, number, pace.rows)
            total += gone
    return total


def forget_score(tx: Tx, client_id: str) -> None:
    """Take away a client's score, tier, reasons and value, in every generation (rule PI-4)."""
    repo.forget(tx, client_id)


def get_client(tx: Tx, actor: Actor, client_id: str) -> Client:
    """A client of the generation in force.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
    """
    client = read_repo.client(tx, actor, client_id)
    if client is None:
        raise NotFound("access.client-unknown", client=client_id)
    return client


@contextmanager
def _alone(frame: Frame) -> Iterator[None]:
    lock = FileLock(frame.workspace.state / "publish.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError("book.publication-busy") from None
    try:
        yield
    finally:
        lock.release()


def _refusing(tx: Tx) -> Select[str]:
    """Select of the clients who refuse profiling."""
    # The consent room calls `forget_score`, so it cannot be imported before this one.
    from keepwell.trust.consent.policy import Purpose
    from keepwell.trust.consent.service import refusing

    return refusing(tx, Purpose.PROFILING)


class _Pace:
    """How many rows a transaction may take, so that nobody waits long for SQLite's lock."""

    GOAL = 0.03
    """Seconds of a transaction aimed at; a busy disk may double it."""

    LEAST = 500
    """Fewer rows would cost more in syncs than they save in waiting."""

    def __init__(self, is_sqlite: bool) -> None:
        self.gentle = is_sqlite
        self.rows = 1_000 if is_sqlite else 10_000
        self.longest = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One transaction: measured, and followed by a pause in which others get their turn."""
        begun = time.perf_counter()
        yield
        took = time.perf_counter() - begun
        self.longest = max(self.longest, took)
        if self.gentle:
            step = min(2.0, max(0.5, self.GOAL / max(took, 1e-4)))
            self.rows = min(5_000, max(self.LEAST, int(self.rows * step)))
            time.sleep(min(took, self.GOAL))


@dataclass
class _Work:
    """A generation that is being written."""

    frame: Frame
    number: int
    clients: int = 0
    scored: int = 0
    staff: set[str] = field(default_factory=set)
    branches: set[str] = field(default_factory=set)
    refused: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    pace: _Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = _Pace(self.frame.database.is_sqlite)

    def load(self) -> None:
        with self.frame.read() as tx:
            self.staff, self.branches = repo.known_staff(tx)
            self.refused = pa.array(list(tx.session.scalars(_refusing(tx))), pa.string())

    def add(self, given: Rows) -> None:
        batch = _conform(given)
        if len(self.refused):
            batch = _unscored(batch, pc.is_in(batch.column("client_id"), self.refused))
        self._people(batch)
        columns = [_plain(batch.column(name)) for name in repo.COLUMNS if name not in _COMPUTED]
        n = batch.num_rows
        rank = pc.fill_null(batch.column("score"), -1.0).to_numpy().tolist()
        by_name = dict(
            zip((c for c in repo.COLUMNS if c not in _COMPUTED), columns, strict=True)
        ) | {
            "generation_id": [self.number] * n, "rank_score": rank,
            "top_reason": _top_reason(batch.column("reasons")),
        }  # fmt: skip
        rows = list(zip(*(by_name[name] for name in repo.COLUMNS), strict=True))
        first = 0
        while first < n:
            part = rows[first : first + self.pace.rows]
            with self.pace.turn(), self.frame.write() as tx:
                repo.write(tx, part)
            first += len(part)
        self.clients += n

    def _people(self, batch: pa.RecordBatch) -> None:
        branches = _names(batch, "branch_id") - self.branches
        with_branch: dict[str, dict[str, Any]] = {}
        for column, role in (("manager_id", "manager"), ("adviser_id", "adviser")):
            fresh = _names(batch, column) - self.staff - set(with_branch)
            if not fresh:
                continue
            at = pa.table([batch.column(column), batch.column("branch_id")], ["id", "branch"])
            for row in at.group_by("id").aggregate([("branch", "min")]).to_pylist():
                if row["id"] in fresh:
                    with_branch[row["id"]] = {
                        "staff_id": row["id"], "name": row["id"], "role": role, "active": True,
                        "branch_id": row["branch_min"],
                    }  # fmt: skip
        made = [{"branch_id": b, "name": b} for b in sorted(branches)]
        for model, rows in ((Branch, made), (Staff, list(with_branch.values()))):
            for first in range(0, len(rows), 500):
                with self.pace.turn(), self.frame.write() as tx:
                    repo.insert_missing(tx, model, rows[first : first + 500])
        self.branches |= branches
        self.staff |= set(with_branch)


_COMPUTED = ("generation_id", "rank_score", "top_reason")


def _top_reason(reasons: pa.Array) -> list[Any]:
    """The code of the first reason in each JSON text; None without any."""
    # A text is searched, not parsed: of a million clients a few per cent have reasons.
    found = pc.extract_regex(reasons, r'"code":\s*"(?P<code>[^"\\]{1,60})"')
    return _plain(pc.struct_field(found, 0))


def _names(batch: pa.RecordBatch, column: str) -> set[str]:
    return set(pc.unique(pc.drop_null(batch.column(column))).to_pylist())


def _conform(given: Rows) -> pa.RecordBatch:
    """The rows in `SCHEMA`, texts no longer than the database takes them."""
    if not isinstance(given, pa.RecordBatch):
        told = [
            {**row, "reasons": json.dumps(row.get("reasons") or [], ensure_ascii=False)}
            for row in given
        ]
        given = pa.RecordBatch.from_pylist(told, schema=SCHEMA)
    n = given.num_rows
    present = set(given.schema.names)
    columns = []
    for item in SCHEMA:
        if item.name not in present:
            column = pa.nulls(n, item.type)
        else:
            column = given.column(item.name).cast(item.type)
        if item.name in repo.WIDTHS:
            column = _short(column, repo.WIDTHS[item.name])
        columns.append(pc.fill_null(column, _DEFAULTS[item.name]) if item.name in _DEFAULTS
                       else column)  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


_DEFAULTS = {"reasons": "[]", "tier": "none", "note": "scored"}


def _short(column: pa.Array, width: int) -> pa.Array:
    longest = pc.max(pc.utf8_length(column)).as_py() or 0
    if longest > width:
        column = pc.utf8_slice_codeunits(column, 0, width)
    # PostgreSQL cannot store this character.
    return pc.replace_substring(column, "\x00", "")


def _unscored(batch: pa.RecordBatch, refused: pa.Array) -> pa.RecordBatch:
    values = {"note": "refused", "tier": "none", "reasons": "[]"} | dict.fromkeys(
        ("score", "probability", "coverage", "value", "value_low", "value_high", "value_lost")
    )
    columns = [
        pc.if_else(refused, pa.scalar(values[item.name], item.type), batch.column(item.name))
        if item.name in values
        else batch.column(item.name)
        for item in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _plain(column: pa.Array) -> list[Any]:
    """A column as Python values; by way of NumPy, which is several times faster than Arrow's."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        return list(column.to_numpy(zero_copy_only=False))
    if not column.null_count:
        return list(column.to_numpy(zero_copy_only=False).tolist())
    values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(object)
    values[column.is_null().to_numpy(zero_copy_only=False)] = None
    return list(values)
