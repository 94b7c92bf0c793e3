"""The rules of the monitors, on counts alone: what is so unusual that a person must look.

Days are put together to blocks (a day, a week of trading days, a month of them) that hold enough
rows. The newest blocks are judged, oldest first, each against the blocks before it that were not
unusual themselves; with too few of them nothing is said. A rule speaks only when a value is beyond
its threshold *and* beyond what the blocks before ever showed, so what always moves much must move
very much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.observe.mapping_monitor import MonitorKind, Monitors
from keepwell.observe.monitors.profile import STEPS, Counts, step_of

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]

LENGTHS: Final = (1, 5, 20)
"""Trading days of a block: a day, a week, a month."""
MOST_BEFORE: Final = 60
"""Blocks before the judged one that say what is usual."""
_NEAR: Final = 1.0 / STEPS
_GROUPS: Final = 10
_FEW: Final = 10
_LEAST_BAD: Final = 3
"""Fewer rows are never called unusual: a typing error is the quarantine's business."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """One rule's word on one column.

    Attributes:
        kind: which rule.
        column: whose values; '' for the rows.
        since: first day number of the unusual blocks.
        until: last day number of them.
        value: what the newest of them showed.
        usual: what was usual.
        rows: rows of the newest of them.
        factor: of a jump of units, by which the values were multiplied (below 1: divided).
    """

    kind: MonitorKind
    column: str
    since: int
    until: int
    value: float
    usual: float
    rows: int
    factor: float = 0.0


@dataclass(frozen=True)
class Blocks:
    """Days put together.

    Attributes:
        first: first day number of each block; int64 [n].
        last: last day number of each; int64 [n].
        of: which block each day of a profile belongs to, -1 for none; int64 [days].
        group: blocks are compared with blocks of the same group: 0 ordinary, 1 closed days, 2 the
            turn of a month, when much is booked; int64 [n].
        length: trading days of a block.
    """

    first: Ints
    last: Ints
    of: Ints
    group: Ints
    length: int

    def sum(self, by_day: Ints) -> Ints:
        """Values by day summed by block; int64 [n, ...]."""
        out = np.zeros((len(self.first), *by_day.shape[1:]), np.int64)
        inside = self.of >= 0
        np.add.at(out, self.of[inside], by_day[inside])
        return out


def blocks_of(
    days: Ints, rows: Ints, is_open: Callable[[int], bool], least: int, expected: bool
) -> Blocks | None:
    """Put days together so that a block holds enough rows to judge.

    Args:
        days: day numbers with rows, ascending, all of them over.
        rows: rows of each.
        is_open: whether the exchange trades on a day.
        least: rows of a block, as the median.
        expected: whether a trading day without a row counts as a day.

    Returns:
        None where not even a month holds so many.
    """
    if not len(days):
        return None
    opened = [day for day in range(int(days[0]), int(days[-1]) + 1) if is_open(day)]
    line = np.array(opened, np.int64) if opened else days
    for length in LENGTHS:
        blocks = _longer(days, line, length)
        if len(blocks.first) and float(np.median(blocks.sum(rows))) >= least:
            return blocks if length > 1 else _daily(days, line, expected)
    return None


def _daily(days: Ints, line: Ints, expected: bool) -> Blocks:
    listed = np.union1d(days, line) if expected else days
    group = np.where(np.isin(listed, line), 0, 1)
    turns = _turns(listed, line)
    group[np.isin(listed, turns)] = 2
    return Blocks(listed, listed, np.searchsorted(listed, days).astype(np.int64), group, 1)


def _turns(days: Ints, line: Ints) -> Ints:
    """The last and the first day of a month, and its last and first trading day."""
    out: set[int] = set()
    for some in (np.arange(int(days[0]) - 1, int(days[-1]) + 2), line):
        months = some.astype("datetime64[D]").astype("datetime64[M]")
        at = np.flatnonzero(months[1:] != months[:-1])
        out.update(some[at].tolist(), some[at + 1].tolist())
    return np.array(sorted(out), np.int64)


def _longer(days: Ints, line: Ints, length: int) -> Blocks:
    """Blocks of so many trading days, the newest whole; a closed day joins the open one before."""
    count = len(line) // length
    skip = len(line) - count * length
    if not count:
        nothing = np.empty(0, np.int64)
        return Blocks(nothing, nothing, np.full(len(days), -1), nothing, length)
    starts = line[skip::length]
    last = np.append(starts[1:] - 1, max(int(line[-1]), int(days[-1])))
    of = np.searchsorted(starts, days, "right").astype(np.int64) - 1
    turns = _turns(days, line)
    inside = np.searchsorted(turns, last, "right") > np.searchsorted(turns, starts)
    return Blocks(starts, last, of, np.where(inside & (length < LENGTHS[-1]), 2, 0), length)


@dataclass
class Judge:
    """All rules over one table's blocks.

    Args:
        blocks: the blocks.
        rules: the thresholds.
        accepted: (kind, column) to the days [since, until] that a person called right: they are the
            new usual, and what was before them counts no more. A new unit is one for all rules.
    """

    blocks: Blocks
    rules: Monitors
    accepted: dict[tuple[MonitorKind, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def judged(self) -> range:
        """Places of the blocks that are judged."""
        count = max(1, self.rules.judge // self.blocks.length)
        return range(max(0, len(self.blocks.first) - count), len(self.blocks.first))

    def volume(self, rows: Ints) -> list[Unusual]:
        """Rows per block, int64 [n]."""
        found = self._walk(MonitorKind.VOLUME, "", lambda b, before: self._volume(rows, b, before))
        return self._told(MonitorKind.VOLUME, "", found, rows)

    def gaps(self, column: str, unknown: Ints, rows: Ints) -> list[Unusual]:
        """Rows per block that name somebody unknown, of all rows; int64 [n] each."""
        kind = MonitorKind.GAPS
        found = self._walk(
            kind, column, lambda b, before: self._share(unknown, rows, b, before, self.rules.gaps)
        )
        return self._told(kind, column, found, rows)

    def column(self, name: str, counts: Counts) -> list[Unusual]:
        """A column's emptiness, units, ranges and distribution."""
        empty, values = self.blocks.sum(counts.empty), self.blocks.sum(counts.counts)
        filled = values.sum(axis=1)
        rows = empty + filled
        out = self._told(
            MonitorKind.NULLS, name,
            self._walk(MonitorKind.NULLS, name,
                       lambda b, before: self._share(empty, rows, b, before, self.rules.nulls)),
            rows,
        )  # fmt: skip
        if len(counts.bins) < 1:
            return out
        steps = np.array([int(b) for b in counts.bins], np.int64) if counts.numeric else None
        jumped: dict[int, _Word] = {}
        if steps is not None:
            kind = MonitorKind.UNITS
            jumped = self._walk(kind, name, lambda b, before: self._unit(steps, values, b, before))
            out += self._told(kind, name, jumped, filled)
            kind = MonitorKind.RANGES
            beyond = self._walk(
                kind, name,
                lambda b, before: (
                    None if b in jumped else self._range(name, steps, values, b, before)
                ),
                passed=set(jumped),
            )  # fmt: skip
            out += self._told(kind, name, beyond, filled)
        kind = MonitorKind.DRIFT
        drifted = self._walk(
            kind, name, lambda b, before: None if b in jumped else self._drift(values, b, before),
            passed=set(jumped),
        )  # fmt: skip
        return out + self._told(kind, name, self._lasting(drifted), filled)

    def _lasting(self, found: dict[int, _Word]) -> dict[int, _Word]:
        """Of days those that follow each other: one odd day is the clients', not the source's."""
        if self.blocks.length > 1:
            return found
        group = self.blocks.group
        peers = {b: [i for i in range(len(group)) if group[i] == group[b]] for b in found}
        return {
            b: word for b, word in found.items()
            if {*_beside(peers[b], b)} & found.keys()
        }  # fmt: skip

    def _walk(
        self,
        kind: MonitorKind,
        column: str,
        rule: Callable[[int, Ints], _Word | None],
        passed: set[int] | None = None,
    ) -> dict[int, _Word]:
        """Judge the newest blocks, oldest first; blocks found unusual are not usual later."""
        if kind in self.rules.off:
            return {}
        blocks, found = self.blocks, dict[int, _Word]()
        right = self.accepted.get((kind, column)) or self.accepted.get((MonitorKind.UNITS, column))
        for b in self.judged:
            if right is not None and int(blocks.last[b]) <= right[1]:
                continue
            begin = 0 if right is None else right[0]
            before = [
                i for i in range(b)
                if i not in found and not (passed and i in passed)
                and blocks.group[i] == blocks.group[b] and int(blocks.last[i]) >= begin
            ]  # fmt: skip
            if len(before) < self.rules.history:
                continue
            word = rule(b, np.array(before, np.int64))
            if word is not None:
                found[b] = word
        return found

    def _told(
        self, kind: MonitorKind, column: str, found: dict[int, _Word], rows: Ints
    ) -> list[Unusual]:
        if not found:
            return []
        newest = max(found)
        word = found[newest]
        return [
            Unusual(
                kind, column, int(self.blocks.first[min(found)]), int(self.blocks.last[newest]),
                word.value, word.usual, int(rows[newest]), word.factor,
            )
        ]  # fmt: skip

    def _volume(self, rows: Ints, b: int, before: Ints) -> _Word | None:
        if self.blocks.group[b] == 1:
            return None  # a long holiday is quieter than any weekend
        usual = rows[before].astype(np.float64)
        least, most = float(usual.min()), float(usual.max())
        usual = usual[-MOST_BEFORE:]
        middle, x = float(np.median(usual)), float(rows[b])
        if middle < self.rules.least_rows / 2 and x < self.rules.least_rows:
            return None
        away = math.log((x + 0.5) / (middle + 0.5))
        movement = _spread(np.log(usual + 0.5), max(0.03, 1 / math.sqrt(middle + 1)))
        if abs(away) < max(math.log(self.rules.volume), self.rules.sigmas * movement):
            return None
        return _Word(x, middle) if x > most * 1.2 or x < least / 1.2 else None

    def _share(self, some: Ints, all_: Ints, b: int, before: Ints, by: float) -> _Word | None:
        n = int(all_[b])
        if n < self.rules.least_rows or int(some[b]) < _LEAST_BAD:
            return None
        enough = before[all_[before] > 0]
        shares = some[enough] / all_[enough]
        usual = float(some[before].sum() / max(1, int(all_[before].sum())))
        share = float(some[b] / n)
        chance = math.sqrt(max(usual * (1 - usual), 1 / n) / n)
        movement = _spread(shares, chance)
        beyond = share - usual >= max(by, self.rules.sigmas * movement)
        return _Word(share, usual) if beyond and share > float(shares.max()) + by / 2 else None

    def _unit(self, steps: Ints, values: Ints, b: int, before: Ints) -> _Word | None:
        signed = np.where(steps > 0, steps, 0)
        use = signed > 0
        if int(values[b, use].sum()) < self.rules.least_rows:
            return None
        some = [i for i in before[-MOST_BEFORE:] if values[i, use].sum() > 0]
        if len(some) < self.rules.history:
            return None
        now = _middle(signed[use], values[b, use])
        pooled = _middle(signed[use], values[some][:, use].sum(axis=0))
        if abs(now - pooled) < 0.6 * math.log10(min(self.rules.units, default=math.inf)):
            return None
        middles = np.array([_middle(signed[use], values[i, use]) for i in some])
        middle = float(np.median(middles))
        shift = now - middle
        near = [
            factor for factor in self.rules.units
            if abs(abs(shift) - math.log10(factor)) <= _NEAR + min(0.1, _spread(middles, 0.02))
        ]  # fmt: skip
        if not near or abs(shift) < self.rules.sigmas * _spread(middles, 0.05):
            return None
        if abs(shift) <= 1.5 * float(np.abs(middles - middle).max()):
            return None
        usual = values[some].sum(axis=0)
        moved = _psi_shifted(steps, usual, values[b], round(shift * STEPS))
        if moved >= 0.5 * _psi(usual, values[b]):
            return None
        factor = min(near, key=lambda f: abs(abs(shift) - math.log10(f)))
        return _Word(10**now, 10**middle, factor if shift > 0 else 1 / factor)

    def _range(self, name: str, steps: Ints, values: Ints, b: int, before: Ints) -> _Word | None:
        n = int(values[b].sum())
        if n < self.rules.least_rows:
            return None
        said = self.rules.bounds.get(name)
        low, high = (None, None) if said is None else said
        if said is None:
            seen = steps[values[before].sum(axis=0) > 0]
            if not len(seen):
                return None
            least, most = int(seen.min()), int(seen.max())
            far = (steps > most + STEPS if most > 0 else steps > max(0, most)) | (
                steps < least - STEPS if least < 0 else steps < 0
            )
        else:
            far = np.zeros(len(steps), np.bool_)
            if low is not None:
                far |= steps < step_of(low)
            if high is not None:
                far |= steps > step_of(high)
        beyond = int(values[b, far].sum())
        if beyond < _LEAST_BAD or beyond / n < self.rules.ranges:
            return None
        usual = float(values[before][:, far].sum() / max(1, int(values[before].sum())))
        return _Word(beyond / n, usual)

    def _drift(self, values: Ints, b: int, before: Ints) -> _Word | None:
        n = int(values[b].sum())
        if n < self.rules.least_rows:
            return None
        before = before[-MOST_BEFORE:]
        pooled = values[before].sum(axis=0)
        total = int(pooled.sum())
        if total < self.rules.least_rows:
            return None
        groups = _grouped(pooled)
        now = _psi(pooled, values[b], groups)
        each = _summed(values[before], groups)
        own = _index(each.sum(axis=0) - each, each)
        chance = 6 * (int(groups.max()) + 1) / n
        limit = max(self.rules.drift, chance, 2 * float(own.max()))
        return _Word(now, float(np.median(own))) if now > limit else None


