"""Queries of recommendations and refusals, and of the contacts that their limits count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select, update

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.action.model import Recommended, Refused
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import Direction
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import Actor, Role
from keepwell.trust.book.repo import Shape, scoped, scoped_as, shape_of, values

_EMPTY = dict.fromkeys(
    (
        "best_id", "best_version", "next_id", "next_version", "channel", "expected", "script_id",
        "answer", "record",
    )
)  # fmt: skip


def newest(tx: Tx, actor: Actor, case_id: str) -> Recommended | None:
    """The newest recommendation stored in a case."""
    named = values(tx, actor) | {"case_id": case_id}
    return tx.session.scalars(_newest(shape_of(tx, actor)), named).first()


@lru_cache(maxsize=100)
def _newest(shape: Shape) -> Select[Any]:
    inside = scoped_as(shape, Recommended.client_id, few=True)
    return (
        select(Recommended)
        .where(Recommended.case_id == bindparam("case_id"), inside)
        .order_by(Recommended.number.desc())
        .limit(1)
    )


def touches(tx: Tx, client_id: str, since: datetime) -> Sequence[Any]:
    """Contacts that the desk began since an instant: instant, channel, action; oldest first."""
    return tx.rows(_TOUCHES, {"client_id": client_id, "since": since})


_TOUCHES: Final = (
    select(Contact.at, Contact.channel, Contact.action_id)  # unscoped: what the gate counts
    .where(
        Contact.client_id == bindparam("client_id"),
        Contact.direction == Direction.OUT.value,
        Contact.at >= bindparam("since"),
    )
    .order_by(Contact.at, Contact.contact_id)
)


def only_lead(tx: Tx, owner_id: str | None) -> str | None:
    """The name of the lead of an owner's team; None where there is none, or more than one."""
    team = select(Staff.team_id).where(Staff.staff_id == owner_id).scalar_subquery()
    return _only(tx, Role.LEAD, Staff.team_id == team)


def only_director(tx: Tx, branch_id: str | None) -> str | None:
    """The name of the director of a branch's region; None where there is none, or more than one."""
    region = select(Branch.region_id).where(Branch.branch_id == branch_id).scalar_subquery()
    return _only(tx, Role.DIRECTOR, Staff.region_id == region)


def _only(tx: Tx, role: Role, place: ColumnElement[bool]) -> str | None:
    statement = select(Staff.name).where(  # unscoped: staff
        Staff.role == role.value, Staff.active, place
    )
    names = tx.session.scalars(statement.limit(2)).all()
    return names[0] if len(names) == 1 else None


def forget(tx: Tx, client_id: str) -> None:
    """Empty what was recommended about a client who refuses profiling (rule PI-4)."""
    tx.session.execute(
        update(Recommended)  # unscoped: the client's own word
        .where(Recommended.client_id == client_id)
        .values(**_EMPTY)
        .execution_options(synchronize_session="fetch")
    )
    tx.session.execute(
        delete(Refused)  # unscoped: the client's own word
        .where(Refused.client_id == client_id)
        .execution_options(synchronize_session="fetch")
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which refusals; None: whatever.

    Attributes:
        since: not before, UTC.
        until: before, UTC.
        code: why.
        stage: where they were held.
        besides: not those held here.
    """

    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None
    stage: str | None = None
    besides: str | None = None


def refusals(
    tx: Tx, actor: Actor, wanted: Wanted, limit: int, cursor: str | None
) -> Sequence[Refused]:
    """A page of refusals, the newest first, one row longer if more follow."""
    statement = select(Refused).where(scoped(tx, actor, Refused.client_id), *_conditions(wanted))
    order = [(Refused.recommendation_id, True), (Refused.code, False)]
    return tx.session.scalars(page_of(statement, order, [str, str], limit, cursor)).all()


def refusal_counts(tx: Tx, actor: Actor, wanted: Wanted) -> Sequence[Any]:
    """Per code: its stage, recommendations, clients, and the newest recommendation; most first."""
    number = func.count()
    statement = (
        select(
            Refused.code, func.max(Refused.stage), number,
            func.count(Refused.client_id.distinct()), func.max(Refused.recommendation_id),
        )
        .where(scoped(tx, actor, Refused.client_id), *_conditions(wanted))
        .group_by(Refused.code)
        .order_by(number.desc(), Refused.code)
    )  # fmt: skip
    return tx.session.execute(statement).all()


def refused_as(tx: Tx, actor: Actor, names: Sequence[tuple[str, str]]) -> dict[str, Refused]:
    """One refusal for each code, by code.

    Args:
        tx: the unit of work.
        actor: whose scope.
        names: recommendation and code of each.
    """
    ids = {recommendation for recommendation, _ in names}
    found = tx.session.scalars(
        select(Refused).where(
            scoped(tx, actor, Refused.client_id), Refused.recommendation_id.in_(ids)
        )
    )
    wanted = set(names)
    return {row.code: row for row in found if (row.recommendation_id, row.code) in wanted}


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(Refused.at >= wanted.since)
    if wanted.until is not None:
        found.append(Refused.at < wanted.until)
    if wanted.code is not None:
        found.append(Refused.code == wanted.code)
    if wanted.stage is not None:
        found.append(Refused.stage == wanted.stage)
    if wanted.besides is not None:
        found.append(Refused.stage != wanted.besides)
    return found
