"""Tables of proofs of what was kept, of budgets proposed on them, and of approvals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.learn.kept.policy import Answer, ProposalState


def _among(column: str, values: Any) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


class KeptProof(Base):
    """What was kept over a span, by one state of the data; never changed."""

    __tablename__ = "kept_proof"
    __table_args__ = (
        Index("ix_kept_proof_at", "at", "proof_id"),
        CheckConstraint("days >= 1", name="days"),
        CheckConstraint("treated >= 0 AND held >= 0", name="arms"),
    )

    proof_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))
    period: Mapped[str] = mapped_column(ForeignKey("holdout_period.period"))
    since: Mapped[datetime] = mapped_column()
    """The draw; what happens at it belongs to the span."""
    until: Mapped[datetime] = mapped_column()
    """The end, which does not."""
    days: Mapped[int] = mapped_column()
    manifest: Mapped[int] = mapped_column()
    """Number of the lake's manifest that it was read from."""
    treated: Mapped[int] = mapped_column()
    """Clients of the first draw who may be contacted."""
    held: Mapped[int] = mapped_column()
    """Clients of the first draw who are held out."""
    stopped: Mapped[str | None] = mapped_column(String(40))
    """Code of the fault for which nothing was read out; null: all is read out."""
    digest: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of `record`; evidence names it."""
    record: Mapped[dict[str, Any]] = mapped_column()
    """Everything found, money in minor units: see `readout`."""


class BudgetProposal(Base):
    """A retention budget of a year, proposed on a proof."""

    __tablename__ = "budget_proposal"
    __table_args__ = (
        Index("ix_budget_proposal_at", "at", "proposal_id"),
        CheckConstraint(_among("state", ProposalState), name="state"),
        CheckConstraint("amount >= 0", name="amount"),
    )

    proposal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    proof_id: Mapped[str] = mapped_column(ForeignKey("kept_proof.proof_id"))
    _proof: Mapped[KeptProof] = relationship(lazy="raise")  # proofs are written first
    at: Mapped[datetime] = mapped_column()
    proposed_by: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(8))
    """What the rule says: more, same or less."""
    amount: Mapped[int] = mapped_column(BigInteger)
    """Of a year, minor units."""
    parts: Mapped[list[Any]] = mapped_column()
    """{name, amount} of each part; they make the amount."""
    rule: Mapped[dict[str, Any]] = mapped_column()
    """What the rule was told and what it answered."""
    words: Mapped[str] = mapped_column(String(1000), default="")
    state: Mapped[str] = mapped_column(String(16))
    expires_at: Mapped[datetime] = mapped_column()
    decided_at: Mapped[datetime | None] = mapped_column()


class BudgetApproval(Base):
    """One person's answer to a proposed budget."""

    __tablename__ = "budget_approval"
    __table_args__ = (
        UniqueConstraint("proposal_id", "user_id"),
        CheckConstraint(_among("answer", Answer), name="answer"),
    )

    approval_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    proposal_id: Mapped[str] = mapped_column(ForeignKey("budget_proposal.proposal_id"))
    _proposal: Mapped[BudgetProposal] = relationship(lazy="raise")
    at: Mapped[datetime] = mapped_column()
    user_id: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(16))
    answer: Mapped[str] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(String(1000), default="")


only_grows(KeptProof.__table__)
only_grows(BudgetProposal.__table__, free=("state", "decided_at"))
only_grows(BudgetApproval.__table__)
