"""The window kernel: every windowed measure of a table, for a batch of clients, in one walk.

For each client the kernel walks the tile rows that were visible at as_of in the order of their
days, adds them to disjoint bands of age, and combines bands into the windows that were asked. A
row is visible at the midnight that begins day D iff its day < D and known <= D < gone; rows of the
open tail of day D carry `ALWAYS` as their known day and may lie on D itself.

Definitions, with N the window and active days the distinct visible days in it:

* window N: ages D - day of 0 (the open tail) to N; its previous: N+1 to 2N.
* std: sample standard deviation (n - 1) of the sums of the active days; absent below two.
* longest gap, mean gap: of the distances between neighbouring active days; absent below two.
* clumpiness (Zhang, Bradlow and Small 2015): 1 + sum(g ln g) / ln(n + 1) over the n + 1 gaps g,
  as fractions of N + 1, that n active days cut the window into; day D - N is position 1 (of the
  previous window D - 2N), the ends are 0 and N + 1, and an empty gap adds nothing. Absent without
  active days.
* recency, first seen: D minus the latest and the first visible day; absent without rows.
* last: the latest row's value with day < D - ago; absent without one, or where it is blank.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.observe.indicators.needs import Need
from keepwell.observe.tiles import TileSpec
from keepwell.observe.window_kernel import kernel, newest

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GAPS = {"longest_gap": 0, "mean_gap": 1, "clumpiness": 2}
_BANDED = ("sum", "max", "min", "distinct")
_LN = np.array([0.0] + [g * math.log(g) for g in range(1, 1025)])


@dataclass(frozen=True)
class Rows:
    """Tile rows sorted by (entity, day, known); all arrays read-only.

    Attributes:
        day, known, gone: int32 [rows]; gone is empty when no row is ever gone.
        narrow: int32 [rows, k]; wide: int64 [rows, k].
        narrow_index, wide_index: measure -> column.
        newest: the largest known day, so that visibility need not be checked after it.
    """

    day: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32]
    gone: npt.NDArray[np.int32]
    narrow: npt.NDArray[np.int32]
    wide: Ints
    narrow_index: dict[str, int]
    wide_index: dict[str, int]
    newest: int


class Plan:
    """What to compute of one table, as the arrays the kernel reads.

    Args:
        spec: the table's tile.
        needs: what is wanted of it; the outputs have this order, sorted.
    """

    def __init__(self, spec: TileSpec, needs: Iterable[Need]) -> None:
        self.spec = spec
        self.needs = sorted(set(needs))
        self.row = {need: i for i, need in enumerate(self.needs)}
        self.only_recency = all(need.stat == "recency" for need in self.needs)
        edges = {n.window * k for n in self.needs if n.window for k in range(1, n.prev + 2)}
        self.edges = np.array(sorted(edges), np.int64)
        self.ages = np.zeros(int(self.edges[-1]) + 1 if len(edges) else 0, np.uint64)
        for band, edge in enumerate(self.edges[:-1]):
            self.ages[edge + 1 :] = band + 1
        self._slots: dict[str, list[str]] = {stat: [] for stat in _BANDED}
        self._gap: list[tuple[int, int]] = []
        # (output row, slot, first band, end band) of each banded statistic
        self.banded = tuple(
            _table([self._band(n) for n in self.needs if _family(n) == stat], 4) for stat in _BANDED
        )
        self._last = [n for n in self.needs if n.stat == "last"]
        self._std = [n for n in self.needs if n.stat == "std"]
        self.last = _table([(self.row[n], n.ago) for n in self._last], 2)
        # (output row, youngest age, oldest age)
        self.std = _table([(self.row[n], *_ages(n)) for n in self._std], 3)
        self.gaps = _table(
            [(self.row[n], _slot(self._gap, _ages(n)), _GAPS[n.stat])
             for n in self.needs if n.stat in _GAPS], 3
        )  # fmt: skip
        self.gap_ages = _table(self._gap, 2)
        # output rows of recency and of first seen
        self.seen = tuple(
            _table([(self.row[n],) for n in self.needs if n.stat == stat], 1)
            for stat in ("recency", "first_seen")
        )

    def _band(self, need: Need) -> tuple[int, int, int, int]:
        high = int(np.searchsorted(self.edges, need.window * (1 + need.prev))) + 1
        low = int(np.searchsorted(self.edges, need.window)) + 1 if need.prev else 0
        slot = -1 if need.stat == "days" else _slot(self._slots[need.stat], need.measure)
        return self.row[need], slot, low, high

    def columns(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        """Where a set of rows keeps what the plan reads, as tables of two columns.

        Returns:
            (column, slot) of narrow and of wide sums; (column, 0) of max, min, or; (column, real)
            of last; (column, or -1 - narrow column, 0) of std.
        """
        narrow, wide = rows.narrow_index, rows.wide_index
        sums = list(enumerate(self._slots["sum"]))
        pairs = [_table([(at[m], s) for s, m in sums if m in at], 2) for at in (narrow, wide)]
        picks = [_table([(wide[m], 0) for m in self._slots[stat]], 2) for stat in _BANDED[1:]]
        last = [(wide[n.measure], int(self.spec.measure(n.measure).real)) for n in self._last]
        std = [(wide.get(n.measure, -1 - narrow.get(n.measure, 0)), 0) for n in self._std]
        # unsigned: numba then leaves out the check for indices from the end
        found = [part.astype(np.uint64) for part in (*pairs, *picks)]
        return *found, _table(last, 2), _table(std, 2)

    @property
    def sums(self) -> int:
        """Number of summed measures."""
        return len(self._slots["sum"])


def _family(need: Need) -> str:
    return "sum" if need.stat == "days" else need.stat


def _ages(need: Need) -> tuple[int, int]:
    """Ages of the days in a need's window."""
    return (need.window + 1, 2 * need.window) if need.prev else (0, need.window)


def _table(rows: list[Any], width: int) -> Ints:
    return np.array(rows, np.int64).reshape(-1, width)


def _slot(names: list[Any], name: Any) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def run(plan: Plan, day: int, rows: Rows, low: Ints, high: Ints, at: Ints, out: Array) -> None:
    """Compute a plan for a batch of clients.

    Args:
        plan: what.
        day: D, the local day of as_of.
        rows: tile rows.
        low: first row of each client; int64 [n].
        high: the row after its last; int64 [n].
        at: column of `out` for each client; int64 [n].
        out: float64 [len(plan.needs), columns]; one row per need, filled in.
    """
    ops = (
        *plan.banded, plan.last, plan.std, plan.gaps, plan.gap_ages, *plan.seen,
    )  # fmt: skip
    arrays = (
        rows.day, rows.known, rows.gone, rows.narrow, rows.wide, rows.wide.view(np.float64),
    )  # fmt: skip
    kernel(
        day, low.astype(np.uint64), high.astype(np.uint64), at, plan.ages, len(plan.edges),
        plan.sums, ops, arrays, plan.columns(rows), rows.newest > day, _LN, out,
    )  # fmt: skip


def latest(rows: Rows, day: int, low: Ints, high: Ints) -> Array:
    """Recency alone, from the last row of each client backwards; float64 [n], NaN without rows.

    Args:
        rows: tile rows.
        day: D, the local day of as_of.
        low: first row of each client; int64 [n].
        high: the row after its last; int64 [n].
    """
    out = np.full(len(low), np.nan)
    newest(day, low, high, rows.day, rows.known, rows.gone, out)
    return out
