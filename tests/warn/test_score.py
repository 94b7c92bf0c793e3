from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import DataError, UsageError
from keepwell.warn.models.base import logit
from keepwell.warn.score import SCORES, Capacity, ScoreMap, fit_score


def shares(scores):
    return [(scores >= cut).mean() for cut in (60, 76, 90)]


def test_capacity_and_base_rate_are_met():
    z = np.random.default_rng(0).normal(-2, 1, 20_000)
    found = fit_score(z, 0.14)
    scores = found.score(z)
    assert shares(scores) == pytest.approx([0.10, 0.03, 0.01], abs=1e-4)
    assert found.score(np.array([logit(0.14)]))[0] == pytest.approx(40.0)
    assert found.anchor == "base-rate"
    assert (scores.min(), scores.max()) == (0.0, 100.0)


def test_a_high_base_rate_gives_the_median_40():
    z = np.random.default_rng(0).normal(-2, 0.1, 5000)
    found = fit_score(z, 0.9)
    assert found.anchor == "median"
    assert found.score(np.array([np.median(z)]))[0] == pytest.approx(40.0)
    assert shares(found.score(z)) == pytest.approx([0.10, 0.03, 0.01], abs=1e-3)


def test_beyond_the_extremes_is_clipped_and_absent_stays_absent():
    found = ScoreMap((-4.0, -2.0, -1.0, 0.0, 1.0, 2.0))
    assert found.score(np.array([-9.0, 9.0, 0.0])).tolist() == [0.0, 100.0, 76.0]
    assert np.isnan(found.score(np.array([np.nan]))[0])


def test_all_equal_clients_are_nobodys_alarm():
    found = fit_score(np.full(500, -1.0), 0.27)
    assert shares(found.score(np.full(500, -1.0))) == [0.0, 0.0, 0.0]


def test_a_tie_at_the_top_takes_the_nearest_share():
    z = np.concatenate([np.linspace(-5, -1, 985), np.full(15, 2.0)])
    assert shares(fit_score(z, 0.05).score(z))[2] == pytest.approx(0.015)
    z = np.concatenate([np.linspace(-5, -1, 970), np.full(30, 2.0)])
    got = shares(fit_score(z, 0.05).score(z))
    assert got[1] == pytest.approx(0.03)
    assert got[2] == 0.0


def test_one_client_has_a_map():
    assert fit_score(np.array([-1.0]), 0.5).score(np.array([-1.0]))[0] < 60


def test_wrong_settings_are_errors():
    with pytest.raises(UsageError, match="severe"):
        Capacity(0.1, 0.05, 0.2)
    with pytest.raises(DataError, match="finite"):
        fit_score(np.array([np.nan]), 0.1)
    with pytest.raises(DataError, match="increasing"):
        ScoreMap((0.0, 0.0, 1.0, 2.0, 3.0, 4.0))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(-40, 40), min_size=1, max_size=200),
    st.floats(0.001, 0.999),
    st.sampled_from([0.1, 1.0, 1e-7]),
)
def test_the_map_is_monotone_and_within_bounds(values, base_rate, step):
    z = np.array(values) * step
    found = fit_score(z, base_rate)
    assert (np.diff(found.knots) > 0).all()
    ordered = np.sort(np.concatenate([z, np.array(found.knots)]))
    scores = found.score(ordered)
    assert (np.diff(scores) >= 0).all()
    assert (scores >= 0).all()
    assert (scores <= 100).all()
    np.testing.assert_allclose(found.score(np.array(found.knots)), SCORES, atol=1e-6)
    # Nobody is alarmed beyond what the nearest possible share to the capacity asks.
    for cut, want in ((60, 0.1), (76, 0.03), (90, 0.01)):
        assert (found.score(z) >= cut).mean() <= 2 * want + 1e-9
