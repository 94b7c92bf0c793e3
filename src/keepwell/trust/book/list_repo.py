"""Lists of clients: every page is read from an index, or from a bounded stretch of one.

A few filters have an index of their own, and every order has one. Where one of the filters leaves
few clients, those are gathered and put in order. Where each of them leaves many, the list walks an
index in its order and picks what it wants on the way; that finds a page soon, or else stops after
`MOST_LOOKED` clients with a shorter page and the place to go on from. So a page costs about the
same whatever is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, UnaryExpression, and_, bindparam, func, or_, select
from sqlalchemy.sql.expression import literal_column
from sqlalchemy.sql.operators import custom_op

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_values, prepared_page
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import (
    Shape,
    current_generation,
    ids_as,
    shape_of,
    team_ids,
    values,
    visible_as,
)

MOST_LOOKED: Final = 8_000
"""Clients looked at for one page."""

MOST_COUNTED: Final = 10_000
"""Clients counted; of more it is only said that they are more."""


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
        max_assets: greatest assets, minor units.
        note: 'scored', or why there is no score.
        status: state of the relationship.
        segment: segment that the broker gives.
        reason: code of the first reason.
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
    max_assets: int | None = None
    note: str | None = None
    status: str | None = None
    segment: str | None = None
    reason: str | None = None
    search: str | None = None


SORTS: Final[dict[str, tuple[Any, type]]] = {
    "score": (Client.rank_score, float),
    "assets": (Client.assets, int),
    "client_id": (Client.client_id, str),
}
"""Names by which clients can be sorted, with column and type of the cursor's value."""

_COLUMNS: Final = tuple(Client.__table__.c)
_SAME: Final = {
    "reason": Client.top_reason, "note": Client.note, "status": Client.status,
    "tier": Client.tier, "branch_id": Client.branch_id, "segment": Client.segment,
}  # fmt: skip
"""Filters by one value with an index in the order of the score, the rarest values first."""
_ONE_BOOK: Final = {"manager_id": Client.manager_id, "adviser_id": Client.adviser_id}
_RARE: Final = {"note": ("'scored'", "scored"), "status": ("'open'", "open")}
"""Filters whose index leaves out the value that most clients have."""
_RANGES: Final = {
    "score_from": "score", "score_to": "score", "assets_from": "assets", "assets_to": "assets",
    "search": "client_id",
}  # fmt: skip
"""Filters that are a stretch of an order's index."""
_BOOK: Final = "book"
"""By a person's or a team's clients, whoever asks; they are few."""
_SCOPE: Final = "scope"
"""By the scope, which is of few clients."""
_OWN_BRANCH: Final = "scope_branch"
"""By the branch that is the scope."""


class _Way(NamedTuple):
    """How a list finds its rows.

    Attributes:
        by: the filter or order whose index is used, or one of the names above.
        ordered: whether the index gives the rows in the order of the list.
        bounded: whether the walk ends after `MOST_LOOKED` clients.
    """

    by: str
    ordered: bool
    bounded: bool


class Found(NamedTuple):
    """A page of a list.

    Attributes:
        rows: all columns of each client; one row longer than the page if more follow.
        looked_to: where a walk stopped before the page was full: values of a cursor.
    """

    rows: Sequence[Any]
    looked_to: list[Any] | None


def clients(
    tx: Tx, actor: Actor, wanted: Wanted, sort: tuple[str, bool], limit: int, cursor: str | None,
    whole: bool = False,
) -> Found:  # fmt: skip
    """A page of the clients that an actor may see.

    Args:
        tx: the unit of work.
        actor: whose scope.
        wanted: which clients.
        sort: a name of `SORTS` and whether it descends.
        limit: rows of a page.
        cursor: of the page before.
        whole: whether to look at as many clients as it takes.
    """
    name, _ = sort
    kinds = [str] if name == "client_id" else [SORTS[name][1], str]
    shape = shape_of(tx, actor)
    asked = _asked(wanted)
    named = values(tx, actor) | _bound(asked) | page_values(kinds, limit, cursor)
    way = _way(tx, shape, asked, name, named)
    names = frozenset(_kind(item, value) for item, value in asked.items())
    paged, end = cursor is not None, None
    if way.bounded and not whole:
        end = _end(tx, shape, names, way.by, sort, paged, named)
        named |= {f"until_{i}": value for i, value in enumerate(end or ())}
    statement = _listing(shape, names, *sort, paged, way, end is not None)
    rows = tx.rows(statement, named)
    return Found(rows, end if end is not None and len(rows) <= limit else None)


def count(tx: Tx, actor: Actor, wanted: Wanted) -> int | None:
    """How many clients a list holds, up to one more than `MOST_COUNTED`; None: not to be had soon.

    Args:
        tx: the unit of work.
        actor: whose scope.
        wanted: which clients.
    """
    shape = shape_of(tx, actor)
    asked = _asked(wanted)
    named = values(tx, actor) | _bound(asked)
    way = _way(tx, shape, asked, "score", named)
    if way.bounded:
        return None
    names = frozenset(_kind(item, value) for item, value in asked.items())
    return int(tx.rows(_counting(shape, names, way.by), named | {"most": MOST_COUNTED + 1})[0][0])


