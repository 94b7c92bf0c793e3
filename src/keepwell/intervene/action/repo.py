"""Queries of recommendations, and of the contacts that their limits count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from keepwell.frame.database import Tx
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import Direction
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped

_EMPTY = dict.fromkeys(
    (
        "best_id", "best_version", "next_id", "next_version", "channel", "expected", "script_id",
        "answer", "record",
    )
)  # fmt: skip


def newest(tx: Tx, actor: Actor, case_id: str) -> Recommended | None:
    """The newest recommendation stored in a case."""
    return tx.session.scalars(
        select(Recommended)
        .where(Recommended.case_id == case_id, scoped(tx, actor, Recommended.client_id, few=True))
        .order_by(Recommended.number.desc())
        .limit(1)
    ).first()


def touches(tx: Tx, client_id: str, since: datetime) -> Sequence[Any]:
    """Contacts that the desk began since an instant: instant, channel, action; oldest first."""
    statement = (
        select(Contact.at, Contact.channel, Contact.action_id)  # unscoped: what the gate counts
        .where(
            Contact.client_id == client_id,
            Contact.direction == Direction.OUT.value,
            Contact.at >= since,
        )
        .order_by(Contact.at, Contact.contact_id)
    )
    return tx.session.execute(statement).all()


def forget(tx: Tx, client_id: str) -> None:
    """Empty what was recommended about a client who refuses profiling (rule PI-4)."""
    tx.session.execute(
        update(Recommended)  # unscoped: the client's own word
        .where(Recommended.client_id == client_id)
        .values(**_EMPTY)
        .execution_options(synchronize_session="fetch")
    )
