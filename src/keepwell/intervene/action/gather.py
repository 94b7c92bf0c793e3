"""What the desk knows of a client when an action is asked about: the gate's facts, from the rooms.

The hold-out is not among them. The desk recommends to keep a client only where a warning was shown,
which the draw decided, and else to neither arm, so that what is left out tells nobody the arm. An
action that a person does of their own accord is not refused for the hold-out's sake: it binds the
desk, not people.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from keepwell.core.money import minor_exponent
from keepwell.frame.database import Tx
from keepwell.frame.problem import NotFound
from keepwell.intervene.action import repo
from keepwell.intervene.action.catalogue import FILE_NAME, Actions, Catalogue, TierCode, Who
from keepwell.intervene.action.facts import Cap, ClientFacts, ContactPolicy, Touch
from keepwell.intervene.action.recommend import (
    ASSUMED_IN,
    ASSUMED_MINUTES,
    UNKNOWN,
    Economics,
    Outlook,
)
from keepwell.intervene.alert import repo as alerts
from keepwell.intervene.case.model import Case
from keepwell.intervene.case.policy import SCORE_REASONS, SERVICE_REASONS, higher
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.intervene.contact.service import facts_of
from keepwell.intervene.script.fill import ALERT_REASONS
from keepwell.learn.holdout.policy import period_of
from keepwell.learn.value.margin import INCOME
from keepwell.trust.access.policy import Actor
from keepwell.trust.book import generation_repo as generations
from keepwell.trust.book.model import Client
from keepwell.trust.book.service import get_client
from keepwell.trust.consent import repo as consent
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import Profile
from keepwell.trust.suitability.rulebook import RuleBook, Rules
from keepwell.warn.reason_codes import ReasonCode

BACK: Final = timedelta(days=366)
"""Contacts that limits and cool-downs may look at; the longest cool-down has 365 days."""


def client_of(tx: Tx, actor: Actor, case: Case) -> Client | None:
    """The client of a case in the book in force; None when they are in it no more."""
    try:
        return get_client(tx, actor, case.client_id)
    except NotFound:
        return None


def client_facts(tx: Tx, case: Case, client: Client | None, *, warned: bool) -> ClientFacts:
    """What the gate must know about the client of a case now.

    Tier: the graver of the client's and the case's. Reasons: those of the score, and the one that
    the case's own alert speaks to.

    Args:
        tx: the unit of work.
        case: the case.
        client: in the book in force; None: nothing of them is known.
        warned: whether the desk may speak of keeping the client at all.
    """
    client_id, from_score = case.client_id, case.reason in SCORE_REASONS
    known = facts_of(tx, client_id, Aim.RETENTION, from_score=from_score)
    words = {purpose: consent.newest(tx, client_id, purpose) for purpose in Purpose}
    return ClientFacts(
        client_id=client_id,
        tier=cast("TierCode", higher(case.tier, client.tier) if client else case.tier),
        reasons=_reasons(case, client),
        profile=Profile.of_contract(client.investor_class, client.risk_level, client.assessed_on)
        if client else Profile(None, None, None),
        consents={p: word.granted for p, word in words.items() if word is not None},
        touches=tuple(
            Touch(at, Channel(channel), action_id)
            for at, channel, action_id in repo.touches(tx, client_id, tx.at - BACK)
        ),
        complaints=known.complaints, exiting=known.exiting, exit_contacts=known.exit_contacts,
        exit_refused=known.exit_refused, left=known.left, from_score=from_score,
        service_only=case.reason in SERVICE_REASONS, warned=warned,
    )  # fmt: skip


def was_warned(tx: Tx, case: Case) -> bool:
    """Whether a warning was shown in the period of the hold-out in which the case began, or now.

    A case that was begun under one year's arm is finished under it.
    """
    zone = tx.frame.zone
    periods = {period_of(case.opened_at, zone), period_of(tx.at, zone)}
    return alerts.was_shown(tx, case.client_id, *sorted(periods))


def policy_of(tx: Tx) -> ContactPolicy:
    """Quiet time, limits and consent as the desk is set."""
    chosen = tx.frame.settings.contact
    return ContactPolicy(
        quiet_from=chosen.quiet_from, quiet_until=chosen.quiet_until,
        caps=tuple(
            Cap(cap.most, cap.days, Channel(cap.channel) if cap.channel else None)
            for cap in chosen.caps
        ),
        on_cap=chosen.on_cap, longest_delay=timedelta(days=chosen.longest_delay_days),
        require_consent=chosen.require_consent,
    )  # fmt: skip


def minute_prices(tx: Tx) -> dict[Who, int | None]:
    """What a minute of each role costs as the broker has set it, minor units; None: not set."""
    frame = tx.frame
    given = frame.settings.action
    minute: dict[Who, int | None] = {who: getattr(given, f"{who.value}_minute") for who in Who}
    named = frame.workspace.mapping.value.budget.minute_cost
    if minute[Who.MANAGER] is None and named is not None:
        minute[Who.MANAGER] = round(named * 10 ** minor_exponent(frame.currency))
    return minute


def economics_of(tx: Tx) -> Economics | None:
    """What a minute costs; None where that is neither set nor can be assumed.

    Of a role: the desk's setting; of managers else what keepwell.yaml's budget names; else what
    keepwell assumes, which is an amount in CNY and of no use in another currency.
    """
    frame, minute = tx.frame, minute_prices(tx)
    missing = [who for who, cost in minute.items() if cost is None]
    if missing and frame.currency != ASSUMED_IN:
        return None
    known = {who: ASSUMED_MINUTES[who] if cost is None else cost for who, cost in minute.items()}
    return Economics(frame.currency, known, assumed=bool(missing))


def outlook_of(tx: Tx, client: Client | None) -> Outlook:
    """Chance to leave, and what leaving takes away; a value needs to know what minutes cost.

    Args:
        tx: the unit of work.
        client: in the book in force; None: nothing of them is known.
    """
    if client is None:
        return UNKNOWN
    if client.value_lost is None or economics_of(tx) is None:
        return Outlook(p_leave=client.probability)
    basis = generations.value_basis(tx, client.generation_id) or {}
    absent = any(line in INCOME for line in basis.get("absent", ()))
    return Outlook(client.probability, client.value_lost, partial=absent)


def catalogue_of(tx: Tx) -> Catalogue:
    """All versions of the workspace's actions; read again when its file changes."""
    folder = tx.frame.workspace.root
    own = folder / FILE_NAME
    return _catalogue(folder, own.stat().st_mtime_ns if own.is_file() else 0)


def actions_on(tx: Tx, day: date) -> Actions:
    """The workspace's actions in force on a day; the same object while nothing changes."""
    return _actions(catalogue_of(tx), day)


@lru_cache(maxsize=16)
def rules_on(day: date) -> Rules:
    """The rules in force on a day; their digest is taken once."""
    return RuleBook.shipped().on(day)


@lru_cache(maxsize=16)
def _actions(catalogue: Catalogue, day: date) -> Actions:
    return catalogue.on(day)


@lru_cache(maxsize=4)
def _catalogue(folder: Path, stamp: int) -> Catalogue:  # noqa: ARG001 the stamp is part of the key
    return Catalogue.of_workspace(folder)


def _reasons(case: Case, client: Client | None) -> tuple[ReasonCode, ...]:
    spoken = ALERT_REASONS.get(case.reason)
    told = [ReasonCode(reason["code"]) for reason in (client.reasons if client else [])]
    return tuple(dict.fromkeys(([spoken] if spoken else []) + told))
