"""The gate: its order, its four answers, sliding limits, quiet hours over midnight."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import ERRORS
from keepwell.core.text import catalogue as chinese
from keepwell.intervene.action.catalogue import Situation
from keepwell.intervene.action.facts import Cap, ContactPolicy, Touch
from keepwell.intervene.action.gate import GATE_RULES, Answer, Stage
from keepwell.intervene.contact.policy import Aim, Channel, is_quiet
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import ClientLevel, Investor, Profile
from keepwell.warn.reason_codes import ReasonCode
from tests.intervene.action.given import (
    ACTIONS,
    AT,
    DAY,
    ZONE,
    action,
    ago,
    client,
    clients,
    gate,
    rules_without,
)

ORDER = list(Stage)
PHONE, WECOM, APP = Channel.PHONE, Channel.WECOM, Channel.APP
FREE = ContactPolicy(caps=())


def decide(of=None, facts=None, channel=None, **more):
    of = of or action()
    return gate(of, **more).decide(of, facts or client(), channel)


def test_stages_are_asked_in_their_order():
    """Each further fault is hidden by the one before it."""
    product = action(
        suitability={"need": "product", "level": "R4"}, purposes=["marketing"], channels=["phone"]
    )
    touches = tuple(ago(PHONE, days=1, hours=n) for n in range(3))
    facts = client(
        tier="none", reasons=(), touches=touches, complaints=1, consents={Purpose.MARKETING: False}
    )
    assert decide(product, facts).stage is Stage.ELIGIBLE
    facts = replace(facts, tier="mild")
    assert decide(product, facts).stage is Stage.SUITABLE
    facts = replace(facts, profile=Profile(Investor.ORDINARY, ClientLevel.C4, DAY))
    assert decide(product, facts).code == "contact.marketing-refused"
    facts = replace(facts, consents={Purpose.MARKETING: True})
    assert decide(product, facts).code == "contact.complaint-open"
    facts = replace(facts, complaints=0)
    late = decide(product, facts)
    assert (late.answer, late.stage) == (Answer.DELAY, Stage.CAPS)
    assert late.rules == ("SU-1", "CT-1")
    done = decide(product, replace(facts, touches=()))
    assert (done.answer, done.rules, done.code) == (Answer.GO, ("SU-1",), None)
    assert done.words() == ""


def test_what_does_not_fit_is_dropped_with_its_code():
    severe = action(tiers=["severe"], reasons=["price.fees"])
    assert decide(severe).code == "gate.tier-other"
    assert decide(severe, client(tier="severe")).code == "gate.reason-other"
    fits = client(tier="severe", reasons=(ReasonCode.OTHER, ReasonCode.PRICE_FEES))
    assert decide(severe, fits).answer is Answer.GO
    assert decide(facts=client(held_out=True)).code == "gate.held-out"
    service = action(aim="service")
    assert decide(service, client(held_out=True)).answer is Answer.GO
    for situation, facts in (
        (Situation.COMPLAINT, client(complaints=1)), (Situation.EXIT, client(exiting=True)),
    ):  # fmt: skip
        owed = action(aim="service", mandatory=True, situation=situation.value)
        assert decide(owed).code == "gate.situation-absent"
        assert decide(owed, facts).answer is Answer.GO


def test_a_version_that_is_not_in_force_is_not_sent():
    old, new = action(), action(version=2, minutes=11)
    assert gate(new).decide(old, client()).code == "gate.action-ended"
    assert gate(new).decide(new, client()).answer is Answer.GO
    assert gate(new).decide(action(version=2, minutes=11), client()).answer is Answer.GO


def test_leverage_counts_as_a_product_of_its_level():
    margin = action(suitability={"need": "leverage"}, purposes=["marketing"])
    for level, open_ in ((ClientLevel.C3, False), (ClientLevel.C4, True)):
        facts = client(profile=Profile(Investor.ORDINARY, level, DAY))
        assert decide(margin, facts).open is open_
    stale = client(profile=Profile(Investor.ORDINARY, ClientLevel.C5, DAY - timedelta(days=400)))
    assert decide(margin, stale).code == "suitability.assessment-expired"
    # A talk that speaks for nothing needs no assessment.
    assert decide(facts=stale).answer is Answer.GO


def test_an_assessment_that_expires_between_recommendation_and_sending_stops_it():
    product = action(suitability={"need": "product", "level": "R1"}, purposes=["marketing"])
    last = client(profile=Profile(Investor.ORDINARY, ClientLevel.C3, DAY - timedelta(days=364)))
    assert decide(product, last).answer is Answer.GO
    tomorrow = decide(product, last, at=AT + timedelta(days=1))
    assert (tomorrow.answer, tomorrow.stage) == (Answer.DROP, Stage.SUITABLE)


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("2026-11-02 20:59", None),
        ("2026-11-02 21:00", "2026-11-03 08:00"),
        ("2026-11-02 23:59", "2026-11-03 08:00"),
        ("2026-11-03 00:00", "2026-11-03 08:00"),
        ("2026-11-03 07:59", "2026-11-03 08:00"),
        ("2026-11-03 08:00", None),
    ],
)
def test_quiet_hours_delay_until_they_end(local, until):
    at = datetime.fromisoformat(local).replace(tzinfo=ZONE)
    found = decide(at=at)
    if until is None:
        assert found.answer is Answer.GO
    else:
        assert found.answer is Answer.DELAY
        assert found.until == datetime.fromisoformat(until).replace(tzinfo=ZONE)
        assert found.until.tzinfo is UTC
        assert "21:00" in found.words("zh")


def test_quiet_hours_are_those_of_the_clients_clock_on_the_nights_it_changes():
    athens = ZoneInfo("Europe/Athens")
    for day, offset in ((28, 3), (24, 2)):  # March: to summer time; October: back
        month = 3 if day == 28 else 10
        at = datetime(2026, month, day, 23, tzinfo=athens)
        found = decide(at=at, zone=athens)
        assert found.until.astimezone(athens).strftime("%d %H:%M") == f"{day + 1} 08:00"
        assert found.until == datetime(2026, month, day + 1, 8 - offset, tzinfo=UTC)


def test_quiet_time_in_the_middle_of_the_day_and_none_at_all():
    noon = ContactPolicy(quiet_from=time(12), quiet_until=time(14))
    at = datetime(2026, 11, 2, 13, tzinfo=ZONE)
    assert decide(at=at, policy=noon).until == datetime(2026, 11, 2, 14, tzinfo=ZONE)
    none = ContactPolicy(quiet_from=time(0), quiet_until=time(0))
    assert decide(at=datetime(2026, 11, 2, 3, tzinfo=ZONE), policy=none).answer is Answer.GO


def test_a_limit_of_a_way_gives_the_next_way():
    touches = (ago(PHONE, days=1), ago(PHONE, days=6))
    found = decide(facts=client(touches=touches))
    assert (found.answer, found.channel, found.code) == (
        Answer.DOWNGRADE, WECOM, "gate.cap-channel",
    )  # fmt: skip
    assert found.words("en") == "Phone: 2 contacts in 7 days are reached (rule CT-1)."
    assert found.words("zh") == "电话：7天内2次的联系上限已满（规则CT-1）。"


def test_the_policy_may_wait_or_drop_instead():
    touches = (ago(PHONE, days=1), ago(PHONE, days=6))
    wait = decide(facts=client(touches=touches), policy=ContactPolicy(on_cap="delay"))
    assert (wait.answer, wait.channel) == (Answer.DELAY, PHONE)
    assert wait.until == AT + timedelta(days=1)
    drop = decide(facts=client(touches=touches), policy=ContactPolicy(on_cap="drop"))
    assert (drop.answer, drop.code) == (Answer.DROP, "gate.cap-channel")
    night = datetime(2026, 11, 2, 23, tzinfo=ZONE)
    assert decide(at=night, policy=ContactPolicy(on_cap="drop")).answer is Answer.DELAY


def test_limits_slide_to_the_second():
    policy = ContactPolicy(caps=(Cap(1, 7),))
    last = Touch(AT - timedelta(days=7), APP)
    assert decide(facts=client(touches=(last,)), policy=policy).answer is Answer.GO
    inside = Touch(last.at + timedelta(seconds=1), APP)
    found = decide(facts=client(touches=(inside,)), policy=policy)
    assert (found.answer, found.code) == (Answer.DELAY, "gate.cap-total")
    assert found.until == AT + timedelta(seconds=1)


def test_a_delay_that_ends_in_quiet_time_goes_on_until_it_is_over():
    policy = ContactPolicy(caps=(Cap(1, 7),))
    last = Touch(datetime(2026, 10, 27, 22, tzinfo=ZONE), APP)
    found = decide(facts=client(touches=(last,)), policy=policy)
    assert found.until == datetime(2026, 11, 4, 8, tzinfo=ZONE)


def test_what_would_be_too_late_is_dropped():
    policy = ContactPolicy(caps=(Cap(1, 30),))
    found = decide(facts=client(touches=(ago(APP, days=1),)), policy=policy)
    assert (found.answer, found.code) == (Answer.DROP, "gate.cap-total")
    never = decide(policy=ContactPolicy(caps=(Cap(0, 7),)))
    assert (never.answer, never.code) == (Answer.DROP, "gate.cap-total")
    short = ContactPolicy(longest_delay=timedelta(hours=1))
    night = decide(at=datetime(2026, 11, 2, 23, tzinfo=ZONE), policy=short)
    assert night.code == "gate.delay-long"


def test_cool_down_holds_an_action_by_every_way_and_no_other():
    talk, other = action(), action(id="other")
    facts = client(touches=(ago(PHONE, "talk", days=25),))
    both = gate(talk, other, policy=FREE)
    held = both.decide(talk, facts)
    assert (held.answer, held.code) == (Answer.DELAY, "gate.cool-down")
    assert held.until == AT + timedelta(days=5)
    assert both.decide(other, facts).answer is Answer.GO
    early = client(touches=(ago(PHONE, "talk", days=2),))
    assert decide(talk, early, policy=FREE).answer is Answer.DROP


def test_a_way_that_does_not_reach_or_is_refused_is_left_out():
    found = decide(facts=client(reached_by=frozenset({APP})))
    assert (found.answer, found.channel, found.code) == (
        Answer.DOWNGRADE, APP, "gate.channel-unreached",
    )  # fmt: skip
    refused = decide(facts=client(refused_channels=frozenset({PHONE})))
    assert (refused.channel, refused.rules) == (WECOM, ("CT-1",))
    assert decide(facts=client(reached_by=frozenset())).answer is Answer.DROP


def test_at_sending_the_way_that_was_recommended_is_tried_first():
    assert decide(channel=APP).channel is APP
    assert decide(channel=APP).answer is Answer.GO
    gone = decide(facts=client(refused_channels=frozenset({APP})), channel=APP)
    assert (gone.answer, gone.channel) == (Answer.DOWNGRADE, PHONE)
    assert decide(channel=Channel.LETTER).code == "gate.channel-other"


@pytest.mark.parametrize("absent", [(), ("R-EXIT-3",), ("CT-2",)])
@pytest.mark.parametrize("open_", [{"exiting": True}, {"complaints": 1}])
def test_a_refusal_of_service_does_not_stop_what_is_open(open_, absent):
    service = action(aim="service")
    refusing = client(consents={Purpose.SERVICE: False})
    rules = rules_without(*absent)
    assert decide(service, refusing, rules=rules).code == "contact.service-refused"
    needed = replace(refusing, **open_)
    assert decide(service, needed, rules=rules).answer is Answer.GO


def test_what_is_owed_knows_no_limits_and_is_never_lost():
    owed = action(aim="service", mandatory=True, situation="complaint")
    many = tuple(ago(PHONE, "talk", hours=n) for n in range(20))
    facts = client(complaints=1, touches=many, consents={Purpose.SERVICE: False}, held_out=True)
    night = datetime(2026, 11, 2, 23, tzinfo=ZONE)
    assert decide(owed, facts, at=night).answer is Answer.GO
    unreached = replace(facts, reached_by=frozenset(), refused_channels=frozenset(Channel))
    assert decide(owed, unreached).channel is PHONE


@settings(max_examples=150, deadline=None)
@given(clients, st.integers(0, 23), st.sampled_from(["downgrade", "delay", "drop"]))
def test_whatever_the_client_an_answer_is_whole_and_lawful(facts, hour, on_cap):
    at = datetime(2026, 11, 2, hour, tzinfo=ZONE)
    policy = ContactPolicy(on_cap=on_cap)
    for each, found in zip(ACTIONS, gate(at=at, policy=policy).decide_all(facts), strict=True):
        assert (found.answer is Answer.DROP) is (found.channel is None)
        assert (found.answer is Answer.DELAY) is (found.until is not None)
        assert (found.code is None) is (found.answer is Answer.GO)
        if found.code:
            assert found.code in ERRORS
            assert ERRORS[found.code] in chinese()
            assert "{" not in found.words("en") + found.words("zh")
        if found.open and each.aim is Aim.RETENTION:
            assert not facts.complaints
            assert not facts.held_out
            assert not facts.exit_refused
            assert not (facts.exiting and facts.exit_contacts)
            assert facts.exiting or not facts.left
            assert facts.consents.get(Purpose.MARKETING) is not False
            assert all(facts.consents.get(p) is True for p in each.purposes)
            assert found.skippable is facts.exiting
            assert found.channel not in facts.refused_channels
            assert not (facts.exiting and found.channel in (Channel.BRANCH, Channel.VISIT))
            sent = (found.until or at).astimezone(ZONE)
            assert not is_quiet(sent.time(), policy.quiet_from, policy.quiet_until)
            for cap in policy.caps:
                if cap.channel in (None, found.channel):
                    span = timedelta(days=cap.days)
                    counted = [
                        t for t in facts.touches
                        if cap.channel in (None, t.channel) and t.at > sent - span
                    ]  # fmt: skip
                    assert len(counted) < cap.most


@settings(max_examples=100, deadline=None)
@given(clients)
def test_a_delayed_action_goes_when_its_time_has_come(facts):
    first = gate().decide_all(facts)
    for each, found in zip(ACTIONS, first, strict=True):
        if found.answer is Answer.DELAY:
            then = gate(at=found.until).decide(each, facts, found.channel)
            # By then an assessment may be out of date; time alone holds nothing else up.
            assert then.answer is Answer.GO or then.stage is Stage.SUITABLE


@settings(max_examples=100, deadline=None)
@given(clients, st.lists(st.sampled_from(["CT-1", "CT-2", "PI-4", "R-EXIT-3", "SU-1"]), max_size=5))
def test_a_rule_that_is_not_in_force_is_never_named(facts, absent):
    rules = rules_without(*absent)
    for found in gate(rules=rules).decide_all(facts):
        assert not set(found.rules) & set(absent)


def test_every_rule_that_a_code_names_ships():
    from tests.intervene.action.given import RULES

    assert set(GATE_RULES.values()) <= set(RULES.by_id)
