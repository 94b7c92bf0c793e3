"""Queries over the book; the row scope of every other room is built from `visible` and `scoped`.

Building a statement costs several times what running it does, so statements of hot endpoints are
built once for each `Shape` of scope, with parameters, and run with the actor's `values`. What a
scope covers is written down once, for both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ScalarSelect,
    Select,
    bindparam,
    exists,
    false,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from keepwell.frame.database import Instant, Tx
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import Actor, Role, Scope
from keepwell.trust.book.model import Client, ClientGrant, Pointer

_BOOK = Client.__table__.alias("book")
"""The book as a scope looks into it; under another name, so that it can narrow the book itself."""
_LENT = ClientGrant.__table__
_NARROW: Final = frozenset({Scope.OWN, Scope.TEAM})
"""Scopes of so few clients that a list had better begin with them than with its own order."""


class Shape(NamedTuple):
    """What of an actor decides the form of a statement, as against its values.

    Attributes:
        scope: what is covered; NONE where the actor has no place in it.
        adviser: whether one's own clients are those advised.
        lent: whether clients may be lent to the actor.
        sqlite: whether SQLite runs the statement; the planners differ.
    """

    scope: Scope
    adviser: bool
    lent: bool
    sqlite: bool


@dataclass(frozen=True, slots=True)
class _Who:
    """The actor's places and the instant: values, or parameters of a prepared statement."""

    staff: str | BindParameter[Any] | None
    team: str | BindParameter[Any] | None
    branch: str | BindParameter[Any] | None
    region: str | BindParameter[Any] | None
    at: datetime | BindParameter[Any]


_ANYBODY: Final = _Who(
    bindparam("scope_staff"), bindparam("scope_team"), bindparam("scope_branch"),
    bindparam("scope_region"), bindparam("scope_at", type_=Instant()),
)  # fmt: skip


def shape_of(tx: Tx, actor: Actor) -> Shape:
    """The form of an actor's scope."""
    place = {
        Scope.OWN: actor.staff_id, Scope.TEAM: actor.team_id, Scope.BRANCH: actor.branch_id,
        Scope.REGION: actor.region_id, Scope.ALL: "all",
    }.get(actor.scope)  # fmt: skip
    scope = actor.scope if place else Scope.NONE
    sqlite = tx.frame.database.is_sqlite
    # Who is to see no clients sees none, also while a case of an earlier role still lends some.
    lent = actor.lent and bool(actor.staff_id) and actor.scope is not Scope.NONE
    return Shape(scope, actor.role is Role.ADVISER, lent, sqlite)


def values(tx: Tx, actor: Actor) -> dict[str, Any]:
    """The parameters of a statement prepared with `visible_as` or `scoped_as`."""
    return {
        "scope_staff": actor.staff_id, "scope_team": actor.team_id,
        "scope_branch": actor.branch_id, "scope_region": actor.region_id, "scope_at": tx.at,
    }  # fmt: skip


def current_generation() -> ScalarSelect[int]:
    """The generation in force, as a scalar subquery."""
    return select(Pointer.generation_id).where(Pointer.one == 1).scalar_subquery()


def visible(tx: Tx, actor: Actor, *columns: Any) -> Select[Any]:
    """Clients of the generation in force that the actor may see.

    Args:
        tx: for the instant at which a grant may have ended.
        actor: whose scope.
        *columns: of `Client`; default: the entity.
    """
    return _visible(shape_of(tx, actor), _who(tx, actor), columns or (Client,))


def visible_as(
    shape: Shape, *columns: Any, aside: Callable[[Any], Any] | None = None
) -> Select[Any]:
    """As `visible`, prepared for any actor of a shape; run it with `values`.

    Args:
        shape: of the scope.
        *columns: of `Client`.
        aside: wraps the columns of the scope, so that no rows are looked up by them.
    """
    return _visible(shape, _ANYBODY, columns, aside)


def ids_as(shape: Shape) -> Any:
    """Select of the ids of all clients of a scope, prepared for any actor; for narrow scopes."""
    return _ids(shape, _ANYBODY)


