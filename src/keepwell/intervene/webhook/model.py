"""Tables of webhooks: endpoints, the outbox of messages, and every attempt to deliver one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class WebhookEndpoint(Base):
    """An address of another system that wants to hear of events.

    No secret is stored: it is derived from the desk's own, the id and `secret_number`.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        CheckConstraint("off_reason in ('', 'manual', 'dead', 'gone')", name="off_reason"),
        CheckConstraint("(off_reason = '') = active", name="off_with_reason"),
        Index("ix_webhook_endpoint_created_at", "created_at", "endpoint_id"),
    )

    endpoint_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    patterns: Mapped[list[Any]] = mapped_column()
    description: Mapped[str] = mapped_column(String(200), default="")
    active: Mapped[bool] = mapped_column(default=True)
    off_reason: Mapped[str] = mapped_column(String(10), default="")
    """Why it is off: manual, dead (too many dead messages in a row) or gone (it answered 410)."""
    dead_in_row: Mapped[int] = mapped_column(default=0)
    secret_number: Mapped[int] = mapped_column(default=1)
    rotated_at: Mapped[datetime | None] = mapped_column()
    approved_at: Mapped[datetime | None] = mapped_column()
    """Null until compliance approves address and events; nothing is sent before."""
    approved_by: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column()
    changed_at: Mapped[datetime] = mapped_column()


class WebhookMessage(Base):
    """The outbox: an event for an endpoint, stored in the event's own transaction.

    `message_id` is the webhook-id: the same for every attempt and for every endpoint that gets
    the event.
    """

    __tablename__ = "webhook_message"
    __table_args__ = (
        CheckConstraint("state in ('pending', 'delivered', 'dead')", name="state"),
        Index("ix_webhook_message_list", "endpoint_id", "created_at", "message_id"),
        Index("ix_webhook_message_state", "endpoint_id", "state", "created_at", "message_id"),
        Index("ix_webhook_message_created_at", "created_at"),
    )

    endpoint_id: Mapped[str] = mapped_column(
        ForeignKey("webhook_endpoint.endpoint_id"), primary_key=True
    )
    message_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    event: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    """The JSON sent, kept as text because its signature is over these very bytes."""
    state: Mapped[str] = mapped_column(String(10), default="pending")
    fault: Mapped[str] = mapped_column(String(20), default="")
    """What the last attempt failed of."""
    tried: Mapped[int] = mapped_column(default=0)
    tried_before: Mapped[int] = mapped_column(default=0)
    """Attempts before the last replay: each replay has the full number of attempts."""
    created_at: Mapped[datetime] = mapped_column()
    next_at: Mapped[datetime | None] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()


class WebhookDelivery(Base):
    """One attempt to deliver a message."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        ForeignKeyConstraint(
            ["endpoint_id", "message_id"],
            ["webhook_message.endpoint_id", "webhook_message.message_id"],
        ),
    )

    endpoint_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column()
    status: Mapped[int | None] = mapped_column()
    """HTTP status; null when no answer came."""
    fault: Mapped[str] = mapped_column(String(20), default="")
    milliseconds: Mapped[int] = mapped_column()
    response: Mapped[str] = mapped_column(String(2048), default="")