def _beside(places: list[int], b: int) -> list[int]:
    """The places before and after one."""
    at = places.index(b)
    return [places[i] for i in (at - 1, at + 1) if 0 <= i < len(places)]


@dataclass(frozen=True, slots=True)
class _Word:
    value: float
    usual: float
    factor: float = 0.0


def _spread(values: Array, least: float) -> float:
    """The usual movement: the median absolute deviation as a standard deviation.

    Of few values it is widened: they have not shown all they can.
    """
    middle = np.median(values)
    own = 1.4826 * float(np.median(np.abs(values - middle)))
    return max(own, least) * (1 + _FEW / len(values))


def _middle(steps: Ints, counts: Ints) -> float:
    """The median as a power of ten, interpolated within its step."""
    total = np.cumsum(counts)
    half = total[-1] / 2
    at = int(np.searchsorted(total, half))
    below = total[at - 1] if at else 0
    inside = (half - below) / max(1, counts[at])
    return float((int(steps[at]) - 1000 + inside) / STEPS)


def _grouped(pooled: Ints) -> Ints:
    """Bins put together to groups of about a tenth of the usual rows each."""
    share = np.cumsum(pooled) / max(1, int(pooled.sum()))
    middle = share - pooled / max(1, int(pooled.sum())) / 2
    raw = np.minimum((middle * _GROUPS).astype(np.int64), _GROUPS - 1)
    return np.asarray(np.unique(raw, return_inverse=True)[1], np.int64)


