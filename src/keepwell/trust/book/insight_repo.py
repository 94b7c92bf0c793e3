"""Totals over the book within a row scope: who is warned, by tier, reason and place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, UnaryExpression, bindparam, false, func, select
from sqlalchemy.sql.operators import custom_op

from keepwell.frame.database import Tx
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.model import Client, Generation, Pointer
from keepwell.trust.book.repo import Shape, shape_of, values, visible_as

WARNED: Final = ("severe", "moderate", "mild")
"""Tiers that warn, gravest first."""

_KEYS: Final = {"branch": Client.branch_id, "manager": Client.manager_id}
_NARROW: Final = frozenset({Scope.OWN, Scope.TEAM})


class Published(NamedTuple):
    """The generation in force.

    Attributes:
        number: of the generation.
        as_of: the instant of its scores.
        model: version behind them.
        manifest: number of the lake's manifest.
        clients: in it, everybody's.
    """

    number: int
    as_of: Any
    model: str
    manifest: int
    clients: int


class Warned(NamedTuple):
    """Clients of a tier with one main reason in one branch or book.

    Attributes:
        tier: one of `WARNED`.
        reason: code of the first reason; None where none was told.
        key: the branch or manager; None for clients without.
        clients: how many.
        valued: of them, those whose assets are known.
        assets: of those, minor units.
    """

    tier: str
    reason: str | None
    key: str | None
    clients: int
    valued: int
    assets: int


def published(tx: Tx) -> Published | None:
    """The generation in force; None before the first publication."""
    statement = select(
        Generation.generation_id, Generation.as_of, Generation.model_version, Generation.manifest,
        Generation.clients,
    ).join(Pointer, Pointer.generation_id == Generation.generation_id)  # fmt: skip
    row = tx.session.execute(statement).first()
    return None if row is None else Published(*row)


def warned(tx: Tx, actor: Actor, by: str, branch_id: str | None) -> list[Warned]:
    """Warned clients of an actor's scope by tier, main reason and place; clients lent left out.

    Args:
        tx: the unit of work.
        actor: whose scope.
        by: 'branch' or 'manager'.
        branch_id: of this branch alone; None: of all.
    """
    shape = shape_of(tx, actor)._replace(lent=False)
    named = values(tx, actor) | {"wanted_branch": branch_id}
    rows: Sequence[Any] = tx.rows(_warned(shape, by, branch_id is not None), named)
    # PostgreSQL gives a sum of integers as a decimal.
    return [
        Warned(tier, reason, key, clients, valued, int(assets or 0))
        for tier, reason, key, clients, valued, assets in rows
    ]


@lru_cache(maxsize=100)
def _warned(shape: Shape, by: str, one_branch: bool) -> Select[Any]:
    def aside(column: Any) -> Any:
        """A column by which SQLite is not to look anything up: it knows no numbers of rows."""
        return UnaryExpression(column, operator=custom_op("+"), type_=column.type) \
            if shape.sqlite else column  # fmt: skip

    # Few of a wide scope are warned; of a narrow one its own index leaves fewer.
    narrow = shape.scope in _NARROW
    tier = aside(Client.tier) if narrow else Client.tier
    key = _KEYS[by]
    statement = visible_as(
        shape, Client.tier, Client.top_reason, key, func.count(), func.count(Client.assets),
        func.sum(Client.assets), aside=None if narrow else aside,
    ).where(tier.in_(WARNED))  # fmt: skip
    if one_branch:
        statement = statement.where(aside(Client.branch_id) == bindparam("wanted_branch"))
    return statement.group_by(Client.tier, Client.top_reason, key)


def managers(tx: Tx, actor: Actor, branch_id: str | None = None) -> list[str] | None:
    """Numbers of the staff whose clients lie in an actor's scope; None: everybody's.

    Args:
        tx: the unit of work.
        actor: whose scope.
        branch_id: those of this branch alone.
    """
    if actor.scope is Scope.ALL and branch_id is None:
        return None
    statement = select(Staff.staff_id).where(*_staff(actor)).order_by(Staff.staff_id)
    if branch_id is not None:
        statement = statement.where(Staff.branch_id == branch_id)
    return list(tx.session.scalars(statement))


def branches(tx: Tx, actor: Actor) -> dict[str, str]:
    """Numbers and names of the branches that an actor's scope holds whole, by number."""
    scope = shape_of(tx, actor).scope  # NONE for who has no place
    statement = select(Branch.branch_id, Branch.name).order_by(Branch.branch_id)
    if scope is Scope.REGION:
        statement = statement.where(Branch.region_id == actor.region_id)
    elif scope is Scope.BRANCH:
        statement = statement.where(Branch.branch_id == actor.branch_id)
    elif scope is not Scope.ALL:
        return {}
    return {row[0]: row[1] for row in tx.session.execute(statement)}


def names(tx: Tx, actor: Actor) -> dict[str, str]:
    """Names of the staff of an actor's scope, by number."""
    statement = select(Staff.staff_id, Staff.name).where(*_staff(actor))
    return {row[0]: row[1] for row in tx.session.execute(statement)}


def _staff(actor: Actor) -> list[ColumnElement[bool]]:
    """Conditions on the staff whose books a scope covers; nobody where it has no place."""
    places: dict[Scope, tuple[Any, str | None]] = {
        Scope.OWN: (Staff.staff_id, actor.staff_id), Scope.TEAM: (Staff.team_id, actor.team_id),
        Scope.BRANCH: (Staff.branch_id, actor.branch_id),
    }  # fmt: skip
    if actor.scope is Scope.ALL:
        return []
    if actor.scope is Scope.REGION and actor.region_id:
        inside = select(Branch.branch_id).where(Branch.region_id == actor.region_id)
        return [Staff.branch_id.in_(inside)]
    column, place = places.get(actor.scope, (None, None))
    return [column == place] if place else [false()]
