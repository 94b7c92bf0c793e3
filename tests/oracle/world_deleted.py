"""Rows of a random world that are taken back, by a draw of their own, and rows that come twice.

A deletion is a further revision of a key. Mostly it comes after the row and is known later; some
come before the row that they delete, some are undone by a still higher revision, and some carry
nothing but the key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .world_schema import KEYS

if TYPE_CHECKING:
    from .world import _Draw

Row = dict[str, Any]
KEPT = ("currency",)


def take_back(draw: _Draw, rows: dict[str, list[Row]]) -> None:
    """Adds deletions to every table, and a few clients of whom nothing is left for a while."""
    lost = {client for client in draw.clients if draw.chance(0.08)}
    for table, there in rows.items():
        newest: dict[tuple[Any, ...], Row] = {}
        for row in there:
            key = tuple(row[name] for name in KEYS[table])
            if key not in newest or row["revision"] > newest[key]["revision"]:
                newest[key] = row
        for row in newest.values():
            if draw.chance(0.9 if row.get("client_id") in lost else 0.06):
                there += _deletions(draw, table, row)


def duplicates(draw: _Draw) -> None:
    """Exact repeats, as exports that overlap bring them."""
    for rows in draw.rows.values():
        repeats = [dict(rows[i]) for i in range(len(rows)) if draw.chance(0.02)]
        rows.extend(repeats)


def _deletions(draw: _Draw, table: str, row: Row) -> list[Row]:
    known, revision = row["known_at"], row["revision"] + 1
    kind = draw.rng.random()
    if kind < 0.5:
        when = draw.known(known) + timedelta(seconds=draw.whole(0, 90))
    elif kind < 0.85:
        later = [t for t in draw.as_ofs if t >= known] or [known]
        when = draw.pick(later) + timedelta(seconds=draw.whole(-40_000, 1))
    else:  # told before the row itself arrived
        when = known - timedelta(seconds=draw.whole(1, 400_000))
    gone = {name: row[name] for name in row if name in (*KEYS[table], *KEPT) or kind < 0.3}
    # Nothing is known before it happened, whoever says so.
    happened = [gone[clock] for clock in ("at", "valid_from") if clock in gone]
    if "day" in gone:
        happened.append(_midnight(gone["day"], draw))
    when = max(when, *happened, when)
    found = [{**gone, "known_at": when, "revision": revision, "deleted": True}]
    if draw.chance(0.2):
        back = draw.known(max(when, known)) + timedelta(seconds=1)
        found.append({**row, "known_at": back, "revision": revision + 1})
    return found


def _midnight(day: Any, draw: _Draw) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=draw.zone).astimezone(UTC)