def _psi(usual: Ints, now: Ints, groups: Ints | None = None) -> float:
    """Population stability index of two sets of counts, half a row added to every group."""
    if groups is None:
        groups = np.arange(len(usual))
    return float(_index(_summed(usual[None], groups), _summed(now[None], groups))[0])


def _summed(counts: Ints, groups: Ints) -> Array:
    """Counts [n, bins] by group of bins; float64 [n, groups]."""
    inside = groups[:, None] == np.arange(int(groups.max()) + 1)
    return np.asarray(counts.astype(np.float64) @ inside.astype(np.float64), np.float64)


def _index(usual: Array, now: Array) -> Array:
    p = (usual + 0.5) / (usual + 0.5).sum(axis=1, keepdims=True)
    q = (now + 0.5) / (now + 0.5).sum(axis=1, keepdims=True)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=1))


def _psi_shifted(steps: Ints, usual: Ints, now: Ints, by: int) -> float:
    """The index after the new values are moved back by so many steps."""
    spots: dict[int, list[float]] = {}
    for step, p, q in zip(steps, usual, now, strict=True):
        spots.setdefault(int(step), [0.0, 0.0])[0] += float(p)
        back = int(step) - by if step > 0 else int(step) + by if step < 0 else 0
        spots.setdefault(back, [0.0, 0.0])[1] += float(q)
    both = np.array([spots[step] for step in sorted(spots)])
    return _psi(both[:, 0].astype(np.int64), both[:, 1].astype(np.int64))


__all__ = ["LENGTHS", "MOST_BEFORE", "Blocks", "Judge", "Unusual", "blocks_of"]
