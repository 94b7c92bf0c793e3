"""Does a world behave as the source says? The same facts as benchmarks/world_fidelity.py prints.

The world here is a third of the page's, so a fact may leave its band by sampling alone: each must
lie within `K` standard errors of it. With some 40 facts, a true world fails a bound of 2.5 errors
beyond the band by chance in one in two hundred cases at the very edge of a band, and hardly ever
inside it; the seed is fixed, so that the outcome does not change from run to run.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keepwell.core.days import day_number
from keepwell.world.dynamics.start import seed_state
from keepwell.world.fidelity.facts import Fact, commission_ratio, facts, quarter_rates
from keepwell.world.fidelity.shape import exits, holding, shape_of, trading
from keepwell.world.fidelity.spells import leavers_of, spells_of
from keepwell.world.fidelity.watch import HALF, YEAR, live
from keepwell.world.scenario import Scenario, load_scenario
from keepwell.world.simulate import World
from keepwell.world.terms import (
    ANOMALY,
    DRIFT,
    EXIT,
    FEINT,
    NO_PATH,
    NONE,
    OPEN,
    STAGED,
    UNOPENED,
)

CLIENTS, DAYS, SEED = 20_000, 480, 7
K = 2.5


@pytest.fixture(scope="module")
def lived():
    return live(World(load_scenario("calm-year"), SEED, CLIENTS, DAYS), DAYS)


@pytest.fixture(scope="module")
def measured(lived):
    return {fact.key: fact for fact in facts(lived)}


KEYS = (
    "churn", "rate-25-35", "rate-wealthy", "rate-large-cities", "rate-small-cities",
    "share-25-35", "share-36-45", "share-middling", "share-wealthy", "season", "worst-quarter",
    "named-service", "named-advice", "named-technology", "cause-service", "cause-advice",
    "cause-technology", "cause-product", "cause-price", "cause-trust", "cause-market",
    "cause-life-event", "days-anomaly", "days-probing", "days-assessment", "days-exit",
    "after-large-transfer", "probing-left-alone", "taken", "at-once", "drift", "feints",
    "returns", "deaths", "dropped", "young-fast", "young-features", "wealthy-service",
    "anomaly-trading",
)  # fmt: skip


def test_no_fact_is_forgotten(measured):
    assert tuple(measured) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_fact(measured, key):
    fact = measured[key]
    assert fact.consistent(K), fact


def test_most_facts_need_no_allowance(measured):
    outside = [fact.key for fact in measured.values() if not fact.holds]
    assert len(outside) <= 4, outside


def test_a_sample_of_this_size_says_something(measured):
    # An allowance as wide as the band itself would let anything pass.
    for fact in measured.values():
        assert K * fact.error < fact.high - fact.low or fact.key == "dropped", fact


def test_a_changed_world_is_found_out():
    fast = Scenario().with_(
        leaving={"hazard": 0.0009, "at_once": 0.2, "names": [3.0] * 8, "days": [30, 25, 15, 7]}
    )
    found = {f.key: f for f in facts(live(World(fast, SEED, 8_000, 420), 420))}
    for key in ("churn", "at-once", "days-anomaly", "named-service"):
        assert not found[key].consistent(K), found[key]


def test_there_are_leavers_from_the_first_weeks_on(lived):
    day = lived.step_day[lived.steps["way"] > 0]
    weekly = np.histogram(day, np.arange(0, 13 * 7 + 1, 7))[0] / lived.open["all"][0]
    # The first quarter's yearly rate is about 17 %: 0.3 % a week.
    assert weekly[:4].mean() > 0.0015
    assert weekly[:4].mean() < 0.006


def test_the_first_day_is_like_any_other():
    world = World(load_scenario("calm-year"), SEED, CLIENTS, 200)
    there = world.people.person["opened"] < day_number(world.scenario.start)
    begins = world.state[there].copy()
    assert np.all(world.state["stage"][~there] == NONE)
    assert np.all(world.state["grievance"][~there] == 0.0)
    assert np.all(begins["status"] == UNOPENED)
    inside = begins["stage"] != NONE
    assert np.all((begins["path"] == NO_PATH) == ~inside)
    assert np.all((begins["cause"] >= 0) == (inside & (begins["path"] != FEINT)))
    assert np.all(begins["clock"][inside] <= begins["length"][inside])
    assert np.all(begins["entered"][inside] >= begins["began"][inside])
    assert np.all(begins["entered"][inside] < day_number(world.scenario.start))
    for _ in range(150):
        world.step()
    later = world.state[world.state["status"] == OPEN]
    for path, stage, room in ((STAGED, ANOMALY, 0.5), (DRIFT, ANOMALY, 0.5), (FEINT, ANOMALY, 0.2)):
        first, then = (
            ((s["path"] == path) & (s["stage"] == stage)).mean() for s in (begins, later)
        )
        assert first == pytest.approx(then, rel=room), (path, stage)
    assert (begins["stage"] == EXIT).mean() == pytest.approx(
        (later["stage"] == EXIT).mean(), rel=0.8
    )
    # Grievances of every-day causes are about as large as half a year later.
    mine, theirs = (s["grievance"].mean(axis=0) for s in (begins, later))
    for cause in (0, 1, 2, 3, 5, 7):
        assert 0.5 * theirs[cause] < mine[cause] < 1.6 * theirs[cause], cause


def test_the_first_state_depends_on_nothing_but_the_seed():
    scenario = load_scenario("calm-year")
    worlds = [World(scenario, SEED, 500, 3), World(scenario, SEED, 500, 3, cores=1)]
    assert np.array_equal(worlds[0].state, worlds[1].state)
    other = World(scenario, SEED + 1, 500, 3)
    assert not np.array_equal(worlds[0].state["grievance"], other.state["grievance"])
    again = worlds[1].state.copy()
    seed_state(again, worlds[1].people, scenario, SEED, day_number(scenario.start))
    assert np.array_equal(again, worlds[0].state)


def test_without_hazard_nobody_has_begun_to_leave():
    calm = Scenario().with_(leaving={"hazard": 0.0, "feints_per_year": 0.0})
    assert not World(calm, SEED, 2_000, 3).state["stage"].any()


def test_spells_follow_from_steps(lived):
    spells = spells_of(lived)
    known = spells.days >= 0
    assert np.all(spells.went_on <= known)
    assert np.all(spells.left <= known)
    assert np.all(spells.left_after[spells.left] >= spells.days[spells.left])
    # A staged leaver's spells add up to the days until she leaves.
    first = (spells.path == STAGED) & (spells.stage == ANOMALY) & spells.left
    at = np.flatnonzero(first)[:200]
    for k in at:
        end = k + 1
        while end < len(spells.client) and spells.stage[end] == spells.stage[end - 1] + 1:
            end += 1
        assert np.all(spells.client[k:end] == spells.client[k])
        assert spells.days[k:end].sum() == spells.left_after[k]
        assert spells.stage[k:end].tolist() == list(range(1, EXIT + 1))


def test_leavers_take_what_they_had_before_the_first_transfer(lived):
    gone = leavers_of(lived, spells_of(lived), YEAR)
    left = (lived.steps["way"] > 0) & (lived.step_day < YEAR)
    rest = lived.steps["worth"][left] / 100.0
    staged = gone.path == STAGED
    assert len(gone.client) == left.sum()
    # Half of it goes with the first large transfer.
    share = np.median(rest[staged] / np.maximum(gone.taken[staged], 1.0))
    assert 0.4 < share < 0.7


def test_quarters_add_up_to_the_year(lived, measured):
    gone = leavers_of(lived, spells_of(lived), YEAR)
    rate, error = quarter_rates(lived, gone)
    assert rate.mean() == pytest.approx(measured["churn"].measured, rel=0.02)
    assert np.all(error > 0)
    assert rate.max() == measured["worst-quarter"].measured


def test_shape_is_what_the_code_says():
    client = np.array([1, 1, 1, 2, 2, 3])
    day = np.array([0, 0, 10, 5, 9, 3])
    found = trading(client, day, np.array([1.0, 1.0, 1.0, 1.0, 1.0, np.e**2]))
    assert found["trades"] == 2.0
    assert found["gap_median"] == 7.0
    assert found["same_day"] == pytest.approx(1 / 6)
    assert found["size_spread"] == pytest.approx(np.sqrt(5 / 36) * 2)
    held = holding(np.array([0, 1, 3]), np.array([np.nan, 1.0, 0.5]))
    assert held["positions_median"] == 2.0
    assert held["single"] == 0.5
    assert held["top_several"] == 0.5
    assert exits(np.array([0, 1, 2, 3]), np.array([4, 0, 1, 0])) == pytest.approx(2 / 3)


def test_the_world_trades_like_people(lived):
    shape = shape_of(lived)
    assert len(shape.exits) == (DAYS - 1) // HALF
    assert all(0.04 < share < 0.13 for share in shape.exits)
    assert 1 <= shape.gap_median <= 10
    assert shape.busiest > 0.3
    assert 1.4 < shape.size_spread < 2.4
    assert 0.7 < shape.size_own < 1.8
    assert 2 <= shape.positions_median <= 5
    assert 0.3 < shape.top_median < 0.8


def test_leavers_earned_about_as_much_as_others(lived):
    ratio, error = commission_ratio(lived)
    assert 0.8 < ratio < 2.5
    assert 0.0 < error < 0.5


def test_a_fact_knows_its_band():
    fact = Fact("key", "title", "source", 0.5, 0.4, 0.6, "why", 0.65, 0.03)
    assert not fact.holds
    assert fact.consistent(2.0)
    assert not fact.consistent(1.0)
    assert replace(fact, measured=0.4).holds
    assert not replace(fact, measured=float("nan")).consistent(9.0)
