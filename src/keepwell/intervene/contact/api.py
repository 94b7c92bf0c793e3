"""Endpoints of contacts: the gate, and what was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.text import ClientId, Id
from keepwell.intervene.contact import service
from keepwell.intervene.contact.policy import Aim, Channel, Use
from keepwell.intervene.contact.schema import (
    ContactIn,
    ContactOut,
    DeliveryIn,
    VerdictOut,
)
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["contacts"])

CaseId = Annotated[Id, Path(description="The case's number.")]


@router.get(
    "/clients/{client_id}/may-contact", response_model=VerdictOut, operation_id="may_contact",
    summary="Ask whether a client may be contacted now",
)  # fmt: skip
def may_contact(
    client_id: Annotated[ClientId, Path(description="The client's number.")],
    channel: Annotated[
        Channel, Query(description="By which way; today's rules treat all alike.")
    ] = Channel.PHONE,
    purpose: Annotated[Aim, Query(description="To keep the client, or service.")] = Aim.RETENTION,
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Rules CT-1, CT-2, R-EXIT-3 and PI-4; asked again when the contact is recorded."""
    del channel

    def verb(tx: Tx, actor: Actor) -> VerdictOut:
        verdict = service.ask(tx, actor, client_id, purpose)
        if verdict.allowed:
            return VerdictOut(allowed=True)
        words = service.forbidden(tx, verdict).words(actor.locale)
        return VerdictOut(allowed=False, code=verdict.code, rule=verdict.rule, words=words)

    return call.answer(verb)


@router.post(
    "/cases/{case_id}/contacts", response_model=ContactOut, status_code=201,
    operation_id="log_contact", summary="Record a contact",
)  # fmt: skip
def log_contact(
    case_id: CaseId, body: ContactIn, call: Call = allow(Permission.CASE_WRITE)
) -> Response:
    """409 with the rule's code where the gate forbids it, unless it has `happened` already.

    With an action the gate of actions is asked again: suitability, consent, limits and cool-down.
    """
    return call.perform(
        lambda tx, actor: ContactOut.model_validate(
            service.log_touch(
                tx, actor, case_id, channel=body.channel, direction=body.direction, aim=body.aim,
                result=body.result, at=body.at, note=body.note or "", happened=body.happened,
                use=Use(body.action_id, body.action_version, body.script_id),
                delivery=body.delivery,
            )
        ),
        status=201,
    )  # fmt: skip


@router.get(
    "/cases/{case_id}/contacts", response_model=Page[ContactOut],
    operation_id="list_case_contacts", summary="List a case's contacts",
)  # fmt: skip
def list_case_contacts(
    case_id: CaseId,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Oldest first, both ours and the client's."""

    def verb(tx: Tx, actor: Actor) -> Page[ContactOut]:
        rows, more = service.list_contacts(tx, actor, case_id, limit, cursor)
        return Page[ContactOut](items=service.outs(tx, rows), next=more)

    return call.answer(verb)


@router.post(
    "/contacts/{contact_id}/delivery", response_model=ContactOut,
    operation_id="note_contact_delivery", summary="Say later whether a contact arrived",
)  # fmt: skip
def note_delivery(
    contact_id: Annotated[Id, Path(description="The contact's number.")],
    body: DeliveryIn,
    call: Call = allow(Permission.CASE_WRITE),
) -> Response:
    """It is added to the contact, whose own row stays; the newest word counts."""
    return call.perform(
        lambda tx, actor: service.note_delivery(tx, actor, contact_id, body.delivery, body.at)
    )
