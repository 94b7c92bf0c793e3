"""Jobs of webhooks: deliver a message, keep the outbox small."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.webhook import outbox, repo
from keepwell.intervene.webhook.send import send
from keepwell.jobs.registry import Lease, every, external

CLEAN_AT_ONCE = 5000


@external("webhook.deliver", lease=90)
def deliver(
    frame: Frame,
    payload: dict[str, Any],
    lease: Lease,  # noqa: ARG001
) -> Callable[[Tx], None] | None:
    """Try a message once. A worker that dies on the way makes it arrive twice, never not at all."""
    endpoint_id, message_id = payload["endpoint_id"], payload["message_id"]
    due = outbox.due(frame, endpoint_id, message_id)
    if due is None:
        return None
    outcome = send(due.parcel, frame.now(), frame.settings.webhook) if due.parcel else None
    return lambda tx: outbox.settle(tx, endpoint_id, message_id, due.number, outcome)


@every("webhook.clean", cron="20 3 * * *")
def clean(tx: Tx, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Delete messages that ended long ago; the evidence of what happened is not here."""
    before = tx.at - timedelta(days=tx.frame.settings.webhook.keep_days)
    repo.remove_messages(tx, before, CLEAN_AT_ONCE)
