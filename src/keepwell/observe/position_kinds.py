"""What positions are made of by value: kinds, risk, sectors, what matures soon.

Values of positions are whole minor units, so that sums are exact in any order; shares that are
added up are first rounded to 9 decimals for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from keepwell.observe.indicators.needs import Need
from keepwell.observe.positions import Held
from keepwell.observe.tiles import BLANK

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SOON = 30
"""Days within which an instrument matures soon."""
RISKY = 4.0
"""Least product risk that counts as high."""
KINDS = (
    "value_share_of", "maturing_count", "maturing_share", "next_maturity", "risk", "risky_share",
    "sector_top", "drift",
)  # fmt: skip
"""What `Kinds` answers."""
_PLACES = 1e9


@dataclass(frozen=True)
class Features:
    """What is known of each instrument code.

    Attributes:
        category: code, -1 unknown; int64.
        names: the category of each code.
        sector: code, -1 unknown; int64.
        risk: 1 to 5, NaN unknown; float64.
        maturity: day number, NaN none; float64.
    """

    category: Ints
    names: tuple[str, ...]
    sector: Ints
    risk: Array
    maturity: Array

    def member(self, prefix: str) -> npt.NDArray[np.bool_]:
        """Whether the category of each instrument code begins with a word."""
        inside = np.array([name.startswith(prefix) for name in self.names] + [False])
        return np.asarray(inside[self.category], np.bool_)


@dataclass(frozen=True)
class Kinds:
    """A batch's positions with their values.

    Attributes:
        held: the positions.
        days: X of each question; int64 [a].
        price: 10^-8 currency units per question and instrument code, `BLANK` unknown.
        divisor: (10^-8 units * 10^-8 currency units) per minor unit.
        features: of the instruments.
    """

    held: Held
    days: Ints
    price: Ints
    divisor: float
    features: Features

    @cached_property
    def _owner(self) -> Ints:
        return np.repeat(np.arange(len(self.held.known)), np.diff(self.held.start))

    def _worth(self, a: int) -> Array:
        """Value of each position; 0 where it is not held or has no price."""
        price = self.price[a][self.held.instrument]
        quantity = self.held.quantity[:, a]
        worth = np.rint(quantity * price.astype(np.float64) / self.divisor)
        return np.where((quantity > 0) & (price != BLANK), worth, 0.0)

    def _sum(self, weights: Array, a: int) -> Array:
        found = np.bincount(self._owner, weights, len(self.held.known))
        return np.where(self.held.known[:, a], found, np.nan)

    def _share(self, part: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_], a: int) -> Array:
        """Value of some instruments over that of some others; absent where the latter is 0."""
        worth, code = self._worth(a), self.held.instrument
        whole = self._sum(np.where(of[code], worth, 0.0), a)
        inside = self._sum(np.where(part[code] & of[code], worth, 0.0), a)
        return _over(inside, whole)

    def answer(self, need: Need, agos: list[int]) -> Array:
        """A need's answer for the batch; float64 [n], NaN where absent.

        Args:
            need: a position need whose statistic is one of `KINDS`.
            agos: days back of each question.
        """
        a, known = agos.index(need.ago or need.window), self.features
        every = np.ones(len(known.risk), np.bool_)
        if need.stat == "value_share_of":
            return self._share(known.member(need.measure), every, a)
        if need.stat == "maturing_share":
            return self._share(self._soon, every, a)
        if need.stat == "risky_share":
            return self._share(known.risk >= RISKY, ~np.isnan(known.risk), a)
        if need.stat == "drift":
            return self._drift(a)
        if need.stat in ("maturing_count", "next_maturity"):
            return self._maturing(need.stat, a)
        return self._risk(a) if need.stat == "risk" else self._sector_top(a)

    @cached_property
    def _soon(self) -> npt.NDArray[np.bool_]:
        left = self.features.maturity - self.days[0]
        return np.asarray((left >= 0) & (left < SOON), np.bool_)

    def _maturing(self, stat: str, a: int) -> Array:
        held = self.held.quantity[:, a] > 0
        if stat == "maturing_count":
            return self._sum((held & self._soon[self.held.instrument]).astype(np.float64), a)
        left = self.features.maturity[self.held.instrument] - self.days[a]
        out = np.full(len(self.held.known), np.nan)
        some = held & (left >= 0)
        np.fmin.at(out, self._owner[some], left[some])
        return np.where(self.held.known[:, a], out, np.nan)

    def _risk(self, a: int) -> Array:
        worth, risk = self._worth(a), self.features.risk[self.held.instrument]
        known = ~np.isnan(risk)
        whole = self._sum(np.where(known, worth, 0.0), a)
        total = self._sum(np.where(known, worth * np.nan_to_num(risk), 0.0), a)
        return _over(total, whole)

    def _sector_top(self, a: int) -> Array:
        sector = self.features.sector[self.held.instrument]
        count = int(self.features.sector.max(initial=-1)) + 1
        n = len(self.held.known)
        told = sector >= 0
        place = self._owner[told] * max(count, 1) + sector[told]
        sums = np.bincount(place, self._worth(a)[told], n * max(count, 1)).reshape(n, -1)
        whole = np.where(self.held.known[:, a], sums.sum(axis=1), np.nan)
        return _over(sums.max(axis=1), whole)

    def _drift(self, a: int) -> Array:
        category = self.features.category[self.held.instrument] + 1  # unknown is a kind of its own
        count, n = len(self.features.names) + 1, len(self.held.known)
        place = self._owner * count + category
        shares = []
        for at in (0, a):
            sums = np.bincount(place, self._worth(at), n * count).reshape(n, count)
            whole = np.where(self.held.known[:, at], sums.sum(axis=1), np.nan)[:, None]
            empty = np.full(sums.shape, np.nan)
            shares.append(np.divide(sums, whole, out=empty, where=whole > 0))
        return np.asarray(
            np.rint(np.abs(shares[0] - shares[1]) * _PLACES).sum(axis=1) / _PLACES / 2
        )


def _over(part: Array, whole: Array) -> Array:
    """A share; absent where the whole is not above 0."""
    return np.asarray(
        np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0), np.float64
    )


def kinds_asked(needs: Iterable[Need]) -> list[Need]:
    """Those of the needs that `Kinds` answers."""
    return [need for need in needs if need.stat in KINDS]
