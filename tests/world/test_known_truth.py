"""Randomised experiments find the truth that a world keeps, and fail where they should.

Two kinds of 2,000 re-randomisations of one world's stored potential outcomes:

- *fixed clients*: the same clients each time, only the coin is thrown again. Randomisation makes
  the difference of means unbiased, but Neyman's interval covers too often wherever the effect
  differs between clients: its variance leaves out the variance of the effects, which no data shows
  (Neyman 1923; Imbens & Rubin 2015, ch. 6). So coverage is bounded from below only, and the
  estimates' variance is held against the one that the stored truth gives exactly.
- *drawn clients*: each time as many clients are drawn anew from the stored ones, with replacement,
  before the coin is thrown. The interval's variance is then the right one, whatever the effects
  (Imbens & Rubin, section 6.7), and the truth is the mean effect of the stored clients; so coverage
  must lie within the binomial bounds of 95 % from both sides.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from keepwell.world.outcomes import household_potential, live_on, potential
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.terms import ACTIONS, ANOMALY, FEINT, NEVER, PROBING
from tests.world.randomise import Trials, Z, bounds, clustered, difference_of_means, halves

TRIALS = 2_000
ALONE = {"household": 0.0, "referrer": 0.0, "adviser": 0.0}
LEAST, MOST = bounds(TRIALS)
# Stages of half the usual length end within a horizon that a test can afford.
QUICK = {"days": [30.0, 14.0, 9.0, 5.0], "go_on": [0.62, 0.82, 0.90, 0.85], "at_peace": 1.0}


def lived(scenario, seed, clients, before, horizon):
    world = World(scenario, seed, clients, before + horizon)
    for _ in range(before):
        world.pass_day()
    return world


# --- nobody touches anybody ------------------------------------------------------------------


@pytest.fixture(scope="module")
def apart():
    scenario = Scenario().with_(contagion=ALONE, leaving=QUICK | {"hazard": 0.004})
    return lived(scenario, 5, 6_000, 90, 90)


@pytest.fixture(scope="module")
def stored(apart):
    return potential(apart, 90)


@pytest.fixture(scope="module")
def pair(stored):
    """Outcomes of the clients at risk, under the action that keeps most of them and alone."""
    risk = np.isin(stored.stage, (ANOMALY, PROBING)) & (stored.path != FEINT)
    leaves = stored.left_day[:, risk] != NEVER
    best = int(leaves.mean(axis=1).argmin())
    y1, y0 = leaves[best].astype(float), leaves[0].astype(float)
    assert len(y0) > 600
    assert 0.2 < y0.mean() < 0.8
    assert (y1 - y0).mean() < -0.02  # an effect to find
    assert len(np.unique(y1 - y0)) > 1  # that differs between clients
    return y1, y0


def test_fixed_clients_unbiased_and_covered(pair):
    y1, y0 = pair
    truth, n = (y1 - y0).mean(), len(y0)
    made = difference_of_means(y1, y0, halves(np.random.default_rng(1), TRIALS, n))
    assert abs(made.estimate.mean() - truth) < 4 * made.error()
    assert made.covers(truth) >= LEAST
    # Neyman's variance with the part that only the stored truth knows.
    many = n // 2
    exact = y1.var(ddof=1) / many + y0.var(ddof=1) / (n - many) - (y1 - y0).var(ddof=1) / n
    assert abs(made.estimate.var(ddof=1) / exact - 1) < 4 * np.sqrt(2 / TRIALS)


def drawn(pair):
    y1, y0 = pair
    rng = np.random.default_rng(12)
    sample = rng.integers(0, len(y0), (TRIALS, len(y0)))
    return difference_of_means(y1[sample], y0[sample], halves(rng, TRIALS, len(y0)))


def test_drawn_clients_unbiased_and_covered(pair):
    truth, made = (pair[0] - pair[1]).mean(), drawn(pair)
    assert abs(made.estimate.mean() - truth) < 4 * made.error()
    assert LEAST <= made.covers(truth) <= MOST


def test_a_wrong_interval_or_a_wrong_truth_is_noticed(pair):
    truth, made = (pair[0] - pair[1]).mean(), drawn(pair)
    for factor in (0.8, 1.25):
        wrong = Trials(made.estimate, made.half * factor)
        assert not LEAST <= wrong.covers(truth) <= MOST
    assert abs(made.estimate.mean() - truth / 2) > 4 * made.error()


def test_living_an_assignment_gives_the_stored_outcomes(apart, stored):
    rng = np.random.default_rng(3)
    codes = rng.integers(0, len(ACTIONS), len(stored.clients))
    made = live_on(apart, stored.clients, codes, 90)
    row = np.arange(len(codes))
    assert np.array_equal(made.left_day[stored.clients], stored.left_day[codes, row])
    assert np.array_equal(made.kept[stored.clients], stored.kept[codes, row])
    # And the assignment matters: another one would not have done.
    assert not np.array_equal(made.left_day[stored.clients], stored.left_day[0])


# --- households touch each other ---------------------------------------------------------------


@pytest.fixture(scope="module")
def together():
    """Couples and singles in a crisis of trust, in which a mate who left is half the decision."""
    scenario = Scenario().with_(
        contagion={"household": 8.0, "referrer": 0.0, "adviser": 0.0, "resolve": 0.8},
        leaving=QUICK | {"hazard": 0.012},
        help={"effects": 2.0},
        people={"ties": {"household": [0.2, 0.799998, 1e-6, 1e-6]}},
    )
    return lived(scenario, 5, 5_000, 45, 100)


@pytest.fixture(scope="module")
def homes(together):
    """Leaving of each household's members by pattern: bool [patterns, homes, 2], and who counts."""
    made = household_potential(together, 100, "complaint_fast")
    leaves, open_ = made.left_day != NEVER, made.open
    count = int(made.household.max()) + 1
    assert leaves.shape[0] == 4
    out = np.zeros((4, count, 2), bool)
    here = np.zeros((count, 2), bool)
    out[:, made.household, made.member] = leaves & open_
    here[made.household, made.member] = open_
    some = here.any(axis=1)
    return out[:, some], here[some]


