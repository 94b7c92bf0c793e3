"""Verbs for one's own preferences: no evidence, since nothing about clients follows from them."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.trust.access.policy import Actor
from keepwell.trust.preference import repo
from keepwell.trust.preference.model import Preference

TIPS: Final = "tips"
"""Name of the list of tips that were closed."""

MOST: Final = 50
"""Items of one preference; the oldest go."""


def get(tx: Tx, actor: Actor, name: str, otherwise: list[Any]) -> list[Any]:
    """One of one's own preferences.

    Args:
        tx: the unit of work.
        actor: whose.
        name: which.
        otherwise: what holds while nothing was chosen.
    """
    found = repo.one(tx, actor, name)
    return otherwise if found is None else found.value


def put(tx: Tx, actor: Actor, name: str, value: list[Any]) -> None:
    """Choose.

    Args:
        tx: a writing unit of work.
        actor: whose.
        name: which.
        value: JSON-safe.
    """
    found = repo.one(tx, actor, name, lock=True)
    if found is None:
        tx.session.add(Preference(user_id=actor.user_id, name=name, value=value[-MOST:]))
    else:
        found.value = value[-MOST:]


def add(tx: Tx, actor: Actor, name: str, item: Any) -> None:
    """Put an item at the end of a list of one's own, once."""
    kept = [known for known in get(tx, actor, name, []) if known != item]
    put(tx, actor, name, [*kept, item])
