"""Publication: from the result of the main job to what the desk shows.

In this order: what is wrong with the sources and who must hear of it, what clients said about
consent, clients and scores under a new generation, the hold-out's draw over all of them, the
pointer together with marks on scores that rest on late or unusual data, and then open complaints
and exit requests that the lake knows and events did not tell, and the outcomes of decisions whose
horizon is over. Alerts are raised from the tiers by a job of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.errors import DataError
from keepwell.frame.context import Frame
from keepwell.intervene.event import repo as events
from keepwell.intervene.incident.bring import bring_in, lasting, mark
from keepwell.intervene.outcome.service import mature_outcomes
from keepwell.learn.archive import keep_decisions
from keepwell.learn.holdout.service import draw
from keepwell.learn.panel.scores import WEEKS
from keepwell.learn.panel.write import prepared_panels
from keepwell.learn.ranking import Ranking
from keepwell.learn.run import RunResult
from keepwell.learn.value.basis import CONFIDENCE, basis_of
from keepwell.learn.value.book import ValueBook, value_ranking
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.base import Engine
from keepwell.observe.lake import Lake, parquet_sql
from keepwell.observe.manifest import Manifest
from keepwell.observe.monitors.finding import Finding
from keepwell.trust.book.service import SCHEMA, publish
from keepwell.warn.reason import Explanation
from keepwell.warn.registry import ModelVersion

Changes = Mapping[str, Mapping[str, float]]

BATCH: Final = 50_000
"""Clients converted at a time."""

CATCH_UP: Final = 100
"""Rows shown to the rules in one transaction."""

VISIBLE: Final = "known_at <= $t and (gone_at is null or gone_at > $t)"

_PROFILE: Final = {
    "name": "name", "phone": "phone", "birth_year": "birth_year", "opened_on": "opened_on",
    "region": "region", "city_tier": "city_tier", "investor_class": "investor_class",
    "risk_level": "risk_level", "assessed_on": "assessed_on", "manager_id": "manager_id",
    "adviser_id": "adviser_id", "branch_id": "branch_id", "segment": "segment_hint",
    "status": "status",
}  # fmt: skip
"""Column of the book to column of table `client`."""

_OPEN: Final = {
    "complaint": "true",
    "exit_request": "true",
    "consent": "true qualify row_number() over "
    '(partition by client_id, purpose order by "at" desc, known_at desc) = 1',
}
"""What of a table the desk must know, whatever events have told it."""


@dataclass(frozen=True)
class Published:
    """What a publication did.

    Attributes:
        generation: its number.
        clients: clients in it.
        scored: those with a score in the ranking.
        caught_up: rows of complaints, exit requests and consents that the rules were shown.
        matured: outcomes of earlier decisions that became known or were corrected.
    """

    generation: int
    clients: int
    scored: int
    caught_up: int
    matured: int


def publish_run(frame: Frame, result: RunResult, *, weeks: Sequence[int] = WEEKS) -> Published:
    """Put a run's scores in force on the desk.

    Args:
        frame: the desk, its database migrated.
        result: of the main job, over the same workspace.
        weeks: how many weeks back the panels give scores, 0 and 1 among them; each costs about as
            much as the ranking.

    Raises:
        UsageError: another publication is at work.
    """
    book = _valued(frame, result.engine, result.ranking, result.version)
    keep_decisions(frame.workspace, result.ranking, result.version, result.engine.manifest.id)
    # The panels are written before and come into force when the pointer has moved.
    with prepared_panels(
        frame.workspace,
        result.engine,
        result.ranking,
        result.version,
        result.data,
        weeks=weeks,
    ) as past:
        return _publish(
            frame, result.engine, result.ranking, result.version, book, past.changes,
            result.findings,
        )  # fmt: skip


def publish_ranking(
    frame: Frame, engine: Engine, ranking: Ranking, version: ModelVersion
) -> Published:
    """Put scores in force without making panels: those of the publication before stay.

    Args:
        frame: the desk, its database migrated.
        engine: that the ranking was made from.
        ranking: every client.
        version: the model behind it.

    Raises:
        UsageError: another publication is at work.
    """
    book = _valued(frame, engine, ranking, version)
    return _publish(frame, engine, ranking, version, book, {}, lasting(frame.workspace))


def _publish(
    frame: Frame,
    engine: Engine,
    ranking: Ranking,
    version: ModelVersion,
    book: ValueBook | None,
    changes: Changes,
    findings: Iterable[Finding],
) -> Published:
    manifest = engine.manifest.id
    bring_in(frame)
    # Whoever refused profiling must not have a score, not even for a moment.
    caught = catch_up(frame, ("consent",), manifest)
    number = publish(
        frame, book_rows(frame, ranking, manifest, changes, book), as_of=ranking.as_of,
        model_version=version.id, manifest=manifest, before=draw,
        value_basis=basis_of(book) if book else None,
        along=lambda tx, number: mark(tx, number, ranking.as_of, findings),
    )  # fmt: skip
    caught += catch_up(frame, manifest=manifest)
    known = mature_outcomes(frame, engine)
    return Published(
        number, len(ranking.clients), int(ranking.scored.sum()), caught,
        known.outcomes + known.changed,
    )  # fmt: skip


def _valued(
    frame: Frame, engine: Engine, ranking: Ranking, version: ModelVersion
) -> ValueBook | None:
    """What the clients of the ranking are worth; None where no line of income is known."""
    try:
        return value_ranking(frame.workspace, engine, ranking, version)
    except DataError as error:
        if error.code != "value.income-unknown":
            raise
        return None


def book_rows(
    frame: Frame,
    ranking: Ranking,
    manifest: int,
    changes: Changes | None = None,
    book: ValueBook | None = None,
) -> Iterator[pa.RecordBatch]:
    """The ranking with every client's profile as known at its instant, in the book's columns.

    Args:
        frame: the desk, for the lake.
        ranking: every client.
        manifest: number of the manifest that the ranking was made from.
        changes: client -> reason code -> change of its push in a week.
        book: the values of the same ranking; None: none are known.
    """
    pinned = frame.workspace.lake.manifest(manifest)
    assert pinned is not None
    with frame.workspace.lake.connect(pinned) as engine:
        engine.register("ranked", _ranked(ranking, changes or {}, book))
        names = ", ".join(f'"{name}"' for name in SCHEMA.names)
        shown = engine.sql(
            f"select {names} from ({_joined(pinned)}) order by client_id",
            params={"t": ranking.as_of} if "client" in pinned.tables or "service" in pinned.tables
            else None,
        )  # fmt: skip
        yield from shown.to_arrow_reader(BATCH)


def _joined(manifest: Manifest) -> str:
    """SQL: the ranking beside the newest known value of each column of the profile."""
    profile = {name: f"cast(null as {_TYPES.get(name, 'varchar')})" for name in _PROFILE}
    joins = ""
    if "client" in manifest.tables:
        columns = ", ".join(_newest(of, name) for name, of in _PROFILE.items())
        joins += f" left join ({_of('client', columns)}) p using (client_id)"
        profile = {name: f"p.{name}" for name in _PROFILE}
    if "service" in manifest.tables:
        joins += (
            f" left join ({_of('service', _newest('adviser_id', 'adviser'))}) s using (client_id)"
        )
        profile["adviser_id"] = f"coalesce(s.adviser, {profile['adviser_id']})"
    profile["manager_id"] = f"coalesce(r.manager, {profile['manager_id']})"
    listed = ", ".join(f"{value} as {name}" for name, value in profile.items())
    return f"select r.* exclude (manager), {listed} from ranked r{joins}"


_TYPES: Final = {"birth_year": "bigint", "opened_on": "date", "assessed_on": "date"}


def _newest(column: str, name: str) -> str:
    return f"arg_max({column}, valid_from) as {name}"


def _of(table: str, columns: str) -> str:
    return (
        f"select client_id, {columns} from {table} "
        f"where {VISIBLE} and valid_from < $t group by client_id"
    )


def _ranked(ranking: Ranking, changes: Changes, book: ValueBook | None) -> pa.Table:
    told = ranking.explanations
    unknown = np.full(len(ranking.clients), np.nan)
    low, high = book.values.interval(CONFIDENCE) if book else (unknown, unknown)
    return pa.table(
        {
            "client_id": pa.array(ranking.clients, pa.string()),
            "manager": pa.array(ranking.manager, pa.string()),
            "assets": _whole(ranking.assets),
            "value": _whole(book.values.value if book else unknown),
            "value_low": _whole(low),
            "value_high": _whole(high),
            "value_lost": _whole(book.values.lost if book else unknown),
            "last_activity": pa.array(ranking.last_activity, pa.date32()),
            "note": pa.array([str(note) for note in ranking.note], pa.string()),
            "score": pa.array(ranking.score, from_pandas=True),
            "probability": pa.array(ranking.probability, from_pandas=True),
            "coverage": pa.array(ranking.coverage, from_pandas=True),
            "tier": pa.array([code or "none" for code in ranking.tiers()], pa.string()),
            "reasons": pa.array(
                [
                    _reasons(told[c], changes.get(c, {})) if c in told else "[]"
                    for c in ranking.clients
                ],
                pa.string(),
            ),
        }
    )


def _whole(amounts: npt.NDArray[np.float64]) -> pa.Array:
    """Amounts in whole minor units; null where not known."""
    return pa.array(np.nan_to_num(np.rint(amounts)).astype(np.int64), mask=np.isnan(amounts))


def _reasons(explanation: Explanation, change: Mapping[str, float]) -> str:
    return json.dumps(
        [
            {
                "code": str(reason.code),
                "cause": str(reason.cause),
                "points": round(reason.push, 6),
                "facts": {
                    "indicator": reason.fact.indicator, "value": reason.fact.value,
                    "normal": reason.fact.normal, "typical": reason.fact.typical,
                },
                "change": _rounded(change.get(str(reason.code))),
            }
            for reason in explanation.reasons
        ]
    )  # fmt: skip


def _rounded(change: float | None) -> float | None:
    return None if change is None else round(change, 6)


def catch_up(
    frame: Frame, tables: Sequence[str] = tuple(_OPEN), manifest: int | None = None
) -> int:
    """Show the rules what the lake has learned since the last time; how many rows.

    Only what still matters: complaints that are open, exit requests not carried out, and each
    client's newest word on each purpose; the first time, words of consent only where silence is
    not enough. The rules take the same row twice for one, so a crash here does no harm.

    Args:
        frame: the desk.
        tables: which tables.
        manifest: number of the manifest; default: the newest.
    """
    lake = frame.workspace.lake
    pinned = lake.manifest(manifest) if manifest is not None else lake.manifest()
    total = 0
    for table in [t for t in tables if pinned is not None and t in pinned.tables]:
        assert pinned is not None
        with frame.read() as tx:
            since = events.mark(tx, f"lake:{table}")
        version = pinned.tables[table].version
        if since is not None and since >= version:
            continue
        rows = _learned(lake, pinned, table, since)
        _show(frame, table, rows)
        with frame.write() as tx:
            events.set_mark(tx, f"lake:{table}", version)
        total += len(rows)
    return total


def _learned(lake: Lake, manifest: Manifest, table: str, since: int | None) -> list[dict[str, Any]]:
    columns = ", ".join(f'"{name}"' for name in TABLES[table].names)
    key = ", ".join(f'"{name}"' for name in TABLES[table].key)
    now = f"select {columns} from {table} where gone_at is null and {_OPEN[table]}"
    files = None
    if since is not None:
        files = lake.added_files(table, since, manifest.tables[table].version)
    if since is None:
        new = _FIRST.get(table, "true")
    elif files is None:  # what came since cannot be told: all of it, which does no harm
        new = "true"
    else:
        new = f"({key}) in (select ({key}) from {parquet_sql(files, TABLES[table])})"
    with lake.connect(manifest) as engine:
        rows = engine.sql(f"select * from ({now}) where {new} order by {key}").to_arrow_table()
        return list(rows.to_pylist())


_FIRST: Final = {
    "complaint": "closed_at is null and coalesce(status, 'open') not in ('closed', 'withdrawn')",
    "exit_request": "completed_at is null",
    "consent": "not granted or purpose = 'marketing'",
}
"""What matters the first time: later also that something ended."""


def _show(frame: Frame, table: str, rows: list[dict[str, Any]]) -> None:
    from keepwell.intervene.rule.service import apply

    for first in range(0, len(rows), CATCH_UP):
        with frame.write() as tx:
            apply(tx, table, rows[first : first + CATCH_UP])
