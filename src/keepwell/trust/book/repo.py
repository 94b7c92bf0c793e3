"""Queries over the book; the row scope of every other room is built from `visible_clients`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ScalarSelect, Select, false, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from keepwell.frame.database import Tx
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import Actor, Role, Scope
from keepwell.trust.book.model import Client, ClientGrant, Pointer


def current_generation() -> ScalarSelect[int]:
    """The generation in force, as a scalar subquery."""
    return select(Pointer.generation_id).where(Pointer.one == 1).scalar_subquery()


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """The condition on `Client` for what the actor's scope covers, grants apart."""
    scope = actor.scope
    if scope is Scope.ALL:
        return true()
    if scope is Scope.OWN and actor.staff_id:
        own = Client.adviser_id if actor.role is Role.ADVISER else Client.manager_id
        return own == actor.staff_id
    if scope is Scope.TEAM and actor.team_id:
        team = select(Staff.staff_id).where(Staff.team_id == actor.team_id)
        return Client.manager_id.in_(team)
    if scope is Scope.BRANCH and actor.branch_id:
        return Client.branch_id == actor.branch_id
    if scope is Scope.REGION and actor.region_id:
        region = select(Branch.branch_id).where(Branch.region_id == actor.region_id)
        return Client.branch_id.in_(region)
    return false()


def granted(actor: Actor, tx: Tx) -> Select[str]:
    """Ids of the clients lent to the actor."""
    return select(ClientGrant.client_id).where(  # unscoped: what was lent is part of the scope
        ClientGrant.staff_id == actor.staff_id,
        or_(ClientGrant.until.is_(None), ClientGrant.until > tx.at),
    )


def visible(tx: Tx, actor: Actor, *columns: Any) -> Select[Any]:
    """Clients of the generation in force that the actor may see.

    Args:
        tx: for the instant at which a grant may have ended.
        actor: whose scope.
        *columns: of `Client`; default: the entity.
    """
    statement = select(*(columns or (Client,))).where(  # unscoped: this is the scope
        Client.generation_id == current_generation()
    )
    if actor.scope is Scope.ALL:
        return statement
    condition = in_scope(actor)
    if actor.staff_id:
        condition = or_(condition, Client.client_id.in_(granted(actor, tx)))
    return statement.where(condition)


def visible_clients(tx: Tx, actor: Actor) -> Select[str]:
    """Ids of the clients that the actor may see; the row scope of everything about a client."""
    return visible(tx, actor, Client.client_id)


def scoped(tx: Tx, actor: Actor, client_id: Any) -> ColumnElement[bool]:
    """The condition that a column of client ids lies in the actor's scope.

    Args:
        tx: the unit of work.
        actor: whose scope; `Scope.ALL` sees every row, also of clients no longer in the book.
        client_id: the column.
    """
    if actor.scope is Scope.ALL:
        return true()
    inside: ColumnElement[bool] = client_id.in_(visible_clients(tx, actor))
    return inside
