"""Tables of experiments: designs, draws, who got which arm, looks, and the effects they proved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.trust.evidence.attest import ERASABLE

STATES = ("draft", "registered", "running", "done", "stopped")


class ExperimentRow(Base):
    """An experiment; its design does not change any more once it is registered."""

    __tablename__ = "experiment"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES!r}", name="state"),
        Index("ix_experiment_created_at", "created_at", "experiment_id"),
        Index("ix_experiment_state", "state", "about"),
    )

    experiment_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    hypothesis: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(String(100))
    """What it is about; a client is in one running experiment about a thing at the most."""
    state: Mapped[str] = mapped_column(String(16))
    design: Mapped[dict[str, Any]] = mapped_column()
    """`asked`: what was asked for; `experiment`: what the statistics go by; `planned_units`."""
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the design as registered."""
    owner_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column()
    registered_at: Mapped[datetime | None] = mapped_column()
    registered_by: Mapped[str | None] = mapped_column(String(40))
    started_at: Mapped[datetime | None] = mapped_column()
    started_by: Mapped[str | None] = mapped_column(String(40))
    ended_at: Mapped[datetime | None] = mapped_column()
    ended_by: Mapped[str | None] = mapped_column(String(40))
    stop_reason: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class ExperimentDraw(Base):
    """One draw: all who could enter at an instant, drawn at once; never changed."""

    __tablename__ = "experiment_draw"
    __table_args__ = (CheckConstraint("batch >= 1", name="batch"),)

    experiment_id: Mapped[str] = mapped_column(
        ForeignKey("experiment.experiment_id"), primary_key=True
    )
    batch: Mapped[int] = mapped_column(primary_key=True)
    """Counts from 1 within the experiment."""
    drawn_at: Mapped[datetime] = mapped_column()
    drawn_by: Mapped[str] = mapped_column(String(40))
    generation_id: Mapped[int] = mapped_column()
    """The book from which it was drawn."""
    period: Mapped[str] = mapped_column(String(16))
    """Of the hold-out whose contact arm could enter."""
    clients: Mapped[int] = mapped_column()
    units: Mapped[int] = mapped_column()
    secret: Mapped[str] = mapped_column(String(16))
    """Fingerprint of the secret that the lots are drawn with."""
    seal: Mapped[str] = mapped_column(String(64))
    """Keyed digest of who got which arm; the evidence log holds it too."""


class ExperimentAssignment(Base):
    """A client's arm in an experiment; never changed.

    Tier and chance are kept as of the draw, until the client refuses profiling (rule PI-4).
    """

    __tablename__ = "experiment_assignment"
    __table_args__ = (
        Index("ix_experiment_assignment_client_id", "client_id"),
        Index("ix_experiment_assignment_batch", "experiment_id", "batch"),
        CheckConstraint("propensity > 0 AND propensity <= 1", name="propensity"),
    )

    experiment_id: Mapped[str] = mapped_column(
        ForeignKey("experiment.experiment_id"), primary_key=True
    )
    client_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    unit_id: Mapped[str] = mapped_column(String(210))
    """What was drawn: the client, or the household."""
    arm: Mapped[str] = mapped_column(String(100))
    propensity: Mapped[float] = mapped_column()
    """The chance with which the draw gave this arm."""
    batch: Mapped[int] = mapped_column()
    block: Mapped[str | None] = mapped_column(String(300))
    """What it was drawn within; names the tier, so it is emptied with it."""
    drawn_at: Mapped[datetime] = mapped_column()
    manager_id: Mapped[str | None] = mapped_column(String(64))
    tier: Mapped[str | None] = mapped_column(String(16))
    probability: Mapped[float | None] = mapped_column()
    assets: Mapped[int | None] = mapped_column(BigInteger)
    """Minor units, as of the draw."""


class ExperimentLook(Base):
    """One look at an experiment, with all that it found; never changed."""

    __tablename__ = "experiment_look"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("kind IN ('planned', 'guardrails')", name="kind"),
    )

    experiment_id: Mapped[str] = mapped_column(
        ForeignKey("experiment.experiment_id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column()
    looked_by: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(16))
    """'planned' looks at the primary metric and counts; 'guardrails' may be had at any time."""
    planned_share: Mapped[float | None] = mapped_column()
    """Share of the planned information at which it was planned; null for guardrails alone."""
    fraction: Mapped[float] = mapped_column()
    """Share of the planned information that was there."""
    counts: Mapped[bool] = mapped_column()
    """Whether it spent some of the error allowed: the primary metric was read."""
    verdict: Mapped[str] = mapped_column(String(20))
    manifest: Mapped[int] = mapped_column()
    """Version of the lake that it was read from."""
    result: Mapped[dict[str, Any]] = mapped_column()


class ExperimentEffect(Base):
    """What an experiment proved of one version of an action; never changed, the newest counts."""

    __tablename__ = "experiment_effect"
    __table_args__ = (Index("ix_experiment_effect_action", "action_id", "action_version"),)

    experiment_id: Mapped[str] = mapped_column(
        ForeignKey("experiment.experiment_id"), primary_key=True
    )
    arm: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column()
    """Of the look that proved it."""
    at: Mapped[datetime] = mapped_column()
    action_id: Mapped[str] = mapped_column(String(60))
    action_version: Mapped[int] = mapped_column()
    reduction: Mapped[float] = mapped_column()
    """Relative reduction of the share who left; below 0 where it did harm."""
    low: Mapped[float] = mapped_column()
    high: Mapped[float] = mapped_column()


only_grows(ExperimentDraw.__table__)
only_grows(ExperimentAssignment.__table__, free=(*ERASABLE, "block", "probability"))
only_grows(ExperimentLook.__table__)
only_grows(ExperimentEffect.__table__)
