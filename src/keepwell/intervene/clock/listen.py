"""What the clocks hear from the other rooms."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.intervene.clock import service


@subscribe(
    EventName.CASE_OPENED, EventName.CASE_REOPENED, EventName.CASE_ALERTED,
    EventName.CASE_MOVED, EventName.CASE_CONTACTED, EventName.CASE_CLOSED,
)  # fmt: skip
def on_case(tx: Tx, event: Event) -> None:
    """A case begins, moves on or ends, and its clocks with it."""
    service.on_case(tx, event)


@subscribe(EventName.CASE_REASSIGNED)
def on_reassigned(tx: Tx, event: Event) -> None:
    """The new owner is warned from now on."""
    service.hand_over(tx, "case", event.subject, event.data.get("owner_id"))
