"""Timers of exit requests, and what followed from one and failed."""

from __future__ import annotations

from typing import Any

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, redeliver
from keepwell.intervene.exit import service
from keepwell.intervene.exit.service import CONSEQUENCE, UNSETTLED
from keepwell.jobs.registry import transactional


@transactional(UNSETTLED)
def unsettled(tx: Tx, payload: dict[str, Any]) -> None:
    """Page compliance of a request that nobody has settled."""
    service.still_unsettled(tx, payload["request_id"])


@transactional(CONSEQUENCE)
def consequence(tx: Tx, payload: dict[str, Any]) -> None:
    """Do again what an exit meant for another room and failed there; retried until it works."""
    fields = {name: payload[name] for name in ("subject", "actor_id", "client_id", "data")}
    redeliver(tx, Event(EventName(payload["name"]), **fields), payload["subscriber"])
