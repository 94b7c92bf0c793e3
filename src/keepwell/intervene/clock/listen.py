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


@subscribe(
    EventName.CONSENT_GIVEN, EventName.CONSENT_REFUSED, EventName.PROFILING_REFUSED,
    EventName.EXIT_REQUESTED, EventName.EXIT_CONTACT_REFUSED, EventName.EXIT_CANCELLED,
    EventName.EXIT_COMPLETED,
)  # fmt: skip
def on_gate(tx: Tx, event: Event) -> None:
    """Whether the client may be contacted may have changed, and clocks must not push past it."""
    if event.client_id is not None:
        service.regate(tx, event.client_id)


@subscribe(EventName.CASE_REASSIGNED)
def on_reassigned(tx: Tx, event: Event) -> None:
    """The new owner is warned from now on."""
    service.hand_over(tx, "case", event.subject, event.data.get("owner_id"))
