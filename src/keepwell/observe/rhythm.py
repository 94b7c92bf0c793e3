"""The rhythm of a table: how many trading days mostly lie between two days with facts.

Learned from the table itself at the end of an ingest and kept in the workspace's state, since it
hardly changes; so a look at the freshness of the lake reads no rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from keepwell.core.days import local_day, to_date
from keepwell.core.files import atomic_write
from keepwell.observe.contract import TABLES, Kind
from keepwell.observe.lake import Connect, parquet_sql, when_needed

if TYPE_CHECKING:
    from keepwell.observe.manifest import TableState
    from keepwell.observe.workspace import Workspace

FILE_NAME: Final = "rhythm.json"
LOOK_BACK: Final = 180
"""Days before the newest fact in which the rhythm is learned."""
GOOD_FOR: Final = 30
"""Days for which what was learned holds."""
ENOUGH: Final = 10
"""Of fewer pauses nobody can say how long nine of ten last."""
_SHARE: Final = 0.9
_KEPT: Final = 20
"""Longest pauses that are kept: more than holidays of half a year."""
_LONGEST: Final = 1_500
_SATURDAY: Final = 5

IsOpen = Callable[[date], bool]


def weekday(day: date) -> bool:
    """Whether a day is one from Monday to Friday."""
    return day.weekday() < _SATURDAY


def count_open(first: date, until: date, is_open: IsOpen) -> int:
    """Trading days from `first` up to the day before `until`.

    Example:
        >>> count_open(date(2026, 3, 6), date(2026, 3, 10), weekday)
        2
    """
    days = (until - first).days
    if days > _LONGEST:  # years old: about how many is enough
        return days * 5 // 7
    return sum(is_open(first + timedelta(days=n)) for n in range(max(0, days)))


def known(workspace: Workspace) -> dict[str, int]:
    """Rhythms learned so far, by table: trading days from one day with facts to the next."""
    return {name: int(kept["days"]) for name, kept in _kept(workspace).items()}


def long_pauses(workspace: Workspace) -> dict[str, tuple[tuple[date, date], ...]]:
    """The longest pauses seen, by table: the days with facts before and after each.

    Tables with fewer than `ENOUGH` pauses are left out, and those learned before these were kept.
    """
    return {
        name: tuple((date.fromisoformat(a), date.fromisoformat(b)) for a, b in kept["long"])
        for name, kept in _kept(workspace).items()
        if len(kept["long"]) >= ENOUGH
    }


def learn(workspace: Workspace) -> None:
    """Learn the rhythm of tables of which none is known, or whose is old.

    Args:
        workspace: whose lake.
    """
    manifest = workspace.lake.manifest()
    kept = _kept(workspace)
    changed = False
    with when_needed(threads=1, memory="500MB") as engine:
        for name, state in (manifest.tables if manifest else {}).items():
            last = _day(state.last, workspace)
            if name not in TABLES or last is None:
                continue
            before = kept.get(name)
            # What was learned before the longest pauses were kept is learned anew.
            if before and before["long"] and last < _good_until(before):
                continue
            days, longest = _measured(workspace, engine, name, state, last)
            if days is not None:
                kept[name] = {"days": days, "last": last.isoformat(), "long": longest}
                changed = True
    if changed:
        with suppress(OSError):
            text = json.dumps(kept, indent=1, sort_keys=True) + "\n"
            atomic_write(workspace.state / FILE_NAME, text)


def _kept(workspace: Workspace) -> dict[str, dict[str, Any]]:
    try:
        raw = json.loads((workspace.state / FILE_NAME).read_text(encoding="utf-8"))
        return {
            str(name): {
                "days": int(found["days"]),
                "last": str(found["last"]),
                "long": [[str(a), str(b)] for a, b in found.get("long", [])],
            }
            for name, found in raw.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _good_until(kept: dict[str, Any]) -> date:
    return date.fromisoformat(kept["last"]) + timedelta(days=GOOD_FOR)


def _measured(
    workspace: Workspace, engine: Connect, table: str, state: TableState, last: date
) -> tuple[int | None, list[list[str]]]:
    """Trading days that nine of ten pauses last at most, and the longest pauses."""
    days = list(pairwise(_fact_days(workspace, engine, table, state, last)))
    # Holidays are not known here; they are too few to move nine of ten.
    gaps = sorted(((max(1, count_open(a, b, weekday)), a, b) for a, b in days), reverse=True)
    if not gaps:
        return None, []
    longest = [[a.isoformat(), b.isoformat()] for _, a, b in gaps[:_KEPT]]
    return gaps[len(gaps) - math.ceil(len(gaps) * _SHARE)][0], longest


def _fact_days(
    workspace: Workspace, engine: Connect, table: str, state: TableState, last: date
) -> list[date]:
    contract = TABLES[table]
    clock = f'"{contract.clock}"'
    dated = contract.by_name[contract.clock].kind is Kind.DAY
    lake, since = workspace.lake, last - timedelta(days=LOOK_BACK)
    start = since if dated else datetime(since.year, since.month, since.day, tzinfo=workspace.zone)
    zone = str(workspace.zone).replace("'", "''")
    day = clock if dated else f"cast(timezone('{zone}', {clock}) as date)"
    files = parquet_sql(lake.files_at(table, state.version), contract)
    query = f"select distinct {day} as d from {files} where {clock} >= ? order by d"
    found = engine().execute(query, [start]).fetchall()
    return [row[0] for row in found]


def _day(moment: date | datetime | None, workspace: Workspace) -> date | None:
    if isinstance(moment, datetime):
        return to_date(local_day(moment, workspace.zone))
    return moment
