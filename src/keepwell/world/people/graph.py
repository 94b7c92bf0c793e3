"""Whom clients know: households and referrals, within a shard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepwell.world.people.society import TieSettings
from keepwell.world.state import MATES

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Households:
    """Who lives together.

    Attributes:
        number: of each client's household, 0.. without gaps [n].
        first: least client of each client's household, which is its id [n].
        mates: other members, -1 for none [n, MATES].
    """

    number: Ints
    first: Ints
    mates: Ints

    @property
    def count(self) -> int:
        """Number of households."""
        return int(self.number.max()) + 1 if len(self.number) else 0


def draw_households(rng: np.random.Generator, n: int, ties: TieSettings) -> Households:
    """Put clients into households of one to four.

    Args:
        rng: a stream of its own.
        n: number of clients.
        ties: shares of clients by size of household.
    """
    size_shares = np.asarray(ties.household)
    by_household = size_shares / np.arange(1, MATES + 2)
    sizes = 1 + rng.choice(MATES + 1, size=n, p=by_household / by_household.sum())
    ends = np.cumsum(sizes)
    count = int(np.searchsorted(ends, n)) + 1 if n else 0
    sizes = sizes[:count]
    if count:
        sizes[-1] -= ends[count - 1] - n
    starts = np.cumsum(sizes) - sizes
    order = rng.permutation(n)
    household = np.repeat(np.arange(count), sizes)
    place = np.arange(n) - starts[household]
    number, first = np.empty(n, np.int64), np.empty(n, np.int64)
    number[order] = household
    if count:
        first[order] = np.minimum.reduceat(order, starts)[household]
    mates = np.full((n, MATES), -1, np.int64)
    for step in range(1, MATES + 1):
        has = sizes[household] > step
        home, at = household[has], place[has]
        mates[order[has], step - 1] = order[starts[home] + (at + step) % sizes[home]]
    return Households(number, first, mates)


def draw_referrers(
    rng: np.random.Generator,
    opened: NDArray[np.int32],
    branch: NDArray[np.int32],
    ties: TieSettings,
) -> Ints:
    """Who referred whom: some copy the referrer of an earlier referral, so few refer many.

    The copying model (Kumar et al., "Stochastic models for the web graph", FOCS 2000): with chance
    `copied` the referrer of an earlier referral chosen evenly, which is preferential attachment.
    Others come from an earlier client, with chance `local` one of the same branch.

    Args:
        rng: a stream of its own.
        opened: days of opening [n].
        branch: of each client [n].
        ties: shares and chances.

    Returns:
        The referrer of each client, who opened on an earlier day; -1 for none [n].
    """
    n = len(opened)
    wanted, copies = rng.random(n) < ties.referred, rng.random(n) < ties.copied
    near, pick, old = rng.random(n) < ties.local, rng.random(n), rng.random(n)

    by_day = np.argsort(opened, kind="stable")
    earlier = np.searchsorted(opened[by_day], opened)  # clients of an earlier day
    fresh = np.full(n, -1, np.int64)
    some = earlier > 0
    fresh[some] = by_day[(pick[some] * earlier[some]).astype(np.int64)]

    by_branch = np.lexsort((opened, branch))
    span = np.int64(2**32)
    key = branch[by_branch].astype(np.int64) * span + opened[by_branch]
    begin = np.searchsorted(key, branch.astype(np.int64) * span)
    around = np.searchsorted(key, branch.astype(np.int64) * span + opened) - begin
    here = near & (around > 0)
    fresh[here] = by_branch[begin[here] + (pick[here] * around[here]).astype(np.int64)]

    referred = by_day[(wanted & some)[by_day]]  # in order of opening
    place = np.arange(len(referred))
    source = np.where(copies[referred], (old[referred] * place).astype(np.int64), place)
    while True:  # copies of copies lead to a fresh referral; each round halves the way
        further = source[source]
        if np.array_equal(further, source):
            break
        source = further
    out = np.full(n, -1, np.int64)
    out[referred] = fresh[referred[source]]
    return out
