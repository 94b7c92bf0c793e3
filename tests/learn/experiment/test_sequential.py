"""Boundaries: what they spend, and that looking often costs no more than it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.sequential import any_time, boundaries, crossing, spent
from tests.learn.experiment.sizes import SIMULATIONS, at_most

LOOKS = st.lists(st.integers(1, 100), min_size=1, max_size=10, unique=True).map(
    lambda marks: [mark / 100 for mark in sorted(marks)]
)


@given(LOOKS, st.sampled_from([0.01, 0.05, 0.1]))
@settings(max_examples=20, deadline=None)
def test_looks_spend_what_they_may_and_never_more(looks, alpha):
    bounds = boundaries(looks, alpha)
    up, down = crossing(looks, bounds, 0.0)
    assert up == pytest.approx(down, abs=1e-10)
    assert up + down == pytest.approx(spent(looks[-1], alpha), abs=1e-7)
    # A later boundary never changes an earlier one: what was decided stays decided.
    assert boundaries(looks[:1], alpha)[0] == bounds[0]


def test_one_look_at_the_end_is_the_plain_test():
    assert boundaries([1.0])[0] == pytest.approx(norm.ppf(0.975))
    assert spent(1.0) == 0.05
    assert spent(0.001) < 1e-20


def test_an_early_look_is_strict_beyond_reach():
    assert boundaries([0.001, 1.0])[0] == 10.0
    assert boundaries([0.001, 1.0])[1] == pytest.approx(norm.ppf(0.975), abs=1e-6)


@pytest.mark.parametrize("looks", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 0.4], [0.9, 1.0, 1.2]])
def test_looks_that_do_not_go_forward_are_refused(looks):
    with pytest.raises(UsageError) as caught:
        boundaries(looks)
    assert caught.value.code == "experiment.looks-wrong"


def test_weekly_looks_keep_five_per_cent_where_peeking_takes_twenty():
    """The research notes: 13 looks at 1.96 give 21 % false alarms."""
    n = 80 * SIMULATIONS
    rng = np.random.default_rng(1)
    z = rng.normal(size=(n, 13)).cumsum(axis=1) / np.sqrt(np.arange(1, 14))
    bounds = boundaries([(k + 1) / 13 for k in range(13)])
    assert (np.abs(z) > bounds).any(axis=1).sum() <= at_most(n, 0.05)
    assert (np.abs(z) > 1.96).any(axis=1).mean() == pytest.approx(0.21, abs=0.02)


def test_a_guardrail_may_be_looked_at_every_day():
    """A thousand looks, the first at one per cent of the information."""
    n = 20 * SIMULATIONS
    rng = np.random.default_rng(2)
    bounds = np.array([any_time((k + 1) / 1000) for k in range(9, 1000)])
    alarms = 0
    for _ in range(n):
        z = rng.normal(size=1000).cumsum() / np.sqrt(np.arange(1, 1001))
        alarms += bool((z[9:] > bounds).any())
    assert alarms <= at_most(n, 0.05)


@given(st.floats(0.01, 20), st.floats(0.001, 0.2))
def test_the_guardrails_boundary_is_wider_than_one_look_and_ordered_in_alpha(fraction, alpha):
    z = any_time(fraction, alpha)
    assert z > norm.isf(alpha)
    assert any_time(fraction, alpha / 2) > z
    assert math.isfinite(z)


def test_no_information_is_refused():
    with pytest.raises(UsageError):
        any_time(0.0)
