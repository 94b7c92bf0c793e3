"""Every rule of incentives, contacts and exits by its id, as the actions and their gate keep it."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from keepwell.core.digest import digest_of
from keepwell.intervene.action.catalogue import Action, Catalogue
from keepwell.intervene.action.facts import ClientFacts, ContactPolicy
from keepwell.intervene.action.gate import Answer, Stage
from keepwell.intervene.action.recommend import Outlook
from keepwell.intervene.action.record import context, record, replay, restore
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.rulebook import RuleBook
from tests.intervene.action.given import (
    ACTIONS,
    ENTRY,
    action,
    clients,
    gate,
    recommender,
    rules_without,
)
from tests.intervene.action.given import client as some_client

SRC = Path(__file__).parents[3] / "src/keepwell"
NIGHT = datetime(2026, 11, 2, 15, tzinfo=UTC)  # 23:00 in Shanghai
outlooks = st.builds(Outlook, st.none() | st.floats(0, 1), st.none() | st.integers(-(10**9), 10**9))


def answer(facts, of=None, **more):
    of = of or action()
    return gate(of, **more).decide(of, facts)


def refused_entry(**changes):
    with pytest.raises(ValidationError):
        Action.model_validate(ENTRY | changes)


@settings(max_examples=80, deadline=None)
@given(clients, outlooks)
def test_su_6_every_recommendation_can_be_made_again_from_its_record(facts, outlook):
    maker = recommender()
    made = maker.one(facts, outlook)
    within = json.loads(json.dumps(context(maker)))
    stored = json.loads(json.dumps(record(facts, outlook, made, digest_of(within))))
    again, restored = replay(stored, restore(within, Catalogue.shipped(), RuleBook.shipped()))
    assert json.loads(json.dumps(restored)) == stored
    assert again.best == made.best
    assert again.options == made.options


@pytest.mark.parametrize(
    "text",
    [
        {"en": "We guarantee the return.", "zh": "说明。"},
        {"en": "Explain.", "zh": "承诺收益不低于五个点。"},
        {"en": "Losses: we compensate your loss.", "zh": "说明。"},
        {"en": "Explain.", "zh": "亏损由我们兜底。"},
        {"en": "Explain.", "zh": "可以全权委托投顾。"},
    ],
)
def test_su_8_no_action_promises_gain(text):
    refused_entry(text=text)


@pytest.mark.parametrize(
    "text",
    [
        {"en": "Offer a rebate.", "zh": "说明。"},
        {"en": "Offer zero-commission trading.", "zh": "说明。"},
        {"en": "Explain.", "zh": "赠送体验券一张。"},
        {"en": "Explain.", "zh": "三个月免佣。"},
        {"en": "Explain.", "zh": "积分兑换礼品。"},
        {"en": "Explain.", "zh": "佣金低于成本。"},
    ],
)
def test_in_1_no_action_carries_an_inducement(text):
    refused_entry(text=text)
    refused_entry(title=text)


def test_in_1_there_is_no_field_for_one():
    for field in ("price", "rebate", "gift", "voucher", "discount", "points", "fee", "rate"):
        refused_entry(**{field: 1})


@settings(max_examples=80, deadline=None)
@given(clients, st.floats(0, 1), st.integers(0, 10**9))
def test_in_2_no_score_changes_a_price(facts, p, value):
    """Whatever the score: the same actions, costs, words and decisions of the gate."""
    low, high = (recommender().one(facts, Outlook(*outlook)) for outlook in ((0.0, 0), (p, value)))
    through = gate().decide_all(facts)
    for one, other, own in zip(low.options, high.options, through, strict=True):
        assert one.action is other.action
        assert one.reduction == other.reduction
        for option in (one, other):
            if option.decision.stage is not Stage.WORTH:
                assert option.decision == own
            assert (option.decision.stage is Stage.WORTH) <= own.open
    assert low.owed == high.owed or [o.action for o in low.owed] == [o.action for o in high.owed]


@pytest.mark.parametrize(
    "text",
    [
        {"en": "Call.", "zh": "为您单独下调佣金。"},
        {"en": "Call.", "zh": "专属费率。"},
        {"en": "Call.", "zh": "佣金可调至万1.5。"},
        {"en": "Offer a personal rate.", "zh": "说明。"},
        {"en": "Reduce the client's commission.", "zh": "说明。"},
    ],
)
def test_in_2_no_action_carries_a_personal_price(text):
    refused_entry(text=text)


@pytest.mark.parametrize(
    "text",
    [
        {"en": "Give it if the client stays.", "zh": "说明。"},
        {"en": "Stay with us for six months.", "zh": "说明。"},
        {"en": "Ask them to cancel the transfer.", "zh": "说明。"},
        {"en": "There is an exit fee.", "zh": "说明。"},
        {"en": "Call.", "zh": "只要您留下就办理。"},
        {"en": "Call.", "zh": "劝客户暂缓销户。"},
        {"en": "Call.", "zh": "转出须缴违约金。"},
        {"en": "Call.", "zh": "资产留存满3个月。"},
        {"en": "Call.", "zh": "冻结账户。"},
    ],
)
def test_in_3_no_action_carries_a_condition_on_leaving(text):
    refused_entry(text=text)


def test_ct_1_no_contact_without_consent_after_refusal_or_in_quiet_hours():
    talk = action()
    product = action(suitability={"need": "product", "level": "R1"}, purposes=["marketing"])
    no, never = {Purpose.MARKETING: False}, {}
    assert answer(some_client(consents=never), talk).answer is Answer.GO
    assert answer(some_client(consents=no), talk).code == "contact.marketing-refused"
    assert answer(some_client(consents=never), product).code == "gate.purpose-missing"
    strict = ContactPolicy(require_consent=True)
    assert (
        answer(some_client(consents=never), talk, policy=strict).code == "contact.consent-missing"
    )
    late = answer(some_client(), talk, at=NIGHT)
    assert (late.answer, late.code) == (Answer.DELAY, "contact.quiet-hours")
    assert late.until == datetime(2026, 11, 3, 0, tzinfo=UTC)  # 8:00 in Shanghai
    assert "CT-1" in late.rules
    refused = answer(some_client(refused_channels=frozenset(Channel)), talk)
    assert (refused.answer, refused.rules) == (Answer.DROP, ("CT-1",))
    # A rule that is not in force does not judge.
    off = rules_without("CT-1")
    assert answer(some_client(consents=no), product, at=NIGHT, rules=off).answer is Answer.GO


def test_ct_2_an_open_complaint_means_service_only():
    facts = some_client(complaints=1)
    decisions = zip(ACTIONS, gate().decide_all(facts), strict=True)
    for each, decision in decisions:
        if each.aim is Aim.RETENTION:
            assert not decision.open
        if decision.stage is Stage.CONSENT:
            assert (decision.code, decision.rules) == ("contact.complaint-open", ("CT-2",))
    made = recommender().one(facts, Outlook(0.9, 10**8))
    assert [o.action.id for o in made.owed] == ["complaint-solve"]
    assert made.best is None or made.best.action.aim is Aim.SERVICE
    assert answer(facts, rules=rules_without("CT-2")).answer is Answer.GO


def test_pi_4_who_refuses_profiling_is_not_ranked():
    facts = some_client(consents={Purpose.PROFILING: False, Purpose.MARKETING: True})
    assert answer(facts).code == "contact.profiling-refused"
    low, high = (recommender().one(facts, Outlook(p, 10**8)) for p in (0.0, 1.0))
    assert low == high
    assert low.best is None
    assert all(option.expected is None for option in low.options)
    # A person may still talk to a client about a case opened by hand; the score stays out.
    by_hand = some_client(consents=facts.consents, from_score=False)
    assert answer(by_hand).answer is Answer.GO
    assert recommender().one(by_hand, Outlook(0.5, 10**8)).best is None
    assert answer(facts, rules=rules_without("PI-4")).answer is Answer.GO


def test_r_exit_3_one_contact_that_can_be_skipped():
    talk = action(channels=["branch", "phone"])
    first = answer(some_client(exiting=True), talk)
    assert (first.answer, first.channel, first.skippable) == (
        Answer.DOWNGRADE, Channel.PHONE, True,
    )  # fmt: skip
    assert first.code == "gate.exit-blocking"
    blocking = action(channels=["branch", "visit"])
    assert answer(some_client(exiting=True), blocking).answer is Answer.DROP
    second = answer(some_client(exiting=True, exit_contacts=1), talk)
    assert (second.code, second.rules) == ("contact.exit-contacted", ("R-EXIT-3",))
    for facts in (some_client(exit_refused=True), some_client(left=True)):
        assert answer(facts, talk).rules == ("R-EXIT-3",)
    made = recommender().one(some_client(exiting=True, exit_contacts=1), Outlook(0.9, 10**8))
    assert [o.action.id for o in made.owed] == ["exit-help"]
    assert made.best is None
    assert answer(some_client(left=True), talk, rules=rules_without("R-EXIT-3")).open


def test_what_is_owed_about_an_exit_is_the_same_at_every_score():
    """R-EXIT-1: nothing that a score drives touches an exit."""
    for facts in (some_client(exiting=True), some_client(exiting=True, complaints=1)):
        owed = {
            repr([(o.action.id, o.decision) for o in recommender().one(facts, outlook).owed])
            for outlook in (Outlook(0.0, 0), Outlook(1.0, 10**9), Outlook(None, None))
        }
        assert len(owed) == 1
    assert not {"score", "p_leave", "value"} & set(ClientFacts.__dataclass_fields__)


def test_exits_know_nothing_of_actions_and_actions_do_nothing_to_exits():
    def imported(*places):
        for file in sorted(f for place in places for f in SRC.glob(place)):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    yield node.module or ""
                elif isinstance(node, ast.Import):
                    yield from (name.name for name in node.names)

    barred = ("keepwell.intervene.action", "keepwell.trust.suitability")
    assert not [m for m in imported("intervene/exit/*.py") if m.startswith(barred)]
    web = ("sqlalchemy", "fastapi", "starlette", "keepwell.intervene.exit", "keepwell.web")
    pure = [
        f"intervene/action/{name}.py"
        for name in ("catalogue", "facts", "gate", "recommend", "record")
    ]
    found = list(imported(*pure, "trust/suitability/policy.py", "trust/suitability/rulebook.py"))
    assert len(found) > 30
    assert not [m for m in found if m.startswith(web)]
