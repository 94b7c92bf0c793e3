"""Queries of contacts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.contact.model import Contact, ContactDelivery
from keepwell.intervene.contact.policy import Aim, Direction
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped


def of_case(
    tx: Tx, actor: Actor, case_id: str, limit: int, cursor: str | None
) -> Sequence[Contact]:
    """A page of the contacts in a case, oldest first."""
    statement = select(Contact).where(
        Contact.case_id == case_id, scoped(tx, actor, Contact.client_id)
    )
    keys = ((Contact.number, False),)
    return tx.session.scalars(page_of(statement, keys, (int,), limit, cursor)).all()


def by_ids(tx: Tx, actor: Actor, ids: Collection[str]) -> dict[str, Contact]:
    """Contacts by their ids."""
    if not ids:
        return {}
    statement = select(Contact).where(
        Contact.contact_id.in_(list(ids)), scoped(tx, actor, Contact.client_id, few=True)
    )
    return {row.contact_id: row for row in tx.session.scalars(statement)}


def newest_of(tx: Tx, actor: Actor, client_id: str, limit: int) -> Sequence[Contact]:
    """The newest contacts with a client, newest first."""
    statement = (
        select(Contact)
        .where(Contact.client_id == client_id, scoped(tx, actor, Contact.client_id))
        .order_by(Contact.at.desc(), Contact.contact_id.desc())
        .limit(limit)
    )
    return tx.session.scalars(statement).all()


def deliveries(tx: Tx, ids: Collection[str]) -> dict[str, ContactDelivery]:
    """The newest word on whether contacts arrived, by contact, where one came later."""
    if not ids:
        return {}
    statement = (
        select(ContactDelivery)  # unscoped: of contacts found in scope
        .where(ContactDelivery.contact_id.in_(list(ids)))
        .order_by(ContactDelivery.number)
    )
    return {row.contact_id: row for row in tx.session.scalars(statement)}


def breaches(tx: Tx, code: str, since: datetime, until: datetime) -> dict[str, float]:
    """Contacts by client that were made against rules whose code begins so, within a span."""
    rows = tx.session.execute(
        select(Contact.client_id, func.count())  # unscoped: summed over an arm
        .where(
            Contact.breach.startswith(code, autoescape=True), Contact.at >= since,
            Contact.at < until,
        )
        .group_by(Contact.client_id)
    )  # fmt: skip
    return {client: float(count) for client, count in rows}


def retention_between(tx: Tx, since: datetime, until: datetime) -> Sequence[Any]:
    """Retention contacts that the desk began in a span: client, channel, result, action."""
    statement = (
        select(  # unscoped: totals over everybody drawn; no row of it is shown
            Contact.client_id, Contact.channel, Contact.result, Contact.action_id,
            Contact.action_version,
        )
        .where(
            Contact.direction == Direction.OUT.value, Contact.aim == Aim.RETENTION.value,
            Contact.at >= since, Contact.at < until,
        )
        .order_by(Contact.contact_id)
    )  # fmt: skip
    return tx.session.execute(statement).all()
