"""The people of a shard, drawn once: who they are, who serves them, whom they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from keepwell.world.dynamics.chance import stream
from keepwell.world.people.book import Book, age_at, assets_at, death_scale, draw_up
from keepwell.world.people.graph import Households, draw_households, draw_referrers
from keepwell.world.people.habits import draw_habits, mixed
from keepwell.world.people.settings import PeopleSettings
from keepwell.world.people.staff import Staff, assign, draw_staff
from keepwell.world.state import PERSON

Floats = NDArray[np.float64]

_YEAR = 365.25
_ADULT = 18.0
_RETIRED = 60.0


class HasPeople(Protocol):
    """A scenario, or whatever else has settings of people."""

    @property
    def people(self) -> PeopleSettings:
        """Settings of people."""


@dataclass(frozen=True)
class People:
    """A shard's people.

    Attributes:
        person: records of `state.PERSON` [n]; a client is its place.
        staff: who serves them.
        shard: number of the shard.
        ids: client ids, 'C' + shard (2 digits) + place (6 digits) [n].
    """

    person: NDArray[np.void]
    staff: Staff
    shard: int
    ids: Any


def client_ids(shard: int, n: int) -> Any:
    """Ids of a shard's clients, as a pyarrow string array [n].

    Args:
        shard: its number, 0..99.
        n: number of clients, up to a million.

    Example:
        >>> client_ids(3, 2).to_pylist()
        ['C03000000', 'C03000001']
    """
    padded = pc.utf8_lpad(pc.cast(pa.array(np.arange(n)), pa.string()), 6, padding="0")
    return pc.binary_join_element_wise(f"C{shard:02d}", padded, "")


def draw_people(
    scenario: HasPeople, seed: int, shard: int, n: int, start_day: int, days: int
) -> People:
    """Draw the people of a shard.

    Args:
        scenario: whose settings of people are used.
        seed: the world's.
        shard: number of the shard; each has its own chance, staff and ties.
        n: number of clients, newcomers included, at least 1.
        start_day: day number of the first simulated day.
        days: how many days are simulated; newcomers open within them.

    Returns:
        The same for the same arguments; but for `opened`, `assessed` and `referrer`,
        nothing depends on `days`.
    """
    people = scenario.people
    book = draw_up(people)
    person = np.zeros(n, PERSON)
    homes = draw_households(stream(seed, "households", shard), n, people.ties)
    staff = draw_staff(stream(seed, "staff", shard), n, people.staff)
    served = assign(stream(seed, "served", shard), homes.count, staff, people.staff)
    person["household"], person["mates"] = homes.first, homes.mates
    for name in ("branch", "manager", "adviser", "region"):
        person[name] = getattr(served, name)[homes.number]

    old, rich = _who(stream(seed, "who", shard), person, homes, book, people)
    person["birth_year"] = _years(start_day - person["age"].astype(np.float64) * _YEAR)
    _hazards(stream(seed, "hazards", shard), person, old, rich, book, people)
    _opening(stream(seed, "opening", shard), person, people, start_day, days)
    _accounts(stream(seed, "accounts", shard), person, old, rich, people)
    _taste(stream(seed, "taste", shard), person, old, rich, people)
    draw_habits(stream(seed, "habits", shard), person, old, rich, people.usual)
    person["referrer"] = draw_referrers(
        stream(seed, "referrals", shard), person["opened"], person["branch"], people.ties
    )
    return People(person, staff, shard, client_ids(shard, n))


def _years(day: Floats) -> NDArray[np.int64]:
    """Calendar years of day numbers."""
    return np.floor(day).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _place(shares: Floats, quantile: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Which of some groups a quantile falls into, and where within it.

    Args:
        shares: of the groups, for each client [n, groups]; any scale.
        quantile: 0..1 [n].
    """
    ends = np.cumsum(shares, axis=1)
    at = quantile * ends[:, -1]
    group = np.minimum((at[:, None] >= ends).sum(axis=1), shares.shape[1] - 1)
    rows = np.arange(len(at))
    width = shares[rows, group]
    return group, np.clip((at - (ends[rows, group] - width)) / width, 0.0, 1.0)


