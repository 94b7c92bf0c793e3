"""How much of a window a table is declared complete for.

The spans are those of the mapping's `covers`, pinned in the lake's manifest. A window of whole
days that is covered for less than `MINIMUM` gives no numbers at all: absent is not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keepwell.observe.indicators.needs import Need

MINIMUM: Final = 0.5
"""Least covered share of a window for which a number is given."""

Spans = Sequence[tuple[int, int | None]]


def covered_days(spans: Spans, low: int, high: int) -> int:
    """Days of [low, high) that lie in the spans [from, until); None is open.

    Example:
        >>> covered_days([(0, 10), (20, None)], 5, 25)
        10
    """
    return sum(
        max(0, min(high, high if until is None else until) - max(low, since))
        for since, until in spans
    )


def share(need: Need, spans: Spans, day: int) -> float:
    """Covered share of what a need looks at, 0 to 1.

    A question without a window (recency, first seen, last) looks at all days before: it is fully
    answered as soon as any of them is covered.

    Args:
        need: a need of an event table.
        spans: the table's declared coverage.
        day: D, the local day of as_of.
    """
    if need.window:
        high = day - need.window if need.prev else day
        return covered_days(spans, high - need.window, high) / need.window
    return float(any(since < day - need.ago for since, _ in spans))


def complete_from(spans: Spans, day: int) -> int:
    """First day from which a table is complete up to the day before `day`; `day` when it is not.

    Example:
        >>> complete_from([(0, 10), (10, 20)], 15)
        0
    """
    first = day
    for since, until in sorted(spans, key=lambda span: span[0], reverse=True):
        if since < first and (until is None or until >= first):
            first = since
    return first
