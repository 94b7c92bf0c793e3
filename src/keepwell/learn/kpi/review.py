"""When a key figure is so far from its target for so long that somebody must look into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

MARGIN: Final = 0.1
"""Share of the target by which a month must be worse than it."""

MONTHS: Final = 2
"""Months running after which a review opens."""

_ROUNDING: Final = 1e-9
# 0.9 * 0.9 is not 0.81 in binary: exactly 10 % is not more than 10 %.

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Reached:
    """What a month reached.

    Attributes:
        month: its first day.
        value: None where there is no figure.
        target: None where none was set.
    """

    month: date
    value: float | None
    target: float | None


def distance(value: float, target: float, better: Better) -> float:
    """How far beyond the target, in the figure's unit; negative: it falls short of it."""
    return value - target if better == "higher" else target - value


def misses(value: float | None, target: float | None, better: Better) -> bool:
    """Whether a month is worse than its target by more than a tenth of it.

    Args:
        value: of the month.
        target: in force in it.
        better: which way is better.

    Example:
        >>> misses(0.80, 0.90, "higher"), misses(0.81, 0.90, "higher"), misses(0.12, 0.1, "lower")
        (True, False, True)
    """
    if value is None or target is None:
        return False
    short = -distance(value, target, better)
    return short > MARGIN * abs(target) + _ROUNDING * max(abs(target), abs(value))


def run_of(months: Sequence[Reached], better: Better) -> tuple[date, date] | None:
    """The run of missed months that ends with the newest, if it is long enough.

    Args:
        months: oldest first, each month once; a month that is left out breaks a run.
        better: which way is better.

    Returns:
        Its first and its last month; None where no review is due.
    """
    found: list[date] = []
    for reached in reversed(months):
        follows = not found or following(reached.month) == found[-1]
        if not follows or not misses(reached.value, reached.target, better):
            break
        found.append(reached.month)
    return (found[-1], found[0]) if len(found) >= MONTHS else None


def following(month: date) -> date:
    """The first day of the month after."""
    year, number = divmod(month.year * 12 + month.month, 12)
    return date(year, number + 1, 1)


def before(month: date, months: int = 1) -> date:
    """The first day of the month so many before."""
    year, number = divmod(month.year * 12 + month.month - 1 - months, 12)
    return date(year, number + 1, 1)
