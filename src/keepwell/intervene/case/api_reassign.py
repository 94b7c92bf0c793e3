"""Endpoints of reassignment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from keepwell.frame.text import Id
from keepwell.intervene.case import reassign, show
from keepwell.intervene.case.schema import BatchOut, PlanIn, PlanOut, ReassignIn
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission

router = APIRouter()


@router.post(
    "/cases/reassign/preview", response_model=PlanOut, status_code=201,
    operation_id="preview_reassignment", summary="See what a reassignment would do",
)  # fmt: skip
def preview_reassignment(
    body: ReassignIn, call: Call = allow(Permission.CASE_REASSIGN)
) -> Response:
    """Nothing changes yet; the plan is good for 15 minutes."""
    return call.perform(
        lambda tx, actor: show.plan_out(
            reassign.preview(tx, actor, body.takers, body.case_ids, body.owner_id)
        ),
        status=201,
    )


@router.post(
    "/cases/reassign", response_model=BatchOut, operation_id="reassign_cases",
    summary="Carry a plan of reassignment out",
)  # fmt: skip
def reassign_cases(body: PlanIn, call: Call = allow(Permission.CASE_REASSIGN)) -> Response:
    """Exactly what the preview said; if a case changed since, nothing happens and it is named."""
    return call.perform(
        lambda tx, actor: BatchOut.model_validate(reassign.carry_out(tx, actor, body.plan))
    )


@router.post(
    "/cases/reassign/{batch_id}/undo", response_model=BatchOut, operation_id="undo_reassignment",
    summary="Undo a reassignment",
)  # fmt: skip
def undo_reassignment(
    batch_id: Annotated[Id, Path(description="The batch's number.")],
    call: Call = allow(Permission.CASE_REASSIGN),
) -> Response:
    """Within 24 hours; cases changed since keep their owner and are named."""
    return call.perform(
        lambda tx, actor: BatchOut.model_validate(reassign.undo(tx, actor, batch_id))
    )
