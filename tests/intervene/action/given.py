"""A client, a day and a gate for tests: Monday 2 November 2026, 10:00 in Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from keepwell.intervene.action.catalogue import Action, Actions, Catalogue
from keepwell.intervene.action.facts import ClientFacts, ContactPolicy, Touch
from keepwell.intervene.action.gate import Gate
from keepwell.intervene.action.recommend import Recommender
from keepwell.intervene.contact.policy import Channel
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import ClientLevel, Investor, Profile
from keepwell.trust.suitability.rulebook import RuleBook, Rules
from keepwell.warn.reason_codes import ReasonCode

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 2)
AT = datetime(2026, 11, 2, 2, tzinfo=UTC)
ACTIONS = Catalogue.shipped().on(DAY)
RULES = RuleBook.shipped().on(DAY)
FIT = Profile(Investor.ORDINARY, ClientLevel.C3, DAY)

ENTRY = {
    "id": "talk", "from": "2020-01-01", "aim": "retention",
    "title": {"en": "Talk", "zh": "沟通"}, "text": {"en": "Listen.", "zh": "倾听。"},
    "who": "manager", "minutes": 10, "cost": {"amount": 0, "currency": "CNY"},
    "channels": ["phone", "wecom", "app"], "tiers": ["mild", "moderate", "severe"],
    "reasons": "any", "suitability": {"need": "none"}, "cool_down_days": 30,
    "effect": {"reduction": 0.1, "assumed": True, "source": {"en": "a", "zh": "甲"}},
}  # fmt: skip


def action(**changes) -> Action:
    return Action.model_validate(ENTRY | changes)


def client(**changes) -> ClientFacts:
    usual = {
        "client_id": "c", "tier": "moderate", "reasons": (ReasonCode.MONEY_IDLE,), "profile": FIT,
        "consents": {Purpose.MARKETING: True},
    }  # fmt: skip
    return ClientFacts(**(usual | changes))


def rules_without(*ids: str) -> Rules:
    return Rules(RULES.day, RULES.known, {i: r for i, r in RULES.by_id.items() if i not in ids})


def gate(*actions: Action, at=AT, rules=RULES, policy=None, zone=ZONE) -> Gate:
    inside = Actions(DAY, {a.id: a for a in actions}) if actions else ACTIONS
    return Gate(inside, rules, policy or ContactPolicy(), at, zone)


def recommender(actions=ACTIONS, at=AT, **more) -> Recommender:
    return Recommender(actions, more.pop("rules", RULES), at, ZONE, **more)


def ago(channel=Channel.PHONE, action_id=None, **span) -> Touch:
    return Touch(AT - timedelta(**span), channel, action_id)


touches = st.builds(
    lambda hours, channel, action_id: Touch(AT - timedelta(hours=hours), channel, action_id),
    st.integers(0, 1500),
    st.sampled_from(list(Channel)),
    st.sampled_from([None, *ACTIONS.by_id]),
)
clients = st.builds(
    ClientFacts,
    client_id=st.just("c"),
    tier=st.sampled_from(["none", "mild", "moderate", "severe"]),
    reasons=st.lists(st.sampled_from(list(ReasonCode)), max_size=4, unique=True).map(tuple),
    profile=st.builds(
        Profile,
        st.sampled_from([None, *Investor]),
        st.sampled_from([None, *ClientLevel]),
        st.sampled_from([None, DAY, DAY - timedelta(days=400)]),
        st.sampled_from([None, True, False]),
    ),
    consents=st.dictionaries(st.sampled_from(list(Purpose)), st.booleans()),
    touches=st.lists(touches, max_size=8).map(tuple),
    complaints=st.integers(0, 1),
    exiting=st.booleans(),
    exit_contacts=st.integers(0, 1),
    exit_refused=st.booleans(),
    left=st.booleans(),
    held_out=st.booleans(),
    reached_by=st.none() | st.frozensets(st.sampled_from(list(Channel))),
    refused_channels=st.frozensets(st.sampled_from(list(Channel)), max_size=3),
    from_score=st.booleans(),
)
"""Any client at all."""
