"""Queries of a team's work: how much each has, whose cases, what was reassigned lately."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, select

from keepwell.frame.database import Instant, Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.alert.repo import managers_in_scope
from keepwell.intervene.case.model import Case, Reassignment
from keepwell.intervene.clock.model import Clock
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import (
    Shape,
    current_generation,
    scoped,
    scoped_as,
    shape_of,
    values,
)

ORDER = ((Case.next_due_at, False), (Case.urgency, False), (Case.case_id, False))
"""Most urgent first."""


def loads(tx: Tx, actor: Actor, day_ends: datetime) -> Sequence[Any]:
    """Live cases in scope by owner: owner_id, live, overdue, today, silent.

    Args:
        tx: the unit of work.
        actor: whose clients.
        day_ends: the exchange's day.
    """
    named = values(tx, actor) | {"now": tx.at, "day_ends": day_ends}
    return tx.rows(_loads(shape_of(tx, actor)), named)


@lru_cache(maxsize=100)
def _loads(shape: Shape) -> Select[Any]:
    now, ends = bindparam("now", type_=Instant()), bindparam("day_ends", type_=Instant())

    def number(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    return (
        select(
            Case.owner_id, func.count().label("live"),
            number(Case.next_due_at < now).label("overdue"),
            number(and_(Case.next_due_at >= now, Case.next_due_at < ends)).label("today"),
            number(Case.contacted_at.is_(None)).label("silent"),
        )
        .where(Case.live, scoped_as(shape, Case.client_id))
        .group_by(Case.owner_id)
    )  # fmt: skip


def late(tx: Tx, actor: Actor, since: datetime) -> dict[str | None, int]:
    """Clocks of cases in scope whose time ran out since an instant, by whose they were."""
    named = values(tx, actor) | {"since": since, "now": tx.at}
    return {row.owner_id: row.n for row in tx.rows(_late(shape_of(tx, actor)), named)}


@lru_cache(maxsize=100)
def _late(shape: Shape) -> Select[Any]:
    statement: Any = (
        select(Clock.owner_id, func.count().label("n"))
        .where(
            Clock.due_rank >= bindparam("since", type_=Instant()),
            Clock.due_rank < bindparam("now", type_=Instant()),
            Clock.late, Clock.subject_kind == "case",
            scoped_as(shape, Clock.client_id, few=True),
        )
        .group_by(Clock.owner_id)
    )  # fmt: skip
    made: Select[Any] = statement
    return made


def managers(tx: Tx, actor: Actor, most: int) -> list[tuple[str, str]]:
    """Number and name of the active managers to whom the actor may give cases."""
    statement = (
        select(Staff.staff_id, Staff.name)
        .where(managers_in_scope(actor), Staff.role == "manager", Staff.active)
        .order_by(Staff.staff_id)
        .limit(most)
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def names(tx: Tx, staff_ids: Collection[str]) -> dict[str, str]:
    """Names of members of staff, by number."""
    if not staff_ids:
        return {}
    statement = select(Staff.staff_id, Staff.name).where(Staff.staff_id.in_(staff_ids))
    return {row[0]: row[1] for row in tx.session.execute(statement)}


_SHOWN = (*Case.__table__.c, Client.name.label("client_name"))


def _shown() -> Select[Any]:
    return select(*_SHOWN).outerjoin(  # unscoped: the callers' conditions are the scope
        Client,
        and_(Client.client_id == Case.client_id, Client.generation_id == current_generation()),
    )


def cases_of(
    tx: Tx, actor: Actor, owner_id: str | None, limit: int, cursor: str | None
) -> Sequence[Any]:
    """A page of an owner's live cases in scope with the client's name, one row longer."""
    whose = Case.owner_id.is_(None) if owner_id is None else Case.owner_id == owner_id
    statement = _shown().where(whose, Case.live, scoped(tx, actor, Case.client_id))
    page = page_of(statement, ORDER, (datetime, int, str), limit, cursor)
    return tx.session.execute(page).all()


def cases_by_id(tx: Tx, actor: Actor, case_ids: Collection[str]) -> dict[str, Any]:
    """Cases in scope with the client's name, by id."""
    statement = _shown().where(
        Case.case_id.in_(case_ids), scoped(tx, actor, Case.client_id, few=True)
    )
    return {row.case_id: row for row in tx.session.execute(statement)}


def client_names(tx: Tx, actor: Actor, client_ids: Collection[str]) -> dict[str, str | None]:
    """Names of clients in scope, by number."""
    statement = select(Client.client_id, Client.name).where(
        Client.generation_id == current_generation(), Client.client_id.in_(client_ids),
        scoped(tx, actor, Client.client_id, few=True),
    )  # fmt: skip
    return {row[0]: row[1] for row in tx.session.execute(statement)}


def plan(tx: Tx, actor: Actor, plan_id: str) -> Reassignment | None:
    """A plan that the actor made, to look at."""
    statement = select(Reassignment).where(  # unscoped: one's own plan
        Reassignment.plan_id == plan_id, Reassignment.user_id == actor.user_id
    )
    found: Reassignment | None = tx.session.scalar(statement)
    return found


def batches(
    tx: Tx, actor: Actor, since: datetime, limit: int, batch_id: str | None = None
) -> list[Reassignment]:
    """Batches that the actor carried out, newest first.

    Args:
        tx: the unit of work.
        actor: whose.
        since: done then or later.
        limit: at most so many.
        batch_id: only this one, whenever it was.
    """
    statement = select(Reassignment).where(  # unscoped: one's own batches
        Reassignment.user_id == actor.user_id, Reassignment.done_at.is_not(None)
    )
    if batch_id is None:
        statement = statement.where(Reassignment.done_at >= since)
    else:
        statement = statement.where(Reassignment.batch_id == batch_id)
    ordered = statement.order_by(Reassignment.done_at.desc(), Reassignment.plan_id).limit(limit)
    return list(tx.session.scalars(ordered))
