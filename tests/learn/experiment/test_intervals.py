"""Intervals hold exactly the values that their test does not reject."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from keepwell.learn.experiment.intervals import Means, fieller, flipped, flipped_p, two_sided

NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 3))


@given(
    st.lists(st.tuples(NUMBERS, st.floats(0.1, 5)), min_size=2, max_size=10),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
@settings(max_examples=80, deadline=None)
def test_flipped_signs_are_inverted_exactly(clusters, level):
    """Inside the interval the test by signs accepts, outside it rejects."""
    parts, weight = map(np.array, zip(*clusters, strict=True))
    low, high = flipped(parts, weight, level)
    value = parts.sum() / weight.sum()
    assert low <= value + 1e-9
    assert high >= value - 1e-9
    step = 1e-6 * (1 + abs(value))
    for end, out in ((low, -1), (high, 1)):
        if math.isfinite(end):
            # Where all clusters say the same there is no inside: the interval is a point.
            if high - low > 2 * step:
                assert flipped_p(parts - (end - out * step) * weight) > 1 - level - 1e-12
            assert flipped_p(parts - (end + out * step) * weight) <= 1 - level + 1e-12


def test_no_interval_is_finite_where_no_test_can_reject():
    assert flipped(np.arange(1.0, 6.0), np.ones(5), 0.95) == (-math.inf, math.inf)
    assert all(map(math.isfinite, flipped(np.arange(1.0, 7.0), np.ones(6), 0.95)))
    assert flipped_p(np.ones(5)) == 2 / 32


def test_many_ways_are_drawn_and_drawn_alike_each_time():
    parts = np.random.default_rng(1).normal(0.5, 1, 25)
    first = flipped(parts, np.ones(25), 0.95)
    assert first == flipped(parts, np.ones(25), 0.95)
    # With so many clusters the signs say what t says.
    half = t.ppf(0.975, 24) * parts.std(ddof=1) / 5
    assert first == pytest.approx((parts.mean() - half, parts.mean() + half), abs=0.08)


def test_signs_reject_a_true_value_as_often_as_they_say():
    """Nine clusters of very different spread, 2,000 times."""
    rng = np.random.default_rng(3)
    spread = np.linspace(0.2, 5, 9)
    p = [flipped_p(rng.normal(0, spread)) for _ in range(2000)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.018)


@given(st.floats(-50, 50), st.floats(0.5, 50), st.floats(0.1, 4), st.floats(0.1, 4),
       st.floats(-0.9, 0.9))  # fmt: skip
def test_fieller_holds_the_ratios_that_are_not_rejected(top, bottom, over, under, corr):
    cov = (over**2, corr * over * under, under**2)
    low, high = fieller(top, bottom, cov, 1.96)
    if not math.isfinite(low):
        assert bottom <= 1.96 * under + 1e-9
        return
    assert low <= top / bottom + 1e-9
    assert high >= top / bottom - 1e-9
    for end in (low, high):
        variance = cov[0] - 2 * end * cov[1] + end**2 * cov[2]
        distance = abs(top - end * bottom)
        assert distance == pytest.approx(1.96 * math.sqrt(variance), rel=1e-6, abs=1e-6)


def test_what_does_not_vary_has_no_width():
    means = Means(np.array([2.0, 2.0]), np.zeros((2, 2)), np.zeros(2))
    found = means.contrast(np.array([1.0, -1.0]))
    assert (found.low, found.high, found.p) == (0, 0, 1)
    found = means.contrast(np.array([1.0, 0.0]))
    assert (found.low, found.high, found.p) == (2, 2, 0)


@pytest.mark.parametrize("df", [3.0, 40.0, math.inf])
def test_quantiles_are_those_of_t_however_high_the_level(df):
    for level in (0.5, 0.95, 1 - 1e-9):
        expected = t.isf((1 - level) / 2, min(df, 1e9))
        assert two_sided(level, df) == pytest.approx(expected, rel=1e-6)
