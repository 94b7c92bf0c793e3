"""Verbs of webhooks: set up, change, rotate, test, look into the outbox, replay."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from keepwell.core.errors import nearest
from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import Event
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.webhook import repo
from keepwell.intervene.webhook.guard import check_url
from keepwell.intervene.webhook.model import WebhookDelivery, WebhookEndpoint, WebhookMessage
from keepwell.intervene.webhook.policy import (
    OLD_SECRET_VALID,
    PING,
    derive_secret,
    known_patterns,
    matches,
    pattern_known,
)
from keepwell.intervene.webhook.schema import EndpointChange, EndpointIn
from keepwell.jobs.service import cancel_prefix, enqueue
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

_UNTOLD = ("tier", "old_tier", "score", "rose")
"""What a model says of a client stays inside: a refusal could not take it back (rule PI-4)."""

REPLAY_MOST = 1000
"""Messages that one call puts back into the outbox."""


def create_endpoint(tx: Tx, actor: Actor, given: EndpointIn) -> WebhookEndpoint:
    """Set up an endpoint; it gets events once it is approved.

    Raises:
        Unprocessable: an address or a pattern that is not acceptable.
    """
    url = check_url(given.url, tx.frame.settings.webhook.allow_private)
    endpoint = WebhookEndpoint(
        endpoint_id=new_id("hook", tx.at), url=url, patterns=_patterns(given.patterns),
        description=given.description or "", active=True, off_reason="", dead_in_row=0,
        secret_number=1, rotated_at=None, approved_at=None, approved_by=None, version=1,
        created_at=tx.at, changed_at=tx.at,
    )  # fmt: skip
    tx.session.add(endpoint)
    tx.session.flush()
    _record(tx, actor, EvidenceKind.WEBHOOK_CREATED, endpoint)
    return endpoint


def read_endpoint(tx: Tx, actor: Actor, endpoint_id: str) -> WebhookEndpoint:  # noqa: ARG001
    """One endpoint.

    Raises:
        NotFound: there is none.
    """
    return _endpoint(tx, endpoint_id)


def change_endpoint(
    tx: Tx, actor: Actor, endpoint_id: str, change: EndpointChange, version: int
) -> WebhookEndpoint:
    """Change an endpoint; switching it on again clears its record of failures.

    Raises:
        NotFound: there is none.
        Stale: somebody changed it in the meantime.
        Unprocessable: an address or a pattern that is not acceptable.
    """
    endpoint = _endpoint(tx, endpoint_id, lock=True)
    check_version(endpoint.version, version)
    if change.url is not None:
        endpoint.url = check_url(change.url, tx.frame.settings.webhook.allow_private)
    if change.patterns is not None:
        endpoint.patterns = _patterns(change.patterns)
    if change.description is not None:
        endpoint.description = change.description
    if change.active is not None and change.active != endpoint.active:
        endpoint.active = change.active
        endpoint.off_reason = "" if change.active else "manual"
        endpoint.dead_in_row = 0
    if change.url is not None or change.patterns is not None:
        endpoint.approved_at = endpoint.approved_by = None
    _touch(tx, endpoint)
    fields = sorted(change.model_dump(exclude_none=True))
    _record(tx, actor, EvidenceKind.WEBHOOK_CHANGED, endpoint, fields=fields)
    return endpoint


def approve_endpoint(tx: Tx, actor: Actor, endpoint_id: str, version: int) -> WebhookEndpoint:
    """Let an endpoint have events, as it stands; a new address or other events need it again.

    Raises:
        NotFound: there is none.
        Stale: somebody changed it since it was read.
    """
    endpoint = _endpoint(tx, endpoint_id, lock=True)
    check_version(endpoint.version, version)
    endpoint.approved_at, endpoint.approved_by = tx.at, actor.user_id
    _touch(tx, endpoint)
    _record(tx, actor, EvidenceKind.WEBHOOK_APPROVED, endpoint, patterns=endpoint.patterns)
    return endpoint


def delete_endpoint(tx: Tx, actor: Actor, endpoint_id: str, version: int) -> None:
    """Remove an endpoint with its messages and attempts.

    Raises:
        NotFound: there is none.
        Stale: somebody changed it in the meantime.
    """
    endpoint = _endpoint(tx, endpoint_id, lock=True)
    check_version(endpoint.version, version)
    _record(tx, actor, EvidenceKind.WEBHOOK_DELETED, endpoint)
    tx.session.flush()
    cancel_prefix(tx, f"webhook:{endpoint_id}:")
    repo.remove_endpoint(tx, endpoint_id)
    tx.session.expunge(endpoint)
    repo.changed(tx)


def rotate_secret(tx: Tx, actor: Actor, endpoint_id: str, version: int) -> WebhookEndpoint:
    """Give an endpoint a new secret; for a day the old one signs too.

    Raises:
        NotFound: there is none.
        Stale: somebody changed it in the meantime.
    """
    endpoint = _endpoint(tx, endpoint_id, lock=True)
    check_version(endpoint.version, version)
    endpoint.secret_number += 1
    endpoint.rotated_at = tx.at
    _touch(tx, endpoint)
    _record(tx, actor, EvidenceKind.WEBHOOK_ROTATED, endpoint, number=endpoint.secret_number)
    return endpoint


def secret_of(tx: Tx, endpoint: WebhookEndpoint) -> str:
    """The endpoint's present secret; shown only when it was made."""
    return derive_secret(tx.frame.secret, endpoint.endpoint_id, endpoint.secret_number)


