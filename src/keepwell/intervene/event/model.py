"""Tables of events: which batches of the spool the desk knows, and which have had their effect."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class EventBatch(Base):
    """A batch that was acknowledged; its rows are in the spool and then in the lake."""

    __tablename__ = "event_batch"
    __table_args__ = (
        UniqueConstraint("source", "batch"),
        Index("ix_event_batch_applied_at_sequence", "applied_at", "sequence"),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Number in the spool."""
    source: Mapped[str] = mapped_column(String(100))
    batch: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of table and rows, in hex."""
    table: Mapped[str] = mapped_column(String(64))
    accepted: Mapped[int] = mapped_column()
    rejected: Mapped[int] = mapped_column()
    refused: Mapped[int] = mapped_column(default=0)
    """Accepted rows that contradict what the desk knows; each is in the evidence log."""
    received_at: Mapped[datetime] = mapped_column()
    applied_at: Mapped[datetime | None] = mapped_column()
    """When the rules had seen its rows."""


class EventMark(Base):
    """How far something has been read, such as a table of the lake: its version."""

    __tablename__ = "event_mark"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
