"""Tables of the hold-out: periods, blocks and every client's arm."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class HoldoutPeriod(Base):
    """A period for which arms are drawn; its share does not change any more."""

    __tablename__ = "holdout_period"
    __table_args__ = (CheckConstraint("share >= 0 AND share <= 500000", name="share"),)

    period: Mapped[str] = mapped_column(String(16), primary_key=True)
    share: Mapped[int] = mapped_column()
    """Millionths."""
    secret: Mapped[str] = mapped_column(String(16))
    """Fingerprint of the secret that the lots are drawn with."""
    drawn_at: Mapped[datetime] = mapped_column()
    batches: Mapped[int] = mapped_column(default=0)
    """Draws so far: of the whole book, later of those who came since."""
    model_version: Mapped[str | None] = mapped_column(String(100))
    """The model behind the scores of those drawn first; null before that draw."""


class HoldoutBlock(Base):
    """Clients of one manager who were drawn together, counted."""

    __tablename__ = "holdout_block"
    __table_args__ = (Index("ix_holdout_block_manager_id", "period", "manager_id"),)

    period: Mapped[str] = mapped_column(ForeignKey("holdout_period.period"), primary_key=True)
    stratum: Mapped[str] = mapped_column(String(100), primary_key=True)
    """'<manager>/<batch>', '<manager>/<batch>.<part>', or '<manager>/-' for those drawn alone."""
    manager_id: Mapped[str] = mapped_column(String(64))
    """Empty for clients without a manager."""
    clients: Mapped[int] = mapped_column()
    held_out: Mapped[int] = mapped_column()
    drawn_at: Mapped[datetime] = mapped_column()


class HoldoutArm(Base):
    """A client's arm in a period."""

    __tablename__ = "holdout_arm"
    __table_args__ = (CheckConstraint("arm IN ('contact', 'hold-out')", name="arm"),)

    period: Mapped[str] = mapped_column(ForeignKey("holdout_period.period"), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    arm: Mapped[str] = mapped_column(String(8))
    propensity: Mapped[float] = mapped_column()
    """The chance with which the draw gave this arm."""
    stratum: Mapped[str] = mapped_column(String(100))
    drawn_at: Mapped[datetime] = mapped_column()
    probability: Mapped[float | None] = mapped_column()
    """Of leaving, as scored for the draw; null without a score, and for those drawn alone."""
    tier: Mapped[str | None] = mapped_column(String(16))
    """Of that score; emptied with it when the client refuses profiling (rule PI-4)."""
