"""Queries over preferences."""

from __future__ import annotations

from sqlalchemy import select

from keepwell.frame.database import Tx
from keepwell.trust.access.policy import Actor
from keepwell.trust.preference.model import Preference


def one(tx: Tx, actor: Actor, name: str, lock: bool = False) -> Preference | None:
    """One of a user's own preferences.

    Args:
        tx: the unit of work.
        actor: whose.
        name: which.
        lock: to change it.
    """
    statement = select(Preference).where(
        Preference.user_id == actor.user_id, Preference.name == name
    )
    found: Preference | None = tx.session.scalar(statement.with_for_update() if lock else statement)
    return found