def _asked(wanted: Wanted) -> dict[str, Any]:
    """The filters given, at most one for each end of a stretch: SQLite goes by a single one."""
    asked = {n: value for n in wanted.__slots__ if (value := getattr(wanted, n)) is not None}
    least, most = asked.pop("min_score", None), asked.pop("max_score", None)
    if most is not None or wanted.note == "scored":  # nobody without a score, which sorts as -1
        least = max(least or 0.0, 0.0)
    ends = {
        "score_from": least, "score_to": most, "assets_from": asked.pop("min_assets", None),
        "assets_to": asked.pop("max_assets", None),
    }  # fmt: skip
    return asked | {name: value for name, value in ends.items() if value is not None}


def _bound(asked: dict[str, Any]) -> dict[str, Any]:
    named = dict(asked)
    search = named.pop("search", None)
    if search is not None:
        plain = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        named |= {
            "search_from": search, "search_to": search + "\U0010ffff", "search_like": plain + "%",
        }  # fmt: skip
    return named


def _kind(name: str, value: Any) -> str:
    """A filter's name, with '!' where its index holds the value because it is rare."""
    return name + "!" if name in _RARE and value != _RARE[name][1] else name


def _way(tx: Tx, shape: Shape, asked: dict[str, Any], sort: str, named: dict[str, Any]) -> _Way:
    if {"manager_id", "adviser_id", "team_id"} & asked.keys():
        return _Way(_BOOK, False, False)
    if shape.scope in (Scope.OWN, Scope.TEAM, Scope.NONE):
        return _Way(_SCOPE, False, False)
    names = [
        name for name in (*_SAME, *_RANGES)
        if name in asked
        and (name not in _RARE or asked[name] != _RARE[name][1])
    ]  # fmt: skip
    ways = list(dict.fromkeys(_RANGES.get(name, name) for name in names))
    if shape.scope is not Scope.ALL:
        ways.append(_SCOPE)  # also a region may be small
    if shape.scope is Scope.BRANCH and not shape.lent:
        ways.append(_OWN_BRANCH)
    few = frozenset(_kind(name, value) for name, value in asked.items())
    counts = {
        by: tx.rows(_how_many(shape, few, by), named | {"most": MOST_LOOKED + 1})[0][0]
        for by in ways
    }
    best = min(counts, key=counts.__getitem__, default=sort)
    if counts and counts[best] <= MOST_LOOKED:
        in_order = sort == "score" and best not in SORTS and best != _SCOPE
        return _Way(best, best == sort or in_order, False)
    same = [by for by in ways if by not in SORTS and by != _SCOPE]
    by = same[0] if same and sort == "score" else sort
    served = {by, sort, _OWN_BRANCH if by == _OWN_BRANCH else None}
    rest = {_RANGES.get(name, name) for name in asked} - served
    whole = shape.scope is Scope.ALL or by == _OWN_BRANCH
    return _Way(by, True, bool(rest) or not whole)


def _aside(shape: Shape, column: Any) -> Any:
    """A column by which SQLite is not to look anything up: its planner knows no numbers of rows."""
    if not shape.sqlite:
        return column
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _used(shape: Shape, by: str, name: str, column: Any) -> Any:
    return column if by == name else _aside(shape, column)


def _conditions(shape: Shape, names: frozenset[str], by: str) -> list[ColumnElement[bool]]:
    """The filters, of which only one is used to look rows up."""
    found: list[ColumnElement[bool]] = []
    plain = {name.removesuffix("!") for name in names}
    for name, column in _SAME.items():
        if name in plain:
            found.append(_used(shape, by, name, column) == bindparam(name))
            if by == name and name + "!" in names:  # a partial index wants to hear its condition
                found.append(column != literal_column(_RARE[name][0]))
    for name, column in _ONE_BOOK.items():
        if name in plain:
            found.append(_used(shape, by, _BOOK, column) == bindparam(name))
    if by == _OWN_BRANCH:
        found.append(Client.branch_id == bindparam(_OWN_BRANCH))
    if "team_id" in plain:
        ids = team_ids(bindparam("team_id"))
        found.append(_used(shape, by, _BOOK, Client.client_id).in_(ids))
    ranked = by in ("score", _OWN_BRANCH) or by in _SAME  # whose indexes go on with the score
    score = Client.rank_score if ranked else _aside(shape, Client.rank_score)
    assets = _used(shape, by, "assets", Client.assets)
    ends = {
        "score_from": score >= bindparam("score_from"),
        "score_to": score <= bindparam("score_to"),
        "assets_from": assets >= bindparam("assets_from"),
        "assets_to": assets <= bindparam("assets_to"),
    }
    found += [condition for name, condition in ends.items() if name in plain]
    if "search" in plain:
        found.append(_begins(shape, _used(shape, by, "client_id", Client.client_id)))
    return found