def _who(
    rng: np.random.Generator,
    person: NDArray[np.void],
    homes: Households,
    book: Book,
    people: PeopleSettings,
) -> tuple[Floats, Floats]:
    """City by household; age and assets by normal scores that are alike within a household."""
    n, ties = len(person), people.ties
    city_shares = np.broadcast_to(book.shares.sum(axis=(0, 2)), (homes.count, 4))
    city = _place(city_shares, rng.random(homes.count))[0][homes.number]
    shared_age, shared_wealth = rng.standard_normal((2, homes.count))
    old = mixed(rng, (ties.age_alike**0.5, shared_age[homes.number]))
    rich = mixed(rng, (ties.wealth_alike**0.5, shared_wealth[homes.number]))
    group, within = _place(book.shares.sum(axis=2).T[city], ndtr(old))
    person["age"] = age_at(group, within, people.old_decay)
    band, within = _place(book.shares[group, city], ndtr(rich))
    person["assets"] = assets_at(band, within, people)
    person["city_tier"] = city + 1
    person["onset"] = book.onset[group, city, band]
    person["english"] = rng.random(n) < people.english
    return old, rich


def _hazards(
    rng: np.random.Generator,
    person: NDArray[np.void],
    old: Floats,
    rich: Floats,
    book: Book,
    people: PeopleSettings,
) -> None:
    """Pace of decisions, death and being closed."""
    a, b, c = people.pace_by_age, people.pace_by_assets, people.pace_spread
    tilt = a * old + b * rich + c * rng.standard_normal(len(old))
    person["pace"] = np.exp(tilt - (a * a + b * b + c * c) / 2)
    yearly = death_scale(people, book.shares) * np.exp(people.ageing * (person["age"] - 40.0))
    person["death"] = yearly / _YEAR
    person["drop"] = people.drop / _YEAR


def _opening(
    rng: np.random.Generator,
    person: NDArray[np.void],
    people: PeopleSettings,
    start_day: int,
    days: int,
) -> None:
    """When they opened, and were last assessed: most before the start, newcomers after it."""
    n = len(person)
    new, late, early, ago = rng.random((4, n))
    # An old client cannot have opened as a child.
    most = np.minimum(people.history, np.maximum(person["age"] - _ADULT, 0.01))
    if people.turnover > 0:
        years = -np.log1p(early * np.expm1(-people.turnover * most)) / people.turnover
    else:
        years = early * most
    before = start_day - 1 - np.floor(years * _YEAR)
    arrivals = people.newcomers * max(days - 1, 0) / _YEAR
    newcomer = new < arrivals / (1.0 + arrivals)
    after = start_day + 1 + np.floor(late * max(days - 1, 0))
    person["opened"] = np.where(newcomer, after, before)
    assessed = np.maximum(start_day - 1 - np.floor(ago * people.assessed_within), before)
    person["assessed"] = np.where(newcomer, after, assessed)


def _accounts(
    rng: np.random.Generator,
    person: NDArray[np.void],
    old: Floats,
    rich: Floats,
    people: PeopleSettings,
) -> None:
    """Risk level, investor class, accounts, fee plan."""
    n = len(person)
    risk = mixed(rng, (people.risk_by_age, old), (people.risk_by_assets, rich))
    level = 1 + np.searchsorted(ndtri(np.cumsum(people.risk)[:-1]), risk, side="right")
    person["risk_level"] = level
    chance = rng.random((8, n))
    wealthy = (person["assets"] >= people.professional_from) & (chance[0] < people.professional)
    lowest = (level == 1) & (chance[0] < people.lowest) & ~wealthy
    person["professional"] = np.where(wealthy, 1, np.where(lowest, 2, 0))
    entitled = (person["assets"] >= people.privileged) & (level >= 4)
    person["margin"] = entitled & (chance[1] < people.margin)
    person["option"] = entitled & (chance[2] < people.option)
    person["fund"] = chance[3] < people.fund
    person["pension"] = (chance[4] < people.pension) & (person["age"] < _RETIRED)
    person["wecom"] = chance[5] < people.wecom
    person["marketing"] = chance[6] < people.marketing
    bargain = mixed(rng, (people.fee_by_assets, rich))
    plan = np.searchsorted(ndtri(np.cumsum(people.fee_plans)[:-1]), bargain, side="right")
    person["fee_rate"] = np.asarray(people.fee_rates)[plan]
    person["fee_minimum"] = people.fee_minimum


def _taste(
    rng: np.random.Generator,
    person: NDArray[np.void],
    old: Floats,
    rich: Floats,
    people: PeopleSettings,
) -> None:
    """How much each cause matters: Gamma, tilted by age and wealth, mean 1 for every cause."""
    taste = people.taste
    for cause, (a, b) in enumerate(zip(taste.by_age, taste.by_assets, strict=True)):
        own = rng.gamma(taste.shape, 1.0 / taste.shape, len(old))
        person["taste"][:, cause] = own * np.exp(a * old + b * rich - (a * a + b * b) / 2)
