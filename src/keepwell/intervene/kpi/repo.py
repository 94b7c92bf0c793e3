"""Queries of key figures; what they give of clients are totals and times, over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.case.model import Case
from keepwell.intervene.clock.model import Clock
from keepwell.intervene.kpi.model import KpiNote, KpiReport, KpiReview, KpiTarget, KpiValue
from keepwell.trust.access.model import User


def values(
    tx: Tx, kpi_id: str | None = None, since: date | None = None, month: date | None = None
) -> Sequence[KpiValue]:
    """The revisions in force, by key figure and month.

    Args:
        tx: the unit of work.
        kpi_id: only this one.
        since: this month or later.
        month: only this one.
    """
    statement = select(KpiValue)
    if kpi_id is not None:
        statement = statement.where(KpiValue.kpi_id == kpi_id)
    if since is not None:
        statement = statement.where(KpiValue.month >= since)
    if month is not None:
        statement = statement.where(KpiValue.month == month)
    order = (KpiValue.kpi_id, KpiValue.version, KpiValue.month, KpiValue.revision)
    rows = tx.session.scalars(statement.order_by(*order)).all()
    newest = {(row.kpi_id, row.version, row.month): row for row in rows}
    return list(newest.values())


def targets(tx: Tx, kpi_id: str | None = None) -> Sequence[KpiTarget]:
    """What was set, in the order in which it holds: the last that fits a month is in force."""
    statement = select(KpiTarget)
    if kpi_id is not None:
        statement = statement.where(KpiTarget.kpi_id == kpi_id)
    order = (KpiTarget.kpi_id, KpiTarget.from_month, KpiTarget.set_at, KpiTarget.target_id)
    return tx.session.scalars(statement.order_by(*order)).all()


def reviews(tx: Tx, kpi_id: str | None = None, state: str | None = None) -> Sequence[KpiReview]:
    """Reviews, open ones first, the newest of each first."""
    statement = select(KpiReview)
    if kpi_id is not None:
        statement = statement.where(KpiReview.kpi_id == kpi_id)
    if state is not None:
        statement = statement.where(KpiReview.state == state)
    order = (KpiReview.state.desc(), KpiReview.opened_at.desc(), KpiReview.review_id.desc())
    return tx.session.scalars(statement.order_by(*order)).all()


def review(tx: Tx, review_id: str, lock: bool = False) -> KpiReview | None:
    """A review."""
    statement = select(KpiReview).where(KpiReview.review_id == review_id)
    return tx.session.scalar(statement.with_for_update() if lock else statement)


def notes(tx: Tx, review_id: str) -> Sequence[KpiNote]:
    """The notes of a review, oldest first."""
    statement = select(KpiNote).where(KpiNote.review_id == review_id)
    return tx.session.scalars(statement.order_by(KpiNote.number)).all()


def reports(tx: Tx, most: int = 60) -> Sequence[KpiReport]:
    """Reports, the newest first."""
    statement = select(KpiReport).order_by(KpiReport.until.desc()).limit(most)
    return tx.session.scalars(statement).all()


def report(tx: Tx, report_id: str) -> KpiReport | None:
    """A report."""
    return tx.session.get(KpiReport, report_id)


def owners(tx: Tx, roles: Sequence[str]) -> Sequence[User]:
    """Active users of some roles, by log-in name: who may be given a key figure."""
    statement = select(User).where(User.active, User.role.in_(roles)).order_by(User.login)
    return tx.session.scalars(statement.limit(500)).all()


def active_user(tx: Tx, user_id: str) -> User | None:
    """A user who may log in."""
    return tx.session.scalar(select(User).where(User.user_id == user_id, User.active))


def responses(tx: Tx, start: datetime, end: datetime) -> Sequence[tuple[datetime, datetime | None]]:
    """When each case of a span was opened, and when its client was first contacted."""
    statement = select(Case.opened_at, Case.contacted_at).where(  # unscoped: times of all cases
        Case.opened_at >= start, Case.opened_at < end
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def clocks(tx: Tx, start: datetime, end: datetime) -> Sequence[Any]:
    """Clocks begun in a span and not cancelled: client, due, whether late, end."""
    statement = select(  # unscoped: how many promises of all were kept
        Clock.client_id, Clock.due_at, Clock.late, Clock.ended_at
    ).where(Clock.started_at >= start, Clock.started_at < end, Clock.state != "cancelled")
    return tx.session.execute(statement).all()


def warned(tx: Tx, at: datetime) -> Sequence[str]:
    """Clients with an alert for their risk open at an instant, shown or not."""
    statement = select(Alert.client_id).where(  # unscoped: counted only, by nobody's book
        Alert.reason == AlertReason.RISK.value,
        Alert.raised_at < at,
        or_(Alert.closed_at.is_(None), Alert.closed_at >= at),
    )
    return sorted(set(tx.session.scalars(statement)))


def newest_note(tx: Tx, review_id: str) -> int:
    """Number of the newest note; 0 without one."""
    statement = select(func.max(KpiNote.number)).where(KpiNote.review_id == review_id)
    return tx.session.scalar(statement) or 0


def reviews_page(
    tx: Tx, kpi_id: str | None, state: str | None, limit: int, cursor: str | None
) -> Sequence[KpiReview]:
    """A page of reviews and one more, the newest first."""
    statement = select(KpiReview)
    if kpi_id is not None:
        statement = statement.where(KpiReview.kpi_id == kpi_id)
    if state is not None:
        statement = statement.where(KpiReview.state == state)
    columns = [(KpiReview.opened_at, True), (KpiReview.review_id, True)]
    return tx.session.scalars(page_of(statement, columns, [datetime, str], limit, cursor)).all()


def reports_page(tx: Tx, limit: int, cursor: str | None) -> Sequence[KpiReport]:
    """A page of reports and one more, the newest first."""
    columns = [(KpiReport.made_at, True), (KpiReport.report_id, True)]
    statement = page_of(select(KpiReport), columns, [datetime, str], limit, cursor)
    return tx.session.scalars(statement).all()
