"""Queries of the rules: they watch every client's rows and show nothing to anybody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update

from keepwell.frame import known as beforehand
from keepwell.frame.database import Tx
from keepwell.intervene.rule.model import Complaint, RuleSignal
from keepwell.warn.tier import RaiseRule

_BY_CODE = {rule.code: rule for rule in RaiseRule}


def in_force(tx: Tx, clients: Sequence[str]) -> dict[str, list[RaiseRule]]:
    """The rules that hold now, of clients for whom any does."""
    found: dict[str, list[RaiseRule]] = {}
    rows = tx.session.execute(
        select(RuleSignal.client_id, RuleSignal.rule)  # unscoped: feeds the tier, shown to nobody
        .where(RuleSignal.client_id.in_(clients), RuleSignal.rule.is_not(None), _holds(tx.at))
        .distinct()
        .order_by(RuleSignal.client_id, RuleSignal.rule)
    )
    for client, rule in rows:
        found.setdefault(client, []).append(_BY_CODE[str(rule)])
    return found


def _holds(at: datetime) -> ColumnElement[bool]:
    return or_(RuleSignal.until.is_(None), RuleSignal.until > at)


def known(tx: Tx, table: str, keys: Sequence[str]) -> set[str]:
    """Those of the row keys that were looked at before."""
    return set(
        tx.session.scalars(
            select(RuleSignal.row_key).where(  # unscoped: tells repeated rows
                RuleSignal.table_name == table, RuleSignal.row_key.in_(keys)
            )
        )
    )


def large_before(tx: Tx, client_id: str, at: datetime, span: timedelta) -> bool:
    """Whether a large transfer came within a span before an instant, or at it."""
    found = tx.session.scalar(
        select(func.count()).where(  # unscoped: tells whether a transfer is the first
            RuleSignal.client_id == client_id,
            RuleSignal.large.is_(True),
            RuleSignal.at > at - span,
            RuleSignal.at <= at,
        )
    )
    return bool(found)


def moved_since(tx: Tx, client_id: str, start: datetime, end: datetime) -> int:
    """Money that left in [start, end], minor units, of the rows known."""
    total = tx.session.scalar(
        select(func.coalesce(func.sum(RuleSignal.value), 0)).where(  # unscoped: sums one day
            RuleSignal.client_id == client_id, RuleSignal.at >= start, RuleSignal.at <= end
        )
    )
    return int(total or 0)


def end_rules(tx: Tx, client_id: str, rules: Sequence[RaiseRule]) -> None:
    """Rules of a client no longer hold."""
    tx.session.execute(
        update(RuleSignal)
        .where(
            RuleSignal.client_id == client_id,
            RuleSignal.rule.in_([rule.code for rule in rules]),
            _holds(tx.at),
        )
        .values(until=tx.at)
        .execution_options(synchronize_session=False)
    )


def end_row(tx: Tx, table: str, key: str) -> None:
    """The rule that a row fired no longer holds."""
    row = tx.session.get(RuleSignal, (table, key))
    if row is not None:
        row.until = tx.at


_COMPLAINTS = beforehand.hangs_on("complaint.open", Complaint)


def foresee(tx: Tx, clients: Collection[str]) -> None:
    """Count the open complaints of many clients, whom the caller holds."""
    statement = (
        select(Complaint.client_id, func.count())  # unscoped: a fact for the gate of contacts
        .where(Complaint.client_id.in_(clients), Complaint.closed_at.is_(None))
        .group_by(Complaint.client_id)
    )
    beforehand.learn(tx, _COMPLAINTS, dict.fromkeys(clients, 0))
    beforehand.learn(tx, _COMPLAINTS, {row[0]: row[1] for row in tx.session.execute(statement)})


def open_complaints(tx: Tx, client_id: str) -> int:
    """How many complaints of a client are open."""
    told = beforehand.recall(tx, _COMPLAINTS, client_id)
    if told is not beforehand.MISSING:
        return int(told)
    return int(tx.rows(_OPEN_COMPLAINTS, {"client_id": client_id})[0][0])


_OPEN_COMPLAINTS: Final = select(func.count()).where(  # unscoped: a fact for the gate of contacts
    Complaint.client_id == bindparam("client_id"), Complaint.closed_at.is_(None)
)


def overdue_complaints(tx: Tx, client_id: str) -> int:
    """How many open complaints of a client were found overdue."""
    count = tx.session.scalar(
        select(func.count()).where(  # unscoped: a fact for the rule
            Complaint.client_id == client_id,
            Complaint.closed_at.is_(None),
            Complaint.overdue_at.is_not(None),
        )
    )
    return int(count or 0)


def complaint(tx: Tx, complaint_id: str, lock: bool = False) -> Complaint | None:
    """A complaint."""
    return tx.session.get(Complaint, complaint_id, with_for_update=lock, populate_existing=lock)
