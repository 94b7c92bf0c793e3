"""The record of a recommendation: all that decided it, so that it can be made again (rule SU-6).

What is the same for every client at one instant is the context, stored once; a record names it by
its digest and holds what was known of the client.

Plain values only, fit for JSON, for the ledger and for the evidence log: ids, codes, days and
amounts; no name, no text that a person wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from keepwell.core.digest import digest_of
from keepwell.core.errors import DataError
from keepwell.intervene.action.catalogue import Actions, Catalogue, Who
from keepwell.intervene.action.facts import Cap, ClientFacts, ContactPolicy, Touch
from keepwell.intervene.action.gate import Answer, Decision, Stage
from keepwell.intervene.action.recommend import (
    Economics,
    Option,
    Outlook,
    ProvenEffect,
    Recommendation,
    Recommender,
)
from keepwell.intervene.contact.policy import Channel
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import ClientLevel, Investor, Profile
from keepwell.trust.suitability.rulebook import RuleBook
from keepwell.warn.reason_codes import ReasonCode

FORMAT: Final = 1
"""Version of this layout."""


def context(recommender: Recommender) -> dict[str, Any]:
    """All that decided besides the client: the same for everybody at one instant, stored once.

    Args:
        recommender: what recommends.
    """
    actions, rules = recommender.actions, recommender.rules
    economics = recommender.economics
    return {
        "format": FORMAT,
        "at": recommender.at.isoformat(),
        "zone": recommender.zone.key,
        "rules": {
            "day": rules.day.isoformat(),
            "known": rules.known.isoformat(),
            "names": sorted(rule.name for rule in rules),
            "digest": rules.digest,
        },
        "actions": {"names": [action.name for action in actions], "digest": actions.digest},
        "policy": _policy(recommender.policy),
        "unvalued": recommender.unvalued,
        "economics": {
            "currency": economics.currency,
            "minute": {who.value: n for who, n in sorted(economics.minute.items())},
            "assumed": economics.assumed,
        },
        "proven": [
            [i, v, p.reduction, p.low, p.high, p.source]
            for (i, v), p in sorted(recommender.proven.items())
        ],
    }


def record(
    facts: ClientFacts, outlook: Outlook, made: Recommendation, within: str
) -> dict[str, Any]:
    """What decided about one client, and what was recommended.

    Args:
        facts: what the recommender was given.
        outlook: what it was given; it is left out for a client who refuses profiling.
        made: the recommendation.
        within: digest of the context.
    """
    refuses = facts.consents.get(Purpose.PROFILING) is False
    return {
        "context": within,
        "facts": facts_record(facts),
        "outlook": None if refuses else _outlook(outlook),
        "owed": [option.action.name for option in made.owed],
        "best": made.best.action.name if made.best else None,
        "runner_up": made.runner_up.action.name if made.runner_up else None,
        "options": [_option(option) for option in made.options],
        **({"first": made.first} if made.first else {}),
    }


def restore(stored: Mapping[str, Any], catalogue: Catalogue, book: RuleBook) -> Recommender:
    """The recommender of a stored context.

    Args:
        stored: what `context` gave, as JSON gives it back.
        catalogue: holds at least the versions that were in force then.
        book: the same for the rules.

    Raises:
        DataError: `action.record-changed`: rules or actions of those days are not what they were.
        UsageError: an action of the context is not in the catalogue.
    """
    known = stored["rules"]
    rules = book.on(date.fromisoformat(known["day"]), date.fromisoformat(known["known"]))
    at, zone = datetime.fromisoformat(stored["at"]), ZoneInfo(stored["zone"])
    found = [catalogue.version(*_name(name)) for name in stored["actions"]["names"]]
    actions = Actions(at.astimezone(zone).date(), {action.id: action for action in found})
    if (rules.digest, actions.digest) != (known["digest"], stored["actions"]["digest"]):
        raise DataError("action.record-changed")
    economics = stored["economics"]
    minute = {Who(who): n for who, n in economics["minute"].items()}
    return Recommender(
        actions,
        rules,
        at,
        zone,
        _policy_from(stored["policy"]),
        Economics(economics["currency"], minute, economics["assumed"]),
        {(i, v): ProvenEffect(*rest) for i, v, *rest in stored["proven"]},
        stored["unvalued"],
    )


def replay(
    stored: Mapping[str, Any], recommender: Recommender
) -> tuple[Recommendation, dict[str, Any]]:
    """Make a recommendation again from its record.

    Args:
        stored: what `record` gave, as JSON gives it back.
        recommender: that of the record's context, by `restore`.

    Returns:
        The recommendation and its record, which equals `stored` when nothing was changed.
    """
    facts = facts_from(stored["facts"])
    outlook = Outlook(*stored["outlook"]) if stored["outlook"] else Outlook()
    made = recommender.one(facts, outlook, stored.get("first"))
    return made, record(facts, outlook, made, digest_of(context(recommender)))


def facts_record(facts: ClientFacts) -> dict[str, Any]:
    """What the gate knew of a client, as plain values."""
    profile = facts.profile
    return {
        "client_id": facts.client_id,
        "tier": facts.tier,
        "reasons": [reason.value for reason in facts.reasons],
        "profile": {
            "investor": profile.investor,
            "level": profile.level,
            "assessed_on": profile.assessed_on.isoformat() if profile.assessed_on else None,
            "within_objectives": profile.within_objectives,
        },
        "consents": {p.value: word for p, word in sorted(facts.consents.items())},
        "touches": [[t.at.isoformat(), t.channel.value, t.action_id] for t in facts.touches],
        "reached_by": None if facts.reached_by is None else sorted(facts.reached_by),
        "refused_channels": sorted(facts.refused_channels),
        **{name: getattr(facts, name) for name in _PLAIN},
    }


def facts_from(stored: Mapping[str, Any]) -> ClientFacts:
    """The facts of a record."""
    p = stored["profile"]
    reached = stored["reached_by"]
    return ClientFacts(
        client_id=stored["client_id"],
        tier=stored["tier"],
        reasons=tuple(ReasonCode(code) for code in stored["reasons"]),
        profile=Profile(
            Investor(p["investor"]) if p["investor"] else None,
            ClientLevel(p["level"]) if p["level"] else None,
            date.fromisoformat(p["assessed_on"]) if p["assessed_on"] else None,
            p["within_objectives"],
        ),
        consents={Purpose(name): word for name, word in stored["consents"].items()},
        touches=tuple(
            Touch(datetime.fromisoformat(at), Channel(channel), action_id)
            for at, channel, action_id in stored["touches"]
        ),
        reached_by=None if reached is None else frozenset(Channel(c) for c in reached),
        refused_channels=frozenset(Channel(c) for c in stored["refused_channels"]),
        **{name: stored[name] for name in _PLAIN},
    )


_PLAIN: Final = (
    "complaints", "exiting", "exit_contacts", "exit_refused", "left", "held_out", "from_score",
    "service_only", "warned",
)  # fmt: skip


def decision_record(decision: Decision) -> dict[str, Any]:
    """A decision of the gate as plain values; what is nothing is left out."""
    found = {
        "answer": decision.answer.value,
        "channel": decision.channel,
        "until": decision.until.isoformat() if decision.until else None,
        "stage": decision.stage,
        "code": decision.code,
        "rules": list(decision.rules),
        "fields": dict(decision.fields),
        "skippable": decision.skippable,
    }
    return {name: value for name, value in found.items() if value}


def decision_from(stored: Mapping[str, Any]) -> Decision:
    """The decision of a record, with its words in both languages."""
    kinds = {"channel": Channel, "purpose": Purpose}
    fields = stored.get("fields", {})
    return Decision(
        Answer(stored["answer"]),
        Channel(stored["channel"]) if "channel" in stored else None,
        datetime.fromisoformat(stored["until"]) if "until" in stored else None,
        Stage(stored["stage"]) if "stage" in stored else None,
        stored.get("code"),
        tuple(stored.get("rules", ())),
        tuple((name, kinds.get(name, _same)(value)) for name, value in fields.items()),
        stored.get("skippable", False),
    )


def _same(value: Any) -> Any:
    return value


def _outlook(outlook: Outlook) -> list[Any]:
    """Chance and value; that the value is partial only where it is, as in the oldest records."""
    return [outlook.p_leave, outlook.value, *([True] if outlook.partial else [])]


def _option(option: Option) -> dict[str, Any]:
    return {
        "action": option.action.name,
        "expected": option.expected,
        "reduction": option.reduction,
        "proven": option.proven,
        **decision_record(option.decision),
    }


def _policy(policy: ContactPolicy) -> dict[str, Any]:
    return {
        "quiet_from": policy.quiet_from.isoformat(),
        "quiet_until": policy.quiet_until.isoformat(),
        "caps": [[cap.most, cap.days, cap.channel] for cap in policy.caps],
        "on_cap": policy.on_cap,
        "longest_delay": policy.longest_delay.total_seconds(),
        "require_consent": policy.require_consent,
    }


def _policy_from(stored: Mapping[str, Any]) -> ContactPolicy:
    return ContactPolicy(
        time.fromisoformat(stored["quiet_from"]),
        time.fromisoformat(stored["quiet_until"]),
        tuple(Cap(m, d, Channel(c) if c else None) for m, d, c in stored["caps"]),
        stored["on_cap"],
        timedelta(seconds=stored["longest_delay"]),
        stored["require_consent"],
    )


def _name(name: str) -> tuple[str, int]:
    action_id, _, version = name.partition("@")
    return action_id, int(version)
