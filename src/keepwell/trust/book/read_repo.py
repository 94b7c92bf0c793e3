"""Queries for reading a client and who looked at their personal fields."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from keepwell.frame.database import Tx
from keepwell.trust.access.model import Unmasking, User
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import Shape, scoped, shape_of, values, visible_as


def client(tx: Tx, actor: Actor, client_id: str) -> Client | None:
    """A client of the generation in force that the actor may see."""
    named = values(tx, actor) | {"client_id": client_id}
    found: Client | None = tx.session.scalar(_one(shape_of(tx, actor)), named)
    return found


@lru_cache(maxsize=100)
def _one(shape: Shape) -> Select[Any]:
    one: Select[Any] = visible_as(shape, Client).where(Client.client_id == bindparam("client_id"))
    return one


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
