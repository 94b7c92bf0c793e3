"""Endpoints of events."""

from __future__ import annotations

from fastapi import APIRouter, Response

from keepwell.frame.problem import also
from keepwell.intervene.event import service
from keepwell.intervene.event.schema import EventsIn, EventsOut, EventsState
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission

router = APIRouter(tags=["events"])


@router.post(
    "/events",
    response_model=EventsOut,
    status_code=202,
    operation_id="send_events",
    summary="Send rows of the data contract",
    responses=also(413),
)
def send_events(body: EventsIn, call: Call = allow(Permission.EVENT_WRITE)) -> Response:
    """Store a batch of rows durably, so that rules fire at once and the lake gets them.

    When the answer is there, the batch survives a crash. The same batch id with the same rows is
    taken once however often it is sent; with other rows it is a conflict. Rows that break the
    contract are named in the answer and kept in the quarantine.
    """
    known = call.ask(lambda tx, _: service.look_up(tx, body))
    stored = service.store(call.frame, body, known)
    return call.perform(lambda tx, actor: service.acknowledge(tx, actor, stored), status=202)


@router.get(
    "/events/state",
    response_model=EventsState,
    operation_id="read_events_state",
    summary="How far events have come",
)
def read_events_state(call: Call = allow(Permission.DATA_READ)) -> Response:
    """Numbers of the newest batch, of what the rules have seen and of what the lake holds."""
    return call.answer(service.state)
