"""`silence` and `dormant`: no trade, funding or session for longer than is usual, or than N days.

For `silence` the usual is the 99th percentile of the client's own gaps between active days before
as_of, shrunk towards that of its peers (clients with a similar number of gaps), who count as 20
gaps; for `dormant` it is the same number of days for everybody. A client that is silent already at
as_of is not at risk of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.observe.engines.base import Engine
from keepwell.warn.label import (
    LABELS,
    Array,
    LabelDefinition,
    Labels,
    Why,
    covered,
    day_of,
    lake_query,
)

_TABLES: Final = ("trade", "cash_flow", "session")
_BANDS: Final = (0, 1, 3, 6, 12, 25, 50, 100)
PRIOR_GAPS: Final = 20
"""Gaps that the peers count for."""


@LABELS.add("silence")
def silence_rule(
    engine: Engine, as_of: datetime, definition: LabelDefinition, known_by: datetime
) -> Labels:
    """Label every client that was active before as_of and not silent then."""
    return _inactive(engine, as_of, definition, known_by, Why.SILENT)


@LABELS.add("dormant")
def dormant_rule(
    engine: Engine, as_of: datetime, definition: LabelDefinition, known_by: datetime
) -> Labels:
    """Label every client that was active in the label's days before as_of."""
    return _inactive(engine, as_of, definition, known_by, Why.DORMANT)


def _inactive(
    engine: Engine, as_of: datetime, definition: LabelDefinition, known_by: datetime, left: Why
) -> Labels:
    zone = engine.workspace.zone
    starts, ends = definition.starts_at(as_of, zone), definition.matures_at(as_of, zone)
    day, first, last = (day_of(engine, t) for t in (as_of, starts, ends))
    code, days, ids = _active_days(engine, as_of, as_of)
    n = len(ids)
    if left is Why.DORMANT:
        usual = np.full(n, definition.days - 0.5)  # that many days and more, all being whole
    else:
        usual = _usual(code, days, n, _coverage(engine), definition.quantile)
    newest = np.full(n, -(2.0**31))
    np.maximum.at(newest, code, days)
    later_code, later_days, later_ids = _active_days(engine, ends, known_by)
    at = {client: i for i, client in enumerate(ids)}
    place = np.fromiter((at.get(c, -1) for c in later_ids), np.int64, len(later_ids))
    end = newest.copy()
    known = place[later_code] >= 0
    np.maximum.at(end, place[later_code][known], later_days[known])
    before_gap = newest.copy()
    soon = known & (later_days < first)
    np.maximum.at(before_gap, place[later_code][soon], later_days[soon])
    why = np.full(n, Why.STAYED, object)
    why[last - end > usual] = left
    why[first - before_gap > usual] = Why.LEFT_IN_GAP
    why[day - newest > usual] = Why.ALREADY_SILENT
    holes = _hole_days(_coverage(engine), int(newest.min()) if n else day, day - 1)
    unseen = np.searchsorted(holes, day) - np.searchsorted(holes, newest)
    why[unseen > 0] = Why.UNKNOWN_START
    if not _seen(engine, day, last, known_by):
        why[:] = Why.UNKNOWN_END
    y = np.full(n, np.nan)
    y[why == left] = 1.0
    y[why == Why.STAYED] = 0.0
    left_day = np.where(y == 1.0, np.ceil(end + usual), np.nan)
    return Labels(ids, y, why, left_day, as_of, ends)


def _active_days(
    engine: Engine, before: datetime, known_by: datetime
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[str]]:
    """Distinct active days before an instant: client code, day number, sorted; and the ids."""
    zone = engine.workspace.zone.key
    tables = [table for table in _TABLES if table in engine.manifest.tables]
    none = np.zeros(0, np.int64)
    if not tables:
        return none, none, []
    parts = " union all ".join(
        f"""select client_id, cast("at" at time zone '{zone}' as date) - date '1970-01-01' as d
        from {table} where "at" < $a and known_at <= $t and (gone_at is null or gone_at > $t)"""
        for table in tables
    )
    found = lake_query(
        engine, f"select distinct client_id, d from ({parts}) order by 1, 2", a=before, t=known_by
    )
    if not len(found["d"]):
        return none, none, []
    ids, code = np.unique(found["client_id"].astype(str), return_inverse=True)
    return code.astype(np.int64), found["d"].astype(np.int64), [str(c) for c in ids]


