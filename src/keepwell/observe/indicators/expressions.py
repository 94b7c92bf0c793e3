"""The few expressions that indicators are made of; absent in, absent out, never a warning.

All take and give float64 [n]. Written once, evaluated in one fixed order, so that every engine
gives the same bits.
"""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.needs import Array, TableWindows

BASELINE_DAYS = 365
"""Days back that make up a client's own normal."""

BASELINE_COVERED = 90
"""Covered days below which there is no own normal."""


def ratio(a: Array, b: Array) -> Array:
    """Quotient a / b; absent where b is 0 or either is absent.

    Example:
        >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
        array([0.5, nan])
    """
    out = np.full(np.shape(a), np.nan)
    np.divide(a, b, out=out, where=np.asarray(b) != 0)
    return out


def change(now: Array, before: Array) -> Array:
    """Relative change now / before - 1; absent where before is not positive or either is absent.

    Example:
        >>> change(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
        array([0.5, nan])
    """
    return ratio(now, np.where(before > 0, before, np.nan)) - 1.0


def trend(now: Array, before: Array) -> Array:
    """Trend (now - before) / (now + before), from -1 (stopped) to 1 (new); absent where both are 0.

    Example:
        >>> trend(np.array([1.0, 0.0]), np.array([3.0, 0.0]))
        array([-0.5,  nan])
    """
    return ratio(now - before, now + before)


def own_normal(table: TableWindows, measure: str, window: int) -> Array:
    """Rate per covered day in a window over the rate per covered day in the rest of 365 days.

    Absent where fewer than 90 covered days lie in the rest, or nothing happened in it.

    Args:
        table: the event table's windows.
        measure: a summed measure.
        window: days.
    """
    now = table.sum(measure, window)
    return relative_rate(
        now,
        table.covered(window),
        table.sum(measure, BASELINE_DAYS) - now,
        table.covered(BASELINE_DAYS) - table.covered(window),
    )


def own_normal_days(table: TableWindows, window: int) -> Array:
    """As `own_normal`, of the number of active days."""
    now = table.days(window)
    return relative_rate(
        now,
        table.covered(window),
        table.days(BASELINE_DAYS) - now,
        table.covered(BASELINE_DAYS) - table.covered(window),
    )


def relative_rate(now: Array, now_days: Array, rest: Array, rest_days: Array) -> Array:
    """(now / now_days) / (rest / rest_days); absent with fewer than 90 rest_days or no rest."""
    days = np.where(rest_days >= BASELINE_COVERED, rest_days, np.nan)
    return ratio(ratio(now, now_days), ratio(rest, days))


def per_item_change(table: TableWindows, total: str, items: str, window: int) -> Array:
    """Mean of `total` per `items` in a window over the same mean in the rest of 365 days.

    Args:
        table: the event table's windows.
        total: the measure to average.
        items: the measure that counts.
        window: days.
    """
    now, count = table.sum(total, window), table.sum(items, window)
    rest = table.sum(total, BASELINE_DAYS) - now
    return ratio(ratio(now, count), ratio(rest, table.sum(items, BASELINE_DAYS) - count))


def known_sum(table: TableWindows, measure: str, window: int, prev: bool = False) -> Array:
    """Sum of a money measure of trades; absent where there are trades and none has an amount.

    Args:
        table: the trade windows.
        measure: a summed money measure.
        window: days.
        prev: whether the previous equal window is meant.
    """
    unknown = (table.sum("count", window, prev) > 0) & (table.sum("known", window, prev) == 0)
    return np.where(unknown, np.nan, table.sum(measure, window, prev))


def least(*values: Array) -> Array:
    """The smallest that is present; absent where all are.

    Example:
        >>> least(np.array([1.0, np.nan]), np.array([2.0, np.nan]))
        array([ 1., nan])
    """
    out = values[0]
    for value in values[1:]:
        out = np.fmin(out, value)
    return out
