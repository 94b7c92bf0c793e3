"""Table of consent: what each client agreed to and refused, every word ever said."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.trust.evidence.attest import vouch

NEWEST: Final = text("newest")
"""Not the column: SQLite is told `newest = 1`, which its index `where newest` does not serve."""


class Consent(Base):
    """A client's word on one purpose; the newest by its own time counts."""

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint("purpose in ('marketing', 'profiling', 'service')", name="purpose"),
        Index(
            "uq_consent_newest", "client_id", "purpose", unique=True,
            sqlite_where=NEWEST, postgresql_where=NEWEST,
        ),
        Index("ix_consent_client_id_at", "client_id", "at", "consent_id"),
        Index("ix_consent_purpose", "purpose", "granted", "newest"),
    )  # fmt: skip

    consent_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(String(16))
    granted: Mapped[bool] = mapped_column()
    at: Mapped[datetime] = mapped_column()
    """When the client said so."""
    source: Mapped[str] = mapped_column(String(200))
    """Where it was said: app, call, branch, form."""
    newest: Mapped[bool] = mapped_column()
    recorded_at: Mapped[datetime] = mapped_column()
    recorded_by: Mapped[str] = mapped_column(String(40))


vouch(
    Consent.__table__,
    ("client_id", "purpose", "granted", "at", "source", "recorded_at", "recorded_by"),
)
only_grows(Consent.__table__, free=("newest",))