def _usual(
    code: npt.NDArray[np.int64],
    days: npt.NDArray[np.int64],
    n: int,
    spans: list[tuple[int, int | None]],
    quantile: float,
) -> Array:
    """Longest usual gap of each client in days, float64 [n]."""
    same = code[1:] == code[:-1]
    gap = np.diff(days)[same].astype(np.float64)
    owner, until = code[1:][same], days[1:][same]
    # A gap over days that were never delivered says nothing of the client.
    holes = _hole_days(spans, int(days[0]) if len(days) else 0, int(days.max(initial=0)))
    index = np.searchsorted(holes, until) - np.searchsorted(holes, until - gap)
    owner, gap = owner[index == 0], gap[index == 0]
    counts = np.bincount(owner, minlength=n)
    own = np.full(n, np.nan)
    order = np.lexsort((gap, owner))
    gap, owner = gap[order], owner[order]
    offset = np.concatenate([[0], np.cumsum(counts)])
    some = counts > 0
    rank = np.ceil(quantile * counts[some]).astype(np.int64) - 1
    own[some] = gap[offset[:-1][some] + np.maximum(rank, 0)]
    band = np.searchsorted(np.array(_BANDS), counts, side="right") - 1
    overall = float(np.quantile(gap, quantile)) if len(gap) else 90.0
    peers = np.full(len(_BANDS), overall)
    for b in range(1, len(_BANDS)):
        mine = gap[band[owner] == b]
        if len(mine) >= PRIOR_GAPS:
            peers[b] = np.quantile(mine, quantile)
    weight = counts / (counts + PRIOR_GAPS)
    return np.asarray(np.where(some, weight * np.nan_to_num(own), 0.0) + (1 - weight) * peers[band])


def _coverage(engine: Engine) -> list[tuple[int, int | None]]:
    """Days that every present source of activity covers; trades alone when others do not say."""
    spans: list[tuple[int, int | None]] | None = None
    for table in _TABLES:
        state = engine.manifest.tables.get(table)
        if state is None or not state.coverage:
            continue
        spans = list(state.coverage) if spans is None else _both(spans, list(state.coverage))
    return spans or []


def _both(
    a: list[tuple[int, int | None]], b: list[tuple[int, int | None]]
) -> list[tuple[int, int | None]]:
    """Days in both lists of spans."""
    far = 2**31 - 1
    out: list[tuple[int, int | None]] = []
    for since, until in a:
        for begin, end in b:
            low = max(since, begin)
            high = min(far if until is None else until, far if end is None else end)
            if low < high:
                out.append((low, None if high == far else high))
    return sorted(out)


def _hole_days(spans: list[tuple[int, int | None]], first: int, last: int) -> npt.NDArray[np.int64]:
    """Days of [first, last] that no span covers, ascending."""
    days = np.arange(first, last + 1)
    inside = np.zeros(len(days), np.bool_)
    for since, until in spans:
        inside |= (days >= since) & (days < (2**31 - 1 if until is None else until))
    return days[~inside]


def _seen(engine: Engine, day: int, last: int, known_by: datetime) -> bool:
    """Whether every day of the horizon was covered, and known by then."""
    delay = max(
        (
            engine.workspace.mapping.tables[table].delay_days
            for table in _TABLES
            if table in engine.workspace.mapping.tables
        ),
        default=0,
    )
    # Rows of the last days arrive late by the usual delay; until then silence cannot be told.
    return day_of(engine, known_by) - delay >= last and covered(_coverage(engine), day, last)
