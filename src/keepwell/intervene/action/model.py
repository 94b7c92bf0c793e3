"""Tables of recommendations: what the desk recommended in a case, and what it refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base, Json


class Recommended(Base):
    """One recommendation, stored when it differs from the one before; never changed.

    What came from profiling is emptied when the client refuses it (rule PI-4): the row then says
    that there was a recommendation, and no longer which.
    """

    __tablename__ = "recommendation"
    __table_args__ = (
        UniqueConstraint("case_id", "number"),
        CheckConstraint("number >= 1", name="number"),
    )

    recommendation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("retention_case.case_id"))
    number: Mapped[int] = mapped_column()
    """Counts from 1 within the case."""
    client_id: Mapped[str] = mapped_column(String(200), index=True)
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))
    """Who was shown it first."""
    best_id: Mapped[str | None] = mapped_column(String(60))
    best_version: Mapped[int | None] = mapped_column()
    next_id: Mapped[str | None] = mapped_column(String(60))
    """The runner-up."""
    next_version: Mapped[int | None] = mapped_column()
    channel: Mapped[str | None] = mapped_column(String(16))
    expected: Mapped[int | None] = mapped_column(BigInteger)
    """Of the best one, minor units; null where chance or value is not known."""
    script_id: Mapped[str | None] = mapped_column(String(100))
    """Name and version of the script shown with it."""
    answer: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of what was answered; the same answer again is not stored."""
    experiment_id: Mapped[str | None] = mapped_column(String(40))
    """The running experiment of whose arm the first action is; null where none decided it."""
    arm: Mapped[str | None] = mapped_column(String(100))
    propensity: Mapped[float | None] = mapped_column()
    """The chance with which the draw gave this arm."""
    record: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """`context` and `made` of `action.record`, from which it can be made again."""


class Refused(Base):
    """Why a recommendation left actions out: one row for each code, so that they can be counted.

    Nothing new is said here: the recommendation's record has it all. The rows of a client who
    refuses profiling are deleted (rule PI-4).
    """

    __tablename__ = "refusal"
    __table_args__ = (Index("ix_refusal_at", "at", "code", "client_id"),)

    recommendation_id: Mapped[str] = mapped_column(
        ForeignKey("recommendation.recommendation_id"), primary_key=True
    )
    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16))
    """Where it was held: eligible, suitable, consent, caps or worth."""
    case_id: Mapped[str] = mapped_column(String(40))
    client_id: Mapped[str] = mapped_column(String(200), index=True)
    at: Mapped[datetime] = mapped_column()
    rules: Mapped[list[Any]] = mapped_column(Json)
    """Ids of the rules behind it."""
    actions: Mapped[list[Any]] = mapped_column(Json)
    """Names of the actions refused so, such as 'maturing-talk@1'."""
    fields: Mapped[dict[str, Any]] = mapped_column(Json)
    """What the words of the first one name."""
