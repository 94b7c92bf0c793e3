"""In which order work calls: the time left in steps, and within a step the money at risk.

Not the time left alone: of two clients with twenty minutes left, the one with more to lose comes
first, although the other's clock ends a minute sooner. `due_of` and `queue_repo` say the same, the
one for a single instant, the other as SQL; a test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import IntEnum
from typing import Final
from zoneinfo import ZoneInfo

from keepwell.intervene.case.policy import NOT_DUE

SOON: Final = timedelta(minutes=15)
"""Left until a clock ends: what else is done now can wait."""


class Due(IntEnum):
    """Steps of the time left on the first clock; the lower calls first."""

    OVERDUE = 0
    SOON = 1
    HOUR = 2
    TODAY = 3
    WEEK = 4
    LATER = 5
    NONE = 6


@dataclass(frozen=True, slots=True)
class Edges:
    """Where the steps end, as of an instant; each step ends before its edge.

    Attributes:
        now: the instant: what is due before it is overdue.
        soon: a quarter of an hour later.
        hour: an hour later.
        today: the exchange's day ends.
        week: the exchange's week ends, with Sunday.
    """

    now: datetime
    soon: datetime
    hour: datetime
    today: datetime
    week: datetime

    @classmethod
    def at(cls, now: datetime, zone: ZoneInfo) -> Edges:
        """The edges as of an instant.

        Args:
            now: the instant.
            zone: the exchange's.
        """
        day = now.astimezone(zone).date()
        midnight = [
            datetime.combine(day + timedelta(days=days), time(), zone)
            for days in (1, 7 - day.weekday())
        ]
        return cls(now, now + SOON, now + timedelta(hours=1), *midnight)


def due_of(due_at: datetime | None, edges: Edges) -> Due:
    """The step of the time left on a clock.

    Args:
        due_at: when it is due; None or `NOT_DUE`: no clock runs.
        edges: of the instant.
    """
    if due_at is None or due_at >= NOT_DUE:
        return Due.NONE
    steps = (
        (edges.now, Due.OVERDUE), (edges.soon, Due.SOON), (edges.hour, Due.HOUR),
        (edges.today, Due.TODAY), (edges.week, Due.WEEK),
    )  # fmt: skip
    return next((due for edge, due in steps if due_at < edge), Due.LATER)


def place(due: Due, weight: float, key: str) -> tuple[int, float, str]:
    """Where a row stands in the queue, for sorting.

    Args:
        due: step of its time left.
        weight: score times assets; service that is owed to everybody stands before all of it.
        key: its id, so that two queues never differ.

    Example:
        >>> place(Due.SOON, 9.0, "b") < place(Due.SOON, 4.0, "a") < place(Due.HOUR, 50.0, "c")
        True
    """
    return int(due), -weight, key
