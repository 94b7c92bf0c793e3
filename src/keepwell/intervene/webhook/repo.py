"""Queries over webhooks. Endpoints are about no client; what messages say is shown by scope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select

from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor, page_of
from keepwell.intervene.webhook.model import WebhookDelivery, WebhookEndpoint, WebhookMessage

_CACHE = "webhook.endpoints"
_ENDPOINTS = select(WebhookEndpoint)  # unscoped: endpoints belong to the desk, not to a client
_MESSAGES = select(WebhookMessage)  # unscoped: only webhook:admin looks into the outbox
_DELIVERIES = select(WebhookDelivery)  # unscoped: only webhook:admin looks into the outbox


def endpoint(tx: Tx, endpoint_id: str, lock: bool = False) -> WebhookEndpoint | None:
    """One endpoint; with `lock`, nobody else changes it until the end of the transaction."""
    statement = _ENDPOINTS.where(WebhookEndpoint.endpoint_id == endpoint_id)
    if lock:
        # Messages may still be added: they only need the row to exist.
        statement = statement.with_for_update(key_share=True).execution_options(
            populate_existing=True
        )
    return tx.session.scalars(statement).first()


def active_endpoints(tx: Tx) -> Sequence[WebhookEndpoint]:
    """Those that get messages; read once per transaction, since a sweep emits many events."""
    known: Sequence[WebhookEndpoint] | None = tx.session.info.get(_CACHE)
    if known is None:
        statement = _ENDPOINTS.where(
            WebhookEndpoint.active, WebhookEndpoint.approved_at.is_not(None)
        )
        known = tx.session.scalars(statement.order_by(WebhookEndpoint.endpoint_id)).all()
        tx.session.info[_CACHE] = known
    return known


def changed(tx: Tx) -> None:
    """Forget what `active_endpoints` remembers; called after every change of an endpoint."""
    tx.session.info.pop(_CACHE, None)


def page_of_endpoints(
    tx: Tx, limit: int, cursor: str | None
) -> tuple[list[WebhookEndpoint], str | None]:
    """A page of endpoints, oldest first, and the cursor of the next."""
    columns = [(WebhookEndpoint.created_at, False), (WebhookEndpoint.endpoint_id, False)]
    statement = page_of(_ENDPOINTS, columns, [datetime, str], limit, cursor)
    rows = list(tx.session.scalars(statement))
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return rows[:limit], encode_cursor([last.created_at, last.endpoint_id]) if last else None


def message(tx: Tx, endpoint_id: str, message_id: str, lock: bool = False) -> WebhookMessage | None:
    """One message."""
    statement = _MESSAGES.where(
        WebhookMessage.endpoint_id == endpoint_id, WebhookMessage.message_id == message_id
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return tx.session.scalars(statement).first()


def page_of_messages(
    tx: Tx, endpoint_id: str, state: str | None, limit: int, cursor: str | None
) -> tuple[list[WebhookMessage], str | None]:
    """A page of an endpoint's messages, newest first, and the cursor of the next."""
    statement = _MESSAGES.where(WebhookMessage.endpoint_id == endpoint_id)
    if state:
        statement = statement.where(WebhookMessage.state == state)
    columns = [(WebhookMessage.created_at, True), (WebhookMessage.message_id, True)]
    rows = list(tx.session.scalars(page_of(statement, columns, [datetime, str], limit, cursor)))
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], encode_cursor([last.created_at, last.message_id]) if last else None


def page_of_deliveries(
    tx: Tx, endpoint_id: str, message_id: str, limit: int, cursor: str | None
) -> tuple[list[WebhookDelivery], str | None]:
    """A page of the attempts at a message, in order, and the cursor of the next."""
    statement = _DELIVERIES.where(
        WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.message_id == message_id
    )
    columns = [(WebhookDelivery.number, False)]
    rows = list(tx.session.scalars(page_of(statement, columns, [int], limit, cursor)))
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], encode_cursor([last.number]) if last else None


def dead_since(tx: Tx, endpoint_id: str, since: datetime, limit: int) -> list[WebhookMessage]:
    """Dead messages of events from an instant on, oldest first."""
    statement = (
        _MESSAGES.where(
            WebhookMessage.endpoint_id == endpoint_id,
            WebhookMessage.state == "dead",
            WebhookMessage.created_at >= since,
        )
        .order_by(WebhookMessage.created_at, WebhookMessage.message_id)
        .limit(limit)
    )
    return list(tx.session.scalars(statement.with_for_update()))


def remove_endpoint(tx: Tx, endpoint_id: str) -> None:
    """Delete an endpoint with its messages and attempts."""
    for table in (WebhookDelivery, WebhookMessage, WebhookEndpoint):
        tx.session.execute(delete(table).where(table.endpoint_id == endpoint_id))


def remove_messages(tx: Tx, before: datetime, limit: int) -> int:
    """Delete messages of events before an instant that have ended, with their attempts."""
    old = (
        select(WebhookMessage.endpoint_id, WebhookMessage.message_id)  # unscoped: upkeep
        .where(WebhookMessage.created_at < before, WebhookMessage.state != "pending")
        .order_by(WebhookMessage.created_at)
        .limit(limit)
    )
    keys = tx.session.execute(old).all()
    for endpoint_id, message_id in keys:
        for table in (WebhookDelivery, WebhookMessage):
            tx.session.execute(
                delete(table).where(
                    table.endpoint_id == endpoint_id, table.message_id == message_id
                )
            )
    return len(keys)
