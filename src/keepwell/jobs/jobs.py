"""Jobs about jobs: old ones are deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from keepwell.frame.context import Frame
from keepwell.jobs import repo
from keepwell.jobs.registry import Lease, every

KEPT: Final = timedelta(days=7)
"""How long jobs that are done or cancelled are kept."""
DEAD_KEPT: Final = timedelta(days=90)
"""How long dead jobs are kept."""
CHUNK: Final = 1000
"""Rows deleted in one transaction, so that no other writer waits long."""


@every("jobs.prune", cron="17 * * * *", external=True)
def prune(frame: Frame, payload: dict[str, Any], lease: Lease) -> None:  # noqa: ARG001
    """Delete jobs that ended long ago, in chunks."""
    while True:
        with frame.write() as tx:
            gone = repo.prune(tx, tx.at - KEPT, tx.at - DEAD_KEPT, CHUNK)
        if gone < CHUNK:
            return
        lease.renew()
