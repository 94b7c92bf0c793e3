"""Tables of clocks: policies in every version, clocks, and the log that is their truth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.trust.evidence.attest import ERASABLE, vouch

NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""Where a clock without a due time stands in a list by due time."""


class ClockPolicy(Base):
    """A version of a policy; never changed once stored."""

    __tablename__ = "clock_policy"
    __table_args__ = (UniqueConstraint("name", "version"),)

    policy_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column()
    content: Mapped[dict[str, Any]] = mapped_column()
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column()
    created_by: Mapped[str] = mapped_column(String(40))


class ActivePolicy(Base):
    """The policy in force: one row."""

    __tablename__ = "clock_policy_active"
    __table_args__ = (CheckConstraint("one = 1", name="single"),)

    one: Mapped[int] = mapped_column(primary_key=True, default=1)
    policy_id: Mapped[str] = mapped_column(ForeignKey("clock_policy.policy_id"))


class Clock(Base):
    """A promise of time; all but its origin is a projection of its log."""

    __tablename__ = "clock"
    __table_args__ = (
        CheckConstraint("subject_kind in ('case', 'exit')", name="subject_kind"),
        CheckConstraint(
            "state in ('running', 'paused', 'breached', 'met', 'cancelled')", name="state"
        ),
        CheckConstraint("calendar in ('always', 'exchange', 'office')", name="calendar"),
        CheckConstraint("target_us > 0", name="target"),
        Index("ix_clock_subject", "subject_kind", "subject_id"),
        Index("ix_clock_client_id", "client_id"),
        Index("ix_clock_due_rank", "due_rank", "clock_id"),
        Index("ix_clock_state", "state", "due_rank", "clock_id"),
    )

    clock_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject_kind: Mapped[str] = mapped_column(String(8))
    subject_id: Mapped[str] = mapped_column(String(200))
    client_id: Mapped[str] = mapped_column(String(200))
    policy_id: Mapped[str] = mapped_column(ForeignKey("clock_policy.policy_id"), index=True)
    code: Mapped[str] = mapped_column(String(100))
    calendar: Mapped[str] = mapped_column(String(16))
    round: Mapped[int] = mapped_column()
    """How many times its subject was opened; a reopened case starts anew."""
    owner_id: Mapped[str | None] = mapped_column(String(64))
    tier: Mapped[str | None] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column()
    target_us: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    elapsed_us: Mapped[int] = mapped_column(BigInteger)
    """Working time passed until `running_since`, or in all when it does not run."""
    running_since: Mapped[datetime | None] = mapped_column()
    due_at: Mapped[datetime | None] = mapped_column()
    due_rank: Mapped[datetime] = mapped_column()
    """`due_at` for sorting, never null."""
    late: Mapped[bool] = mapped_column()
    pause_reason: Mapped[str | None] = mapped_column(String(32))
    ended_at: Mapped[datetime | None] = mapped_column()
    version: Mapped[int] = mapped_column()


class ClockEvent(Base):
    """An entry of a clock's log; only ever added."""

    __tablename__ = "clock_event"

    clock_id: Mapped[str] = mapped_column(ForeignKey("clock.clock_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]] = mapped_column()
    note: Mapped[str | None] = mapped_column(String(4000))
    """What a person wrote; it goes nowhere else."""


vouch(ClockEvent.__table__, ("kind", "at", "actor_id", "data", "note"))
only_grows(ClockEvent.__table__, keys={"data": ERASABLE})
