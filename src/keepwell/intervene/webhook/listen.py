"""Webhooks hear every event of the desk."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, subscribe
from keepwell.intervene.webhook.service import dispatch


@subscribe()
def put_into_outbox(tx: Tx, event: Event) -> None:
    """Store the messages of an event in its own transaction."""
    dispatch(tx, event)
