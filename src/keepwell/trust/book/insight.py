"""Verbs for totals over the book, each within the row scope of who asks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from keepwell.frame.database import Tx
from keepwell.frame.problem import NotFound
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book import insight_repo as repo
from keepwell.trust.book.insight_repo import Published, Warned

MANY: Final = 20_000
"""Clients in a generation from which on totals are counted once and kept for a while."""

_LIFE: Final = timedelta(minutes=5)
"""How long kept totals hold: a refused profile takes a client out of them meanwhile."""
_MOST_KEPT: Final = 200

_Key = tuple[str, int, datetime, str, str | None, str, str | None]
_kept: dict[_Key, tuple[datetime, list[Warned]]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose clients totals are about.

    Attributes:
        managers: numbers of the staff; None: everybody's clients, also those of no manager.
        branches: number and name of the branches that can be chosen.
        branch_id: the one that was chosen.
        ranks: 'branch' or 'manager': what is compared.
    """

    managers: Sequence[str] | None
    branches: dict[str, str]
    branch_id: str | None
    ranks: str


def reach(tx: Tx, actor: Actor, branch_id: str | None) -> Reach:
    """Whose clients an actor's totals are about.

    Args:
        tx: the unit of work.
        actor: whose scope.
        branch_id: a branch to look at alone.

    Raises:
        NotFound: there is no such branch, or it is not the actor's to see.
    """
    branches = repo.branches(tx, actor)
    if branch_id is not None and branch_id not in branches:
        raise NotFound("request.path-unknown")
    # One branch is compared with nothing; its managers are.
    ranks = "branch" if len(branches) > 1 and branch_id is None else "manager"
    return Reach(repo.managers(tx, actor, branch_id), branches, branch_id, ranks)


def published(tx: Tx) -> Published | None:
    """The generation in force; None before the first publication."""
    return repo.published(tx)


def staff_names(tx: Tx, actor: Actor) -> dict[str, str]:
    """Names of the staff of an actor's scope, by number."""
    return repo.names(tx, actor)


def warned(tx: Tx, actor: Actor, where: Reach, told: Published) -> list[Warned]:
    """Warned clients by tier, main reason and what is ranked; counted once of many.

    Args:
        tx: the unit of work.
        actor: whose scope.
        where: whose clients.
        told: the generation in force.
    """
    if told.clients < MANY:
        return repo.warned(tx, actor, where.ranks, where.branch_id)
    place = {
        Scope.OWN: actor.staff_id, Scope.TEAM: actor.team_id, Scope.BRANCH: actor.branch_id,
        Scope.REGION: actor.region_id,
    }.get(actor.scope)  # fmt: skip
    key = (
        str(tx.frame.database.engine.url), told.number, told.as_of, actor.scope.value, place,
        where.ranks, where.branch_id,
    )  # fmt: skip
    with _lock:
        found = _kept.get(key)
    if found is not None and timedelta(0) <= tx.at - found[0] < _LIFE:
        return found[1]
    rows = repo.warned(tx, actor, where.ranks, where.branch_id)
    with _lock:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = (tx.at, rows)
    return rows
