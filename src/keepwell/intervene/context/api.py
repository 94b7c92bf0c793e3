"""The screen pop, and where a score comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.problem import also
from keepwell.frame.text import ClientId, Code
from keepwell.intervene.context.lineage import asked, told, traced
from keepwell.intervene.context.lineage_schema import LineageOut
from keepwell.intervene.context.schema import ContextOut
from keepwell.intervene.context.service import context
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission

router = APIRouter(tags=["clients"])


@router.get(
    "/clients/{client_id}/context",
    response_model=ContextOut,
    operation_id="read_context",
    summary="Everything about a client in one call",
)
def read_context(
    client_id: Annotated[ClientId, Path(description="The client's number.")],
    call: Call = allow(Permission.CLIENT_READ),
) -> Response:
    """Who calls, why they may leave, what is open, and what may be said: for a screen pop."""
    return call.answer(lambda tx, actor: context(tx, actor, client_id))


@router.get(
    "/clients/{client_id}/lineage",
    response_model=LineageOut,
    operation_id="read_lineage",
    summary="From a client's score to the rows of the sources behind it",
    responses=also(409),
)
def read_lineage(
    client_id: Annotated[ClientId, Path(description="The client's number.")],
    indicator: Annotated[
        Code | None, Query(description="Id of the indicator to trace; none: only the reasons.")
    ] = None,
    call: Call = allow(Permission.CLIENT_READ),
) -> Response:
    """Read again at the data version of the score, by the code that scores."""
    what = call.peek(lambda tx, actor: asked(tx, actor, client_id, indicator))
    found = traced(call.frame, what)
    return call.answer(lambda tx, actor: told(tx, actor, what, found))
