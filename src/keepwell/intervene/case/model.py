"""Tables of cases: the case, its append-only history, notes, tasks, files and reassignments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.intervene.case.policy import (
    LIVE,
    NOT_DUE,
    OUTCOMES,
    TIERS,
    CaseReason,
    EventKind,
    Retention,
    State,
)
from keepwell.trust.evidence.attest import ERASABLE, vouch


def _among(column: str, values: Any) -> str:
    return f"{column} in ({', '.join(repr(str(value)) for value in values)})"


class Case(Base):
    """A retention case: one client, one reason; at most one is live."""

    __tablename__ = "retention_case"
    __table_args__ = (
        Index(
            "uq_retention_case_live", "client_id", "reason", unique=True,
            sqlite_where=text("live"), postgresql_where=text("live"),
        ),
        Index("ix_retention_case_client", "client_id", "reason", "opened_at"),
        Index("ix_retention_case_due", "live", "next_due_at", "urgency", "case_id"),
        Index("ix_retention_case_opened", "opened_at", "case_id"),
        Index("ix_retention_case_urgent", "next_due_at", "urgency", "case_id"),
        Index("ix_retention_case_owner", "owner_id", "live", "next_due_at", "urgency", "case_id"),
        CheckConstraint(_among("reason", CaseReason), name="reason"),
        CheckConstraint(_among("tier", TIERS), name="tier"),
        CheckConstraint(_among("state", State), name="state"),
        CheckConstraint(_among("retention", Retention), name="retention"),
        CheckConstraint("level between 0 and 2", name="level"),
        CheckConstraint(f"live = ({_among('state', LIVE)})", name="live"),
        CheckConstraint(
            f"({_among('state', OUTCOMES)}) = (closed_at is not null and close_reason is not null)",
            name="closure",
        ),
    )  # fmt: skip

    case_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(40))
    tier: Mapped[str] = mapped_column(String(16))
    """The highest tier of its alerts since it was opened."""
    urgency: Mapped[int] = mapped_column()
    """The tier as a number for sorting; 0 is severe."""
    title: Mapped[str] = mapped_column(String(200), default="")
    plan: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default=State.OPEN.value)
    live: Mapped[bool] = mapped_column(default=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("staff.staff_id"))
    """Null where the client has no manager; a lead gives such a case to somebody."""
    level: Mapped[int] = mapped_column(default=0)
    escalated_to: Mapped[str | None] = mapped_column(ForeignKey("staff.staff_id"), index=True)
    retention: Mapped[str] = mapped_column(String(8), default=Retention.FREE.value)
    alerts: Mapped[int] = mapped_column(default=0)
    alert_id: Mapped[str | None] = mapped_column(String(40))
    """The newest alert."""
    previous_id: Mapped[str | None] = mapped_column(
        ForeignKey("retention_case.case_id"), index=True
    )
    opened_at: Mapped[datetime] = mapped_column()
    state_at: Mapped[datetime] = mapped_column()
    contacted_at: Mapped[datetime | None] = mapped_column()
    closed_at: Mapped[datetime | None] = mapped_column()
    close_reason: Mapped[str | None] = mapped_column(String(40))
    close_note: Mapped[str | None] = mapped_column(Text)
    next_due_at: Mapped[datetime] = mapped_column(default=NOT_DUE)
    """When the first of its clocks is due; kept by the clock room for sorting, not in history."""
    version: Mapped[int] = mapped_column(default=1)


class CaseEvent(Base):
    """One line of a case's history; never changed and never deleted."""

    __tablename__ = "case_event"
    __table_args__ = (
        UniqueConstraint("case_id", "number"),
        CheckConstraint(_among("kind", EventKind), name="kind"),
    )

    event_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("retention_case.case_id"))
    number: Mapped[int] = mapped_column()
    """Counts from 1 within the case."""
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(16))
    old: Mapped[dict[str, Any]] = mapped_column()
    new: Mapped[dict[str, Any]] = mapped_column()
    reason: Mapped[str] = mapped_column(String(200), default="")
    """A code or an id: what made it happen."""


class CaseNote(Base):
    """A note; a correction is a new note."""

    __tablename__ = "case_note"
    __table_args__ = (Index("ix_case_note_case_id", "case_id", "number"),)

    note_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("retention_case.case_id"))
    number: Mapped[int] = mapped_column()
    """That of its line in the case's history, by which lists are sorted."""
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    corrects_id: Mapped[str | None] = mapped_column(ForeignKey("case_note.note_id"), index=True)


class CaseTask(Base):
    """Something to do in a case."""

    __tablename__ = "case_task"
    __table_args__ = (
        Index("ix_case_task_case_id", "case_id", "number"),
        Index("ix_case_task_assignee_id", "assignee_id", "done_at", "due_at"),
    )

    task_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("retention_case.case_id"))
    number: Mapped[int] = mapped_column()
    """That of its line in the case's history, by which lists are sorted."""
    title: Mapped[str] = mapped_column(String(200))
    due_at: Mapped[datetime | None] = mapped_column()
    assignee_id: Mapped[str | None] = mapped_column(ForeignKey("staff.staff_id"))
    created_at: Mapped[datetime] = mapped_column()
    created_by: Mapped[str] = mapped_column(String(40))
    done_at: Mapped[datetime | None] = mapped_column()
    done_by: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1)


class CaseFile(Base):
    """A file attached to a case; its content lies in the workspace under its digest."""

    __tablename__ = "case_file"
    __table_args__ = (Index("ix_case_file_case_id", "case_id", "number"),)

    file_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("retention_case.case_id"))
    number: Mapped[int] = mapped_column()
    """That of its line in the case's history, by which lists are sorted."""
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column()
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))


class Reassignment(Base):
    """A plan to give cases to other staff; once carried out, a batch that can be undone."""

    __tablename__ = "case_reassignment"

    plan_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(40), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the ids, versions and takers."""
    moves: Mapped[list[Any]] = mapped_column()
    """{case_id, version, from, to}; after the batch also its version and the tasks moved."""
    created_at: Mapped[datetime] = mapped_column()
    batch_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    done_at: Mapped[datetime | None] = mapped_column()
    undone_at: Mapped[datetime | None] = mapped_column()


vouch(CaseEvent.__table__, ("case_id", "number", "at", "actor_id", "kind", "old", "new", "reason"))
only_grows(CaseEvent.__table__, keys={"old": ERASABLE, "new": ERASABLE})
