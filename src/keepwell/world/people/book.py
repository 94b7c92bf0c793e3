"""The joint shares of the book by age group, city tier and band of assets, and who leaves of them.

Margins are given; the table between them is raked (iterative proportional fitting: Deming &
Stephan, Ann. Math. Stat. 11, 1940). Factors of leaving are raked the same way, so that the rates
by age, by city and by assets hold together although the three go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keepwell.world.people.settings import PeopleSettings

Floats = NDArray[np.float64]

AGE_CUTS: Final = (18.0, 25.0, 36.0, 46.0, 86.0)
"""Bounds of the age groups, in years; each includes its lower one."""

AGE_GROUPS: Final = (2, 0, 1, 2)
"""Which target of `LeavingTargets.by_age` each age group has."""

CITY_GROUPS: Final = (0, 0, 1, 1)
"""Which target of `LeavingTargets.by_city` each city tier has."""

ASSET_GROUPS: Final = (0, 1, 2)
"""Which target of `LeavingTargets.by_assets` each band has."""

_ROUNDS = 500
_CLOSE = 1e-10


class Margin(NamedTuple):
    """What a table must add up to: over one axis, whose places are gathered into groups."""

    axis: int
    groups: tuple[int, ...]
    totals: tuple[float, ...]


def rake(table: Floats, margins: Sequence[Margin]) -> Floats:
    """Scale a table until every margin holds.

    Args:
        table: above 0, any shape.
        margins: of equal grand totals.

    Returns:
        The table times one factor per group of each margin (Deming & Stephan, 1940).

    Example:
        >>> rake(np.ones((2, 2)), [Margin(0, (0, 1), (1.0, 3.0)), Margin(1, (0, 1), (2.0, 2.0))])
        array([[0.5, 0.5],
               [1.5, 1.5]])
    """
    out = table.astype(np.float64)
    for _ in range(_ROUNDS):
        worst = 0.0
        for axis, groups, totals in margins:
            others = tuple(k for k in range(out.ndim) if k != axis)
            sums = np.bincount(groups, out.sum(axis=others), len(totals))
            scale = (np.asarray(totals) / sums)[list(groups)]
            worst = max(worst, float(np.abs(scale - 1.0).max()))
            shape = [1] * out.ndim
            shape[axis] = len(groups)
            out = out * scale.reshape(shape)
        if worst < _CLOSE:
            break
    return out


@dataclass(frozen=True)
class Book:
    """Cells of the book.

    Attributes:
        shares: of clients [age group 4, city tier 4, band of assets 3]; adds up to 1.
        onset: relative rate of leaving of each cell, of the same shape; mean 1 over clients.
    """

    shares: Floats
    onset: Floats


def shares_of(people: PeopleSettings) -> Floats:
    """Joint shares [age group, city tier, band] with the margins set and savings by age and city.

    Args:
        people: the settings.
    """
    age, city, band = np.ogrid[0:4, 0:4, 0:3]
    odds = (people.wealth_by_age * age - people.wealth_by_city * city) * band
    independent = (
        np.asarray(people.age)[:, None, None]
        * np.asarray(people.city)[None, :, None]
        * np.asarray(people.assets)[None, None, :]
    )
    four = (0, 1, 2, 3)
    return rake(
        independent * np.exp(odds),
        [
            Margin(0, four, people.age),
            Margin(1, four, people.city),
            Margin(2, ASSET_GROUPS, people.assets),
        ],
    )


def onset_of(people: PeopleSettings, shares: Floats) -> Floats:
    """Relative rates of leaving of the cells: a factor by age, one by city and one by assets.

    The published rates of the three margins differ a little in their means; each is taken
    relative to its own.

    Args:
        people: the settings.
        shares: of the cells, as `shares_of` gives them.

    Returns:
        Of the shape of `shares`, mean 1 over clients.
    """
    leaving = people.leaving
    margins = []
    targets = (
        (AGE_GROUPS, leaving.by_age),
        (CITY_GROUPS, leaving.by_city),
        (ASSET_GROUPS, leaving.by_assets),
    )
    for axis, (groups, rates) in enumerate(targets):
        others = tuple(k for k in range(3) if k != axis)
        clients = np.bincount(groups, shares.sum(axis=others), len(rates))
        leavers = clients * np.asarray(rates)
        margins.append(Margin(axis, groups, tuple(leavers / leavers.sum())))
    return rake(shares, margins) / shares


def draw_up(people: PeopleSettings) -> Book:
    """The book of some settings.

    Args:
        people: the settings.
    """
    shares = shares_of(people)
    return Book(shares, onset_of(people, shares))


def age_at(group: NDArray[np.int64], within: Floats, old_decay: float) -> Floats:
    """Ages in years by age group and place within it.

    Args:
        group: age group 0..3.
        within: quantile within the group, 0..1.
        old_decay: years over which numbers fall by 1/e in the last group.

    Returns:
        Spread evenly within all groups but the last, which is a truncated exponential.
    """
    low, high = np.asarray(AGE_CUTS[:-1])[group], np.asarray(AGE_CUTS[1:])[group]
    even = low + within * (high - low)
    reach = -np.expm1(-(AGE_CUTS[4] - AGE_CUTS[3]) / old_decay)
    falling = AGE_CUTS[3] - old_decay * np.log1p(-within * reach)
    # 32-bit ages: a client at the very end must not round up into the next group.
    ages: Floats = np.minimum(np.where(group == 3, falling, even), high - 1e-4)
    return ages


def assets_at(band: NDArray[np.int64], within: Floats, people: PeopleSettings) -> Floats:
    """Assets in CNY by band and place within it, by a truncated power law in each band.

    Args:
        band: 0..2.
        within: quantile within the band, 0..1.
        people: the settings, of which `cuts` and `tail` are used.
    """
    cuts = np.asarray(people.cuts)
    low, high = cuts[:-1][band], cuts[1:][band]
    out: Floats = low * (high / low) ** within
    for place, power in enumerate(people.tail):
        mine = band == place
        if power != 0.0:
            top, end = low[mine] ** -power, high[mine] ** -power
            out[mine] = (top - within[mine] * (top - end)) ** (-1.0 / power)
    return out


def death_scale(people: PeopleSettings, shares: Floats) -> float:
    """Yearly death rate at age 40 that gives the book its rate.

    Gompertz (1825): the rate is this times exp(ageing * (age - 40)).

    Args:
        people: the settings.
        shares: of the cells, as `shares_of` gives them.
    """
    within = (np.arange(400) + 0.5) / 400
    relative = [
        np.exp(
            people.ageing * (age_at(np.full(400, group), within, people.old_decay) - 40.0)
        ).mean()
        for group in range(4)
    ]
    return float(people.death / (shares.sum(axis=(1, 2)) @ np.asarray(relative)))
