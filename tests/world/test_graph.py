"""Households, referrals, and who serves whom."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from keepwell.world.people.draw import draw_people
from keepwell.world.people.graph import draw_households, draw_referrers
from keepwell.world.people.settings import PeopleSettings
from keepwell.world.people.society import TieSettings

N, START, DAYS = 20_000, 19_724, 540


@pytest.fixture(scope="module")
def people():
    return draw_people(SimpleNamespace(people=PeopleSettings()), 7, 0, N, START, DAYS)


@pytest.fixture(scope="module")
def person(people):
    return people.person


def test_mates_are_symmetric_and_share_an_id(person):
    mates, household = person["mates"], person["household"]
    client, slot = np.nonzero(mates >= 0)
    mate = mates[client, slot]
    assert np.all(mate != client)
    forward = set(zip(client.tolist(), mate.tolist(), strict=True))
    assert len(forward) == len(client)  # nobody is named twice
    assert forward == {(b, a) for a, b in forward}
    assert np.array_equal(household[mate], household[client])
    members = np.where(mates >= 0, mates, N)
    assert np.array_equal(household, np.minimum(members.min(axis=1), np.arange(N)))
    count = np.bincount(household, minlength=N)
    assert np.array_equal(count[household], 1 + (mates >= 0).sum(axis=1))
    assert np.all(np.diff((mates >= 0).astype(int), axis=1) <= 0)  # no gaps


def test_sizes_of_households(person):
    sizes = np.bincount(1 + (person["mates"] >= 0).sum(axis=1), minlength=5)[1:] / N
    assert sizes == pytest.approx((0.45, 0.28, 0.17, 0.10), abs=0.015)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_small_numbers_of_households(n):
    homes = draw_households(np.random.default_rng(n), n, TieSettings())
    assert len(homes.number) == n
    assert homes.mates.max(initial=-1) < n
    assert len(np.unique(homes.number)) == homes.count


def test_households_share_place_and_staff_and_are_alike(person):
    client, slot = np.nonzero(person["mates"] >= 0)
    mate = person["mates"][client, slot]
    for name in ("branch", "manager", "adviser", "region", "city_tier"):
        assert np.array_equal(person[name][mate], person[name][client]), name
    ages = np.corrcoef(person["age"][client], person["age"][mate])[0, 1]
    assert 0.2 < ages < 0.5
    logs = np.log(person["assets"])
    assert 0.3 < np.corrcoef(logs[client], logs[mate])[0, 1] < 0.65


def test_referrers_opened_earlier(person):
    referrer = person["referrer"]
    has = referrer >= 0
    assert has.mean() == pytest.approx(0.2, abs=0.01)
    assert referrer.max() < N
    assert np.all(person["opened"][referrer[has]] < person["opened"][has])


def test_few_refer_many(person):
    referrals = np.bincount(person["referrer"][person["referrer"] >= 0], minlength=N)
    # Were referrers chosen evenly, nobody would have more than about ten.
    assert referrals.max() > 20
    top = np.sort(referrals)[::-1]
    assert top[: N // 100].sum() / top.sum() > 0.25
    even = _referrals(copied=0.0)
    assert even.max() < 20


def _referrals(**changes):
    rng = np.random.default_rng(3)
    opened = rng.integers(0, 3000, N).astype(np.int32)
    branch = rng.integers(0, 4, N).astype(np.int32)
    referrer = draw_referrers(rng, opened, branch, TieSettings(**changes))
    return np.bincount(referrer[referrer >= 0], minlength=N)


def test_local_referrals_stay_in_the_branch():
    rng = np.random.default_rng(3)
    opened = rng.integers(0, 3000, N).astype(np.int32)
    branch = rng.integers(0, 4, N).astype(np.int32)
    ties = TieSettings(copied=0.0, local=1.0)
    referrer = draw_referrers(rng, opened, branch, ties)
    has = referrer >= 0
    assert (branch[referrer[has]] == branch[has]).mean() > 0.995


def test_nobody_is_referred_where_all_open_on_one_day():
    opened, branch = np.full(50, 9, np.int32), np.zeros(50, np.int32)
    referrer = draw_referrers(np.random.default_rng(1), opened, branch, TieSettings(referred=1.0))
    assert np.all(referrer == -1)


def test_staff_belong_to_the_client_s_branch(people, person):
    staff = people.staff
    assert (staff.managers, staff.advisers, staff.branches) == (50, 20, 2)
    assert np.array_equal(staff.manager_branch[person["manager"]], person["branch"])
    assert np.array_equal(staff.adviser_branch[person["adviser"]], person["branch"])
    assert np.bincount(person["manager"], minlength=50).min() > 250
    assert np.bincount(person["adviser"], minlength=20).min() > 400
    assert len(np.unique(person["manager"])) == 50
    pools = {manager: set() for manager in range(50)}
    for manager, adviser in zip(person["manager"], person["adviser"], strict=True):
        pools[int(manager)].add(int(adviser))
    assert {len(pool) for pool in pools.values()} == {2}


def test_traits_of_staff():
    settings = PeopleSettings(staff={"per_branch": 200, "per_manager": 50, "per_adviser": 100})
    people = draw_people(SimpleNamespace(people=settings), 7, 0, N, START, DAYS)
    staff = people.staff
    assert staff.branches == 100
    assert len(np.unique(people.person["branch"])) == 100
    for trait in (staff.adviser_skill,):
        assert 0 <= trait.min() < 0.3 < 0.8 < trait.max() <= 1
    wait = staff.branch_wait[people.person["branch"]]
    assert wait.mean() == pytest.approx(1, abs=0.03)
    assert wait.std() > 0.2
    assert len(np.unique(people.person["region"])) > 20
    home = staff.branch_region[people.person["branch"]] == people.person["region"]
    assert home.mean() == pytest.approx(0.85, abs=0.05)
