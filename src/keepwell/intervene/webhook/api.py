"""Endpoints of webhooks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.frame.events import TITLES
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.intervene.webhook import service
from keepwell.intervene.webhook.model import WebhookEndpoint, WebhookMessage
from keepwell.intervene.webhook.schema import (
    DeliveryOut,
    EndpointChange,
    EndpointIn,
    EndpointMade,
    EndpointOut,
    EventTypeOut,
    MessageFull,
    MessageOut,
    MessageState,
    ReplayIn,
    ReplayOut,
)
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.policy import Actor, Permission, Scope

router = APIRouter(tags=["webhooks"])

EndpointId = Annotated[str, Path(max_length=200, pattern="^[a-z0-9_]+$")]
MessageId = Annotated[str, Path(max_length=200, pattern="^[a-z0-9_]+$")]
ADMIN = Permission.WEBHOOK_ADMIN
READ = Permission.WEBHOOK_READ


@router.get(
    "/webhook-events",
    response_model=list[EventTypeOut],
    operation_id="list_webhook_events",
    summary="List the types of events that webhooks can send",
)
def list_events(call: Call = allow(READ)) -> Response:
    """All types of events, for choosing patterns."""
    return call.answer(
        lambda _, actor: [
            EventTypeOut(event=name.value, title=tr(title, actor.locale))
            for name, title in TITLES.items()
        ]
    )


@router.get(
    "/webhooks",
    response_model=Page[EndpointOut],
    operation_id="list_webhooks",
    summary="List webhook endpoints",
)
def list_endpoints(limit: Limit = 50, cursor: Cursor = None, call: Call = allow(READ)) -> Response:
    """Endpoints, oldest first."""

    def verb(tx: Tx, actor: Actor) -> Page[EndpointOut]:
        rows, following = service.list_endpoints(tx, actor, limit, cursor)
        return Page(items=[endpoint_out(tx, row) for row in rows], next=following)

    return call.answer(verb)


@router.post(
    "/webhooks",
    response_model=EndpointMade,
    status_code=201,
    operation_id="create_webhook",
    summary="Set up a webhook endpoint",
)
def create_endpoint(given: EndpointIn, call: Call = allow(ADMIN)) -> Response:
    """The answer holds the signing secret, this once. Nothing is sent before the approval."""
    return call.perform(
        lambda tx, actor: _made(tx, service.create_endpoint(tx, actor, given)), status=201
    )


@router.get(
    "/webhooks/{endpoint_id}",
    response_model=EndpointOut,
    operation_id="read_webhook",
    summary="Read a webhook endpoint",
)
def read_endpoint(endpoint_id: EndpointId, call: Call = allow(READ)) -> Response:
    """One endpoint; its ETag is needed to change it."""
    return call.answer(lambda tx, actor: _shown(tx, service.read_endpoint(tx, actor, endpoint_id)))


@router.patch(
    "/webhooks/{endpoint_id}",
    response_model=EndpointOut,
    operation_id="change_webhook",
    summary="Change a webhook endpoint, switch it off or on",
    responses=also(412, 428),
)
def change_endpoint(
    endpoint_id: EndpointId, change: EndpointChange, call: Call = allow(ADMIN)
) -> Response:
    """Needs If-Match. Switching on clears its failures; a new address or events need approval."""
    return call.perform(
        lambda tx, actor: _shown(
            tx,
            service.change_endpoint(tx, actor, endpoint_id, change, call.expected_version()),
        )
    )


@router.post(
    "/webhooks/{endpoint_id}/approve",
    response_model=EndpointOut,
    operation_id="approve_webhook",
    summary="Approve where a webhook sends what",
    responses=also(412, 428),
)
def approve_endpoint(
    endpoint_id: EndpointId, call: Call = allow(Permission.WEBHOOK_APPROVE)
) -> Response:
    """Needs If-Match: what was read is approved, its address and its events."""
    return call.perform(
        lambda tx, actor: _shown(
            tx, service.approve_endpoint(tx, actor, endpoint_id, call.expected_version())
        )
    )


@router.delete(
    "/webhooks/{endpoint_id}",
    status_code=204,
    response_model=None,
    operation_id="delete_webhook",
    summary="Remove a webhook endpoint with its messages",
    responses=also(412, 428),
)
def delete_endpoint(endpoint_id: EndpointId, call: Call = allow(ADMIN)) -> Response:
    """Remove an endpoint; needs If-Match. What waits in its outbox is not sent."""
    return call.perform(
        lambda tx, actor: service.delete_endpoint(tx, actor, endpoint_id, call.expected_version()),
        status=204,
    )


@router.post(
    "/webhooks/{endpoint_id}/rotate",
    response_model=EndpointMade,
    operation_id="rotate_webhook_secret",
    summary="Give a webhook endpoint a new secret",
    responses=also(412, 428),
)
def rotate_secret(endpoint_id: EndpointId, call: Call = allow(ADMIN)) -> Response:
    """Make a new secret; needs If-Match. For 24 hours messages carry a signature by each."""
    return call.perform(
        lambda tx, actor: _made(
            tx, service.rotate_secret(tx, actor, endpoint_id, call.expected_version())
        )
    )


@router.post(
    "/webhooks/{endpoint_id}/test",
    response_model=MessageOut,
    status_code=202,
    operation_id="test_webhook",
    summary="Send a test message",
)
def ping_endpoint(endpoint_id: EndpointId, call: Call = allow(ADMIN)) -> Response:
    """Send a message of type webhook.ping, tried once; read the message to see what came of it."""
    return call.perform(
        lambda tx, actor: message_out(service.ping(tx, actor, endpoint_id)), status=202
    )


@router.get(
    "/webhooks/{endpoint_id}/messages",
    response_model=Page[MessageOut],
    operation_id="list_webhook_messages",
    summary="List an endpoint's messages",
)
def list_messages(
    endpoint_id: EndpointId,
    state: Annotated[MessageState | None, Query(description="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(ADMIN),
) -> Response:
    """Messages of an endpoint, newest first; `state=dead` is the dead-letter list."""

    def verb(tx: Tx, actor: Actor) -> Page[MessageOut]:
        rows, following = service.list_messages(
            tx,
            actor,
            endpoint_id,
            state,
            limit,
            cursor,
        )
        return Page(items=[message_out(row) for row in rows], next=following)

    return call.answer(verb)


@router.get(
    "/webhooks/{endpoint_id}/messages/{message_id}",
    response_model=MessageFull,
    operation_id="read_webhook_message",
    summary="Read a message and the JSON it sends",
)
def read_message(
    endpoint_id: EndpointId, message_id: MessageId, call: Call = allow(ADMIN)
) -> Response:
    """One message."""
    return call.answer(
        lambda tx, actor: _full(actor, service.read_message(tx, actor, endpoint_id, message_id))
    )


@router.get(
    "/webhooks/{endpoint_id}/messages/{message_id}/deliveries",
    response_model=Page[DeliveryOut],
    operation_id="list_webhook_deliveries",
    summary="List the attempts to deliver a message",
)
def list_deliveries(
    endpoint_id: EndpointId,
    message_id: MessageId,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(ADMIN),
) -> Response:
    """Every attempt, in order."""

    def verb(tx: Tx, actor: Actor) -> Page[DeliveryOut]:
        rows, following = service.list_deliveries(
            tx,
            actor,
            endpoint_id,
            message_id,
            limit,
            cursor,
        )
        items = [DeliveryOut.model_validate(row, from_attributes=True) for row in rows]
        return Page(items=items, next=following)

    return call.answer(verb)


@router.post(
    "/webhooks/{endpoint_id}/messages/{message_id}/replay",
    response_model=MessageOut,
    status_code=202,
    operation_id="replay_webhook_message",
    summary="Send a message again",
)
def replay_message(
    endpoint_id: EndpointId, message_id: MessageId, call: Call = allow(ADMIN)
) -> Response:
    """Send a delivered or dead message again, with the same webhook-id."""
    return call.perform(
        lambda tx, actor: message_out(service.replay(tx, actor, endpoint_id, message_id)),
        status=202,
    )


@router.post(
    "/webhooks/{endpoint_id}/replay",
    response_model=ReplayOut,
    status_code=202,
    operation_id="replay_webhook_dead",
    summary="Send all dead messages since an instant again",
)
def replay_dead(endpoint_id: EndpointId, given: ReplayIn, call: Call = allow(ADMIN)) -> Response:
    """Put dead messages back into the outbox, oldest first, at most 1,000 at a time."""

    def verb(tx: Tx, actor: Actor) -> ReplayOut:
        count, more = service.replay_dead(tx, actor, endpoint_id, given.since)
        return ReplayOut(replayed=count, more=more)

    return call.perform(verb, status=202)


def endpoint_out(tx: Tx, row: WebhookEndpoint) -> EndpointOut:
    """An endpoint as shown."""
    return EndpointOut(**_fields(tx, row))


def _fields(tx: Tx, row: WebhookEndpoint) -> dict[str, object]:
    names = EndpointOut.model_fields.keys() - {"old_secret_until"}
    fields = {name: getattr(row, name) for name in names}
    return {**fields, "old_secret_until": service.old_secret_until(tx, row)}


def _shown(tx: Tx, row: WebhookEndpoint) -> Reply:
    return Reply(endpoint_out(tx, row), version=row.version, anew=True)


def _made(tx: Tx, row: WebhookEndpoint) -> Reply:
    made = EndpointMade(**_fields(tx, row), secret=service.secret_of(tx, row))
    return Reply(made, version=row.version, secret=True)


def message_out(row: WebhookMessage) -> MessageOut:
    """A message as listed."""
    return MessageOut.model_validate(row, from_attributes=True)


def _full(actor: Actor, row: WebhookMessage) -> MessageFull:
    full = MessageFull.model_validate(row, from_attributes=True)
    # Administrators look after the outbox; whom its messages are about is not theirs to see.
    return full if actor.scope is Scope.ALL else full.model_copy(update={"body": None})
