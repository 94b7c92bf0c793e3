"""Tables of exit requests and the lawful holds on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.trust.evidence.attest import vouch


class ExitRequest(Base):
    """A client's request to leave or to transfer."""

    __tablename__ = "exit_request"
    __table_args__ = (
        CheckConstraint("kind in ('close', 'revoke', 'transfer')", name="kind"),
        CheckConstraint(
            "state in ('requested', 'settled', 'completed', 'cancelled')", name="state"
        ),
        CheckConstraint("retention_contacts >= 0", name="contacts"),
        Index("ix_exit_request_client_id", "client_id", "state"),
        Index("ix_exit_request_requested_at", "requested_at", "request_id"),
    )

    request_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime] = mapped_column()
    settled_at: Mapped[datetime | None] = mapped_column()
    due_at: Mapped[datetime | None] = mapped_column()
    completed_at: Mapped[datetime | None] = mapped_column()
    cancelled_at: Mapped[datetime | None] = mapped_column()
    reported: Mapped[list[Any]] = mapped_column()
    """Codes of lawful reasons that the source named; without person and end they hold nothing."""
    retention_contacts: Mapped[int] = mapped_column(default=0)
    refused: Mapped[bool] = mapped_column(default=False)
    """The client wants no contact about it."""
    refused_at: Mapped[datetime | None] = mapped_column()
    """When the client said so; it counts for good, however the request ends."""
    recorded_by: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[datetime] = mapped_column()
    version: Mapped[int] = mapped_column(default=1)


class ExitHold(Base):
    """A lawful reason for which a request waits: reason, person, end and how to appeal."""

    __tablename__ = "exit_hold"
    __table_args__ = (
        CheckConstraint(
            "code in ('aml-hold', 'court-order', 'exploitation-hold', 'margin-debt',"
            " 'pending-ipo', 'unsettled-trades')",
            name="code",
        ),
        CheckConstraint("until > placed_at", name="until"),
    )

    hold_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("exit_request.request_id"), index=True)
    code: Mapped[str] = mapped_column(String(32))
    placed_by: Mapped[str] = mapped_column(String(40))
    placed_at: Mapped[datetime] = mapped_column()
    until: Mapped[datetime] = mapped_column()
    appeal: Mapped[str] = mapped_column(String(4000))
    """How the client can object."""
    lifted_at: Mapped[datetime | None] = mapped_column()
    lifted_by: Mapped[str | None] = mapped_column(String(40))


vouch(
    ExitRequest.__table__,
    (
        "client_id", "kind", "state", "requested_at", "settled_at", "due_at", "completed_at",
        "cancelled_at", "reported", "recorded_by", "recorded_at",
    ),
    version="version",
)  # fmt: skip
