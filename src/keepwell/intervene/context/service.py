"""Gathers what the rooms know about one client; every part keeps its own scope and masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keepwell.frame.database import Tx
from keepwell.intervene.alert.policy import Status
from keepwell.intervene.alert.schema import AlertOut
from keepwell.intervene.alert.service import AlertFilter, list_alerts
from keepwell.intervene.case.repo import CaseFilter
from keepwell.intervene.case.service import list_cases
from keepwell.intervene.clock.service import of_subjects
from keepwell.intervene.contact import repo as contacts
from keepwell.intervene.contact.policy import Aim, Facts, may_contact
from keepwell.intervene.contact.schema import VerdictOut
from keepwell.intervene.contact.service import facts_of, forbidden, outs
from keepwell.intervene.context import repo
from keepwell.intervene.context.schema import CaseContext, ContextOut
from keepwell.intervene.context.stale import stale
from keepwell.intervene.exit import repo as exits
from keepwell.intervene.exit import schema as exit_schema
from keepwell.learn.value.basis import basis_words
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book import generation_repo as generations
from keepwell.trust.book.api import client_out
from keepwell.trust.book.model import Client
from keepwell.trust.book.schema import ClientOut
from keepwell.trust.book.service import get_client
from keepwell.trust.consent.schema import shown as consent_shown
from keepwell.trust.consent.service import history
from keepwell.warn.reason import Fact, Reason
from keepwell.warn.reason_codes import ReasonCode

MOST_CONTACTS = 10
MOST_CASES = 20
MOST_CALLERS = 10
_SHORTEST, _DOMESTIC, _LONGEST = 5, 11, 20
"""Digits of a telephone number: of any, of a mobile one in mainland China."""
_SHOWN = (Status.SHOWN, Status.ACKNOWLEDGED, Status.SNOOZED)


def context(tx: Tx, actor: Actor, client_id: str) -> ContextOut:
    """Everything that the actor may know about a client.

    Args:
        tx: the unit of work.
        actor: whose scope and masks.
        client_id: whom.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
    """
    client = get_client(tx, actor, client_id)
    shown = client_out(tx, actor, client)
    chosen = AlertFilter(status=_SHOWN, client=client_id)
    alerts, _ = list_alerts(tx, actor, chosen, "-urgency", MOST_CASES, None)
    words = history(tx, actor, client_id) if actor.may(Permission.CONSENT_READ) else ()
    requests = exits.open_in_scope(tx, actor, client_id) if actor.may(Permission.EXIT_READ) else ()
    facts = facts_of(tx, client_id, Aim.RETENTION)
    return ContextOut(
        client=shown,
        why=why(client, actor, tx.frame.currency),
        value_made_of=_made_of(tx, actor, shown),
        as_of=generations.as_of(tx, client.generation_id),
        stale=stale(tx, actor, client),
        alerts=[AlertOut.model_validate(row) for row in alerts],
        cases=_cases(tx, actor, client_id),
        exits=exit_schema.shown(tx, requests),
        open_complaints=facts.complaints,
        consents=[consent_shown(word) for word in words if word.newest],
        may_retain=_verdict(tx, actor, facts),
        may_serve=_verdict(tx, actor, replace(facts, aim=Aim.SERVICE)),
        contacts=outs(tx, contacts.newest_of(tx, actor, client_id, MOST_CONTACTS)),
    )


def _made_of(tx: Tx, actor: Actor, shown: ClientOut) -> list[str]:
    if shown.value is None:
        return []
    basis = generations.value_basis(tx, shown.generation_id)
    return basis_words(basis, actor.locale) if basis else []


def why(client: Client, actor: Actor, currency: str) -> list[str]:
    """A client's reasons in words, in the actor's language.

    Args:
        client: of the book.
        actor: who reads; without exact assets the numbers behind a reason are not told.
        currency: ISO 4217 code of amounts.
    """
    from keepwell.trust.access.mask import sees_bands

    told = []
    for reason in client.reasons:
        code = ReasonCode(reason["code"])
        facts: dict[str, Any] = reason.get("facts") or {}
        if "indicator" not in facts or sees_bands(actor):
            told.append(code.title(actor.locale))
            continue
        fact = Fact(facts["indicator"], facts["value"], facts.get("normal"), facts.get("typical"))
        told.append(Reason(code, reason["points"], fact).words(actor.locale, currency))
    return told


def _verdict(tx: Tx, actor: Actor, facts: Facts) -> VerdictOut:
    verdict = may_contact(facts)
    if verdict.allowed:
        return VerdictOut(allowed=True)
    words = forbidden(tx, verdict).words(actor.locale)
    return VerdictOut(allowed=False, code=verdict.code, rule=verdict.rule, words=words)


def _cases(tx: Tx, actor: Actor, client_id: str) -> list[CaseContext]:
    chosen = CaseFilter(client_id=client_id, live=True)
    rows, _ = list_cases(tx, actor, chosen, "urgency", MOST_CASES, None)
    clocks = of_subjects(tx, actor, "case", [row.case_id for row in rows])
    out = []
    for row in rows:
        item = CaseContext.model_validate(row)
        item.clocks = list(clocks.get(row.case_id, []))
        out.append(item)
    return out


def find_caller(tx: Tx, actor: Actor, phone: str) -> list[Client]:
    """Clients in the actor's scope who have a telephone number, at most ten.

    The whole number must be given; with or without spaces, hyphens and the prefix of mainland
    China it is the same number.

    Args:
        tx: the unit of work.
        actor: whose scope.
        phone: the number that calls.
    """
    digits = "".join(c for c in phone if c.isdigit())
    if not _SHORTEST <= len(digits) <= _LONGEST:
        return []
    bare = digits.removeprefix("00")
    if bare.startswith("86") and len(bare) > _DOMESTIC:
        bare = bare[2:]
    written = {phone.strip(), digits, bare, f"86{bare}", f"+86{bare}", f"+86 {bare}", f"+{digits}"}
    return repo.by_phone(tx, actor, written, MOST_CALLERS)


def phones_known(tx: Tx) -> bool:
    """Whether the book carries telephone numbers, so that callers can be looked up."""
    return repo.knows_phones(tx)
