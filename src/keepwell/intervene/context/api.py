"""One endpoint: the screen pop."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from keepwell.frame.text import ClientId
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
