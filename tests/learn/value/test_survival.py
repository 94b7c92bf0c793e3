"""Survival and value: worked by hand, and what must hold for any client."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.learn.value.client_value import client_value
from keepwell.learn.value.survival import (
    Doubt,
    SurvivalRule,
    months_of,
    normal_quantile,
    survival,
    survival_interval,
)

chances = st.floats(0.0, 1.0)
amounts = st.floats(-1e9, 1e9)
rules = st.builds(
    SurvivalRule,
    horizon=st.floats(0.5, 24.0),
    gap=st.floats(0.0, 6.0),
    base=st.one_of(st.none(), st.floats(0.0, 0.9)),
)


def values(p, margin, rule, months=24, discount=0.08, **more):
    return client_value(np.atleast_1d(p), np.atleast_1d(margin), rule, months, discount, **more)


def test_a_half_year_of_constant_hazard_by_hand():
    # 27.1 % in three months is 10 % a month; then, as everybody, 5 % a month.
    rule = SurvivalRule(horizon=3.0, base=1 - 0.95**3)
    curve = survival(np.array([1 - 0.9**3]), rule, 5)[0]
    assert curve == pytest.approx([1, 0.9, 0.81, 0.729, 0.729 * 0.95, 0.729 * 0.95**2])
    own = survival(np.array([1 - 0.9**3]), SurvivalRule(horizon=3.0), 5)[0]
    assert own == pytest.approx([0.9**k for k in range(6)])


def test_the_gap_gets_the_rate_of_the_horizon():
    rule = SurvivalRule(horizon=2.0, gap=1.0, base=0.0)
    assert survival(np.array([0.19]), rule, 4)[0] == pytest.approx([1, 0.9, 0.81, 0.729, 0.729])


def test_a_horizon_that_ends_within_a_month():
    rule = SurvivalRule(horizon=1.5, base=0.0)
    assert survival(np.array([0.5]), rule, 3)[0] == pytest.approx([1, 0.5 ** (1 / 1.5), 0.5, 0.5])


def test_value_by_hand():
    # 100 a month, 10 % leave a month, 1 % discount a month, three months.
    discount = 1.01**12 - 1
    got = values(1 - 0.9**3, 1200.0, SurvivalRule(horizon=3.0, base=0.0), 3, discount)
    assert got.value[0] == pytest.approx(sum(100 * 0.9**k / 1.01**k for k in (1, 2, 3)))
    assert got.kept[0] == pytest.approx(sum(100 / 1.01**k for k in (1, 2, 3)))
    # A leaver goes midway on average: half of the three months is still paid.
    assert got.lost[0] == pytest.approx(got.kept[0] / 2)
    longer = values(0.3, 1200.0, SurvivalRule(horizon=1.5, gap=1.0, base=0.0), 10, discount)
    months = sum(100 / 1.01**k * share for k, share in ((1, 1), (2, 1), (3, 0.5)))
    assert longer.lost[0] == pytest.approx(longer.kept[0] - months / 2)
    assert got.at_stake[0] == pytest.approx(got.kept[0] - got.value[0])


@settings(max_examples=60, deadline=None)
@given(chances, chances, st.floats(0, 1e9), rules)
def test_more_survival_is_never_less_value(p, q, margin, rule):
    safe, risky = min(p, q), max(p, q)
    got = values([safe, risky], [margin, margin], rule)
    assert got.value[0] >= got.value[1] - 1e-6
    assert (got.kept >= got.value - 1e-6).all()
    assert (got.kept >= got.lost - 1e-6).all()
    assert (got.lost >= -1e-6).all()
    assert (got.value >= 0).all()


@settings(max_examples=60, deadline=None)
@given(chances, amounts, rules, st.integers(1, 40), st.floats(0, 0.5))
def test_value_is_the_sum_over_the_curve(p, margin, rule, months, discount):
    got = values(p, margin, rule, months, discount)
    curve = survival(np.array([p]), rule, months)[0]
    weights = (1 + discount) ** (-np.arange(months + 1) / 12)
    expected = (weights * curve)[1:].sum() * margin / 12
    assert got.value[0] == pytest.approx(expected, rel=1e-8, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.02, 0.9), st.floats(1, 1e6), rules)
def test_slopes_are_those_of_a_small_shift(p, margin, rule):
    z, step = np.log(p / (1 - p)), 1e-4

    def at(shift):
        return values(1 / (1 + np.exp(-(z + shift))), margin, rule).value[0]

    got = values(p, margin, rule)
    slope = (at(step) - at(-step)) / (2 * step)
    assert got.per_log_odds[0] == pytest.approx(slope, rel=1e-4, abs=margin * 1e-6)
    if rule.base is not None and 0.01 < rule.base < 0.85:

        def based(base):
            other = SurvivalRule(rule.horizon, rule.gap, base)
            return values(p, margin, other).value[0]

        slope = (based(rule.base + step) - based(rule.base - step)) / (2 * step)
        assert got.per_base[0] == pytest.approx(slope, rel=1e-4, abs=margin * 1e-6)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), rules)
def test_order_does_not_matter(random, rule):
    rng = np.random.default_rng(random.randrange(2**32))
    p, margin, order = rng.random(50), rng.normal(size=50) * 1e5, rng.permutation(50)
    doubt = Doubt(0.1, 0.01, "proof")
    one = values(p, margin, rule, error=np.abs(margin), doubt=doubt)
    other = values(p[order], margin[order], rule, error=np.abs(margin[order]), doubt=doubt)
    assert np.array_equal(one.value[order], other.value)
    assert np.array_equal(one.error[order], other.error)
    assert one.total().value == pytest.approx(other.total().value)


def test_many_clients_are_valued_as_one_by_one():
    rng = np.random.default_rng(3)
    p, margin = rng.random(70_000), rng.random(70_000) * 1e6
    rule = SurvivalRule(2.96, 1.5, 0.05)
    whole = values(p, margin, rule)
    for i in (0, 65_535, 65_536, 69_999):
        assert whole.value[i] == values(p[i], margin[i], rule).value[0]


def test_the_unknown_stays_unknown():
    got = values([np.nan, 0.1, 0.1], [1.0, np.nan, 1.0], SurvivalRule(3.0, base=0.1))
    assert np.isnan(got.value).tolist() == [True, True, False]
    assert got.total().value == pytest.approx(got.value[2])
    assert np.isnan(got.total().low), "no doubt is known, so there is no interval"


def test_own_errors_average_out_and_common_ones_add():
    p, margin, n = np.full(100, 0.2), np.full(100, 1e4), 100
    rule = SurvivalRule(3.0)
    half = normal_quantile(0.95)
    own = values(p, margin, rule, error=1e3, doubt=Doubt(0.0, 0.0, "proof"))
    one = own.value[0] - own.interval()[0][0]
    assert one == pytest.approx(half * own.value[0] * 0.1)
    assert own.total().value - own.total().low == pytest.approx(one * np.sqrt(n))
    common = values(p, margin, rule, doubt=Doubt(0.3, 0.0, "proof"))
    one = common.value[0] - common.interval()[0][0]
    assert common.total().value - common.total().low == pytest.approx(one * n)


def test_the_doubt_of_a_proof_is_luck_and_drift():
    bins = (np.array([0.1, 0.3]), np.array([0.1, 0.3]), np.array([900.0, 100.0]))
    exact = Doubt.of_proof(*bins)
    information = 900 * 0.09 + 100 * 0.21
    assert exact.log_odds == pytest.approx(information**-0.5)
    shifted = Doubt.of_proof(bins[0], bins[1] + 0.05, bins[2])
    assert shifted.log_odds == pytest.approx(np.hypot(information**-0.5, 50 / information))
    assert shifted.base > exact.base
    assert Doubt.of_proof(bins[0], np.zeros(2), bins[2]).source == "none"


def test_intervals_of_the_training_doubt_cover():
    """Of 400 calibrations on 2,000 clients, 95 % of the intervals hold the true value."""
    rng, n, truth = np.random.default_rng(11), 2_000, 0.15
    rule = SurvivalRule(3.0)
    target = values(truth, 1200.0, rule).value[0]
    held = 0
    for left in rng.binomial(n, truth, 400):
        got = values(left / n, 1200.0, rule, doubt=Doubt.of_training(left, n))
        low, high = got.interval()
        held += low[0] <= target <= high[0]
    assert 366 <= held <= 394  # binomial, 99.9 %


@pytest.mark.parametrize(
    "call",
    [
        lambda: SurvivalRule(0.0),
        lambda: SurvivalRule(3.0, gap=-1.0),
        lambda: SurvivalRule(3.0, base=1.0),
        lambda: values(1.2, 1.0, SurvivalRule(3.0)),
        lambda: values([0.1, 0.2], [1.0], SurvivalRule(3.0)),
        lambda: values(0.1, 1.0, SurvivalRule(3.0), months=0),
        lambda: values(0.1, 1.0, SurvivalRule(3.0), discount=-0.1),
        lambda: values(0.1, 1.0, SurvivalRule(3.0)).interval(1.0),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(UsageError):
        call()


def test_spans():
    assert months_of("6mo") == 6.0
    assert months_of("365d") == pytest.approx(12 * 365 / 365.25)


@settings(max_examples=40, deadline=None)
@example(5e-324, SurvivalRule(1.0), 1.0, 0.0)
@given(chances, rules, st.floats(0.0, 1.0), st.floats(0.0, 0.2))
def test_the_curve_lies_in_its_interval(p, rule, log_odds, base):
    given_, months = np.array([p, np.nan]), 12
    curve = survival(given_, rule, months)
    low, high = survival_interval(given_, rule, months, Doubt(log_odds, base, "proof"))
    assert (low[0] <= curve[0] + 1e-7).all()  # near a certain leaver log-odds lose digits
    assert (curve[0] <= high[0] + 1e-7).all()
    assert (low[0] >= 0).all()
    assert (high[0] <= 1).all()
    assert np.isnan(low[1][1:]).all()
    none = survival_interval(given_[:1], rule, months, Doubt(np.nan, np.nan, "none"))
    assert p == 0 or np.isnan(none[0][0][1:]).all()
