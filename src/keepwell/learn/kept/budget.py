"""Verbs of budgets: propose one on the newest proof, approve it with four eyes, reject it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keepwell.core.ids import new_id
from keepwell.core.text import money, tr
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotAllowed, NotFound, Unprocessable
from keepwell.learn.kept import budget_repo, repo
from keepwell.learn.kept.model import BudgetApproval, BudgetProposal, KeptProof
from keepwell.learn.kept.policy import VALID, Answer, ProposalState
from keepwell.learn.kept.readout import effect_of
from keepwell.learn.value.budget import (
    APPROVERS,
    Costs,
    Kind,
    Proposal,
    allocate,
    may_approve,
    propose,
)
from keepwell.learn.value.retained import VALUE
from keepwell.trust.access.policy import ROLES, Actor, Role
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


@dataclass(frozen=True)
class Ruling:
    """What the rule says of a proof, and what budget follows.

    Attributes:
        proposal: of the rule.
        usual: the yearly budget by the share of revenue, minor units; None without revenue.
        in_force: amount of the budget approved last; None before the first.
        most: the highest amount that may be proposed; None: no limit, the rule proposes more.
    """

    proposal: Proposal
    usual: int | None
    in_force: int | None
    most: int | None


def ruling(tx: Tx, proof: KeptProof) -> Ruling:
    """Apply the rule to a proof.

    More than what is in force (or, before any budget, than the usual share of revenue) may be
    proposed only where the rule proposes more.

    Args:
        tx: the unit of work; its workspace names the rule's figures.
        proof: what was kept.

    Raises:
        Conflict: nothing was read out of the proof, or it has no measure of value.
    """
    if proof.stopped is not None:
        raise Conflict("budget.proof-stopped")
    value = proof.record["measures"].get(VALUE)
    if value is None:
        raise Conflict("budget.value-missing")
    rates = tx.frame.workspace.mapping.value.budget
    found = propose(effect_of(value["total"]), costs_in(proof.record), ratio=rates.ratio)
    year = proof.record["revenue"]["year"]
    usual = None if year is None else round(year * rates.revenue_share)
    standing = budget_repo.in_force(tx)
    now = standing.amount if standing else None
    limit = usual if now is None else now
    return Ruling(found, usual, now, None if found.kind is Kind.MORE else limit)


def costs_in(record_: Mapping[str, Any]) -> Costs:
    """Costs as a proof has them; contacts that are not kept leave the cost unknown."""
    costs = record_.get("costs")
    if costs is None:
        return Costs(1, 0, None, None)
    return Costs(costs["contacts"], costs["minutes"], costs["contact_cost"], costs["minute_cost"])


def propose_budget(
    tx: Tx, actor: Actor, proof_id: str, amount: int | None = None, words: str = ""
) -> BudgetProposal:
    """Propose a yearly budget on the newest proof; an older open proposal ends with it.

    Args:
        tx: a unit of work that writes.
        actor: who proposes, and so may not approve.
        proof_id: the newest proof.
        amount: minor units a year; default: the usual share of revenue.
        words: why.

    Raises:
        NotFound: there is no such proof.
        Conflict: it is not the newest, or no budget can rest on it.
        Unprocessable: more than the rule allows, or no amount follows.
    """
    proof = repo.proof(tx, proof_id)
    if proof is None:
        raise NotFound("kept.proof-unknown")
    newest = repo.newest(tx)
    if newest is None or newest.proof_id != proof_id:
        raise Conflict("budget.proof-old")
    rule = ruling(tx, proof)
    chosen = rule.usual if amount is None else amount
    if chosen is None:
        raise Unprocessable("budget.revenue-unknown")
    if rule.most is not None and chosen > rule.most and amount is not None:
        currency = tx.frame.currency
        raise Unprocessable(
            "budget.amount-unearned", most=money(rule.most, currency),
            amount=money(chosen, currency),
        )  # fmt: skip
    if rule.most is not None:
        chosen = min(chosen, rule.most)
    budget_repo.expire_open(tx)
    parts = allocate(chosen, tx.frame.workspace.mapping.value.budget)
    row = BudgetProposal(
        proposal_id=new_id("budget", tx.at), proof_id=proof_id, at=tx.at,
        proposed_by=actor.user_id, kind=rule.proposal.kind.value, amount=chosen,
        parts=[{"name": name, "amount": part} for name, part in parts.items()],
        rule=plain_rule(rule), words=words, state=ProposalState.PROPOSED.value,
        expires_at=tx.at + VALID,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    data = {
        "proof_id": proof_id, "proof": proof.digest, "kind": row.kind, "amount": chosen,
        "parts": list(parts.values()),
    }  # fmt: skip
    record(tx, actor, EvidenceKind.BUDGET_PROPOSED, subject=row.proposal_id, data=data)
    return row


def plain_rule(rule: Ruling) -> dict[str, Any]:
    """What the rule was told and answered, as data for JSON."""
    found = rule.proposal
    return {
        "kind": found.kind.value, "worth_it": found.worth_it, "why": [w.value for w in found.why],
        "net": [found.net.value, found.net.low, found.net.high], "kept_low": found.kept,
        "cost": found.cost, "ratio": found.ratio, "asked": found.asked, "usual": rule.usual,
        "in_force": rule.in_force, "most": rule.most,
    }  # fmt: skip


def answer(
    tx: Tx, actor: Actor, proposal_id: str, said: Answer, words: str = ""
) -> BudgetProposal:  # fmt: skip
    """Approve or reject a proposal; the approval that completes the four eyes puts it in force.

    A director and somebody of compliance must approve: two people, neither of whom proposed it.
    One rejection by either ends it.

    Args:
        tx: a unit of work that writes.
        actor: who answers.
        proposal_id: which.
        said: approve or reject.
        words: why.

    Raises:
        NotFound: there is no such proposal.
        NotAllowed: one's own proposal, or a role that does not approve.
        Conflict: it is decided or expired, or this person or role has approved already.
    """
    row = budget_repo.held(tx, proposal_id)
    if row is None:
        raise NotFound("budget.unknown")
    if actor.user_id == row.proposed_by:
        raise NotAllowed("budget.own")
    role = actor.role.value if actor.role else ""
    if role not in APPROVERS:
        raise NotAllowed("budget.role-wrong")
    state = state_of(row, tx)
    if state is not ProposalState.PROPOSED:
        raise Conflict("budget.decided", state=tr(STATES[state], actor.locale))
    given = budget_repo.approvals(tx, [proposal_id])[proposal_id]
    if any(one.user_id == actor.user_id for one in given):
        raise Conflict("budget.approved-already")
    if said is Answer.APPROVE and any(one.role == role for one in given):
        other = next(one for one in APPROVERS if one != role)
        raise Conflict("budget.role-taken", role=tr(ROLES[Role(other)], actor.locale))
    mine = BudgetApproval(
        approval_id=new_id("approval", tx.at), proposal_id=proposal_id, at=tx.at,
        user_id=actor.user_id, role=role, answer=said.value, words=words,
    )  # fmt: skip
    tx.session.add(mine)
    _decide(tx, actor, row, [*given, mine], said)
    return row


def _decide(
    tx: Tx, actor: Actor, row: BudgetProposal, given: Sequence[BudgetApproval], said: Answer
) -> None:
    approved = [(one.user_id, one.role) for one in given if one.answer == Answer.APPROVE.value]
    if said is Answer.REJECT:
        row.state, row.decided_at = ProposalState.REJECTED.value, tx.at
    elif may_approve(approved, row.proposed_by, APPROVERS):
        row.state, row.decided_at = ProposalState.APPROVED.value, tx.at
    tx.session.flush()
    kind = EvidenceKind.BUDGET_REJECTED if said is Answer.REJECT else EvidenceKind.BUDGET_APPROVED
    data = {
        "role": given[-1].role, "state": row.state, "amount": row.amount,
        "proof_id": row.proof_id,
    }  # fmt: skip
    record(tx, actor, kind, subject=row.proposal_id, data=data)


STATES: dict[ProposalState, str] = {
    ProposalState.PROPOSED: "waits for approval",
    ProposalState.APPROVED: "approved, in force from then on",
    ProposalState.REJECTED: "rejected",
    ProposalState.EXPIRED: "expired",
}
"""Where a proposal stands, in English."""


def state_of(row: BudgetProposal, tx: Tx) -> ProposalState:
    """Where a proposal stands now: one that nobody decided on in time has expired."""
    state = ProposalState(row.state)
    if state is ProposalState.PROPOSED and tx.at >= row.expires_at:
        return ProposalState.EXPIRED
    return state


def read_budget(tx: Tx, actor: Actor, proposal_id: str) -> BudgetProposal:
    """A proposal; a company-wide figure, whatever the reader's scope.

    Raises:
        NotFound: there is none.
    """
    del actor
    row = budget_repo.proposal(tx, proposal_id)
    if row is None:
        raise NotFound("budget.unknown")
    return row


def list_budgets(
    tx: Tx, actor: Actor, limit: int, cursor: str | None
) -> tuple[Sequence[BudgetProposal], str | None]:
    """Proposals, newest first, and the cursor of the next page."""
    del actor
    rows = budget_repo.proposals(tx, limit, cursor)
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], encode_cursor([last.at, last.proposal_id]) if last else None
