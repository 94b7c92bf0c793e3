"""Counts of what happened on the desk in a span; of all clients together, none of them named."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from keepwell.frame.database import Tx
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.case.model import Case
from keepwell.intervene.clock.model import Clock
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.exit.model import ExitRequest
from keepwell.intervene.rule.model import Complaint

Counts = dict[str, int]


def _within(column: Any, since: datetime, until: datetime) -> ColumnElement[bool]:
    found: ColumnElement[bool] = (column >= since) & (column < until)
    return found


def _open_at(begin: Any, end: Any, at: datetime) -> ColumnElement[bool]:
    found: ColumnElement[bool] = (begin < at) & or_(end.is_(None), end >= at)
    return found


def _count(tx: Tx, column: Any, *where: ColumnElement[bool]) -> int:
    found: int | None = tx.session.scalar(select(func.count(column)).where(*where))
    return found or 0


def _by(tx: Tx, group: Any, column: Any, *where: ColumnElement[bool]) -> Counts:
    statement = select(group, func.count(column)).where(*where).group_by(group).order_by(group)
    return {str(code): int(n) for code, n in tx.session.execute(statement)}


def alerts(tx: Tx, since: datetime, until: datetime) -> dict[str, Any]:
    """Alerts raised by tier, shown for the first time, closed, and open at the end."""
    return {
        "raised": _by(tx, Alert.tier, Alert.alert_id, _within(Alert.raised_at, since, until)),
        "shown": _count(tx, Alert.alert_id, _within(Alert.shown_at, since, until)),
        "closed": _count(tx, Alert.alert_id, _within(Alert.closed_at, since, until)),
        "open": _count(tx, Alert.alert_id, _open_at(Alert.raised_at, Alert.closed_at, until)),
    }


def cases(tx: Tx, since: datetime, until: datetime) -> dict[str, Any]:
    """Cases opened, closed by what staff say came of them, and live at the end by state now."""
    return {
        "opened": _count(tx, Case.case_id, _within(Case.opened_at, since, until)),
        "closed": _by(tx, Case.state, Case.case_id, _within(Case.closed_at, since, until)),
        "live": _by(tx, Case.state, Case.case_id, Case.live.is_(True)),
    }


def clocks(tx: Tx, since: datetime, until: datetime) -> Counts:
    """Promises of time begun, kept and run out."""
    late = Clock.late & (Clock.state != "cancelled")
    return {
        "begun": _count(tx, Clock.clock_id, _within(Clock.started_at, since, until)),
        "kept": _count(
            tx, Clock.clock_id, Clock.state == "met", ~Clock.late,
            _within(Clock.ended_at, since, until),
        ),
        "late": _count(tx, Clock.clock_id, late, _within(Clock.due_at, since, until)),
    }  # fmt: skip


def contacts(tx: Tx, since: datetime, until: datetime) -> dict[str, Any]:
    """Contacts by who began, ours by channel and by what came of them."""
    inside, ours = _within(Contact.at, since, until), Contact.direction == "out"
    return {
        "ours": _count(tx, Contact.contact_id, inside, ours),
        "theirs": _count(tx, Contact.contact_id, inside, ~ours),
        "channel": _by(tx, Contact.channel, Contact.contact_id, inside, ours),
        "result": _by(tx, Contact.result, Contact.contact_id, inside, ours),
    }


def complaints(tx: Tx, since: datetime, until: datetime) -> Counts:
    """Complaints made, closed, found to be overdue, and open at the end."""
    key = Complaint.complaint_id
    return {
        "made": _count(tx, key, _within(Complaint.at, since, until)),
        "closed": _count(tx, key, _within(Complaint.closed_at, since, until)),
        "overdue": _count(tx, key, _within(Complaint.overdue_at, since, until)),
        "open": _count(tx, key, _open_at(Complaint.at, Complaint.closed_at, until)),
    }


def exits(tx: Tx, since: datetime, until: datetime) -> Counts:
    """Requests to leave made, carried out, taken back, and open now."""
    key = ExitRequest.request_id
    return {
        "asked": _count(tx, key, _within(ExitRequest.requested_at, since, until)),
        "done": _count(tx, key, _within(ExitRequest.completed_at, since, until)),
        "back": _count(tx, key, _within(ExitRequest.cancelled_at, since, until)),
        "open": _count(tx, key, ExitRequest.state.in_(("requested", "settled"))),
    }
