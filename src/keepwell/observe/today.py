"""The day as of which a workspace's data are judged: now, or the end of data that are over.

A workspace may look at history: keepwell.yaml names a ranking date, or declares for every table an
end of what it covers. Nothing newer is to be expected there, and what was fresh at that day is not
stale because years have passed since. Everywhere else the clock counts: that a broker's own data
have stopped must not be hidden by the day on which they stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from keepwell.core.days import local_day, to_date

if TYPE_CHECKING:
    from keepwell.observe.mapping import Mapping
    from keepwell.observe.workspace import Workspace

DELIVERY: Final = timedelta(hours=9)
"""Time after midnight until which the day before may still be on its way."""

By = Literal["clock", "rank", "covers"]


@dataclass(frozen=True, slots=True)
class Today:
    """The day as of which data are judged.

    Attributes:
        day: all days before it are over and should have come.
        by: 'clock'; 'rank': the ranking date of keepwell.yaml; 'covers': the day on which the
            last of the declared coverages ends.
    """

    day: date
    by: By


def today_of(workspace: Workspace, now: datetime) -> Today:
    """The day as of which a workspace's data are judged.

    Args:
        workspace: its mapping says if it looks at history.
        now: the instant (UTC).
    """
    day = to_date(local_day(now - DELIVERY, workspace.zone))
    rank = workspace.mapping.dates.rank
    if rank is not None and rank <= day:
        return Today(rank, "rank")
    end = _end(workspace.mapping)
    if end is not None and end <= day:
        return Today(end, "covers")
    return Today(day, "clock")


def _end(mapping: Mapping) -> date | None:
    """Where the last coverage ends; None while any of them is open, or none is declared."""
    ends = [until for table in mapping.tables.values() for _, until in table.covers]
    if not ends or None in ends:
        return None
    return max(until for until in ends if until is not None)


__all__ = ["DELIVERY", "By", "Today", "today_of"]