def _begins(shape: Shape, column: Any) -> ColumnElement[bool]:
    if shape.sqlite:  # LIKE cannot use the primary key there
        inside: ColumnElement[bool] = column.between(
            bindparam("search_from"), bindparam("search_to")
        )
        return inside
    like: ColumnElement[bool] = column.like(bindparam("search_like"), escape="\\")
    return like


def _base(shape: Shape, names: frozenset[str], by: str, *columns: Any) -> Select[Any]:
    if by == _SCOPE:
        scope = select(*columns).where(  # unscoped: the ids are
            Client.generation_id == current_generation(), Client.client_id.in_(ids_as(shape))
        )
    else:  # a wide scope is checked row by row on the way
        scope = visible_as(shape, *columns, aside=lambda column: _aside(shape, column))
    return scope.where(*_conditions(shape, names, by))


def _order(shape: Shape, sort: str, down: bool, ordered: bool) -> list[tuple[Any, bool]]:
    columns = [SORTS[sort][0]] if sort == "client_id" else [SORTS[sort][0], Client.client_id]
    return [(c if ordered else _aside(shape, c), down) for c in columns]


@lru_cache(maxsize=1000)
def _listing(
    shape: Shape, names: frozenset[str], sort: str, down: bool, paged: bool, way: _Way, until: bool
) -> Select[Any]:
    order = _order(shape, sort, down, way.ordered)
    kept = _further(names, sort, down, paged, until) if way.ordered else names
    statement = _base(shape, kept, way.by, *_COLUMNS)
    if _unvalued(names, sort, paged):
        statement = statement.where(order[0][0].is_not(None))
    if until:
        statement = statement.where(_upto(order))
    return prepared_page(statement, order, paged)


def _further(
    names: frozenset[str], sort: str, down: bool, paged: bool, until: bool
) -> frozenset[str]:
    """The filters without the ends of the stretch that the page's own beginning and end imply."""
    first, last = (f"{sort}_to", f"{sort}_from") if down else (f"{sort}_from", f"{sort}_to")
    return names - ({first} if paged else set()) - ({last} if until else set())


def _unvalued(names: frozenset[str], sort: str, paged: bool) -> bool:
    """Whether clients whose assets are not known must be left out expressly."""
    return sort == "assets" and not paged and not {"assets_from", "assets_to"} & names


def _upto(order: Sequence[tuple[Any, bool]]) -> ColumnElement[bool]:
    """The condition for rows that do not come after a place."""
    (first, down), start = order[0], bindparam("until_0", type_=order[0][0].type)
    inside: ColumnElement[bool] = first >= start if down else first <= start
    if len(order) == 1:
        return inside
    last, end = order[1][0], bindparam("until_1", type_=order[1][0].type)
    same = last >= end if down else last <= end
    return and_(inside, or_(first > start if down else first < start, same))


def _end(
    tx: Tx, shape: Shape, names: frozenset[str], by: str, sort: tuple[str, bool], paged: bool,
    named: dict[str, Any],
) -> list[Any] | None:  # fmt: skip
    """Where a walk stops; None where it comes to the end before."""
    found = tx.rows(_ending(shape, names, by, *sort, paged), named | {"page_rows": 1})
    return list(found[0]) if found else None


@lru_cache(maxsize=1000)
def _ending(
    shape: Shape, names: frozenset[str], by: str, sort: str, down: bool, paged: bool
) -> Select[Any]:
    order = _order(shape, sort, down, ordered=True)
    kept = _further(names, sort, down, paged, until=False)
    walked = {n for n in kept if n.removesuffix("!") == by or _RANGES.get(n) == sort}
    statement = select(*(c for c, _ in order)).where(  # unscoped: a place in an index, no row
        Client.generation_id == current_generation(),
        *_conditions(shape, frozenset(walked), by),
    )
    if _unvalued(names, sort, paged):
        statement = statement.where(Client.assets.is_not(None))
    return prepared_page(statement, order, paged).offset(MOST_LOOKED - 1)


@lru_cache(maxsize=500)
def _how_many(shape: Shape, names: frozenset[str], by: str) -> Select[Any]:
    if by == _SCOPE:
        ids = ids_as(shape).limit(bindparam("most")).subquery()
        return select(func.count()).select_from(ids)
    own = {n for n in names if n.removesuffix("!") == by or _RANGES.get(n) == by}
    some = select(Client.client_id).where(  # unscoped: a number that decides the way, shown nowhere
        Client.generation_id == current_generation(), *_conditions(shape, frozenset(own), by)
    )
    return select(func.count()).select_from(some.limit(bindparam("most")).subquery())


@lru_cache(maxsize=500)
def _counting(shape: Shape, names: frozenset[str], by: str) -> Select[Any]:
    some = _base(shape, names, by, Client.client_id).limit(bindparam("most"))
    return select(func.count()).select_from(some.subquery())
