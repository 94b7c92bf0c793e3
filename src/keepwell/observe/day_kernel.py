"""What is asked of whole days: closes, their means and extremes, and how long they stay below 0.

A close-of-day table has one value per client, day and measure: the rows of one day are combined as
the measure merges (a sum adds, a last one replaces). Unlike the window kernel, which adds rows to
bands and never looks at a single day, this one finishes each day and then looks at it. It walks
only the tables of which such a thing is asked.

Definitions, with a day visible when day < D and known by then:

* close: the day's value of the latest visible day < D - ago; absent without one, or blank.
* mean_20: mean of the latest 20 non-blank day values with D - ago - 60 <= day < D - ago; absent
  below 10 of them.
* high, low: largest and least non-blank day value with D - window <= day < D; absent without one.
* negative_days: D minus the first day of the unbroken run of visible days, up to the latest,
  whose value is below 0; 0 when the latest is not below 0; absent without days or when it is blank.
"""
# numba compiles the kernel for the types it is called with.
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.kernel import compiled
from keepwell.observe.indicators.needs import DAY_STATS, Need
from keepwell.observe.tiles import ALWAYS, BLANK, TileSpec
from keepwell.observe.windows import Rows

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEAN_OF: Final = 20
"""Closes in a mean."""
MEAN_LEAST: Final = 10
"""Closes below which there is no mean."""
MEAN_BACK: Final = 60
"""Days back in which they must lie."""

_SUM, _LAST, _REAL, _MAX, _MIN = range(5)
_MERGES: Final = {"sum": _SUM, "last": _LAST, "max": _MAX, "min": _MIN}


class DayPlan:
    """What to compute of one table's days.

    Args:
        spec: the table's tile.
        needs: what is wanted of it; the outputs have this order, sorted.
    """

    def __init__(self, spec: TileSpec, needs: Iterable[Need]) -> None:
        self.needs = sorted(set(needs))
        self.row = {need: i for i, need in enumerate(self.needs)}
        self._names = sorted({need.measure for need in self.needs})
        self._kinds = [
            _REAL if spec.measure(name).real else _MERGES[spec.measure(name).merge]
            for name in self._names
        ]
        # (kind of statistic, slot of the measure, days back or in the window)
        self.ops = np.array(
            [(DAY_STATS.index(n.stat), self._names.index(n.measure), n.window or n.ago)
             for n in self.needs], np.int64
        ).reshape(-1, 3)  # fmt: skip

    def columns(self, rows: Rows) -> Ints:
        """(column, or -1 - narrow column; how rows of a day combine) of each measure."""
        where = [
            rows.wide_index.get(name, -1 - rows.narrow_index.get(name, 0)) for name in self._names
        ]
        return np.array(list(zip(where, self._kinds, strict=True)), np.int64).reshape(-1, 2)


def run_days(
    plan: DayPlan, day: int, rows: Rows, low: Ints, high: Ints, at: Ints, out: Array
) -> None:
    """Compute a plan for a batch of clients; the arguments are those of `windows.run`."""
    _kernel(
        day, low, high, at, plan.ops, plan.columns(rows), rows.day, rows.known, rows.gone,
        rows.narrow, rows.wide, rows.wide.view(np.float64), out,
    )  # fmt: skip


@compiled()
def _take(i, fresh, columns, narrow, wide, real, value):  # type: ignore[no-untyped-def]
    """Takes a row into its day's values; NaN is blank."""
    for m in range(len(columns)):
        c, how = columns[m, 0], columns[m, 1]
        if how == _REAL:
            value[m] = real[i, c]
            continue
        v = wide[i, c] if c >= 0 else np.int64(narrow[i, -1 - c])
        x = np.nan if v == BLANK else float(v)
        if fresh or how == _LAST or np.isnan(value[m]):
            value[m] = x
        elif not np.isnan(x):
            if how == _SUM:
                value[m] += x
            elif how == _MAX:
                value[m] = max(value[m], x)
            else:
                value[m] = min(value[m], x)


@compiled()
def _finish(age, ops, value, kept, ring, filled):  # type: ignore[no-untyped-def]
    """Takes a finished day into every statistic."""
    for o in range(len(ops)):
        kind, span = ops[o, 0], ops[o, 2]
        x = value[ops[o, 1]]
        if kind == 0:
            if age > span:
                kept[o] = x
        elif kind == 1:
            if span < age <= span + MEAN_BACK and not np.isnan(x):
                ring[o, filled[o] % MEAN_OF] = x
                filled[o] += 1
        elif kind == 4:
            if np.isnan(x):
                kept[o] = np.nan
            elif x >= 0.0:
                kept[o] = 0.0
            elif not kept[o] > 0.0:
                kept[o] = age
        elif age <= span and not np.isnan(x):
            better = x > kept[o] if kind == 2 else x < kept[o]
            if np.isnan(kept[o]) or better:
                kept[o] = x


@compiled()
def _kernel(  # type: ignore[no-untyped-def]
    today, low, high, at, ops, columns, day, known, gone, narrow, wide, real, out
):
    count = len(ops)
    value = np.empty(len(columns))
    kept = np.empty(count)
    ring = np.empty((count, MEAN_OF))
    filled = np.zeros(count, np.int64)
    for q in range(len(low)):
        kept[:] = np.nan
        filled[:] = 0
        newest = np.int64(today)
        for i in range(low[q], high[q]):
            d = np.int64(day[i])
            if d >= today or (known[i] != ALWAYS and known[i] > today):
                continue
            if len(gone) and gone[i] <= today:
                continue
            if d != newest and newest < today:
                _finish(today - newest, ops, value, kept, ring, filled)
            _take(i, d != newest, columns, narrow, wide, real, value)
            newest = d
        if newest < today:
            _finish(today - newest, ops, value, kept, ring, filled)
        for o in range(count):
            found = kept[o]
            if ops[o, 0] == 1:
                n = min(filled[o], MEAN_OF)
                found = ring[o, :n].sum() / n if n >= MEAN_LEAST else np.nan
            out[o, at[q]] = found
