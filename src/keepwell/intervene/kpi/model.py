"""Tables of key figures: values by month, owners and targets, reviews with notes, reports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows


class KpiValue(Base):
    """What one version of a key figure was in a month; computed anew, another revision."""

    __tablename__ = "kpi_value"
    __table_args__ = (
        CheckConstraint("(value is null) <> (absent is null)", name="value"),
        CheckConstraint("revision >= 1", name="revision"),
    )

    kpi_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    """Counts from 1; the greatest is in force."""
    value: Mapped[float | None] = mapped_column(Float)
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)
    n: Mapped[int] = mapped_column()
    """Rows or clients behind it."""
    absent: Mapped[str | None] = mapped_column(String(20))
    """Why there is no value."""
    target: Mapped[float | None] = mapped_column(Float)
    """The target then in force."""
    known_by: Mapped[datetime] = mapped_column()
    """Nothing learned later was used."""
    manifest: Mapped[int | None] = mapped_column()
    """Of the lake it was read from; null without one."""
    computed_at: Mapped[datetime] = mapped_column()


class KpiTarget(Base):
    """Owner and target of a key figure from a month on, as somebody set them."""

    __tablename__ = "kpi_target"
    __table_args__ = (Index("ix_kpi_target_kpi_id", "kpi_id", "from_month", "set_at"),)

    target_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kpi_id: Mapped[str] = mapped_column(String(40))
    from_month: Mapped[date] = mapped_column()
    target: Mapped[float | None] = mapped_column(Float)
    """Null: from then on there is none."""
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("app_user.user_id"), index=True)
    reason: Mapped[str] = mapped_column(String(200))
    set_by: Mapped[str] = mapped_column(String(40))
    set_at: Mapped[datetime] = mapped_column()


class KpiReview(Base):
    """Why a key figure was off its target for months running, and what changes."""

    __tablename__ = "kpi_review"
    __table_args__ = (
        UniqueConstraint("kpi_id", "since"),
        CheckConstraint("state in ('open', 'closed')", name="state"),
        CheckConstraint(
            "(state = 'closed') = (closed_at is not null and findings is not null"
            " and changes is not null)",
            name="closure",
        ),
        Index("ix_kpi_review_state", "state", "due_on", "review_id"),
    )

    review_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kpi_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[int] = mapped_column()
    """Of the key figure."""
    since: Mapped[date] = mapped_column()
    """First month of the run."""
    until: Mapped[date] = mapped_column()
    """Month with which the review opened."""
    months: Mapped[list[Any]] = mapped_column()
    """{month, value, target} of the run then."""
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("app_user.user_id"), index=True)
    due_on: Mapped[date] = mapped_column()
    state: Mapped[str] = mapped_column(String(8), default="open")
    opened_at: Mapped[datetime] = mapped_column()
    findings: Mapped[str | None] = mapped_column(Text)
    changes: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column()
    closed_by: Mapped[str | None] = mapped_column(String(40))
    row_version: Mapped[int] = mapped_column(default=1)


class KpiNote(Base):
    """A note in a review."""

    __tablename__ = "kpi_note"

    review_id: Mapped[str] = mapped_column(ForeignKey("kpi_review.review_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts from 1 within the review."""
    text: Mapped[str] = mapped_column(Text)
    author_id: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column()


class KpiReport(Base):
    """One two-weekly report: its figures, from which both languages are written."""

    __tablename__ = "kpi_report"
    __table_args__ = (
        UniqueConstraint("until"),
        CheckConstraint("since < until", name="span"),
    )

    report_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[date] = mapped_column()
    until: Mapped[date] = mapped_column()
    """The day after the last one told of."""
    made_at: Mapped[datetime] = mapped_column()
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the figures, as the evidence log has it."""
    figures: Mapped[dict[str, Any]] = mapped_column()


for _grows in (KpiValue, KpiTarget, KpiNote, KpiReport):
    only_grows(_grows.__table__)
