"""Tables of outcomes: what the label says of a client after a decision, once it is known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base, Json
from keepwell.frame.guard import only_grows

ERASED = ("y", "why", "left_day")
"""Columns that are emptied when the client refuses profiling (rule PI-4)."""


class Outcome(Base):
    """What became of a client after a day on which the desk decided about them.

    One for each client, day and definition of leaving; where the data are corrected later, another
    row with the next revision follows, and the newest counts.
    """

    __tablename__ = "outcome"
    __table_args__ = (
        UniqueConstraint("client_id", "day", "rule", "revision"),
        CheckConstraint("y in (0, 1)", name="y"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("propensity >= 0 and propensity <= 1", name="propensity"),
        Index("ix_outcome_day", "day", "outcome_id"),
        Index("ix_outcome_batch_id", "batch_id"),
    )

    outcome_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    day: Mapped[date] = mapped_column()
    """The exchange's day of the decision; the label's as-of instant is its beginning."""
    rule: Mapped[str] = mapped_column(String(16))
    """Fingerprint of the definition of leaving."""
    revision: Mapped[int] = mapped_column()
    """Counts from 1."""
    treatment_id: Mapped[str] = mapped_column(String(40))
    """The day's decision that counts, in the log of treatments."""
    decision: Mapped[str] = mapped_column(String(20))
    arm: Mapped[str] = mapped_column(String(8))
    propensity: Mapped[float] = mapped_column()
    period: Mapped[str] = mapped_column(String(16))
    owner_id: Mapped[str | None] = mapped_column(String(64))
    alert_id: Mapped[str | None] = mapped_column(String(40))
    case_id: Mapped[str | None] = mapped_column(String(40), index=True)
    generation_id: Mapped[int | None] = mapped_column()
    """The generation in force at the decision."""
    label: Mapped[str] = mapped_column(String(40))
    label_version: Mapped[int] = mapped_column()
    horizon: Mapped[str] = mapped_column(String(16))
    gap: Mapped[str] = mapped_column(String(16))
    y: Mapped[int | None] = mapped_column()
    """1 left, 0 stayed; null where that is not known or not counted."""
    why: Mapped[str | None] = mapped_column(String(20))
    """Code of `warn.label.Why`; null once the client refuses profiling."""
    left_day: Mapped[date | None] = mapped_column()
    """The day of leaving, where an event dates it."""
    matured_at: Mapped[datetime] = mapped_column()
    """The end of the horizon."""
    recorded_at: Mapped[datetime] = mapped_column()
    manifest: Mapped[int] = mapped_column()
    """Number of the lake's manifest that was read."""
    batch_id: Mapped[str] = mapped_column(String(40))
    """The batch whose evidence entry holds the digest of its seals."""
    seal: Mapped[str] = mapped_column(String(64))
    """Commitment to this row under the client's salt."""


class OutcomeDay(Base):
    """A day of decisions whose outcomes were read, and when they were looked at last."""

    __tablename__ = "outcome_day"
    __table_args__ = (Index("ix_outcome_day_checked_at", "rule", "checked_at"),)

    rule: Mapped[str] = mapped_column(String(16), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(Json)
    clients: Mapped[int] = mapped_column()
    """Clients decided about; days without any are not looked at again."""
    matured_at: Mapped[datetime] = mapped_column()
    checked_at: Mapped[datetime] = mapped_column()
    manifest: Mapped[int] = mapped_column()
    """The newest manifest that the day was read from."""


only_grows(Outcome.__table__, free=ERASED)
