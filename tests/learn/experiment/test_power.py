"""The calculator: the table of the research notes, and itself turned round."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.power import (
    Baseline,
    Terms,
    design_effect,
    detectable,
    needed,
    power_of,
    table,
)
from keepwell.learn.experiment.sequential import inflation

BOOKS = Terms(cluster_size=300, icc=0.01)


@pytest.mark.parametrize(
    ("churn", "relative", "clients", "by_manager"),
    [(0.172, -0.11, 5_965, 23_801), (0.05, -0.10, 28_405, 113_336), (0.03, -0.10, 48_288, 192_672)],
)
def test_units_per_arm_are_those_of_the_published_table(churn, relative, clients, by_manager):
    """The table rounds down; half a client more is a client more."""
    base = Baseline(churn)
    assert needed(base, relative * churn).treated == clients + 1
    assert needed(base, relative * churn, BOOKS).control == by_manager + 1
    assert table(base, [relative]) == [(relative, needed(base, relative * churn))]


def test_the_design_effect_grows_with_unequal_clusters():
    assert design_effect(300, 0.01) == pytest.approx(3.99)
    assert design_effect(1, 0.5) == 1
    assert design_effect(300, 0.01, 0.6) == pytest.approx(1 + (300 * 1.36 - 1) * 0.01)


@given(
    st.floats(0.02, 0.6),
    st.floats(0.05, 0.5),
    st.floats(0.05, 0.95),
    st.floats(0, 0.8),
    st.booleans(),
)
def test_what_is_needed_has_the_power_and_shows_the_effect(churn, less, share, explained, looks):
    base = Baseline(churn)
    terms = Terms(treated_share=share, explained=explained, looks=(0.5, 1.0) if looks else (1.0,))
    sizes = needed(base, -less * churn, terms)
    assert sizes.treated == pytest.approx(sizes.total * share, abs=1)
    assert power_of(base, -less * churn, sizes.total, terms) == pytest.approx(0.8, abs=0.03)
    found = detectable(base, sizes.total, terms, lower=True)
    assert found == pytest.approx(-less * churn, rel=0.03)


def test_means_need_fewer_units_with_covariates_and_more_with_looks_or_unequal_arms():
    base, effect = Baseline(100.0, 400.0), 2.0
    plain = needed(base, effect).total
    assert needed(base, effect, Terms(explained=0.5)).total == pytest.approx(plain / 2, abs=2)
    four = (0.25, 0.5, 0.75, 1.0)
    assert 1.01 < needed(base, effect, Terms(looks=four)).total / plain < 1.04
    assert needed(base, effect, Terms(treated_share=0.8)).total > 1.5 * plain


def test_looks_cost_little_for_every_number_of_them():
    costs = [inflation([(i + 1) / k for i in range(k)]) for k in (1, 2, 4, 13)]
    assert costs[0] == 1
    assert costs == sorted(costs)
    assert costs[-1] < 1.05


def test_what_cannot_be_shown_is_not_a_number():
    assert math.isnan(detectable(Baseline(0.02), 20, lower=True))


@pytest.mark.parametrize(
    "call",
    [
        lambda: needed(Baseline(0.1), 0.0),
        lambda: needed(Baseline(0.1), -0.2),
        lambda: needed(Baseline(1.5), 0.1),
        lambda: Terms(treated_share=1.0),
        lambda: Terms(icc=1.0),
        lambda: Terms(explained=-0.1),
        lambda: Terms(alpha=0.9),
        lambda: design_effect(0.5, 0.1),
    ],
)
def test_wrong_terms_are_refused(call):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.code == "experiment.value-wrong"