def old_secret_until(tx: Tx, endpoint: WebhookEndpoint) -> datetime | None:
    """Until when the secret before the last rotation signs too; None when it does not."""
    if endpoint.rotated_at is None:
        return None
    until = endpoint.rotated_at + OLD_SECRET_VALID
    return until if until > tx.at else None


def list_endpoints(
    tx: Tx,
    actor: Actor,  # noqa: ARG001
    limit: int,
    cursor: str | None,
) -> tuple[list[WebhookEndpoint], str | None]:
    """A page of endpoints, oldest first."""
    return repo.page_of_endpoints(tx, limit, cursor)


def list_messages(
    tx: Tx,
    actor: Actor,  # noqa: ARG001
    endpoint_id: str,
    state: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[WebhookMessage], str | None]:
    """A page of an endpoint's messages, newest first.

    Raises:
        NotFound: there is no such endpoint.
    """
    _endpoint(tx, endpoint_id)
    return repo.page_of_messages(tx, endpoint_id, state, limit, cursor)


def read_message(
    tx: Tx,
    actor: Actor,  # noqa: ARG001
    endpoint_id: str,
    message_id: str,
) -> WebhookMessage:
    """One message.

    Raises:
        NotFound: there is none.
    """
    return _message(tx, endpoint_id, message_id)


def list_deliveries(
    tx: Tx,
    actor: Actor,  # noqa: ARG001
    endpoint_id: str,
    message_id: str,
    limit: int,
    cursor: str | None,
) -> tuple[list[WebhookDelivery], str | None]:
    """A page of the attempts at a message, in order.

    Raises:
        NotFound: there is no such message.
    """
    _message(tx, endpoint_id, message_id)
    return repo.page_of_deliveries(tx, endpoint_id, message_id, limit, cursor)


def dispatch(tx: Tx, event: Event) -> None:
    """Put an event into the outbox of every active, approved endpoint that wants it."""
    wanting = [e for e in repo.active_endpoints(tx) if matches(e.patterns, event.name.value)]
    if not wanting:
        return
    data = {
        "subject": event.subject, "client_id": event.client_id, "actor_id": event.actor_id,
        "facts": {name: value for name, value in event.data.items() if name not in _UNTOLD},
    }  # fmt: skip
    message_id = new_id("msg", tx.at)
    for endpoint in wanting:
        _put(tx, endpoint, message_id, event.name.value, data)


def ping(tx: Tx, actor: Actor, endpoint_id: str) -> WebhookMessage:
    """Send a message of type webhook.ping.

    Raises:
        NotFound: there is no such endpoint.
        Conflict: it is off.
    """
    endpoint = _endpoint(tx, endpoint_id)
    _needs_active(endpoint)
    data: dict[str, Any] = {
        "subject": endpoint_id, "client_id": None, "actor_id": actor.user_id, "facts": {},
    }  # fmt: skip
    return _put(tx, endpoint, new_id("msg", tx.at), PING, data)


