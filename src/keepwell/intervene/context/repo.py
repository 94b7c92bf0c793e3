"""Queries behind a client's history and the look-up of a caller."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import exists, select

from keepwell.frame.database import Tx
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.case.model import Case, CaseEvent, CaseNote
from keepwell.intervene.case.policy import EventKind
from keepwell.trust.access.model import Branch, Staff, User
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import current_generation, scoped, visible

# A contact and a note have rows of their own, which say more than the line about them.
_TOLD_ELSEWHERE = (EventKind.CONTACTED.value, EventKind.NOTED.value)


def case_lines(
    tx: Tx, actor: Actor, client_id: str, limit: int
) -> list[tuple[CaseEvent, str, str | None]]:
    """Lines of the histories of a client's cases, newest first: line, case's reason, who."""
    statement = (
        select(CaseEvent, Case.reason, User.name)
        .join(Case, Case.case_id == CaseEvent.case_id)
        .outerjoin(User, User.user_id == CaseEvent.actor_id)
        .where(
            Case.client_id == client_id,
            CaseEvent.kind.not_in(_TOLD_ELSEWHERE),
            scoped(tx, actor, Case.client_id, few=True),
        )
        .order_by(CaseEvent.at.desc(), CaseEvent.event_id.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in tx.session.execute(statement)]


def notes(tx: Tx, actor: Actor, client_id: str, limit: int) -> list[tuple[CaseNote, str]]:
    """Notes in a client's cases, newest first: note, case's reason."""
    statement = (
        select(CaseNote, Case.reason)
        .join(Case, Case.case_id == CaseNote.case_id)
        .where(Case.client_id == client_id, scoped(tx, actor, Case.client_id, few=True))
        .order_by(CaseNote.at.desc(), CaseNote.note_id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def alerts_shown(tx: Tx, actor: Actor, client_id: str, limit: int) -> Sequence[Alert]:
    """Alerts about a client that were shown to people at some time, newest first."""
    statement = (
        select(Alert)
        .where(
            Alert.client_id == client_id,
            Alert.shown_at.is_not(None),
            scoped(tx, actor, Alert.client_id, few=True),
        )
        .order_by(Alert.raised_at.desc(), Alert.alert_id.desc())
        .limit(limit)
    )
    return tx.session.scalars(statement).all()


def names_of(
    tx: Tx, staff_ids: Collection[str | None], branch_id: str | None
) -> tuple[dict[str, str], str | None]:
    """Names of staff by their numbers, and of a branch."""
    wanted = [staff for staff in staff_ids if staff]
    statement = select(Staff.staff_id, Staff.name).where(  # unscoped: staff
        Staff.staff_id.in_(wanted)
    )
    staff = {row[0]: row[1] for row in tx.session.execute(statement)} if wanted else {}
    branch = tx.session.get(Branch, branch_id) if branch_id else None
    return staff, branch.name if branch else None


def by_phone(tx: Tx, actor: Actor, numbers: Collection[str], limit: int) -> list[Client]:
    """Clients in the actor's scope who have one of the numbers, exactly."""
    statement = (
        visible(tx, actor)
        .where(Client.phone.in_(list(numbers)))
        .order_by(Client.client_id)
        .limit(limit)
    )
    return list(tx.session.scalars(statement))


def knows_phones(tx: Tx) -> bool:
    """Whether the book in force carries telephone numbers at all."""
    some: Any = exists().where(  # unscoped: whether a column is filled
        Client.generation_id == current_generation(), Client.phone.is_not(None)
    )
    return bool(tx.session.scalar(select(some)))
