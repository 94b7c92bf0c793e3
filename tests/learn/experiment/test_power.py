"""The calculator: the table of the research notes, and itself turned round."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.design import Arm, Experiment, Metric
from keepwell.learn.experiment.power import (
    Baseline,
    Terms,
    design_effect,
    detectable,
    needed,
    needed_to_pass,
    planned_units,
    power_of,
    table,
    terms_of,
)
from keepwell.learn.experiment.sequential import inflation
from tests.learn.experiment.sizes import SIMULATIONS, at_least, at_most

LEFT = Metric("left", "proportion", "lower")
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


def test_the_gate_is_passed_as_often_as_planned():
    """A fifth held out, 30 % fewer leavers in truth, the gate at 20 %."""
    arms = (Arm("contact", 0.8), Arm("hold-out", 0.2))
    design = Experiment("gate", arms, "hold-out", LEFT, looks=(1.0,))
    base = Baseline(0.3)
    sizes = needed_to_pass(base, -0.3, 0.2, terms_of(design))
    assert sizes.total > 5 * needed(base, -0.09, terms_of(design)).total
    rng = np.random.default_rng(7)
    left = rng.binomial([sizes.treated, sizes.control], [0.21, 0.3], (SIMULATIONS * 2, 2))
    passed = 0
    for treated, control in left.tolist():
        mean, alone = treated / sizes.treated, control / sizes.control
        se = math.sqrt(
            mean * (1 - mean) / sizes.treated + 0.64 * alone * (1 - alone) / sizes.control
        )
        passed += mean - 0.8 * alone < -1.96 * se
    assert at_least(SIMULATIONS * 2, 0.8) <= passed <= at_most(SIMULATIONS * 2, 0.8)


def test_an_experiment_tells_its_own_terms():
    arms = (Arm("call", 0.5), Arm("letter", 0.3), Arm("none", 0.2))
    design = Experiment("three", arms, "none", LEFT)
    terms = terms_of(design, "letter", explained=0.2)
    assert (terms.treated_share, terms.alpha, terms.looks) == (0.6, 0.025, design.looks)
    sizes = needed(Baseline(0.2), -0.04, terms)
    assert planned_units(design, sizes, "letter") == pytest.approx(2 * sizes.total, abs=1)
    assert terms_of(design) == terms_of(design, "call")


def test_what_cannot_be_shown_is_not_a_number():
    assert math.isnan(detectable(Baseline(0.02), 20, lower=True))


@pytest.mark.parametrize(
    "call",
    [
        lambda: needed(Baseline(0.1), 0.0),
        lambda: needed_to_pass(Baseline(0.1), -0.1, 0.2),
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
