"""`exit`: held something at as_of; at the end of the horizon holds (nearly) nothing, or has left.

`exit_any`: the same at the end of any day of the horizon, so that who leaves and comes back counts.

Whether the client held is judged by what was known at as_of: judging it with hindsight would
choose the clients by their future. What is held at the end is judged by all that is known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day, midnight
from keepwell.observe.engines.base import Engine
from keepwell.observe.tiles import BLANK
from keepwell.warn.label import (
    LABELS,
    Array,
    LabelDefinition,
    Labels,
    Why,
    day_of,
    lake_query,
)


@LABELS.add("exit")
def exit_rule(
    engine: Engine, as_of: datetime, definition: LabelDefinition, known_by: datetime
) -> Labels:
    """Label every client that held a position at as_of; see the module's text."""
    ends = definition.matures_at(as_of, engine.workspace.zone)
    return _left_by(engine, as_of, definition, known_by, [ends])


@LABELS.add("exit_any")
def exit_any_rule(
    engine: Engine, as_of: datetime, definition: LabelDefinition, known_by: datetime
) -> Labels:
    """As `exit`, at the end of any day of the horizon.

    Positions change only on days with trades or holdings: the ends of these are looked at.
    """
    ends = definition.matures_at(as_of, engine.workspace.zone)
    return _left_by(
        engine, as_of, definition, known_by, [*_day_ends(engine, as_of, ends, known_by), ends]
    )


def _left_by(
    engine: Engine,
    as_of: datetime,
    definition: LabelDefinition,
    known_by: datetime,
    instants: list[datetime],
) -> Labels:
    """Labels of who holds (nearly) nothing at one of some instants, the last of which is the end.

    The day of leaving is told where an event dates it, or where days were looked at one by one.
    """
    zone = engine.workspace.zone
    ends, starts = definition.matures_at(as_of, zone), definition.starts_at(as_of, zone)
    start = engine.positions(as_of)
    # Positions that are not known have a NaN count; whoever may hold something is looked at.
    listed = np.flatnonzero(~(np.asarray(start.count) == 0))
    clients = [str(start.clients[i]) for i in listed]
    n = len(clients)
    why = np.full(n, Why.STAYED, object)
    gone, unknown, left_day = np.zeros(n, bool), np.zeros(n, bool), np.full(n, np.nan)
    for at in instants:
        found, unseen = _gone(engine, start, listed, at, known_by, definition)
        if len(instants) > 1:
            left_day[found & ~gone] = local_day(at, zone) - 1
        gone, unknown = gone | found, unknown | unseen
    why[unknown] = Why.UNKNOWN_END
    why[gone] = Why.EXITED
    _events(engine, clients, start, as_of, ends, known_by, why, left_day)
    if starts > as_of:
        early, _ = _gone(engine, start, listed, starts, known_by, definition)
        early |= left_day < local_day(starts, zone)
        why[early & np.isin(why, _LEFT)] = Why.LEFT_IN_GAP
    why[~start.known[listed]] = Why.UNKNOWN_START
    y = np.full(n, np.nan)
    y[np.isin(why, _LEFT)] = 1.0
    y[why == Why.STAYED] = 0.0
    left_day[y != 1.0] = np.nan
    return Labels(clients, y, why, left_day, as_of, ends)


def _day_ends(
    engine: Engine, as_of: datetime, ends: datetime, known_by: datetime
) -> list[datetime]:
    """The midnights before `ends` that end a day with a trade or a holding row, ascending."""
    zone, tables = engine.workspace.zone, engine.manifest.tables
    first, last = day_of(engine, as_of), day_of(engine, ends)
    seen = "known_at <= $t and (gone_at is null or gone_at > $t)"
    parts = []
    if "trade" in tables:
        parts.append(f"select {_local_day(engine, 'at')} as d from trade where {seen}")
    if "holding" in tables:
        parts.append(f"select day - date '1970-01-01' as d from holding where {seen}")
    if not parts:
        return []
    found = lake_query(
        engine,
        f"select distinct d from ({' union all '.join(parts)}) "
        f"where d >= {first} and d < {last} - 1 order by d",
        t=known_by,
    )
    return [midnight(int(day) + 1, zone) for day in found["d"]]


