"""Queries of proposed budgets and of what people answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select, update

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.learn.kept.model import BudgetApproval, BudgetProposal
from keepwell.learn.kept.policy import ProposalState


def proposal(tx: Tx, proposal_id: str) -> BudgetProposal | None:
    """A proposal by its number."""
    return tx.session.get(BudgetProposal, proposal_id)


def held(tx: Tx, proposal_id: str) -> BudgetProposal | None:
    """A proposal, held until the transaction ends: two answers at once follow each other."""
    return tx.session.scalars(
        select(BudgetProposal)
        .where(BudgetProposal.proposal_id == proposal_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def proposals(tx: Tx, limit: int, cursor: str | None) -> Sequence[BudgetProposal]:
    """A page of proposals, newest first."""
    keys = ((BudgetProposal.at, True), (BudgetProposal.proposal_id, True))
    statement = page_of(select(BudgetProposal), keys, (datetime, str), limit, cursor)
    return tx.session.scalars(statement).all()


def in_force(tx: Tx) -> BudgetProposal | None:
    """The budget approved last; None before the first."""
    return tx.session.scalars(
        select(BudgetProposal)
        .where(BudgetProposal.state == ProposalState.APPROVED.value)
        .order_by(BudgetProposal.decided_at.desc(), BudgetProposal.proposal_id.desc())
        .limit(1)
    ).first()


def approvals(tx: Tx, proposal_ids: Collection[str]) -> dict[str, list[BudgetApproval]]:
    """Answers by proposal, oldest first."""
    found: dict[str, list[BudgetApproval]] = {proposal_id: [] for proposal_id in proposal_ids}
    rows = tx.session.scalars(
        select(BudgetApproval)
        .where(BudgetApproval.proposal_id.in_(list(proposal_ids)))
        .order_by(BudgetApproval.at, BudgetApproval.approval_id)
    )
    for row in rows:
        found[row.proposal_id].append(row)
    return found


def expire_open(tx: Tx) -> None:
    """End every proposal that nobody decided on: a newer one takes its place."""
    tx.session.execute(
        update(BudgetProposal)
        .where(BudgetProposal.state == ProposalState.PROPOSED.value)
        .values(state=ProposalState.EXPIRED.value, decided_at=tx.at)
    )
