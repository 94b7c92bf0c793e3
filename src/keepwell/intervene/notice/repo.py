"""Queries over notices, and over the people whom notices go to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, or_, select, update

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.notice.model import Notice
from keepwell.trust.access.model import Branch, Staff, User
from keepwell.trust.access.policy import Actor, Role
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import current_generation

_READ = case((Notice.read_at.is_(None), 0), else_=1)
_ORDER = ((_READ, False), (Notice.at, True), (Notice.notice_id, True))


def addressed_to(actor: Actor) -> ColumnElement[bool]:
    """The condition for a person's own notices."""
    own: ColumnElement[bool] = Notice.user_id == actor.user_id
    return or_(own, Notice.staff_id == actor.staff_id) if actor.staff_id else own


def page(tx: Tx, actor: Actor, limit: int, cursor: str | None, unread: bool) -> Sequence[Notice]:
    """A person's notices, unread first, then newest first; one more than the page."""
    statement = select(Notice).where(addressed_to(actor))  # unscoped: addressed to the reader
    if unread:
        statement = statement.where(Notice.read_at.is_(None))
    return tx.session.scalars(page_of(statement, _ORDER, (int, datetime, str), limit, cursor)).all()


def of_batch(tx: Tx, staff_id: str, kind: str, batch_id: str) -> Notice | None:
    """The notice about a batch that was written at this very moment, if any."""
    statement = select(Notice).where(  # unscoped: who is told, no client is read
        Notice.staff_id == staff_id, Notice.at == tx.at, Notice.kind == kind
    )
    some = tx.session.scalars(statement)
    return next((row for row in some if row.data.get("batch_id") == batch_id), None)


def unread_count(tx: Tx, actor: Actor, most: int) -> int:
    """How many of one's own notices are unread, counted up to `most`."""
    some = (
        select(Notice.notice_id)  # unscoped: one's own
        .where(addressed_to(actor), Notice.read_at.is_(None))
        .limit(most)
        .subquery()
    )
    return tx.session.scalar(select(func.count()).select_from(some)) or 0


def sort_values(notice: Notice) -> list[Any]:
    """What a cursor after this notice holds."""
    return [0 if notice.read_at is None else 1, notice.at, notice.notice_id]


def mark_read(tx: Tx, actor: Actor, ids: Sequence[str] | None) -> int:
    """Mark one's own notices as read (None: all); how many were unread."""
    statement = update(Notice).where(addressed_to(actor), Notice.read_at.is_(None))
    if ids is not None:
        statement = statement.where(Notice.notice_id.in_(ids))
    result: Any = tx.session.execute(
        statement.values(read_at=tx.at).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def prune(tx: Tx, before: datetime) -> int:
    """Delete notices read before an instant; how many."""
    result: Any = tx.session.execute(
        delete(Notice).where(Notice.read_at < before).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def forget_tiers(tx: Tx, client_id: str, names: Collection[str]) -> None:
    """Take what a model said of a client out of the notices about it (rule PI-4)."""
    statement = select(Notice).where(Notice.client_id == client_id)  # unscoped: a client's right
    for notice in tx.session.scalars(statement):
        if not notice.data.keys().isdisjoint(names):
            notice.data = {n: v for n, v in notice.data.items() if n not in names}


_STAFF = known.hangs_on("notice.staff", Staff)


def foresee(tx: Tx, staff_ids: Collection[str]) -> None:
    """Look up which of many numbers are active staff."""
    found = known_staff(tx, sorted(staff_ids))
    known.learn(tx, _STAFF, dict.fromkeys(staff_ids, False) | dict.fromkeys(found, True))


def known_staff(tx: Tx, staff_ids: Sequence[str]) -> list[str]:
    """Those of the numbers that are staff, active ones only, in order."""
    told = [known.recall(tx, _STAFF, staff_id) for staff_id in staff_ids]
    if known.MISSING not in told:
        return sorted(s for s, active in zip(staff_ids, told, strict=True) if active)
    statement = select(Staff.staff_id).where(Staff.staff_id.in_(staff_ids), Staff.active)
    return sorted(tx.session.scalars(statement))


def users_of(tx: Tx, role: Role) -> list[tuple[str, str | None]]:
    """User and staff number of every active user of a role."""
    statement = (
        select(User.user_id, User.staff_id)
        .where(User.role == role.value, User.active)
        .order_by(User.user_id)
    )
    return [(user, staff) for user, staff in tx.session.execute(statement)]


def leads(tx: Tx, staff_id: str) -> list[str]:
    """Leads of the team of a member of staff, that person apart."""
    team = select(Staff.team_id).where(Staff.staff_id == staff_id).scalar_subquery()
    statement = select(Staff.staff_id).where(
        Staff.team_id == team, Staff.role == Role.LEAD.value, Staff.active,
        Staff.staff_id != staff_id,
    )  # fmt: skip
    return sorted(tx.session.scalars(statement))


def region_of_staff(tx: Tx, staff_id: str) -> str | None:
    """The region a member of staff works in, by the branch or of their own."""
    statement = (
        select(Branch.region_id, Staff.region_id)
        .select_from(Staff)
        .outerjoin(Branch, Branch.branch_id == Staff.branch_id)
        .where(Staff.staff_id == staff_id)
    )
    found = tx.session.execute(statement).first()
    return None if found is None else found[0] or found[1]


def region_of_client(tx: Tx, client_id: str) -> str | None:
    """The region of a client's branch."""
    statement = (
        select(Branch.region_id)  # unscoped: finds who answers for the client
        .join(Client, Client.branch_id == Branch.branch_id)
        .where(Client.generation_id == current_generation(), Client.client_id == client_id)
    )
    return tx.session.scalar(statement)


def manager_of(tx: Tx, client_id: str) -> str | None:
    """The manager of a client."""
    statement = select(Client.manager_id).where(  # unscoped: finds who answers for the client
        Client.generation_id == current_generation(), Client.client_id == client_id
    )
    return tx.session.scalar(statement)


def directors(tx: Tx, region_id: str, but: str | None) -> list[str]:
    """Directors of a region, one person apart."""
    statement = select(Staff.staff_id).where(
        Staff.region_id == region_id, Staff.role == Role.DIRECTOR.value, Staff.active
    )
    return sorted(set(tx.session.scalars(statement)) - {but})
