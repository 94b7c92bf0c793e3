"""Tables of jobs: the work itself, the last tick of what recurs, and which workers live."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


_LIVE = text("state in ('waiting', 'running')")
_WAITING = text("state = 'waiting'")
_RUNNING = text("state = 'running'")

# Written out, not bound: a planner uses a partial index only for a condition that it can read.
IS_LIVE = text("job.state in ('waiting', 'running')")
"""The condition under which a job's key is taken."""
IS_WAITING = text("job.state = 'waiting'")
"""The condition for jobs that nobody does yet."""
IS_RUNNING = text("job.state = 'running'")
"""The condition for jobs that a worker holds."""


class Job(Base):
    """A piece of work to be done once at some time, by whichever worker comes first."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(
            "state in ('waiting', 'running', 'done', 'dead', 'cancelled')", name="state"
        ),
        CheckConstraint("lane in ('inside', 'outside')", name="lane"),
        CheckConstraint("state <> 'running' or owner is not null", name="owned"),
        Index("uq_job_live_key", "key", unique=True, postgresql_where=_LIVE, sqlite_where=_LIVE),
        Index(
            "ix_job_due", "lane", "due_at", "number",
            postgresql_where=_WAITING, sqlite_where=_WAITING,
        ),
        Index(
            "ix_job_lease", "lease_until", postgresql_where=_RUNNING, sqlite_where=_RUNNING
        ),
        Index("ix_job_state", "state", "number"),
        Index("ix_job_kind", "kind", "number"),
        Index("ix_job_finished", "state", "finished_at"),
    )  # fmt: skip

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    """Grows with each job, so that jobs due at one instant run in the order of their making."""
    kind: Mapped[str] = mapped_column(String(80))
    lane: Mapped[str] = mapped_column(String(8))
    """'inside' for work in the database, 'outside' for what waits on other systems."""
    key: Mapped[str | None] = mapped_column(
        String(260).with_variant(String(260, collation="C"), "postgresql")
    )
    """Ordered by bytes on both databases, so that a prefix is a range."""
    payload: Mapped[dict[str, Any]] = mapped_column()
    state: Mapped[str] = mapped_column(String(16))
    due_at: Mapped[datetime] = mapped_column()
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts that have ended: well, by an error, or with the worker that made them."""
    max_attempts: Mapped[int] = mapped_column()
    lease_until: Mapped[datetime | None] = mapped_column()
    owner: Mapped[str | None] = mapped_column(String(40))
    error: Mapped[str | None] = mapped_column(String(200))
    """Class and code of the last failure; never its words, which may name a person."""
    created_at: Mapped[datetime] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()

    @property
    def job_id(self) -> str:
        """The id shown to people."""
        return f"job_{self.number}"


class JobSchedule(Base):
    """The newest tick of each recurring kind that was made a job."""

    __tablename__ = "job_schedule"

    kind: Mapped[str] = mapped_column(String(80), primary_key=True)
    tick: Mapped[datetime] = mapped_column()


class JobWorker(Base):
    """A worker process that says every few seconds that it lives."""

    __tablename__ = "job_worker"
    __table_args__ = (Index("ix_job_worker_seen_at", "seen_at"),)

    worker_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int] = mapped_column()
    started_at: Mapped[datetime] = mapped_column()
    seen_at: Mapped[datetime] = mapped_column()
