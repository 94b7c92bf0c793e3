"""Tables of the evidence log, and the guards that keep what was written as it was written.

An entry is written once, in the transaction of its effect, and never touched again: the sequencer
gives it a leaf in another table. So even entries that wait for their leaf cannot be changed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows

# SQLite counts up only in a column of type INTEGER.
_Position = BigInteger().with_variant(Integer(), "sqlite")


class EvidenceEntry(Base):
    """An entry: canonical text, and what of it is searched for."""

    __tablename__ = "evidence_entry"
    __table_args__ = (
        Index("ix_evidence_entry_at", "at", "entry_id"),
        Index("ix_evidence_entry_kind", "kind", "entry_id"),
        Index("ix_evidence_entry_client", "client", "entry_id"),
        Index("ix_evidence_entry_subject", "subject", "entry_id"),
    )

    entry_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column()
    actor: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200))
    client: Mapped[str | None] = mapped_column(String(40))
    """The client's token; which client it is only the salt's row knows."""
    body: Mapped[str] = mapped_column(Text)
    """RFC 8785 JSON; its UTF-8 bytes are the leaf."""


class EvidencePending(Base):
    """An entry that waits for its leaf."""

    __tablename__ = "evidence_pending"

    entry_id: Mapped[str] = mapped_column(ForeignKey("evidence_entry.entry_id"), primary_key=True)


class EvidenceLeaf(Base):
    """The place of an entry in the log."""

    __tablename__ = "evidence_leaf"
    __table_args__ = (CheckConstraint("leaf_index >= 0", name="index"),)

    leaf_index: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    entry_id: Mapped[str] = mapped_column(ForeignKey("evidence_entry.entry_id"), unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class EvidenceNode(Base):
    """A complete subtree above the leaves: `level` 1 covers two leaves, 2 covers four."""

    __tablename__ = "evidence_node"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class EvidenceCheckpoint(Base):
    """A signed statement of the log's size and root."""

    __tablename__ = "evidence_checkpoint"

    size: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    signed_at: Mapped[datetime] = mapped_column()
    note: Mapped[str] = mapped_column(Text)
    """C2SP tlog-checkpoint, with its signature."""


class EvidenceLog(Base):
    """The head of the log: one row, which the sequencer holds while it works."""

    __tablename__ = "evidence_log"
    __table_args__ = (CheckConstraint("one = 1", name="single"),)

    one: Mapped[int] = mapped_column(primary_key=True, default=1)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    signed_size: Mapped[int] = mapped_column(BigInteger, default=0)
    signed_at: Mapped[datetime | None] = mapped_column()
    verifier: Mapped[str] = mapped_column(String(300))
    """Public key that signs the log, as in a signed note; another key is refused."""


class EvidenceSalt(Base):
    """A client's salt and token. Deleting the row makes every entry about the client anonymous."""

    __tablename__ = "evidence_salt"

    client_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    token: Mapped[str] = mapped_column(String(40), unique=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))


class EvidenceOpening(Base):
    """A personal value that an entry is committed to; deleted with the client's salt."""

    __tablename__ = "evidence_opening"
    __table_args__ = (Index("ix_evidence_opening_client_id", "client_id"),)

    entry_id: Mapped[str] = mapped_column(ForeignKey("evidence_entry.entry_id"), primary_key=True)
    field: Mapped[str] = mapped_column(String(100), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    value: Mapped[str] = mapped_column(Text)


KEPT: Final = ("evidence_entry", "evidence_leaf", "evidence_node", "evidence_checkpoint")
"""Tables that only grow."""

for _table in KEPT:
    only_grows(Base.metadata.tables[_table])
