"""Queries for reading clients and who looked at their personal fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from keepwell.frame.database import Tx
from keepwell.trust.access.model import Staff, Unmasking, User
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import scoped, visible


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clients are listed; None: whatever.

    Attributes:
        tier: alert tier.
        manager_id: relationship manager.
        adviser_id: investment adviser.
        branch_id: branch.
        team_id: team of the manager.
        min_score: least score.
        max_score: greatest score.
        min_assets: least assets, minor units.
        note: 'scored', or why there is no score.
        status: state of the relationship.
        search: the client's number, or its beginning.
    """

    tier: str | None = None
    manager_id: str | None = None
    adviser_id: str | None = None
    branch_id: str | None = None
    team_id: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    min_assets: int | None = None
    note: str | None = None
    status: str | None = None
    search: str | None = None


_SAME = ("tier", "manager_id", "adviser_id", "branch_id", "note", "status")


def clients(tx: Tx, actor: Actor, wanted: Wanted) -> Select[Any]:
    """The clients that an actor may see, filtered."""
    statement = visible(tx, actor)
    for name in _SAME:
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(getattr(Client, name) == value)
    if wanted.team_id is not None:
        team = select(Staff.staff_id).where(Staff.team_id == wanted.team_id)
        statement = statement.where(Client.manager_id.in_(team))
    if wanted.min_score is not None:
        statement = statement.where(Client.rank_score >= wanted.min_score)
    if wanted.max_score is not None:
        statement = statement.where(Client.rank_score.between(0, wanted.max_score))
    if wanted.min_assets is not None:
        statement = statement.where(Client.assets >= wanted.min_assets)
    if wanted.search is not None:
        statement = statement.where(_begins(tx, wanted.search))
    return statement


def _begins(tx: Tx, text: str) -> ColumnElement[bool]:
    if tx.is_sqlite:  # LIKE cannot use the primary key there
        return Client.client_id.between(text, text + "\U0010ffff")
    return Client.client_id.startswith(text, autoescape=True)


def unmaskings(tx: Tx, actor: Actor, client_id: str | None, user_id: str | None) -> Any:
    """Who looked at which client's personal fields, and why."""
    statement = (
        select(Unmasking, User.name)
        .join(User, User.user_id == Unmasking.user_id)
        .where(scoped(tx, actor, Unmasking.client_id))
    )
    if client_id is not None:
        statement = statement.where(Unmasking.client_id == client_id)
    return statement if user_id is None else statement.where(Unmasking.user_id == user_id)
