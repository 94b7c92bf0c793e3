"""What key figures do when other rooms tell that something happened."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.intervene.kpi.jobs import COMPUTE
from keepwell.jobs.service import enqueue


@subscribe(EventName.GENERATION_PUBLISHED)
def compute_anew(tx: Tx, event: Event) -> None:
    """New data have come: months that had no figure may have one now."""
    del event
    enqueue(tx, COMPUTE, {}, key=COMPUTE)
