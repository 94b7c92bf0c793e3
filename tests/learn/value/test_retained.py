"""What was kept: by hand, without regard to order, and against truths that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from keepwell.core.errors import DataError, UsageError
from keepwell.learn.value.estimate import Effect, adjusted, clustered_difference, winsorised
from keepwell.learn.value.retained import ASSETS, CLIENTS, REVENUE, VALUE, Trial, retained
from keepwell.learn.value.survival import MONTH_DAYS, SurvivalRule
from keepwell.world.outcomes import potential
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.terms import NEVER
from tests.learn.experiment.sizes import SIMULATIONS


def trial(n=400, managers=20, seed=5, effect=0.0):
    rng = np.random.default_rng(seed)
    opening = np.exp(rng.normal(12, 2, n))
    treated = rng.random(n) < 0.7
    stayed = (rng.random(n) < 0.7 + effect * treated).astype(float)
    return Trial(
        treated, rng.integers(0, managers, n).astype(str), stayed, opening,
        np.where(stayed == 1, 0.01 * opening, -opening), np.full(n, 0.3),
        worth=opening * 0.02, revenue={"commission": stayed * 5.0, "cash_spread": stayed * 2.0},
    )  # fmt: skip


def test_clustered_difference_by_hand():
    y = np.array([4.0, 2.0, 6.0, 1.0, 3.0, 2.0])
    treated = np.array([True, False, True, False, True, False])
    manager = np.array(["A", "A", "B", "B", "C", "C"])
    got = clustered_difference(y, treated, manager, 0.95)
    # Means 13/3 and 5/3; influences by manager (-1/3 - 1/3, 5/3 + 2/3, -4/3 - 1/3) / 3.
    summed = np.array([-2 / 9, 7 / 9, -5 / 9])
    error = np.sqrt(3 / 2 * (summed**2).sum())
    assert got.value == pytest.approx(8 / 3)
    assert got.error == pytest.approx(error)
    assert got.high - got.value == pytest.approx(4.302652729911275 * error)  # t, 2 freedoms
    assert (got.clusters, got.few) == (3, True)


def test_an_independent_reckoning_agrees():
    """Golden vectors of statsmodels; golden_make.py says how they were made."""
    given = json.loads((Path(__file__).parent / "golden.json").read_text())
    for case in given["cases"]:
        y, treated, manager, before = (
            np.array(case[name]) for name in ("y", "treated", "manager", "before")
        )
        got = clustered_difference(y, treated, manager)
        assert got.value == pytest.approx(case["difference"], rel=1e-9)
        assert got.error == pytest.approx(case["error"], rel=1e-9)
        assert got.clusters == case["clusters"]
        better = clustered_difference(adjusted(y, treated, before), treated, manager)
        assert better.value == pytest.approx(case["adjusted"], rel=1e-9)


def test_what_is_common_to_a_book_cancels_within_it():
    rng = np.random.default_rng(1)
    manager = np.repeat(np.arange(50), 40)
    treated = np.tile(np.arange(40) % 2 == 0, 50)
    luck = rng.normal(size=2_000)
    book = rng.normal(size=50)[manager] * 100
    calm = clustered_difference(luck, treated, manager)
    rough = clustered_difference(luck + book, treated, manager)
    assert rough.value == pytest.approx(calm.value)
    assert rough.error == pytest.approx(calm.error, rel=1e-6)


def test_a_treatment_of_whole_books_is_less_certain():
    rng = np.random.default_rng(1)
    manager = np.repeat(np.arange(50), 40)
    y = rng.normal(size=2_000) + rng.normal(size=50)[manager]
    by_book = clustered_difference(y, manager % 2 == 0, manager)
    alone = clustered_difference(y, manager % 2 == 0, np.arange(2_000))
    assert by_book.error > 3 * alone.error


def test_intervals_cover_with_books_that_differ():
    rng = np.random.default_rng(8)
    manager = np.repeat(np.arange(40), 25)
    held = 0
    for _ in range(600):
        book = rng.normal(size=40)
        gain = rng.normal(2.0, 1.0, size=40)  # what treatment does differs by manager too
        treated = rng.random(1_000) < 0.8
        y = rng.normal(size=1_000) + book[manager] + gain[manager] * treated
        got = clustered_difference(y, treated, manager)
        held += got.low <= 2.0 <= got.high
    low, high = binom.interval(0.999, 600, 0.95)
    assert low <= held <= high


def test_winsorising_is_blind_to_the_arm():
    rng = np.random.default_rng(4)
    y = rng.standard_t(1.5, 1_000) * 1e6
    cut, limit = winsorised(y)
    assert limit == np.quantile(np.abs(y), 0.99)
    assert np.abs(cut).max() == limit
    assert (cut != y).sum() == 10
    same, none = winsorised(np.zeros(5))
    assert none == 0.0
    assert (same == 0).all()


def test_cuped_leaves_the_effect_and_takes_the_noise():
    rng = np.random.default_rng(7)
    n = 4_000
    treated, before = rng.random(n) < 0.5, rng.normal(size=(n, 2))
    y = before @ [3.0, -2.0] + rng.normal(size=n) + 0.5 * treated
    manager = rng.integers(0, 100, n)
    raw = clustered_difference(y, treated, manager)
    better = clustered_difference(adjusted(y, treated, before), treated, manager)
    assert better.error < 0.35 * raw.error
    assert abs(better.value - 0.5) < 4 * better.error
    # Facts that tell nothing, or that are not known, change nothing.
    blank = np.column_stack([np.full(n, 3.0), np.full(n, np.nan)])
    assert np.array_equal(adjusted(y, treated, blank), y)


def test_measures_by_hand():
    # 3 of 4 treated and 1 of 2 held out stayed; a client kept is worth 100.
    given = Trial(
        np.array([True, True, False, True, True, False]), np.array(list("AABBBA")),
        np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]), np.full(6, 1_000.0),
        np.array([0.0, 0.0, -100.0, 0.0, -1_000.0, -1_000.0]), np.full(6, 0.4),
        worth=np.full(6, 100.0), revenue={"commission": np.array([8.0, 8, 4, 8, 0, 0])},
    )  # fmt: skip
    got = retained(given)
    assert got[CLIENTS].raw.value == pytest.approx(0.75 - 0.5)
    assert got[CLIENTS].raw_total.value == pytest.approx(1.0)
    assert got[ASSETS].raw.value == pytest.approx(-250 + 550)
    assert got[ASSETS].raw_total.value == pytest.approx(1_200.0)
    assert got[VALUE].raw_total.value == pytest.approx(100.0)
    assert got[ASSETS].opening == 4_000.0
    assert got[ASSETS].share.value == pytest.approx(got[ASSETS].total.value / 4_000)
    assert got[CLIENTS].share is None
    assert got[REVENUE].raw.value == pytest.approx(6.0 - 2.0)
    assert got[REVENUE].raw.value == got[REVENUE + ".commission"].raw.value
    assert (got[CLIENTS].treated, got[CLIENTS].held, got[CLIENTS].limit) == (4, 2, None)


def test_the_unknown_is_left_out_and_counted_by_arm():
    given = trial()
    net = given.net.copy()
    net[:50] = np.nan
    got = retained(replace(given, net=net))[ASSETS]
    assert got.unknown == (int(given.treated[:50].sum()), int((~given.treated[:50]).sum()))
    assert got.treated + got.held == 350
    rest = replace(
        given, treated=given.treated[50:], manager=given.manager[50:], stayed=given.stayed[50:],
        opening=given.opening[50:], net=given.net[50:], predicted=given.predicted[50:], worth=None,
        revenue={},
    )  # fmt: skip
    assert got.raw == retained(rest)[ASSETS].raw


def test_order_and_names_do_not_matter():
    given = trial(effect=0.1)
    order = np.random.default_rng(0).permutation(len(given.treated))
    turned = Trial(
        given.treated[order], np.char.add("x", given.manager[order]), given.stayed[order],
        given.opening[order], given.net[order], given.predicted[order], worth=given.worth[order],
        revenue={line: y[order] for line, y in given.revenue.items()},
    )  # fmt: skip
    one, other = retained(given), retained(turned)
    for name in one:
        for kind in ("raw", "adjusted"):
            a, b = getattr(one[name], kind), getattr(other[name], kind)
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_another_estimator_can_be_handed_in():
    asked = []

    def fixed(y, treated, cluster, confidence):
        asked.append((len(y), confidence))
        return Effect(1.0, 0.0, 2.0, 0.5, confidence, 77)

    got = retained(trial(), fixed, 0.9)
    assert got[CLIENTS].raw.clusters == 77
    assert set(asked) == {(400, 0.9)}
    assert len(asked) == 2 * len(got)


def test_one_arm_is_no_trial():
    given = trial()
    with pytest.raises(DataError, match="Two arms"):
        retained(replace(given, treated=np.ones(400, bool)))
    with pytest.raises(UsageError):
        replace(given, stayed=np.ones(3))


# --- a world keeps what would have happened otherwise ----------------------------------------


@pytest.fixture(scope="module")
def stored():
    """Both futures of the clients of a world: left alone, and called by the manager."""
    quick = {"days": [30.0, 14.0, 9.0, 5.0], "go_on": [0.62, 0.82, 0.90, 0.85], "at_peace": 1.0}
    alone = {"household": 0.0, "referrer": 0.0, "adviser": 0.0}
    world = World(
        Scenario().with_(contagion=alone, leaving=quick | {"hazard": 0.006}), 5, 3_000, 150
    )
    for _ in range(75):
        world.pass_day()
    got = potential(world, 75, ("leave_alone", "manager_call"))
    here = got.clients
    opening = world.state["worth"][here].astype(float)
    # The market is the same in both futures: what differs is what was taken away.
    net = got.kept.astype(float) - opening
    return got, opening, net, world.state["manager"][here]


def test_the_curve_goes_on_as_the_world_does(stored):
    """From those who left in the first half of the days, those of the whole."""
    got = stored[0]
    days = np.where(got.left_day[0] == NEVER, 10**6, got.left_day[0] - got.decided)
    half, whole = 37, 75
    share = (days < half).mean()
    rule = SurvivalRule(horizon=half / MONTH_DAYS)
    near = rule.near(np.array([share]))[0]
    expected, n = np.exp(-near * whole / MONTH_DAYS), len(days)
    # Luck of both shares; and 0.02 for what a constant rate cannot know of the days to come.
    luck = 3.3 * np.sqrt(2 * expected * (1 - expected) / n)
    assert abs((days >= whole).mean() - expected) < luck + 0.02


def test_the_worlds_truth_lies_in_the_intervals(stored):
    """Many drawings of the hold-out; fixed clients, so intervals may cover too often, not less.

    Of money the adjusted interval speaks of the outcomes as they are cut. In this world one client
    holds more than half of all that treatment keeps: of the raw sum no interval of so few drawings
    can be relied on, and none is claimed to be.
    """
    got, opening, net, manager = stored
    stays = (got.left_day == NEVER).astype(float)
    n, rng, trials = len(opening), np.random.default_rng(9), SIMULATIONS * 3 // 2
    truth = (stays[1] - stays[0]).mean()
    gain = np.abs(net[1] - net[0])
    assert truth > 0.005
    assert gain.max() > 0.5 * gain.sum()
    held, found = np.zeros(2, int), []
    for _ in range(trials):
        treated = rng.random(n) < 0.8
        given = Trial(
            treated, manager, np.where(treated, stays[1], stays[0]), opening,
            np.where(treated, net[1], net[0]), np.full(n, np.nan),
        )  # fmt: skip
        made = retained(given)
        people, money = made[CLIENTS].raw, made[ASSETS]
        cut = np.clip(net, -money.limit, money.limit)
        target = (cut[1] - cut[0]).mean()
        held += [people.low <= truth <= people.high,
                 money.adjusted.low <= target <= money.adjusted.high]  # fmt: skip
        found.append((people.value - truth, money.adjusted.value - target, money.raw.error,
                      money.adjusted.error))  # fmt: skip
    assert (held >= binom.ppf(0.0005, trials, 0.95)).all()
    off, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    assert (np.abs(off[:2]) < 4 * spread[:2] / np.sqrt(trials)).all()
    assert off[3] < 0.6 * off[2], "cutting and CUPED make money far more certain than it is raw"


def test_with_clients_drawn_anew_intervals_cover_from_both_sides(stored):
    """As many clients drawn with replacement before the coin is thrown: the interval's own case."""
    got, opening, net, manager = stored
    stays = (got.left_day == NEVER).astype(float)
    n, rng, trials = len(opening), np.random.default_rng(1), SIMULATIONS * 5
    held = np.zeros(2, int)
    for _ in range(trials):
        drawn, treated = rng.integers(0, n, n), rng.random(n) < 0.8
        given = Trial(
            treated, manager[drawn], np.where(treated, stays[1, drawn], stays[0, drawn]),
            opening[drawn], np.where(treated, net[1, drawn], net[0, drawn]), np.full(n, np.nan),
        )  # fmt: skip
        made = retained(given)
        people, money = made[CLIENTS].raw, made[ASSETS]
        cut = np.clip(net, -money.limit, money.limit)
        held += [people.low <= (stays[1] - stays[0]).mean() <= people.high,
                 money.adjusted.low <= (cut[1] - cut[0]).mean() <= money.adjusted.high]  # fmt: skip
    low, high = binom.interval(0.999, trials, 0.95)
    assert ((low <= held) & (held <= high)).all(), held
