"""Endpoint of recommendations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from keepwell.frame.database import Tx
from keepwell.frame.text import Id
from keepwell.intervene.action import service
from keepwell.intervene.action.schema import RecommendationOut
from keepwell.intervene.action.show import recommendation_out
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["actions"])


@router.get(
    "/cases/{case_id}/recommendation", response_model=RecommendationOut,
    operation_id="read_recommendation", summary="Read what to do in a case",
)  # fmt: skip
def read_recommendation(
    case_id: Annotated[Id, Path(description="The case's number.")],
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Computed now; an answer that differs from the one before is kept with all that decided it.

    The ETag is the number of the answer within the case. 404 for a closed case.
    """
    if call.peek(lambda tx, actor: service.advise(tx, actor, case_id).is_new):
        return call.perform(lambda tx, actor: _reply(service.recommend(tx, actor, case_id), actor))

    def verb(tx: Tx, actor: Actor) -> Reply:
        # Between the look and the answer it may have become another one: then it is kept later.
        return _reply(service.advise(tx, actor, case_id), actor)

    return call.answer(verb)


def _reply(advice: service.Advice, actor: Actor) -> Reply:
    out = recommendation_out(advice, actor)
    return Reply(out, version=out.number, anew=True)
