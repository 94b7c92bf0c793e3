"""The job that sequences the evidence log."""

from __future__ import annotations

from typing import Any

from keepwell.frame.database import Tx
from keepwell.jobs.registry import every, transactional
from keepwell.jobs.service import enqueue
from keepwell.trust.evidence.sequence import BATCH, sequence


@every("evidence.sequence", seconds=1)
def tick(tx: Tx, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Once a second: leaves for waiting entries, a checkpoint when due."""
    _step(tx)


@transactional("evidence.catch-up")
def catch_up(tx: Tx, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """At once again while more entries wait than one transaction takes."""
    _step(tx)


def _step(tx: Tx) -> None:
    if sequence(tx) == BATCH:
        enqueue(tx, "evidence.catch-up", {})
