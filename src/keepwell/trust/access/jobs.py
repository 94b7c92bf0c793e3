"""Recurring work of access."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from keepwell.frame.database import Tx
from keepwell.jobs.registry import every, transactional
from keepwell.trust.access import repo, throttle
from keepwell.trust.access.replay import KEY_KEPT


@every("access.prune", seconds=3600)
@transactional("access.prune")
def prune(tx: Tx, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Delete idempotency keys, log-in failures and sessions that no longer count."""
    idle = timedelta(minutes=tx.frame.settings.session.idle_minutes)
    repo.prune(tx, tx.at - KEY_KEPT, tx.at - throttle.FORGOTTEN_AFTER, tx.at - idle)
