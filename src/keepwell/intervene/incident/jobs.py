"""Job of incidents: look at every source and bring to the desk what the monitors say."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.incident.bring import sync, trades_on
from keepwell.jobs.registry import Finish, Lease, every
from keepwell.observe.monitors.incidents import incidents_of
from keepwell.observe.monitors.watch import watch

EVERY: Final = 600.0
"""Seconds between two looks; what has not changed since the last is not read again."""


@every("incident.watch", seconds=EVERY, external=True, lease=1800)
def look(frame: Frame, payload: dict[str, Any], lease: Lease) -> Finish:
    """Watch, then bring in: late data are found although nothing came."""
    del payload, lease
    watch(frame.workspace, frame.now(), trades_on(frame))
    found = incidents_of(frame.workspace)

    def bring(tx: Tx) -> None:
        sync(tx, found)

    return bring
