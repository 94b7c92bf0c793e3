"""The budget rule: its bound, its ratio, what it does not know, and who decides."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.learn.value.budget import (
    APPROVERS,
    Costs,
    Kind,
    Why,
    allocate,
    may_approve,
    propose,
)
from keepwell.learn.value.estimate import Effect
from keepwell.learn.value.retained import VALUE, Trial, retained
from keepwell.observe.mapping_value import Budget, BudgetPart


def kept(value, error, clusters=100_000):
    return Effect(value, np.nan, np.nan, error, 0.95, clusters)


COSTS = Costs(contacts=100, minutes=1_000, contact_cost=2.0, minute_cost=1.0)  # 1,200


def test_the_bound_decides_not_the_estimate():
    # Lower end of the two-sided 90 % interval: 1.6449 standard errors.
    assert propose(kept(5_000, 1_000), COSTS).kept == pytest.approx(5_000 - 1_644.9, abs=0.1)
    more = propose(kept(5_000, 1_000), COSTS)
    assert (more.kind, more.worth_it, more.cost) == (Kind.MORE, True, 1_200)
    assert more.why == (Why.WORTH_IT, Why.RATIO_REACHED)
    assert more.words("en")[0] == "Propose a larger retention budget."
    assert more.words("zh")[0] == "建议增加挽留预算。"
    assert len(more.words()) == 3
    assert more.ratio == pytest.approx(more.kept / 1_200)
    # 3,400 - 1,645 = 1,755 > 1,200 but not > 1.5 x 1,200.
    worth = propose(kept(3_400, 1_000), COSTS)
    assert (worth.kind, worth.worth_it) == (Kind.SAME, True)
    assert worth.why == (Why.WORTH_IT, Why.RATIO_MISSED)
    open_ = propose(kept(2_000, 1_000), COSTS)
    assert (open_.kind, open_.worth_it, open_.why) == (Kind.SAME, False, (Why.NOT_PROVEN,))
    less = propose(kept(-1_000, 500), COSTS)
    assert (less.kind, less.why) == (Kind.LESS, (Why.LOSING,))


def test_harm_counts_with_its_error_in_full():
    harmed = propose(kept(5_000, 1_000), COSTS, harm=kept(500, 200))
    assert harmed.net.value == pytest.approx(5_000 - 1_200 - 500)
    assert harmed.net.low == pytest.approx(3_300 - 1.6449 * 1_200, abs=0.1)
    assert propose(kept(5_000, 1_000), COSTS, harm=kept(2_500, 200)).kind is Kind.SAME


def test_without_a_price_of_the_work_nothing_is_proven():
    unknown = Costs(100, 1_000, None, 1.0)
    assert not unknown.known
    got = propose(kept(1e9, 1.0), unknown)
    assert (got.kind, got.worth_it) == (Kind.SAME, False)
    assert Why.COST_UNKNOWN in got.why
    # What has a price may already be too much.
    assert propose(kept(0.0, 1.0), unknown).kind is Kind.LESS
    assert Costs(0, 10, None, 1.0).known


def test_few_managers_prove_nothing():
    got = propose(kept(1e9, 1.0, clusters=12), COSTS)
    assert (got.kind, got.worth_it) == (Kind.SAME, False)
    assert Why.MANAGERS_FEW in got.why


def test_free_and_useful_has_no_ratio():
    got = propose(kept(100, 1), Costs(0, 0, None, None))
    assert (got.kind, got.ratio) == (Kind.MORE, None)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e8), st.floats(0, 1e9), st.floats(1, 5))
def test_a_dearer_treatment_is_never_liked_better(value, error, extra, ratio):
    rank = {Kind.LESS: 0, Kind.SAME: 1, Kind.MORE: 2}
    cheap = propose(kept(value, error), Costs(1, 0, 10.0, None), ratio=ratio)
    dear = propose(kept(value, error), Costs(1, 0, 10.0 + extra, None), ratio=ratio)
    assert rank[dear.kind] <= rank[cheap.kind]
    assert dear.worth_it <= cheap.worth_it


def test_without_an_effect_more_is_proposed_in_one_of_twenty_at_most():
    rng = np.random.default_rng(2)
    found = [propose(kept(x, 1.0), Costs(0, 0, None, None)).kind for x in rng.normal(size=2_000)]
    assert found.count(Kind.MORE) <= 132  # binomial bound of 5 %, 99.9 %


def test_two_people_and_not_the_proposer():
    assert propose(kept(5_000, 1_000), COSTS).approvers == APPROVERS
    assert propose(kept(2_000, 1_000), COSTS).approvers == ()
    both = [("anna", "director"), ("ben", "compliance")]
    assert may_approve(both, "carl", APPROVERS)
    assert not may_approve(both, "anna", APPROVERS)
    assert not may_approve(both[:1], "carl", APPROVERS)
    one = [("anna", "director"), ("anna", "compliance")]
    assert not may_approve(one, "carl", APPROVERS)
    assert may_approve([*one, ("dora", "director")], "carl", APPROVERS)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError):
        Costs(-1, 0, None, None)
    with pytest.raises(UsageError):
        propose(kept(1, 1), COSTS, ratio=0.5)
    with pytest.raises(ValueError, match="make 1"):
        Budget(split=[BudgetPart(name="a", share=0.5)])
    with pytest.raises(ValueError, match="differ"):
        Budget(split=[BudgetPart(name="a", share=0.5)] * 2)


@given(st.integers(0, 10**13))
def test_the_parts_make_the_whole(amount):
    parts = allocate(amount, Budget())
    assert sum(parts.values()) == amount
    for part in Budget().split:
        assert abs(parts[part.name] - amount * part.share) < 1 + amount * 1e-12


def test_costs_are_at_the_workspaces_rates():
    budget = Budget(minute_cost=2.5, contact_cost=0.1)
    place = SimpleNamespace(
        currency="CNY", mapping=SimpleNamespace(value=SimpleNamespace(budget=budget))
    )
    costs = Costs.of(place, contacts=1_000, minutes=400)
    assert (costs.known, costs.total) == (True, 1_000 * 10 + 400 * 250)
    place.currency = "JPY"
    assert Costs.of(place, contacts=0, minutes=400).total == 1_000
    place.mapping.value.budget = Budget()
    assert not Costs.of(place, contacts=0, minutes=400).known


def test_from_a_trial_to_a_proposal():
    """A treatment that keeps 2 of 10 clients worth 10,000 each, and one that keeps none."""
    rng, n = np.random.default_rng(6), 20_000
    treated, manager = rng.random(n) < 0.8, rng.integers(0, 200, n)
    kinds = {}
    for effect in (0.2, 0.0):
        stayed = (rng.random(n) < 0.6 + effect * treated).astype(float)
        given = Trial(
            treated, manager, stayed, np.full(n, 1e6), np.zeros(n), np.full(n, 0.4),
            worth=np.full(n, 10_000.0),
        )  # fmt: skip
        value = retained(given)[VALUE].total
        spent = Costs(contacts=int(treated.sum()), minutes=0, contact_cost=500.0, minute_cost=None)
        kinds[effect] = propose(value, spent)
    assert kinds[0.2].kind is Kind.MORE
    assert kinds[0.2].net.value == pytest.approx((0.2 * 10_000 - 500) * 16_000, rel=0.15)
    assert kinds[0.0].kind is Kind.LESS
