"""Tables of incidents: what is or was wrong with a source, who answers, which scores rest on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class Incident(Base):
    """One incident of the workspace's monitors, as the desk knows it."""

    __tablename__ = "incident"
    __table_args__ = (
        CheckConstraint("state in ('open', 'acknowledged', 'closed')", name="state"),
        CheckConstraint(
            "(state = 'closed') = (closed_at is not null and closed_by is not null)",
            name="closure",
        ),
        Index("ix_incident_state", "state", "opened_at", "incident_id"),
        Index("ix_incident_opened_at", "opened_at", "incident_id"),
    )

    incident_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Made of number, source, monitor and instant: brought in twice, it is there once."""
    number: Mapped[int] = mapped_column()
    """Of the workspace."""
    source: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))
    findings: Mapped[list[Any]] = mapped_column()
    """As `keepwell.observe.monitors.finding` writes them, when they were last seen."""
    state: Mapped[str] = mapped_column(String(12), default="open")
    opened_at: Mapped[datetime] = mapped_column()
    told_at: Mapped[datetime] = mapped_column()
    """When the desk learned of it, and told the owners."""
    acknowledged_at: Mapped[datetime | None] = mapped_column()
    acknowledged_by: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str | None] = mapped_column(Text)
    """What whoever acknowledged it says is being done."""
    closed_at: Mapped[datetime | None] = mapped_column()
    closed_by: Mapped[str | None] = mapped_column(String(200))
    """A user, 'monitor', or whoever the command line named."""
    called_right: Mapped[bool] = mapped_column(default=False)
    """Closed because what was found is right, and the usual from then on."""
    reason: Mapped[str | None] = mapped_column(Text)
    row_version: Mapped[int] = mapped_column(default=1)


class IncidentOwner(Base):
    """Who answers for a source of an incident, as keepwell.yaml names them."""

    __tablename__ = "incident_owner"
    __table_args__ = (
        Index("ix_incident_owner_staff_id", "staff_id"),
        Index("ix_incident_owner_user_id", "user_id"),
    )

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200), primary_key=True)
    staff_id: Mapped[str | None] = mapped_column(String(64))
    """The member of staff of that number."""
    user_id: Mapped[str | None] = mapped_column(String(40))
    """The user of that log-in name."""


class StaleMark(Base):
    """A table whose data were late or unusual and that a generation's scores rest on."""

    __tablename__ = "stale_mark"

    generation_id: Mapped[int] = mapped_column(primary_key=True)
    table_name: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    incident_id: Mapped[str | None] = mapped_column(ForeignKey("incident.incident_id"), index=True)
    finding: Mapped[dict[str, Any]] = mapped_column()
    at: Mapped[datetime] = mapped_column()
    """When it was marked."""
