"""Endpoints of consent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from keepwell.frame.text import ClientId
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission
from keepwell.trust.consent import service
from keepwell.trust.consent.schema import ConsentIn, ConsentOut, shown

router = APIRouter(tags=["consents"])

_Client = Annotated[ClientId, Path(examples=["c1"])]


@router.get(
    "/clients/{client_id}/consents", response_model=list[ConsentOut],
    operation_id="list_consents", summary="What a client agreed to and refused, newest first",
)  # fmt: skip
def list_consents(client_id: _Client, call: Call = allow(Permission.CONSENT_READ)) -> Response:
    """Every recorded word; of each purpose the one marked newest counts."""
    return call.answer(lambda tx, actor: [shown(w) for w in service.history(tx, actor, client_id)])


@router.post(
    "/clients/{client_id}/consents", response_model=ConsentOut, status_code=201,
    operation_id="record_consent", summary="Record a client's consent or refusal",
)  # fmt: skip
def record_consent(
    client_id: _Client, body: ConsentIn, call: Call = allow(Permission.CONSENT_WRITE)
) -> Response:
    """A refusal of profiling forgets score and tags at once and ends what came of them."""
    return call.perform(
        lambda tx, actor: shown(
            service.record_consent(
                tx, actor, client_id, body.purpose, body.granted, body.at, body.source
            )
        ),
        status=201,
    )
