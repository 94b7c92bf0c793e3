"""Tables of the book: generations of clients and scores, and whose book a client is lent to.

A generation is written in chunks while the one before stays in force; moving one pointer makes
all of it visible at once.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base, Json


class Generation(Base):
    """One publication of the main job's result."""

    __tablename__ = "generation"

    generation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    as_of: Mapped[datetime] = mapped_column()
    model_version: Mapped[str] = mapped_column(String(100))
    manifest: Mapped[int] = mapped_column()
    state: Mapped[str] = mapped_column(String(16))
    """building, current, retired or abandoned."""
    clients: Mapped[int] = mapped_column(default=0)
    scored: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column()
    published_at: Mapped[datetime | None] = mapped_column()
    value_basis: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What the clients' values are made of, as `keepwell.learn.value.basis`; null: no values."""


class Pointer(Base):
    """The generation in force: one row."""

    __tablename__ = "generation_pointer"
    __table_args__ = (CheckConstraint("one = 1", name="single"),)

    one: Mapped[int] = mapped_column(primary_key=True, default=1)
    generation_id: Mapped[int] = mapped_column(ForeignKey("generation.generation_id"))


def _by(column: str, rare: str | None = None) -> Index:
    """An index by which clients with one value of a column are listed in the order of the score.

    Args:
        column: the column.
        rare: which rows it holds; what most clients have need not be looked up.
    """
    where = None if rare is None else text(rare)
    return Index(
        f"ix_client_{column.removesuffix('_id')}", "generation_id", column, "rank_score",
        "client_id", sqlite_where=where, postgresql_where=where,
    )  # fmt: skip


class Client(Base):
    """A client in one generation: profile, assets, value, score, tier, reasons."""

    __tablename__ = "client"
    __table_args__ = (
        _by("manager_id"),
        _by("adviser_id"),
        _by("branch_id"),
        _by("tier"),
        _by("segment"),
        _by("top_reason", "top_reason is not null"),
        _by("note", "note <> 'scored'"),
        _by("status", "status <> 'open'"),
        Index("ix_client_rank", "generation_id", "rank_score", "client_id"),
        Index("ix_client_assets", "generation_id", "assets", "client_id"),
        # Who calls is looked up by the whole number.
        Index(
            "ix_client_phone", "generation_id", "phone",
            sqlite_where=text("phone is not null"), postgresql_where=text("phone is not null"),
        ),
    )  # fmt: skip

    generation_id: Mapped[int] = mapped_column(
        ForeignKey("generation.generation_id"), primary_key=True
    )
    client_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(40))
    birth_year: Mapped[int | None] = mapped_column()
    opened_on: Mapped[date | None] = mapped_column()
    region: Mapped[str | None] = mapped_column(String(200))
    city_tier: Mapped[str | None] = mapped_column(String(64))
    investor_class: Mapped[str | None] = mapped_column(String(16))
    risk_level: Mapped[str | None] = mapped_column(String(2))
    assessed_on: Mapped[date | None] = mapped_column()
    manager_id: Mapped[str | None] = mapped_column(String(64))
    adviser_id: Mapped[str | None] = mapped_column(String(64))
    branch_id: Mapped[str | None] = mapped_column(String(64))
    segment: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str | None] = mapped_column(String(16))
    assets: Mapped[int | None] = mapped_column(BigInteger)
    """Minor units; null where they cannot be valued."""
    value: Mapped[int | None] = mapped_column(BigInteger)
    """What the client is worth: discounted margin, minor units; null where it is not known."""
    value_low: Mapped[int | None] = mapped_column(BigInteger)
    """Lower end of its interval; null where no error is known."""
    value_high: Mapped[int | None] = mapped_column(BigInteger)
    value_lost: Mapped[int | None] = mapped_column(BigInteger)
    """What is lost by one who leaves within the model's horizon, minor units."""
    last_activity: Mapped[date | None] = mapped_column()
    note: Mapped[str] = mapped_column(String(16))
    """'scored', or why there is no score."""
    score: Mapped[float | None] = mapped_column()
    rank_score: Mapped[float] = mapped_column(default=-1.0)
    """The score for sorting; -1 without one, so that cursors never meet a null."""
    probability: Mapped[float | None] = mapped_column()
    coverage: Mapped[float | None] = mapped_column()
    tier: Mapped[str] = mapped_column(String(16))
    """none, mild, moderate or severe."""
    reasons: Mapped[list[Any]] = mapped_column()
    """Of those explained, most important first: {code, cause, points, facts, change}."""
    top_reason: Mapped[str | None] = mapped_column(String(60))
    """Code of the first reason, by which clients are looked up."""


class ClientGrant(Base):
    """A client lent to somebody outside whose book they are, such as the holder of a case."""

    __tablename__ = "client_grant"
    __table_args__ = (Index("ix_client_grant_client_id", "client_id"),)

    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.staff_id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    source: Mapped[str] = mapped_column(String(60), primary_key=True)
    """What lends it, such as 'case:case_01…'; taken back by the same name."""
    until: Mapped[datetime | None] = mapped_column()
