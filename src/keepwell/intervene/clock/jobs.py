"""Timers of clocks."""

from __future__ import annotations

from typing import Any

from keepwell.frame.database import Tx
from keepwell.intervene.clock import service
from keepwell.intervene.clock.wind import TICK
from keepwell.jobs.registry import transactional


@transactional(TICK)
def tick(tx: Tx, payload: dict[str, Any]) -> None:
    """Warn, breach or escalate, if the clock still runs and its time has come."""
    service.tick(tx, payload["clock_id"])
