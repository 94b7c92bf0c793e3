"""Verbs of consent: record what a client says, ask what counts.

Rule PI-4: a client who refuses profiling has no score, no tags and no case from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.frame.locks import CLIENT, hold
from keepwell.frame.problem import Unprocessable
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.consent import repo
from keepwell.trust.consent.model import Consent
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import prepare, record

# Clocks of two systems differ a little; a word from tomorrow is a fault in the sender.
_SKEW = timedelta(minutes=5)


def refused(tx: Tx, client_id: str, purpose: Purpose) -> bool:
    """Whether the client's newest word on a purpose is no; silence is no refusal."""
    word = repo.newest(tx, client_id, purpose)
    return word is not None and not word.granted


def given(tx: Tx, client_id: str, purpose: Purpose) -> bool:
    """Whether the client's newest word on a purpose is yes; silence is no consent."""
    word = repo.newest(tx, client_id, purpose)
    return word is not None and word.granted


def given_at(tx: Tx, client_id: str, purpose: Purpose) -> datetime | None:
    """When the client agreed to a purpose, if that is their newest word on it."""
    word = repo.newest(tx, client_id, purpose)
    return word.at if word is not None and word.granted else None


def refusing(tx: Tx, purpose: Purpose) -> Select[str]:  # noqa: ARG001
    """Ids of the clients who refuse a purpose, as a subquery.

    Args:
        tx: the unit of work that will run it.
        purpose: which.
    """
    return repo.refusing(purpose)


def foresee(tx: Tx, client_ids: Sequence[str]) -> None:
    """Look up the words of many clients at once, before words of theirs are recorded.

    Args:
        tx: the unit of work; it holds the clients.
        client_ids: whose.
    """
    repo.foresee(tx, client_ids)
    prepare(tx, client_ids)


def look_up(tx: Tx, client_id: str) -> None:
    """Look up a client's words once, before each purpose is asked for several times."""
    if not repo.foreseen(tx, client_id):
        repo.foresee(tx, (client_id,), held=False)


def record_consent(
    tx: Tx,
    actor: Actor,
    client_id: str,
    purpose: Purpose,
    granted: bool,
    at: datetime | None = None,
    source: str = "desk",
) -> Consent:
    """Record a client's word; refusing profiling forgets the score at once.

    Args:
        tx: the unit of work.
        actor: who records it.
        client_id: who said it; narrower scopes than all must see the client.
        purpose: about what.
        granted: yes or no.
        at: when it was said; default: now. A word older than the newest one is kept as history.
        source: where it was said.

    Raises:
        NotFound: no such client, or not the actor's to see.
        Unprocessable: it was said in the future.
    """
    _must_see(tx, actor, client_id)
    said = at or tx.at
    if said > tx.at + _SKEW:
        raise Unprocessable("consent.at-future")
    hold(tx, CLIENT, [client_id])
    before = repo.newest(tx, client_id, purpose, lock=True)
    if before is not None and (before.at, before.granted) == (said, granted):
        return before  # told twice
    counts = before is None or said >= before.at
    changed = counts and (before is None or before.granted != granted)
    word = Consent(
        consent_id=new_id("consent", tx.at), client_id=client_id, purpose=purpose.value,
        granted=granted, at=said, source=source, newest=counts, recorded_at=tx.at,
        recorded_by=actor.user_id,
    )  # fmt: skip
    repo.add(tx, word, before)
    attest(tx, client_id, word)
    facts = {"purpose": purpose.value, "counts": counts}
    kind = EvidenceKind.CONSENT_GIVEN if granted else EvidenceKind.CONSENT_REFUSED
    record(
        tx, actor, kind, client_id=client_id, subject=word.consent_id, data=facts,
        personal={"source": source},
    )  # fmt: skip
    if changed:
        _tell(tx, actor, word)
    return word


def history(tx: Tx, actor: Actor, client_id: str) -> Sequence[Consent]:
    """Everything that a client said, newest first.

    Raises:
        NotFound: no such client, or not the actor's to see.
    """
    _must_see(tx, actor, client_id)
    return repo.history(tx, actor, client_id)


def _tell(tx: Tx, actor: Actor, word: Consent) -> None:
    name = EventName.CONSENT_GIVEN if word.granted else EventName.CONSENT_REFUSED
    facts = {"purpose": word.purpose}
    emit(tx, Event(name, word.consent_id, actor.user_id, word.client_id, facts))
    if word.purpose == Purpose.PROFILING and not word.granted:
        from keepwell.trust.book.service import forget_score

        forget_score(tx, word.client_id)
        event = EventName.PROFILING_REFUSED
        emit(tx, Event(event, word.client_id, actor.user_id, word.client_id, facts))


def _must_see(tx: Tx, actor: Actor, client_id: str) -> None:
    # Who sees everybody may record a word of somebody whom the book does not know yet.
    if actor.scope is not Scope.ALL:
        from keepwell.trust.book.service import get_client

        get_client(tx, actor, client_id)
