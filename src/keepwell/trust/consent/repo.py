"""Queries over consent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Select, select

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped
from keepwell.trust.consent.model import NEWEST, Consent
from keepwell.trust.consent.policy import Purpose

# `add` is the only writer, and keeps both right. Whoever writes trusts only what was looked up
# while the client was held: another transaction may have written since.
_NEWEST = known.hangs_on("consent.newest")
_HELD = known.hangs_on("consent.newest-held")


def foresee(tx: Tx, clients: Collection[str], *, held: bool = True) -> None:
    """Look up the words that count of many clients, whom the caller holds or only asks about."""
    found: dict[tuple[str, str], Consent | None] = {
        (client, purpose.value): None for client in clients for purpose in Purpose
    }
    statement = select(Consent).where(  # unscoped: a rule asks about each
        Consent.client_id.in_(clients), Consent.newest
    )
    found |= {(word.client_id, word.purpose): word for word in tx.session.scalars(statement)}
    known.learn(tx, _NEWEST, found)
    if held:
        known.learn(tx, _HELD, found)


def foreseen(tx: Tx, client_id: str) -> bool:
    """Whether all words that count of a client are looked up."""
    keys = ((client_id, purpose.value) for purpose in Purpose)
    return all(known.recall(tx, _NEWEST, key) is not known.MISSING for key in keys)


def add(tx: Tx, word: Consent, before: Consent | None) -> None:
    """Store a word; the one before it no longer counts if this one does."""
    for fact in (_NEWEST, _HELD):
        known.unlearn(tx, fact, (word.client_id, word.purpose))
    if before is not None and word.newest:
        before.newest = False
        tx.session.flush()  # one word counts at a time
    tx.session.add(word)


def newest(tx: Tx, client_id: str, purpose: Purpose, lock: bool = False) -> Consent | None:
    """The word that counts, if any was said; locked, nobody says another one meanwhile."""
    fact = _HELD if lock else _NEWEST
    word: Consent | None = known.recall(tx, fact, (client_id, purpose.value))
    if word is not known.MISSING:
        return word
    statement = select(Consent).where(  # unscoped: a rule asks about one client
        Consent.client_id == client_id, Consent.purpose == purpose.value, NEWEST
    )
    if not lock:
        return tx.session.scalar(statement)
    locked = statement.with_for_update().execution_options(populate_existing=True)
    # Whoever waits for a word that another transaction then replaces gets no row on PostgreSQL;
    # a second look sees the new one.
    return tx.session.scalar(locked) or tx.session.scalar(locked)


def refusing(purpose: Purpose) -> Select[str]:
    """Ids of the clients whose newest word on a purpose is no, as a subquery."""
    return select(Consent.client_id).where(  # unscoped: a set to leave out, never shown
        Consent.purpose == purpose.value, Consent.granted.is_(False), Consent.newest
    )


def history(tx: Tx, actor: Actor, client_id: str) -> Sequence[Consent]:
    """Everything that a client said, newest first."""
    statement = (
        select(Consent)
        .where(Consent.client_id == client_id, scoped(tx, actor, Consent.client_id))
        .order_by(Consent.at.desc(), Consent.consent_id.desc())
        .limit(500)
    )
    return tx.session.scalars(statement).all()
