"""What is recommended: the sum by hand, assumed and proven effects, ties, and what is owed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.digest import digest_of
from keepwell.core.errors import DataError, UsageError
from keepwell.intervene.action.catalogue import Action, Actions, Catalogue, Who
from keepwell.intervene.action.facts import Cap, ContactPolicy
from keepwell.intervene.action.gate import Answer, Stage
from keepwell.intervene.action.recommend import (
    ASSUMED_MINUTES,
    Economics,
    Outlook,
    ProvenEffect,
)
from keepwell.intervene.action.record import (
    context,
    decision_from,
    decision_record,
    facts_from,
    facts_record,
    record,
    replay,
    restore,
)
from keepwell.intervene.contact.policy import Channel
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.rulebook import RuleBook
from tests.intervene.action.given import ACTIONS, DAY, action, client, clients, recommender


def of(*actions, **more):
    by_id = {a.id: a for a in sorted(actions, key=lambda a: a.id)}
    return recommender(Actions(DAY, by_id), **more)


def effect(reduction):
    return {"reduction": reduction, "assumed": True, "source": {"en": "a", "zh": "甲"}}


def test_the_expected_value_is_the_sum_written_in_the_docs():
    talk = action(minutes=10, cost={"amount": 300, "currency": "CNY"}, effect=effect(0.1))
    option = of(talk).one(client(), Outlook(0.2, 1_000_000)).best
    # 0.2 x 0.1 x 10,000 yuan = 200 yuan; 10 minutes at 2 yuan and 3 yuan of cost.
    assert option.expected == 20_000 - 10 * 200 - 300
    assert (option.proven, option.source) == (False, "a")
    dear = Economics("CNY", {**ASSUMED_MINUTES, Who.MANAGER: 1_000}, assumed=False)
    assert of(talk, economics=dear).one(client(), Outlook(0.2, 1_000_000)).best.expected == 9_700


def test_a_proven_effect_takes_the_place_of_the_assumed_one_of_its_version_only():
    talk = action()
    proven = {("talk", 1): ProvenEffect(0.3, 0.1, 0.5, "experiment 7")}
    option = of(talk, proven=proven).one(client(), Outlook(0.2, 1_000_000)).best
    assert (option.reduction, option.proven, option.source) == (0.3, True, "experiment 7")
    next_ = action(version=2)
    option = of(next_, proven=proven).one(client(), Outlook(0.2, 1_000_000)).best
    assert (option.reduction, option.proven) == (0.1, False)
    harm = {("talk", 1): ProvenEffect(-0.2, -0.4, -0.1, "experiment 8")}
    made = of(talk, proven=harm).one(client(), Outlook(0.9, 10**8))
    assert made.best is None
    assert made.options[0].decision.code == "gate.worth-nothing"
    with pytest.raises(ValueError, match="interval"):
        ProvenEffect(0.5, 0.6, 0.7, "x")


def test_best_and_runner_up_come_in_order_and_ties_without_chance():
    weak, strong = action(id="weak"), action(id="strong", effect=effect(0.2))
    made = of(weak, strong).one(client(), Outlook(0.2, 1_000_000))
    assert (made.best.action.id, made.runner_up.action.id) == ("strong", "weak")
    same = [action(id=i) for i in ("b", "a", "c")]
    made = of(*same).one(client(), Outlook(0.2, 1_000_000))
    assert (made.best.action.id, made.runner_up.action.id) == ("a", "b")
    short = action(id="z", minutes=5, cost={"amount": 1_000, "currency": "CNY"})
    made = of(short, *same).one(client(), Outlook(0.2, 1_000_000))
    assert made.best.action.id == "z"  # equal in value, shorter


def test_what_costs_more_than_it_keeps_is_not_recommended_unless_owed():
    owed = action(id="owed", aim="service", mandatory=True, situation="complaint")
    service = action(id="service", aim="service")
    made = of(owed, service).one(client(complaints=1), Outlook(0.01, 1_000))
    assert [o.action.id for o in made.owed] == ["owed"]
    assert made.owed[0].expected < 0
    assert made.owed[0].decision.answer is Answer.GO
    assert made.best is None
    assert [o.decision.code for o in made.refusals] == ["gate.worth-nothing"]
    assert made.refusals[0].decision.stage is Stage.WORTH
    zero = action(minutes=1, effect=effect(0.5))
    assert of(zero).one(client(), Outlook(0.4, 1_000)).best is None  # exactly nothing


@pytest.mark.parametrize("outlook", [Outlook(), Outlook(0.5), Outlook(None, 10**6)])
def test_without_chance_or_value_nothing_is_ranked(outlook):
    made = recommender().one(client(), outlook)
    assert made.best is None
    codes = {o.decision.code for o in made.refusals if o.decision.stage is Stage.WORTH}
    assert codes == {"gate.value-unknown"}


def test_a_cost_in_another_currency_is_refused_and_none_at_all_is_not():
    paid = action(id="paid", cost={"amount": 1, "currency": "CNY"})
    unpaid = action(id="unpaid")
    euros = Economics("EUR", dict.fromkeys(Who, 50), assumed=False)
    made = of(paid, unpaid, economics=euros).one(client(), Outlook(0.5, 10**6))
    assert made.best.action.id == "unpaid"
    (refused,) = made.refusals
    assert refused.decision.code == "gate.currency-differs"
    assert "CNY" in refused.decision.words("zh")


def test_a_chance_is_a_chance():
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Outlook(p, 1)


@settings(max_examples=60, deadline=None)
@given(clients, st.floats(0, 1), st.integers(0, 10**9))
def test_every_action_has_its_decision_and_every_refusal_its_words(facts, p, value):
    made = recommender().one(facts, Outlook(p, value))
    assert [o.action for o in made.options] == list(ACTIONS)
    for option in made.refusals:
        assert option.decision.words("en")
        assert option.decision.words("en") != option.decision.words("zh")
    for option in (made.best, made.runner_up):
        if option is not None:
            assert option.decision.open
            assert option.expected > 0
            assert not option.action.mandatory
    if made.runner_up is not None:
        assert made.best.expected >= made.runner_up.expected
    assert made == recommender().one(facts, Outlook(p, value))
    assert facts_from(json.loads(json.dumps(facts_record(facts)))) == facts


@settings(max_examples=60, deadline=None)
@given(clients, st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**9))
def test_a_higher_chance_never_lowers_what_the_best_is_worth(facts, one, other, value):
    low, high = sorted((one, other))
    worth = [
        made.best.expected if made.best else 0
        for made in (recommender().one(facts, Outlook(p, value)) for p in (low, high))
    ]
    assert worth[0] <= worth[1]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(clients, st.builds(Outlook, st.floats(0, 1), st.integers(0, 10**8)))))
def test_many_is_one_after_the_other(pairs):
    """What is remembered between clients changes nothing."""
    together = list(recommender().many(pairs))
    assert together == [recommender().one(facts, outlook) for facts, outlook in pairs]


def stored_of(facts, outlook):
    maker = recommender()
    within = json.loads(json.dumps(context(maker)))
    made = maker.one(facts, outlook)
    return within, json.loads(json.dumps(record(facts, outlook, made, digest_of(within))))


def test_a_context_is_not_restored_with_other_rules_or_actions():
    within, _ = stored_of(client(), Outlook(0.2, 10**6))
    book = RuleBook.shipped()
    other = RuleBook(
        rule.model_copy(update={"signed_by": "x"}) if rule.id == "SU-1" else rule
        for rule in book.versions
    )
    with pytest.raises(DataError) as caught:
        restore(within, Catalogue.shipped(), other)
    assert caught.value.code == "action.record-changed"
    changed = Catalogue(
        Action.model_validate(a.model_dump(by_alias=True) | {"minutes": 99})
        if a.id == "fee-tiers"
        else a
        for a in Catalogue.shipped().versions
    )
    with pytest.raises(DataError):
        restore(within, changed, book)
    with pytest.raises(UsageError):
        restore(within, Catalogue(Catalogue.shipped().versions[1:]), book)


def test_a_record_replays_after_rules_and_actions_have_new_versions():
    within, stored = stored_of(client(), Outlook(0.2, 10**6))
    old = Catalogue.shipped().version("service-call", 1)
    newer = old.model_copy(update={"version": 2, "since": date(2026, 11, 1), "minutes": 99})
    catalogue = Catalogue([*Catalogue.shipped().versions, newer])
    made, again = replay(stored, restore(within, catalogue, RuleBook.shipped()))
    assert json.loads(json.dumps(again)) == stored
    assert made.best.action.version == 1


def test_another_policy_proven_effects_and_costs_come_back():
    maker = recommender(
        policy=ContactPolicy(
            time(22), time(7), (Cap(1, 3, Channel.SMS),), "drop", require_consent=True
        ),
        economics=Economics("CNY", dict.fromkeys(Who, 7), assumed=False),
        proven={("service-call", 1): ProvenEffect(0.3, 0.1, 0.5, "experiment 7")},
    )
    within = json.loads(json.dumps(context(maker)))
    back = restore(within, Catalogue.shipped(), RuleBook.shipped())
    assert (back.policy, back.economics.minute) == (maker.policy, maker.economics.minute)
    assert back.proven == maker.proven
    assert digest_of(context(back)) == digest_of(within)


@settings(max_examples=60, deadline=None)
@given(clients)
def test_decisions_come_back_from_their_record_with_their_words(facts):
    for option in recommender().one(facts, Outlook(0.2, 10**6)).options:
        stored = json.loads(json.dumps(decision_record(option.decision)))
        back = decision_from(stored)
        assert back == option.decision
        assert back.words("zh") == option.decision.words("zh")


def test_a_record_holds_no_outlook_of_who_refuses_profiling():
    facts = replace(client(), consents={Purpose.PROFILING: False})
    _, stored = stored_of(facts, Outlook(0.7, 10**6))
    assert stored["outlook"] is None
    assert "0.7" not in json.dumps(stored)
