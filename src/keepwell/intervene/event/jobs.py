"""Work on events: let the rules see a batch, acknowledge what a crash left, fill the lake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from keepwell.core.errors import UsageError
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.event import service
from keepwell.jobs.registry import GiveUp, Lease, every, transactional
from keepwell.observe.spool_ingest import drain, spool_of, waiting

Finish = Callable[[Tx], None] | None

YOUNG: Final = timedelta(minutes=1)
"""Batches so young stay in the spool: their senders may be being answered just now."""


@transactional(service.APPLY)
def apply(tx: Tx, payload: dict[str, Any]) -> None:
    """Let the rules see the rows of a batch."""
    sequence = int(payload["sequence"])
    record = spool_of(tx.frame.workspace).read(sequence)
    if record is None:
        raise GiveUp("event.record-missing")
    service.apply(tx, sequence, record)


@every("event.recover", seconds=5, external=True)
def recover(frame: Frame, payload: dict[str, Any], lease: Lease) -> Finish:
    """Acknowledge batches whose process died between storing and acknowledging them."""
    del payload, lease
    service.recover(frame)
    return None


@every("event.drain", seconds=60, external=True, lease=900)
def fill_lake(frame: Frame, payload: dict[str, Any], lease: Lease) -> Finish:
    """Bring what waits in the spool into the lake and let the spool forget what is settled."""
    del payload, lease
    if not (frame.workspace.state / "spool").is_dir():
        return None
    service.recover(frame)
    if waiting(frame.workspace):
        try:
            drain(frame.workspace, frame.now())
        except UsageError as error:
            if error.code not in ("lake.writer-busy", "spool.busy"):
                raise
            return None  # somebody else is at it; the next tick comes soon
    service.release(frame, frame.now() - YOUNG)
    return None