@pytest.fixture(scope="module")
def total(homes):
    """All treated against none, a client."""
    leaves, here = homes
    return (leaves[3].sum() - leaves[0].sum()) / here.sum()


def by_household(homes, sample, treated):
    """Whole households get the action or not; complete randomisation, so that arms are even."""
    leaves, here = homes
    size = here.sum(axis=1)
    sums = leaves.sum(axis=2)
    arm1 = sample[treated].reshape(len(sample), -1)
    arm0 = sample[~treated].reshape(len(sample), -1)
    return clustered(sums[3][arm1], size[arm1], sums[0][arm0], size[arm0])


def by_client(homes, rng):
    """Each client has a coin of her own; estimates and intervals as if nobody touched anybody."""
    leaves, here = homes
    estimate, half = [], []
    for low, high in pairwise(range(0, TRIALS + 1, 250)):
        sample = rng.integers(0, len(here), (high - low, len(here)))
        coin = rng.random((*sample.shape, 2)) < 0.5
        pattern = coin[..., 0] + 2 * coin[..., 1]
        y, there = leaves[pattern, sample], here[sample]
        for outcomes, heads, counted in zip(y, coin, there, strict=True):
            one, none = outcomes[heads & counted], outcomes[~heads & counted]
            estimate.append(one.mean() - none.mean())
            half.append(Z * np.sqrt(one.var() / len(one) + none.var() / len(none)))
    return Trials(np.array(estimate), np.array(half))


def test_the_stored_household_outcomes_are_what_happens(together):
    made = household_potential(together, 30, "complaint_fast")
    treated = np.random.default_rng(4).random(len(made.open)) < 0.5
    clients = np.flatnonzero(treated)
    real = live_on(together, clients, np.full(len(clients), ACTIONS.index("complaint_fast")), 30)
    assert np.array_equal(made.under(treated), real.left_day)
    assert not np.array_equal(made.under(~treated), real.left_day)


def test_client_randomisation_misses_what_households_share(homes, total):
    made = by_client(homes, np.random.default_rng(5))
    # Too small an effect: part of it reaches the mates who are left alone, too.
    assert made.estimate.mean() - total > 8 * made.error()
    assert made.estimate.mean() > 0.95 * total
    assert made.covers(total) < LEAST


def test_household_randomisation_restores_the_truth(homes, total):
    rng, count = np.random.default_rng(6), len(homes[1])
    sample = rng.integers(0, count, (TRIALS, count))
    made = by_household(homes, sample, halves(rng, TRIALS, count))
    assert abs(made.estimate.mean() - total) < 4 * made.error()
    assert LEAST <= made.covers(total) <= MOST


def test_household_randomisation_of_fixed_households(homes, total):
    rng, count = np.random.default_rng(7), len(homes[1])
    sample = np.broadcast_to(np.arange(count), (TRIALS, count))
    made = by_household(homes, sample, halves(rng, TRIALS, count))
    assert abs(made.estimate.mean() - total) < 4 * made.error()
    assert made.covers(total) >= LEAST
