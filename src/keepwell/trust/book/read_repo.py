"""Queries for reading clients and who looked at their personal fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, select

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_values, prepared_page
from keepwell.trust.access.model import Staff, Unmasking, User
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import Shape, scoped, shape_of, values, visible_as


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
_COLUMNS = tuple(Client.__table__.c)

SORTS: Final[dict[str, tuple[Any, type]]] = {
    "score": (Client.rank_score, float),
    "assets": (Client.assets, int),
    "client_id": (Client.client_id, str),
}
"""Names by which clients can be sorted, with column and type of the cursor's value."""


def clients(
    tx: Tx, actor: Actor, wanted: Wanted, sort: tuple[str, bool], limit: int, cursor: str | None
) -> Sequence[Any]:
    """A page of the clients that an actor may see, as rows of all columns; one row longer.

    Args:
        tx: the unit of work.
        actor: whose scope.
        wanted: which clients.
        sort: a name of `SORTS` and whether it descends.
        limit: rows of a page.
        cursor: of the page before.
    """
    given = {
        name: value for name in wanted.__slots__ if (value := getattr(wanted, name)) is not None
    }
    search = given.pop("search", None)
    shape = shape_of(tx, actor)
    statement = _listing(shape, frozenset(given), *sort, cursor is not None)
    if search is not None:
        statement = statement.where(_begins(tx, search))
    name = sort[0]
    kinds = [str] if name == "client_id" else [SORTS[name][1], str]
    named = values(tx, actor) | given | page_values(kinds, limit, cursor)
    return tx.rows(statement, named)


@lru_cache(maxsize=500)
def _listing(
    shape: Shape, given: frozenset[str], sort: str, down: bool, paged: bool
) -> Select[Any]:
    statement = visible_as(shape, *_COLUMNS)
    for name in sorted(given & set(_SAME)):
        statement = statement.where(getattr(Client, name) == bindparam(name))
    if "team_id" in given:
        team = select(Staff.staff_id).where(Staff.team_id == bindparam("team_id"))
        statement = statement.where(Client.manager_id.in_(team))
    if "min_score" in given:
        statement = statement.where(Client.rank_score >= bindparam("min_score"))
    if "max_score" in given:
        statement = statement.where(Client.rank_score.between(0, bindparam("max_score")))
    if "min_assets" in given:
        statement = statement.where(Client.assets >= bindparam("min_assets"))
    if sort == "assets":
        statement = statement.where(Client.assets.is_not(None))
    order: list[tuple[Any, bool]] = [(Client.client_id, down)]
    if sort != "client_id":
        order = [(SORTS[sort][0], down), *order]
    return prepared_page(statement, order, paged)


def client(tx: Tx, actor: Actor, client_id: str) -> Client | None:
    """A client of the generation in force that the actor may see."""
    named = values(tx, actor) | {"client_id": client_id}
    found: Client | None = tx.session.scalar(_one(shape_of(tx, actor)), named)
    return found


@lru_cache(maxsize=100)
def _one(shape: Shape) -> Select[Any]:
    one: Select[Any] = visible_as(shape, Client).where(Client.client_id == bindparam("client_id"))
    return one


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
