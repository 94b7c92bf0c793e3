"""Verbs of events: store a batch, acknowledge it, let the rules see it, tell how far it all is.

A batch is checked and stored in the spool outside any transaction, then acknowledged in one that
also enqueues what the rules have to do. Killed in between, the batch is in the spool and `recover`
acknowledges it; applied is each batch exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow.compute as pc

from keepwell.core.errors import REASONS, DataError, UsageError, nearest
from keepwell.core.text import tr
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict, Unavailable, Unprocessable
from keepwell.intervene.event import repo
from keepwell.intervene.event.schema import EventsIn, EventsOut, EventsState, RowFault
from keepwell.jobs.service import enqueue
from keepwell.observe.contract import TABLES
from keepwell.observe.contract_types import DELETED
from keepwell.observe.freshness import Waiting
from keepwell.observe.spool import Record, digest_of
from keepwell.observe.spool_ingest import spool_of
from keepwell.observe.spool_rows import FORMATS, check, columns_of
from keepwell.observe.validate import Context
from keepwell.trust.access.policy import Actor

APPLY: Final = "event.apply"
"""Kind of job that lets the rules see a batch."""

Faults = list[tuple[int, str, str]]


@dataclass(frozen=True)
class Stored:
    """A batch that is in the spool.

    Attributes:
        sequence: its number.
        at: when it was stored.
        source: who sent it.
        batch: the sender's id.
        digest: of table and rows.
        table: the contract table.
        rows: the rows as they came.
        faults: (row, column, reason code).
        repeated: it had been stored before.
    """

    sequence: int
    at: datetime
    source: str
    batch: str
    digest: str
    table: str
    rows: list[dict[str, Any]]
    faults: Faults
    repeated: bool

    @property
    def rejected(self) -> int:
        """Number of rows at fault."""
        return len({row for row, _, _ in self.faults})


def look_up(tx: Tx, given: EventsIn) -> tuple[int, datetime] | None:
    """The number and time of a batch that came before.

    Raises:
        Conflict: it came with other content.
    """
    found = repo.find(tx, given.source, given.batch)
    if found is None:
        return None
    if found.digest != _digest(given):
        raise Conflict("event.batch-conflict", source=given.source, batch=given.batch)
    return found.sequence, found.received_at


def store(frame: Frame, given: EventsIn, known: tuple[int, datetime] | None) -> Stored:
    """Check a batch and have it on disk when this returns.

    Args:
        frame: the desk.
        given: the batch.
        known: what `look_up` found.

    Raises:
        Unprocessable: no such table or column.
        Conflict: the batch's id came before with other content.
        Unavailable: the disk or another process does not let it be stored.
    """
    _see_names(given)
    digest = _digest(given)
    named = (given.source, given.batch, digest, given.table, given.rows)
    if known is not None:
        sequence, at = known
        return Stored(sequence, at, *named, _faults(frame, given.table, given.rows, at), True)
    at = frame.now()
    faults = _faults(frame, given.table, given.rows, at)
    content = {"table": given.table, "rows": given.rows, "faults": faults}
    try:
        done = spool_of(frame.workspace).append(given.source, given.batch, content, at, digest)
    except (DataError, UsageError) as error:
        if error.code == "spool.batch-conflict":
            raise Conflict("event.batch-conflict", source=given.source, batch=given.batch) from None
        raise Unavailable("event.spool-failed", why=error.words()) from error
    if done.repeated:
        faults = _faults(frame, given.table, given.rows, done.at)
    return Stored(done.sequence, done.at, *named, faults, done.repeated)


def acknowledge(tx: Tx, actor: Actor, stored: Stored) -> EventsOut:
    """Note a stored batch and have the rules see it; the answer to its sender."""
    _note(tx, stored)
    return EventsOut(
        sequence=stored.sequence,
        accepted=len(stored.rows) - stored.rejected,
        rejected=[
            RowFault(row=row, column=column, code=code, message=_words(
                code, stored.rows[row].get(column), actor.locale
            ))
            for row, column, code in stored.faults
        ],
        repeated=stored.repeated,
    )  # fmt: skip


def apply(tx: Tx, sequence: int, record: Record) -> None:
    """Let the rules see a batch's good rows, exactly once.

    Args:
        tx: the unit of work; it also ends the job.
        sequence: the batch's number.
        record: the batch.
    """
    from keepwell.intervene.rule.service import apply as rules

    batch = repo.held(tx, sequence)
    if batch is None or batch.applied_at is not None:
        return
    table, rows = record.content["table"], record.content["rows"]
    refused = [row for row, _, _ in record.content["faults"]]
    checked = check(TABLES[table], rows, _context(tx.frame, record.at), refused=refused)
    # A row that is taken back ends what the lake says; what people did about it stays theirs.
    alive = checked.good.filter(pc.is_null(checked.good[DELETED.name]))
    good = alive.select(TABLES[table].names).to_pylist()
    if good:
        batch.refused = rules(tx, table, good)
    batch.applied_at = tx.at


def recover(frame: Frame) -> int:
    """Acknowledge batches that were stored by a process that died before it could; how many."""
    if not (frame.workspace.state / "spool").is_dir():
        return 0
    spool = spool_of(frame.workspace)
    here = spool.sequences()
    if not here:
        return 0
    first, last = min(here), max(here)
    with frame.read() as tx:
        if repo.count(tx, first, last) >= len(here):
            return 0
        missing = sorted(set(here) - repo.known(tx, first, last))
    made = 0
    for sequence in missing:
        record = spool.read(sequence)
        if record is None:
            continue
        with frame.write() as tx:
            made += _note(tx, _stored(record))
    return made


def release(frame: Frame, before: datetime) -> int:
    """Remove segments of the spool that the lake holds and the rules have seen; how many went.

    Args:
        frame: the desk.
        before: what is younger stays, for senders that are being answered just now.
    """
    spool = spool_of(frame.workspace)
    young = [number for number, at in spool.sequences().items() if at >= before]
    with frame.read() as tx:
        until = repo.last(tx)
        _, waiting, _ = repo.unapplied(tx)
    if waiting is not None:
        until = min(until, waiting - 1)
    return spool.release(min([until, *(number - 1 for number in young)]))


def state(tx: Tx, actor: Actor) -> EventsState:  # noqa: ARG001
    """How far events have come."""
    workspace = tx.frame.workspace
    count, first, oldest = repo.unapplied(tx)
    known = last = repo.last(tx)
    drained = 0
    if (workspace.state / "spool").is_dir():
        spool = spool_of(workspace)
        last, drained = max(last, spool.last), spool.drained
    return EventsState(
        last_sequence=last,
        applied=known if first is None else first - 1,
        drained=drained, waiting=count + last - known, refused=repo.refused(tx),
        oldest_waiting_seconds=(
            0.0 if oldest is None else max(0.0, (tx.at - oldest).total_seconds())
        ),
        at=tx.at,
    )  # fmt: skip


def behind(tx: Tx, actor: Actor, drained: int) -> dict[str, Waiting]:  # noqa: ARG001
    """Batches that the lake does not hold yet, by contract table.

    Args:
        tx: the unit of work.
        actor: who asks.
        drained: number up to which the lake holds everything.
    """
    return {table: Waiting(n, oldest) for table, n, oldest in repo.behind(tx, drained)}


def _note(tx: Tx, stored: Stored) -> bool:
    """Add a batch to what the desk knows, once, with the job that applies it."""
    added = repo.add(
        tx,
        {
            "sequence": stored.sequence, "source": stored.source, "batch": stored.batch,
            "digest": stored.digest, "table": stored.table,
            "accepted": len(stored.rows) - stored.rejected, "rejected": stored.rejected,
            "refused": 0, "received_at": stored.at, "applied_at": None,
        },
    )  # fmt: skip
    if added:
        enqueue(tx, APPLY, {"sequence": stored.sequence}, key=f"spool:{stored.sequence}")
    return added


def _stored(record: Record) -> Stored:
    content = record.content
    faults = [(int(row), str(column), str(code)) for row, column, code in content["faults"]]
    return Stored(
        record.sequence, record.at, record.source, record.batch, record.digest,
        content["table"], content["rows"], faults, True,
    )  # fmt: skip


def _digest(given: EventsIn) -> str:
    return digest_of({"table": given.table, "rows": given.rows})


def _see_names(given: EventsIn) -> None:
    if given.table not in TABLES:
        raise Unprocessable(
            "event.table-unknown", table=given.table,
            nearest=nearest(given.table, list(TABLES)) or "–", known=", ".join(TABLES),
        )  # fmt: skip
    known = columns_of(TABLES[given.table])
    for column in sorted({name for row in given.rows for name in row} - set(known)):
        raise Unprocessable(
            "event.column-unknown", table=given.table, column=column,
            nearest=nearest(column, known) or "–", known=", ".join(known),
        )  # fmt: skip


def _faults(frame: Frame, table: str, rows: list[dict[str, Any]], at: datetime) -> Faults:
    return check(TABLES[table], rows, _context(frame, at)).faults


def _context(frame: Frame, at: datetime) -> Context:
    return Context(frame.zone, frame.currency, at)


def _words(code: str, value: Any, locale: str) -> str:
    shown = value[:200].encode("utf-8", "replace").decode() if isinstance(value, str) else value
    return tr(REASONS[code], locale, value=shown, format=FORMATS.get(code, ""))