def team_ids(team_id: Any) -> Select[str]:
    """Select of the ids of the clients of a team's managers, whoever asks."""
    who = _Who(None, team_id, None, None, _ANYBODY.at)
    shape = Shape(Scope.TEAM, adviser=False, lent=False, sqlite=False)
    return _book().where(_covered(shape, who, _BOOK.c))


def scoped(tx: Tx, actor: Actor, client_id: Any, few: bool = False) -> ColumnElement[bool]:
    """The condition that a column of client ids lies in the actor's scope.

    Args:
        tx: the unit of work.
        actor: whose scope; `Scope.ALL` sees every row, also of clients no longer in the book.
        client_id: the column.
        few: whether the statement picks few rows by its other conditions, such as one by its id.
    """
    return _scoped(shape_of(tx, actor), _who(tx, actor), client_id, few)


def scoped_as(shape: Shape, client_id: Any, few: bool = False) -> ColumnElement[bool]:
    """As `scoped`, prepared for any actor of a shape; run it with `values`."""
    return _scoped(shape, _ANYBODY, client_id, few)


def _who(tx: Tx, actor: Actor) -> _Who:
    return _Who(actor.staff_id, actor.team_id, actor.branch_id, actor.region_id, tx.at)


def _covered(shape: Shape, who: _Who, book: Any) -> ColumnElement[bool]:
    """The condition on columns of `Client` for what a scope covers, clients lent apart."""
    covered: ColumnElement[bool] = false()
    if shape.scope is Scope.ALL:
        covered = true()
    elif shape.scope is Scope.OWN:
        covered = (book.adviser_id if shape.adviser else book.manager_id) == who.staff
    elif shape.scope is Scope.TEAM:
        covered = book.manager_id.in_(select(Staff.staff_id).where(Staff.team_id == who.team))
    elif shape.scope is Scope.BRANCH:
        covered = book.branch_id == who.branch
    elif shape.scope is Scope.REGION:
        places = select(Branch.branch_id).where(Branch.region_id == who.region)
        covered = book.branch_id.in_(places)
    return covered


def _lent(who: _Who) -> Select[str]:
    """Ids of the clients lent to somebody."""
    return select(_LENT.c.client_id).where(
        _LENT.c.staff_id == who.staff, or_(_LENT.c.until.is_(None), _LENT.c.until > who.at)
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """The columns that say in whose scope a client lies."""

    manager_id: Any
    adviser_id: Any
    branch_id: Any


def _visible(
    shape: Shape, who: _Who, columns: Any, aside: Callable[[Any], Any] | None = None
) -> Select[Any]:
    statement = select(*columns).where(  # unscoped: the scope itself
        Client.generation_id == current_generation()
    )
    if shape.scope is Scope.OWN and not shape.sqlite:  # which takes two indexes for an "or"
        return statement.where(Client.client_id.in_(_ids(shape, who)))
    book: Any = Client
    if aside is not None:
        book = _Places(aside(Client.manager_id), aside(Client.adviser_id), aside(Client.branch_id))
    covered = _covered(shape, who, book)
    return statement.where(_or_lent(shape, who, covered, Client.client_id))


def _scoped(shape: Shape, who: _Who, client_id: Any, few: bool) -> ColumnElement[bool]:
    if shape.scope is Scope.ALL:
        return true()
    if shape.scope in _NARROW and not few:
        inside: ColumnElement[bool] = client_id.in_(_ids(shape, who))
        return inside
    # One look into the book for each row: to gather a region's ids takes longer than a page.
    covered = _or_lent(shape, who, _covered(shape, who, _BOOK.c), _BOOK.c.client_id)
    return exists(_book().where(covered, _BOOK.c.client_id == client_id))


def _ids(shape: Shape, who: _Who) -> Any:
    """All ids of a narrow scope, each part by its own index, of which a list takes its rows."""
    ids = _book().where(_covered(shape, who, _BOOK.c))
    if not shape.lent:
        return ids
    return union_all(ids, _book().where(_BOOK.c.client_id.in_(_lent(who))))


def _book() -> Select[str]:
    return select(_BOOK.c.client_id).where(_BOOK.c.generation_id == current_generation())


def _or_lent(
    shape: Shape, who: _Who, covered: ColumnElement[bool], client_id: Any
) -> ColumnElement[bool]:
    return or_(covered, client_id.in_(_lent(who))) if shape.lent else covered
