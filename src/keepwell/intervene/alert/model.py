"""Tables of alerts: tiers in force, alerts, their signals, and the log of treatments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.intervene.alert.policy import AlertReason, Cause, Decision, Status, WakeEvent
from keepwell.trust.evidence.attest import ERASABLE, vouch
from keepwell.warn.tier import Tier

_LIVE = text("status <> 'closed'")
_TIERS = ", ".join(f"'{tier.code}'" for tier in Tier)


def _among(column: str, values: type) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"  # type: ignore[attr-defined]


class TierRow(Base):
    """A client's tier in force; clients without a warning have no row."""

    __tablename__ = "tier_state"
    __table_args__ = (
        CheckConstraint(f"tier IN ({_TIERS})", name="tier"),
        Index("ix_tier_state_generation", "generation_id", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    tier: Mapped[str] = mapped_column(String(16))
    since: Mapped[datetime] = mapped_column()
    low_since: Mapped[datetime | None] = mapped_column()
    raised_by: Mapped[str | None] = mapped_column(String(40))
    """Code of the rule that set the tier; null when the score did."""
    generation_id: Mapped[int] = mapped_column()
    """The generation last looked at; 0 before any."""


class Alert(Base):
    """A warning about a client for one reason, shown or not."""

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint(_among("status", Status), name="status"),
        CheckConstraint(_among("reason", AlertReason), name="reason"),
        CheckConstraint(f"tier IN ({_TIERS})", name="tier"),
        CheckConstraint(
            f"wake_on IS NULL OR {_among('wake_on', WakeEvent)}", name="wake_on"
        ),
        Index(
            "uq_alert_live", "client_id", "reason", unique=True,
            sqlite_where=_LIVE, postgresql_where=_LIVE,
        ),
        Index("ix_alert_urgency", "tier_rank", "weight", "alert_id"),
        Index("ix_alert_raised_at", "raised_at", "alert_id"),
        Index("ix_alert_owner_status", "owner_id", "status", "tier_rank", "weight"),
        Index("ix_alert_owner_day", "owner_id", "shown_day"),
        Index("ix_alert_status", "status", "owner_id"),
        Index("ix_alert_case_id", "case_id"),
        Index("ix_alert_client_id", "client_id", "raised_at"),
    )  # fmt: skip

    alert_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(16))
    tier: Mapped[str] = mapped_column(String(16))
    tier_rank: Mapped[int] = mapped_column()
    """The tier as a number, for sorting."""
    weight: Mapped[float] = mapped_column(default=0.0)
    """Score times assets, for sorting within a tier."""
    score: Mapped[float | None] = mapped_column()
    owner_id: Mapped[str | None] = mapped_column(String(64))
    """Staff number of the client's manager; null where the client has none."""
    case_id: Mapped[str | None] = mapped_column(String(40))
    period: Mapped[str] = mapped_column(String(16))
    """Hold-out period in which it was decided whether to show it."""
    raised_at: Mapped[datetime] = mapped_column()
    signal_at: Mapped[datetime] = mapped_column()
    """Its newest signal."""
    signals: Mapped[int] = mapped_column(default=1)
    generation_id: Mapped[int | None] = mapped_column()
    """The generation in force at its newest signal."""
    held_at: Mapped[datetime | None] = mapped_column()
    """When the ceiling held it back; null while that is not decided yet."""
    shown_at: Mapped[datetime | None] = mapped_column()
    shown_day: Mapped[date | None] = mapped_column()
    """The exchange's day on which it was first shown; counts against that day's ceiling."""
    acknowledged_at: Mapped[datetime | None] = mapped_column()
    acknowledged_by: Mapped[str | None] = mapped_column(String(40))
    snoozed_at: Mapped[datetime | None] = mapped_column()
    wake_at: Mapped[datetime | None] = mapped_column()
    wake_on: Mapped[str | None] = mapped_column(String(20))
    snooze_reason: Mapped[str | None] = mapped_column(String(200))
    closed_at: Mapped[datetime | None] = mapped_column()
    closed_reason: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1)


class AlertSignal(Base):
    """One thing that raised an alert or would have raised it again."""

    __tablename__ = "alert_signal"
    __table_args__ = (Index("ix_alert_signal_alert_id", "alert_id", "at", "signal_id"),)

    signal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.alert_id"))
    _alert: Mapped[Alert] = relationship(lazy="raise")  # alerts are written before their signals
    at: Mapped[datetime] = mapped_column()
    source: Mapped[str] = mapped_column(String(40))
    """'score' or the rule's code."""
    tier: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None] = mapped_column()
    facts: Mapped[dict[str, Any]] = mapped_column()


class Treatment(Base):
    """One decision to show or not to show an alert, logged at the moment it is made."""

    __tablename__ = "treatment"
    __table_args__ = (
        CheckConstraint(_among("decision", Decision), name="decision"),
        CheckConstraint(_among("cause", Cause), name="cause"),
        CheckConstraint("arm IN ('contact', 'hold-out')", name="arm"),
        CheckConstraint("propensity >= 0 AND propensity <= 1", name="propensity"),
        Index("ix_treatment_at", "at", "treatment_id"),
        Index("ix_treatment_client_id", "client_id", "at"),
        Index("ix_treatment_alert_id", "alert_id"),
    )

    treatment_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column()
    client_id: Mapped[str] = mapped_column(String(200))
    alert_id: Mapped[str | None] = mapped_column(ForeignKey("alert.alert_id"))
    """Null where no alert is kept."""
    _alert: Mapped[Alert | None] = relationship(lazy="raise")  # alerts are written first
    reason: Mapped[str] = mapped_column(String(40))
    tier: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None] = mapped_column()
    decision: Mapped[str] = mapped_column(String(20))
    cause: Mapped[str] = mapped_column(String(16))
    arm: Mapped[str] = mapped_column(String(8))
    propensity: Mapped[float] = mapped_column()
    period: Mapped[str] = mapped_column(String(16))
    owner_id: Mapped[str | None] = mapped_column(String(64))
    generation_id: Mapped[int | None] = mapped_column()
    """The generation in force, whose score it was if there was one; null before the first."""
    policy: Mapped[str] = mapped_column(String(16))


vouch(
    Treatment.__table__,
    (
        "at", "client_id", "alert_id", "reason", "decision", "cause", "arm", "propensity",
        "period", "owner_id", "generation_id", "policy",
    ),
)  # fmt: skip
only_grows(Treatment.__table__, free=ERASABLE)
only_grows(AlertSignal.__table__, free=(*ERASABLE, "facts"))
