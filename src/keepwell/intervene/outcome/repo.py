"""Queries behind outcomes: the log of treatments by day, closed cases, what contacts used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from keepwell.frame.database import Tx
from keepwell.intervene.alert.model import Alert, Treatment
from keepwell.intervene.case.model import Case
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import Direction
from keepwell.trust.access.model import Staff, Team
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped


def first_decision(tx: Tx) -> datetime | None:
    """When the desk decided for the first time."""
    return tx.session.scalar(select(func.min(Treatment.at)))  # unscoped: the desk's own log


def decided(tx: Tx, since: datetime, until: datetime, of: Collection[str]) -> Sequence[Any]:
    """Decisions of a span with the case that the alert is in, by client and then by time."""
    statement = (
        select(Treatment, Alert.case_id)  # unscoped: labels are read for every client at once
        .join(Alert, Alert.alert_id == Treatment.alert_id, isouter=True)
        .where(Treatment.at >= since, Treatment.at < until, Treatment.decision.in_(list(of)))
        .order_by(Treatment.client_id, Treatment.at, Treatment.treatment_id)
    )
    return tx.session.execute(statement).all()


def closed_cases(
    tx: Tx, actor: Actor, states: Collection[str], since: datetime, until: datetime, limit: int
) -> Sequence[Any]:
    """Cases closed in a span with an outcome that a person chose, the newest first."""
    statement = (
        select(
            Case.case_id, Case.client_id, Case.owner_id, Case.state, Case.close_reason,
            Case.opened_at, Case.closed_at, Staff.team_id,
        )
        .join(Staff, Staff.staff_id == Case.owner_id, isouter=True)
        .where(
            scoped(tx, actor, Case.client_id), Case.state.in_(list(states)),
            Case.closed_at >= since, Case.closed_at < until,
        )
        .order_by(Case.closed_at.desc(), Case.case_id)
        .limit(limit)
    )  # fmt: skip
    return tx.session.execute(statement).all()


def used(tx: Tx, actor: Actor, since: datetime, until: datetime, limit: int) -> Sequence[Any]:
    """Contacts of a span that the desk began and that used a script or an action, with the case."""
    statement = (
        select(
            Contact.action_id, Contact.action_version, Contact.script_id, Contact.case_id,
            Contact.client_id, Case.opened_at, Case.closed_at,
        )
        .join(Case, Case.case_id == Contact.case_id)
        .where(
            scoped(tx, actor, Contact.client_id), Contact.direction == Direction.OUT.value,
            Contact.at >= since, Contact.at < until,
            Contact.action_id.is_not(None) | Contact.script_id.is_not(None),
        )
        .order_by(Contact.at.desc(), Contact.contact_id)
        .limit(limit)
    )  # fmt: skip
    return tx.session.execute(statement).all()


def team_names(tx: Tx, teams: Collection[str]) -> dict[str, str]:
    """Names of teams."""
    rows = tx.session.execute(select(Team.team_id, Team.name).where(Team.team_id.in_(list(teams))))
    return {str(team): str(name) for team, name in rows}
