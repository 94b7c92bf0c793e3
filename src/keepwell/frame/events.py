"""Domain events: what one room tells the others within the same transaction.

A room emits an event; those who subscribed act in the same unit of work, so an event and all that
follows from it are stored together or not at all. Rooms therefore need not import each other.
What must leave the desk (webhooks) is put into the outbox by a subscriber.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from keepwell.frame.database import Tx


class EventName(StrEnum):
    """What can happen; grammar `<thing>.<past participle>`, in the order of the alphabet."""

    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_CLOSED = "alert.closed"
    ALERT_HELD_BACK = "alert.held-back"
    ALERT_RAISED = "alert.raised"
    ALERT_SNOOZED = "alert.snoozed"
    ALERT_WOKEN = "alert.woken"
    CASE_ALERTED = "case.alerted"
    CASE_CLOSED = "case.closed"
    CASE_CONTACTED = "case.contacted"
    CASE_ESCALATED = "case.escalated"
    CASE_MOVED = "case.moved"
    CASE_NOTED = "case.noted"
    CASE_OPENED = "case.opened"
    CASE_REASSIGNED = "case.reassigned"
    CASE_REOPENED = "case.reopened"
    CLOCK_BREACHED = "clock.breached"
    CLOCK_ESCALATED = "clock.escalated"
    CLOCK_MET = "clock.met"
    CLOCK_PAUSED = "clock.paused"
    CLOCK_RESUMED = "clock.resumed"
    CLOCK_STARTED = "clock.started"
    CLOCK_WARNED = "clock.warned"
    CONSENT_GIVEN = "consent.given"
    CONSENT_REFUSED = "consent.refused"
    EXIT_CANCELLED = "exit.cancelled"
    EXIT_COMPLETED = "exit.completed"
    EXIT_CONTACT_REFUSED = "exit.contact-refused"
    EXIT_REQUESTED = "exit.requested"
    EXIT_SETTLED = "exit.settled"
    GENERATION_PUBLISHED = "generation.published"
    INCIDENT_ACKNOWLEDGED = "incident.acknowledged"
    INCIDENT_CLOSED = "incident.closed"
    INCIDENT_OPENED = "incident.opened"
    PROFILING_REFUSED = "profiling.refused"


TITLES: Final[dict[EventName, str]] = {
    EventName.ALERT_ACKNOWLEDGED: "Somebody has seen an alert.",
    EventName.ALERT_CLOSED: "An alert has ended.",
    EventName.ALERT_HELD_BACK: "An alert exceeds the day's ceiling and waits.",
    EventName.ALERT_RAISED: "A new alert is shown.",
    EventName.ALERT_SNOOZED: "An alert sleeps until a date or an event.",
    EventName.ALERT_WOKEN: "A sleeping alert is back.",
    EventName.CASE_ALERTED: "A further alert was added to a live case.",
    EventName.CASE_CLOSED: "A case ended with outcome and reason.",
    EventName.CASE_CONTACTED: "A contact with the client was recorded.",
    EventName.CASE_ESCALATED: "A case was taken to the next level.",
    EventName.CASE_MOVED: "A case moved on to another state.",
    EventName.CASE_NOTED: "A note, task or file was added to a case.",
    EventName.CASE_OPENED: "A case was opened.",
    EventName.CASE_REASSIGNED: "A case has another owner.",
    EventName.CASE_REOPENED: "A closed case is live again.",
    EventName.CLOCK_BREACHED: "A promised time has passed.",
    EventName.CLOCK_ESCALATED: "A clock calls the next level.",
    EventName.CLOCK_MET: "A promise was kept, in time or late.",
    EventName.CLOCK_PAUSED: "A clock stands still for a listed reason.",
    EventName.CLOCK_RESUMED: "A clock runs again.",
    EventName.CLOCK_STARTED: "A clock runs.",
    EventName.CLOCK_WARNED: "A share of the promised time has passed.",
    EventName.CONSENT_GIVEN: "A client agreed to a purpose.",
    EventName.CONSENT_REFUSED: "A client refused a purpose.",
    EventName.EXIT_CANCELLED: "A client took an exit request back.",
    EventName.EXIT_COMPLETED: "An exit request was completed.",
    EventName.EXIT_CONTACT_REFUSED: "A client wants no contact about leaving.",
    EventName.EXIT_REQUESTED: "A client asks to leave or to transfer.",
    EventName.EXIT_SETTLED: "Application and settlement of an exit are complete; its clock runs.",
    EventName.GENERATION_PUBLISHED: "New scores are in force.",
    EventName.INCIDENT_ACKNOWLEDGED: "Somebody works on an incident of data.",
    EventName.INCIDENT_CLOSED: "An incident of data is over.",
    EventName.INCIDENT_OPENED: "Data of a source are late or unusual.",
    EventName.PROFILING_REFUSED: "A client refuses profiling; score and tags are gone.",
}
"""What each event says, in English."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        name: what.
        subject: id of the alert, case, clock, exit request, client or generation.
        actor_id: who did it: a user's id or 'system'.
        client_id: whom it is about, if anybody.
        data: facts, JSON-safe, without names, phone numbers or free text.
    """

    name: EventName
    subject: str
    actor_id: str
    client_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


Subscriber = Callable[[Tx, Event], None]
_SUBSCRIBERS: dict[EventName, list[Subscriber]] = defaultdict(list)


def subscribe(*names: EventName) -> Callable[[Subscriber], Subscriber]:
    """Register a function for events when its module is imported; it runs in the same transaction.

    Args:
        *names: which events; none means all.
    """

    def register(function: Subscriber) -> Subscriber:
        for name in names or tuple(EventName):
            if function not in _SUBSCRIBERS[name]:
                _SUBSCRIBERS[name].append(function)
        return function

    return register


def name_of(subscriber: Subscriber) -> str:
    """A subscriber's name, by which `redeliver` finds it in another process."""
    return f"{subscriber.__module__}.{subscriber.__qualname__}"


def emit_each(tx: Tx, event: Event, failed: Callable[[Tx, Event, str, Exception], None]) -> None:
    """Tell the subscribers, each within a savepoint: one that fails undoes only its own work.

    For what must be stored whatever the other rooms make of it.

    Args:
        tx: the unit of work.
        event: what happened.
        failed: told the name of a subscriber that failed and its exception.
    """
    tx.session.flush()
    for subscriber in tuple(_SUBSCRIBERS[event.name]):
        try:
            with tx.session.begin_nested():
                subscriber(tx, event)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            failed(tx, event, name_of(subscriber), error)
        except Exception as error:  # noqa: BLE001 - whatever fails, the caller's change stands
            failed(tx, event, name_of(subscriber), error)


def redeliver(tx: Tx, event: Event, name: str) -> None:
    """Tell one subscriber again; one that is no more is passed over."""
    for subscriber in tuple(_SUBSCRIBERS[event.name]):
        if name_of(subscriber) == name:
            subscriber(tx, event)


def emit(tx: Tx, event: Event) -> None:
    """Tell the subscribers, in the order in which they registered.

    An exception of a subscriber fails the whole transaction.
    """
    for subscriber in tuple(_SUBSCRIBERS[event.name]):
        subscriber(tx, event)
