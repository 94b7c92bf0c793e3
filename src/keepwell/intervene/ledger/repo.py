"""Queries of one client's ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from keepwell.frame.database import Tx
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.alert.model import Treatment
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.intervene.contact.model import Contact, ContactDelivery
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped


def _own(tx: Tx, actor: Actor, table: Any, client_id: str, *order: Any) -> list[Any]:
    statement = select(table).where(
        table.client_id == client_id, scoped(tx, actor, table.client_id, few=True)
    )
    return list(tx.session.scalars(statement.order_by(*order)))


def treatments(tx: Tx, actor: Actor, client_id: str) -> list[Treatment]:
    """Decisions about a client."""
    return _own(tx, actor, Treatment, client_id, Treatment.at, Treatment.treatment_id)


def recommendations(tx: Tx, actor: Actor, client_id: str) -> list[Recommended]:
    """What was recommended about a client."""
    return _own(tx, actor, Recommended, client_id, Recommended.at, Recommended.recommendation_id)


def contacts(tx: Tx, actor: Actor, client_id: str) -> list[Contact]:
    """Contacts with a client."""
    return _own(tx, actor, Contact, client_id, Contact.recorded_at, Contact.contact_id)


def deliveries(tx: Tx, actor: Actor, client_id: str) -> list[ContactDelivery]:
    """What became known later about contacts with a client."""
    order = (ContactDelivery.recorded_at, ContactDelivery.delivery_id)
    return _own(tx, actor, ContactDelivery, client_id, *order)


def case_events(tx: Tx, actor: Actor, client_id: str) -> list[tuple[CaseEvent, str]]:
    """Lines of the histories of a client's cases, with the case's reason."""
    rows = tx.session.execute(
        select(CaseEvent, Case.reason)
        .join(Case, Case.case_id == CaseEvent.case_id)
        .where(Case.client_id == client_id, scoped(tx, actor, Case.client_id, few=True))
        .order_by(CaseEvent.at, CaseEvent.event_id)
    )
    return [(row[0], row[1]) for row in rows]
