"""Proofs of what was kept, and budgets, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.frame.text import Id
from keepwell.learn.kept import budget, service
from keepwell.learn.kept.model import BudgetProposal
from keepwell.learn.kept.policy import Answer
from keepwell.learn.kept.schema import (
    AnswerIn,
    BudgetIn,
    BudgetOut,
    ProofItem,
    ProofOut,
    ProveIn,
    ProveOut,
)
from keepwell.learn.kept.show import budgets_out, proof_item, proof_out
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["results"])

READ = Permission.PROOF_READ
ProofId = Annotated[Id, Path(description="The proof's number.")]
ProposalId = Annotated[Id, Path(description="The proposal's number.")]


@router.get(
    "/kept", response_model=Page[ProofItem], operation_id="list_proofs",
    summary="List the proofs of what was kept",
)  # fmt: skip
def list_proofs(limit: Limit = 50, cursor: Cursor = None, call: Call = allow(READ)) -> Response:
    """Newest first. Figures over all clients drawn, whatever the caller's scope; they name none."""

    def verb(tx: Tx, actor: Actor) -> Page[ProofItem]:
        rows, following = service.list_proofs(tx, actor, limit, cursor)
        return Page(items=[proof_item(row) for row in rows], next=following)

    return call.answer(verb)


@router.post(
    "/kept", response_model=ProveOut, status_code=202, operation_id="make_proof",
    summary="Compute what was kept", responses=also(409),
)  # fmt: skip
def make_proof(given: ProveIn, call: Call = allow(Permission.EXPERIMENT_WRITE)) -> Response:
    """A job computes it; the same finding as before is not stored again."""
    return call.perform(
        lambda tx, actor: ProveOut(job_id=service.ask(tx, actor, given.period)), status=202
    )


@router.get(
    "/kept/{proof_id}", response_model=ProofOut, operation_id="read_proof",
    summary="Read a proof of what was kept",
)  # fmt: skip
def read_proof(proof_id: ProofId, call: Call = allow(READ)) -> Response:
    """Every measure with its interval, numbers and what is not known; money in minor units."""
    return call.answer(
        lambda tx, actor: proof_out(tx, actor, service.read_proof(tx, actor, proof_id))
    )


@router.get(
    "/budgets", response_model=Page[BudgetOut], operation_id="list_budgets",
    summary="List proposed retention budgets",
)  # fmt: skip
def list_budgets(limit: Limit = 50, cursor: Cursor = None, call: Call = allow(READ)) -> Response:
    """Newest first, each with what the rule said and who answered."""

    def verb(tx: Tx, actor: Actor) -> Page[BudgetOut]:
        rows, following = budget.list_budgets(tx, actor, limit, cursor)
        return Page(items=budgets_out(tx, actor, list(rows)), next=following)

    return call.answer(verb)


@router.post(
    "/budgets", response_model=BudgetOut, status_code=201, operation_id="propose_budget",
    summary="Propose a retention budget on the newest proof", responses=also(409),
)  # fmt: skip
def propose_budget(given: BudgetIn, call: Call = allow(Permission.BUDGET_PROPOSE)) -> Response:
    """More than before only where the rule proposes more; an older open proposal ends."""

    def verb(tx: Tx, actor: Actor) -> BudgetOut:
        row = budget.propose_budget(tx, actor, given.proof_id, given.amount, given.words or "")
        return _out(tx, actor, row)

    return call.perform(verb, status=201)


@router.get(
    "/budgets/{proposal_id}", response_model=BudgetOut, operation_id="read_budget",
    summary="Read a proposed retention budget",
)  # fmt: skip
def read_budget(proposal_id: ProposalId, call: Call = allow(READ)) -> Response:
    """A proposal with what the rule said and who answered."""
    return call.answer(
        lambda tx, actor: _out(tx, actor, budget.read_budget(tx, actor, proposal_id))
    )


@router.post(
    "/budgets/{proposal_id}/approve", response_model=BudgetOut, operation_id="approve_budget",
    summary="Approve a proposed retention budget", responses=also(409),
)  # fmt: skip
def approve_budget(
    proposal_id: ProposalId, given: AnswerIn, call: Call = allow(Permission.BUDGET_APPROVE)
) -> Response:
    """A director and somebody of compliance, two people, neither of whom proposed it."""
    return call.perform(lambda tx, actor: _answered(tx, actor, proposal_id, Answer.APPROVE, given))


@router.post(
    "/budgets/{proposal_id}/reject", response_model=BudgetOut, operation_id="reject_budget",
    summary="Reject a proposed retention budget", responses=also(409),
)  # fmt: skip
def reject_budget(
    proposal_id: ProposalId, given: AnswerIn, call: Call = allow(Permission.BUDGET_APPROVE)
) -> Response:
    """One rejection ends it."""
    return call.perform(lambda tx, actor: _answered(tx, actor, proposal_id, Answer.REJECT, given))


def _answered(
    tx: Tx, actor: Actor, proposal_id: str, said: Answer, given: AnswerIn
) -> BudgetOut:  # fmt: skip
    return _out(tx, actor, budget.answer(tx, actor, proposal_id, said, given.words or ""))


def _out(tx: Tx, actor: Actor, row: BudgetProposal) -> BudgetOut:
    return budgets_out(tx, actor, [row])[0]