_LEFT = (Why.EXITED, Why.CLOSED, Why.TRANSFERRED)


def _gone(
    engine: Engine,
    start: Any,
    listed: npt.NDArray[np.int64],
    at: datetime,
    known_by: datetime,
    definition: LabelDefinition,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Who holds (nearly) nothing at an instant, and of whom it is not known; bool [n] each."""
    end = engine.positions(at, known_by)
    place = {str(client): i for i, client in enumerate(end.clients)}
    clients = [str(start.clients[i]) for i in listed]
    # Whose rows were all taken back since is not there at the end, and did not leave.
    row = np.fromiter((place.get(c, -1) for c in clients), np.int64, len(clients))
    there = row >= 0
    unknown = np.ones(len(clients), np.bool_)
    gone = np.zeros(len(clients), np.bool_)
    row, listed = row[there], listed[there]
    unknown[there] = ~end.known[row]
    unknown |= _late(engine, clients, at, known_by)
    gone[there] = end.count[row] == 0
    if definition.by == "value":
        gone[there] |= _worth_little(engine, start, listed, end, row, definition.remnant)
    return gone & ~unknown, unknown


def _worth_little(
    engine: Engine,
    start: Any,
    listed: npt.NDArray[np.int64],
    end: Any,
    row: npt.NDArray[np.int64],
    remnant: float,
) -> npt.NDArray[np.bool_]:
    """Who holds at the end at most a share of the first value, both at the first prices.

    A position that has no first price cannot be valued: while one is held at the end, the client
    has not left.
    """
    first = start.value_at(start.as_of)[listed]
    last = end.value_at(start.as_of)[row]
    out = np.asarray((first > 0) & (last <= remnant * first), np.bool_)
    price = dict(zip(end.instruments, engine.prices(start.as_of) != BLANK, strict=True))
    for i in np.flatnonzero(out):
        out[i] = all(price[instrument] for instrument in end.held(int(row[i])))
    return out


def _late(
    engine: Engine, clients: list[str], at: datetime, known_by: datetime
) -> npt.NDArray[np.bool_]:
    """Whose last trades before an instant were not known yet by another, bool [n].

    Trades arrive late by the source's usual delay. A client whose newest snapshot is of the very
    day before does not depend on them.
    """
    day = day_of(engine, at)
    if day_of(engine, known_by) - _delay(engine) >= day:
        return np.zeros(len(clients), np.bool_)
    return ~(_snapshot_days(engine, clients, day, known_by) >= day - 1)


def _delay(engine: Engine) -> int:
    """Days by which trades usually arrive late."""
    mapped = engine.workspace.mapping.tables.get("trade")
    return int(mapped.delay_days) if mapped else 0


def _snapshot_days(engine: Engine, clients: list[str], day: int, known_by: datetime) -> Array:
    """Day number of each client's newest visible snapshot; NaN without one."""
    holding = engine.manifest.tables.get("holding")
    if holding is None:
        return np.full(len(clients), np.nan)
    found = lake_query(
        engine,
        f"""select client_id, max(day) - date '1970-01-01' as d from holding
        where known_at <= $t and (gone_at is null or gone_at > $t)
            and day < date '1970-01-01' + {day} group by client_id""",
        t=known_by,
    )
    own = {str(c): float(d) for c, d in zip(found["client_id"], found["d"], strict=True)}
    if holding.full_days and own:
        # A full day lists everybody: it is the newest snapshot even of those without a row in it.
        newest = max(own.values())
        return np.full(len(clients), newest)
    return np.fromiter((own.get(c, np.nan) for c in clients), np.float64, len(clients))


def _events(
    engine: Engine,
    clients: list[str],
    start: Any,
    as_of: datetime,
    ends: datetime,
    known_by: datetime,
    why: npt.NDArray[np.object_],
    left_day: Array,
) -> None:
    """Closures, transfers and deaths within the horizon, written into `why` and `left_day`."""
    at = {client: i for i, client in enumerate(clients)}
    tables = engine.manifest.tables
    first, last = day_of(engine, as_of), day_of(engine, ends)
    if "custody_transfer" in tables:
        count = dict(zip(map(str, start.clients), np.asarray(start.count), strict=True))
        _mark(_transferred(engine, as_of, ends, known_by, count), at, why, left_day)
    if "exit_request" in tables:
        _mark(_requested(engine, as_of, ends, known_by), at, why, left_day)
    if "client" in tables:
        _mark(closures(engine, first, last, known_by), at, why, left_day)


_Mark = tuple[str, Why, int]


def _mark(
    marks: list[_Mark], at: dict[str, int], why: npt.NDArray[np.object_], left_day: Array
) -> None:
    for client, code, day in marks:
        i = at.get(client)
        if i is not None:
            why[i], left_day[i] = code, day


def _transferred(
    engine: Engine,
    as_of: datetime,
    ends: datetime,
    known_by: datetime,
    count: dict[str, Any],
) -> list[_Mark]:
    """Clients who moved at least as many instruments out as they held."""
    found = lake_query(
        engine,
        f"""select client_id, count(distinct instrument_id) as n,
            max({_local_day(engine, "at")}) as d from custody_transfer
        where direction = 'out' and "at" >= $a and "at" < $b and known_at <= $t
            and (gone_at is null or gone_at > $t) group by client_id""",
        a=as_of, b=ends, t=known_by,
    )  # fmt: skip
    rows = zip(found["client_id"], found["n"], found["d"], strict=True)
    return [(str(c), Why.TRANSFERRED, int(d)) for c, n, d in rows if 0 < count.get(str(c), 0) <= n]


def _requested(engine: Engine, as_of: datetime, ends: datetime, known_by: datetime) -> list[_Mark]:
    """Clients whose own request to leave was carried out."""
    found = lake_query(
        engine,
        f"""select client_id, arg_max(kind, completed_at) as kind,
            max({_local_day(engine, "completed_at")}) as d from exit_request
        where completed_at >= $a and completed_at < $b and known_at <= $t
            and (gone_at is null or gone_at > $t) group by client_id""",
        a=as_of, b=ends, t=known_by,
    )  # fmt: skip
    rows = zip(found["client_id"], found["kind"], found["d"], strict=True)
    return [
        (str(c), Why.CLOSED if kind == "close" else Why.TRANSFERRED, int(d)) for c, kind, d in rows
    ]


def closures(engine: Engine, first: int, last: int, known_by: datetime) -> list[_Mark]:
    """Closures by the newest profile known; without a reason the positions decide."""
    found = lake_query(
        engine,
        """with newest as (
            select client_id, closed_on, closed_reason from client
            where known_at <= $t and valid_from <= $t and (gone_at is null or gone_at > $t)
            qualify row_number() over (partition by client_id order by valid_from desc) = 1)
        select client_id, closed_reason as reason, closed_on - date '1970-01-01' as d
        from newest where closed_on is not null and closed_reason is not null""",
        t=known_by,
    )
    codes = {"client": Why.CLOSED, "broker": Why.BROKER_CLOSED, "death": Why.DIED}
    rows = zip(found["client_id"], found["reason"], found["d"], strict=True)
    return [(str(c), codes[r], int(d)) for c, r, d in rows if first <= d < last]


def _local_day(engine: Engine, column: str) -> str:
    zone = engine.workspace.zone.key
    return f"cast(\"{column}\" at time zone '{zone}' as date) - date '1970-01-01'"