def replay(tx: Tx, actor: Actor, endpoint_id: str, message_id: str) -> WebhookMessage:
    """Send a message again that was delivered or given up, under the same webhook-id.

    Raises:
        NotFound: there is no such message.
        Conflict: it is still being tried, or the endpoint is off.
    """
    endpoint = _endpoint(tx, endpoint_id)
    message = _message(tx, endpoint_id, message_id, lock=True)
    _needs_active(endpoint)
    if message.state == "pending":
        raise Conflict("webhook.message-pending", id=message_id)
    _again(tx, message)
    _record(tx, actor, EvidenceKind.WEBHOOK_REPLAYED, endpoint, message=message_id, messages=1)
    return message


def replay_dead(tx: Tx, actor: Actor, endpoint_id: str, since: datetime) -> tuple[int, bool]:
    """Send the dead messages since an instant again, at most `REPLAY_MOST` of them.

    Returns:
        How many, and whether some are left.

    Raises:
        NotFound: there is no such endpoint.
        Conflict: the endpoint is off.
    """
    endpoint = _endpoint(tx, endpoint_id)
    if since.tzinfo is None:
        raise Unprocessable("webhook.instant-naive")
    _needs_active(endpoint)
    dead = repo.dead_since(tx, endpoint_id, since, REPLAY_MOST + 1)
    for message in dead[:REPLAY_MOST]:
        _again(tx, message)
    count = min(len(dead), REPLAY_MOST)
    _record(tx, actor, EvidenceKind.WEBHOOK_REPLAYED, endpoint, messages=count)
    return count, len(dead) > REPLAY_MOST


def schedule(tx: Tx, message: WebhookMessage, due_at: datetime) -> None:
    """Store the job of the message's next attempt; each attempt is a job of its own."""
    message.next_at = due_at
    enqueue(
        tx,
        "webhook.deliver",
        {"endpoint_id": message.endpoint_id, "message_id": message.message_id},
        key=f"webhook:{message.endpoint_id}:{message.message_id}:{message.tried + 1}",
        due_at=due_at,
    )


def _put(
    tx: Tx, endpoint: WebhookEndpoint, message_id: str, event: str, data: dict[str, Any]
) -> WebhookMessage:
    stamp = tx.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": event, "timestamp": stamp, "data": data}
    message = WebhookMessage(
        endpoint_id=endpoint.endpoint_id, message_id=message_id, event=event,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str),
        state="pending", fault="", tried=0, tried_before=0, created_at=tx.at, next_at=None,
        ended_at=None,
    )  # fmt: skip
    tx.session.add(message)
    schedule(tx, message, tx.at)
    return message


def _again(tx: Tx, message: WebhookMessage) -> None:
    message.state = "pending"
    message.fault = ""
    message.tried_before = message.tried
    message.ended_at = None
    schedule(tx, message, tx.at)


def _endpoint(tx: Tx, endpoint_id: str, lock: bool = False) -> WebhookEndpoint:
    found = repo.endpoint(tx, endpoint_id, lock)
    if found is None:
        raise NotFound("webhook.endpoint-unknown")
    return found


def _message(tx: Tx, endpoint_id: str, message_id: str, lock: bool = False) -> WebhookMessage:
    found = repo.message(tx, endpoint_id, message_id, lock)
    if found is None:
        raise NotFound("webhook.message-unknown")
    return found


def _needs_active(endpoint: WebhookEndpoint) -> None:
    if not endpoint.active:
        raise Conflict("webhook.endpoint-off", reason=endpoint.off_reason)
    if endpoint.approved_at is None:
        raise Conflict("webhook.endpoint-unapproved")


def _patterns(given: list[str]) -> list[str]:
    for pattern in given:
        if not pattern_known(pattern):
            close = nearest(pattern, known_patterns()) or "–"
            raise Unprocessable("webhook.pattern-unknown", pattern=pattern, nearest=close)
    return sorted(set(given))


def _touch(tx: Tx, endpoint: WebhookEndpoint) -> None:
    endpoint.version += 1
    endpoint.changed_at = tx.at
    repo.changed(tx)


def _record(
    tx: Tx, actor: Actor, kind: EvidenceKind, endpoint: WebhookEndpoint, **data: Any
) -> None:
    repo.changed(tx)
    record(tx, actor, kind, subject=endpoint.endpoint_id, data=data)
