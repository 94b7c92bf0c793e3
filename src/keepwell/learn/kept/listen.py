"""When new scores are in force and the newest proof is old, what was kept is computed again."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.learn.kept.service import ask_if_due


@subscribe(EventName.GENERATION_PUBLISHED)
def prove_again(tx: Tx, event: Event) -> None:
    """Ask for a proof, if it is time."""
    del event
    ask_if_due(tx)
