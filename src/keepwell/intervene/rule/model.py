"""Tables of the rules: contract rows that a rule looked at, and complaints."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class RuleSignal(Base):
    """A contract row that matters to a rule; the same row again has no further effect."""

    __tablename__ = "rule_signal"
    __table_args__ = (
        CheckConstraint(
            "rule IS NULL OR rule IN "
            "('first-large-transfer', 'closing-question', 'complaint-overdue')",
            name="rule",
        ),
        Index("ix_rule_signal_client_id", "client_id", "at"),
        Index("ix_rule_signal_rule", "rule", "client_id", "until"),
    )

    table_name: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the row's key in the contract."""
    client_id: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column()
    value: Mapped[int | None] = mapped_column(BigInteger)
    """Minor units that left; null where they are not known."""
    large: Mapped[bool] = mapped_column(default=False)
    rule: Mapped[str | None] = mapped_column(String(40))
    """The rule that the row fired; null when none."""
    until: Mapped[datetime | None] = mapped_column()
    """The rule holds the tier up until then; null: until it is ended."""
    recorded_at: Mapped[datetime] = mapped_column()


class Complaint(Base):
    """A complaint as far as the desk must know it; closed is the end, whatever comes later."""

    __tablename__ = "complaint"
    __table_args__ = (Index("ix_complaint_client_id", "client_id", "closed_at"),)

    complaint_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column()
    overdue_at: Mapped[datetime | None] = mapped_column()
    """When it was found to be overdue."""
    closed_at: Mapped[datetime | None] = mapped_column()
    recorded_at: Mapped[datetime] = mapped_column()
