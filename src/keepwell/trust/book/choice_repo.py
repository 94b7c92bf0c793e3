"""What a list of clients can be narrowed to: managers and branches in scope, and segments."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, false, func, or_, select, true

from keepwell.frame.database import Tx
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.model import Client, Generation, Pointer
from keepwell.trust.book.repo import current_generation


def managers(tx: Tx, actor: Actor, most: int) -> list[tuple[str, str]]:
    """Number and name of the managers in an actor's scope, by number; one more than `most`."""
    statement = (
        select(Staff.staff_id, Staff.name)
        .where(Staff.role == "manager", _staff(actor))
        .order_by(Staff.staff_id)
        .limit(most + 1)
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def branches(tx: Tx, actor: Actor, most: int) -> list[tuple[str, str]]:
    """Number and name of the branches in an actor's scope, by number; one more than `most`."""
    within: ColumnElement[bool] = true()
    if actor.scope is Scope.REGION:
        within = Branch.region_id == actor.region_id
    elif actor.scope is not Scope.ALL:
        within = Branch.branch_id == actor.branch_id
    statement = (
        select(Branch.branch_id, Branch.name)
        .where(within)
        .order_by(Branch.branch_id)
        .limit(most + 1)
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def names(tx: Tx, staff_ids: Collection[str]) -> dict[str, str]:
    """Names of members of staff, by number."""
    statement = select(Staff.staff_id, Staff.name).where(Staff.staff_id.in_(staff_ids))
    return {row[0]: row[1] for row in tx.session.execute(statement)} if staff_ids else {}


def segments(tx: Tx, most: int) -> list[str]:
    """The segments that the broker gives, by one short look into the index for each."""
    seen: list[str] = []
    while len(seen) < most:
        value = tx.rows(_next_segment(), {"before": seen[-1] if seen else ""})[0][0]
        if value is None:
            break
        seen.append(str(value))
    return seen


def as_of(tx: Tx) -> datetime | None:
    """The instant of the scores in force."""
    statement = select(Generation.as_of).join(
        Pointer, Pointer.generation_id == Generation.generation_id
    )
    found: datetime | None = tx.session.scalar(statement)
    return found


@lru_cache(maxsize=1)
def _next_segment() -> Select[Any]:
    return select(func.min(Client.segment)).where(  # unscoped: names of segments, no client
        Client.generation_id == current_generation(), Client.segment > bindparam("before")
    )


def _staff(actor: Actor) -> ColumnElement[bool]:
    if actor.scope is Scope.ALL:
        return true()
    if actor.scope is Scope.TEAM and actor.team_id:
        return Staff.team_id == actor.team_id
    if actor.scope is Scope.BRANCH and actor.branch_id:
        return Staff.branch_id == actor.branch_id
    if actor.scope is Scope.REGION and actor.region_id:
        region = select(Branch.branch_id).where(Branch.region_id == actor.region_id)
        return or_(Staff.region_id == actor.region_id, Staff.branch_id.in_(region))
    return false()
