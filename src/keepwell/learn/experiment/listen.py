"""What experiments do when other rooms tell that something happened."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.learn.experiment import repo


@subscribe(EventName.PROFILING_REFUSED)
def forget(tx: Tx, event: Event) -> None:
    """Take tier and chance of the draw away; the arm, which no score gave, stays (rule PI-4)."""
    repo.forget(tx, event.client_id or event.subject)
