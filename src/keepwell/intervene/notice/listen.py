"""What becomes a notice, and whose."""

from __future__ import annotations

from typing import Any

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.intervene.notice.service import joined, manager_of, notify, notify_role
from keepwell.trust.access.policy import Role

_SHOWN = (
    "alert_id", "case_id", "exit_id", "clock", "title", "share", "level", "tier", "reason", "state",
    "due_at",
)  # fmt: skip

_GIVEN = ("from", "batch_id", "undone")


@subscribe(EventName.ALERT_RAISED)
def on_alert(tx: Tx, event: Event) -> None:
    """The client's manager hears of an alert that is shown."""
    owner = event.data.get("owner_id") or (event.client_id and manager_of(tx, event.client_id))
    _tell(tx, [owner], NoticeKind.ALERT_RAISED, event.subject, event)


@subscribe(EventName.CASE_REASSIGNED)
def on_reassigned(tx: Tx, event: Event) -> None:
    """The new owner hears of it: once for all cases of a reassignment, or of its undoing."""
    owner, batch = event.data.get("owner_id"), event.data.get("batch_id")
    if not (owner and batch and joined(tx, owner, batch, event.data.get("from"))):
        data = {n: event.data[n] for n in _GIVEN if event.data.get(n) is not None}
        kind = NoticeKind.CASE_REASSIGNED
        notify(tx, [str(owner or "")], kind, event.subject, event.client_id, _data(event) | data)


@subscribe(EventName.CLOCK_WARNED)
def on_warned(tx: Tx, event: Event) -> None:
    """Those whom the clock names hear of a warning."""
    _tell(tx, event.data.get("people", []), NoticeKind.CLOCK_WARNED, _subject(event), event)


@subscribe(EventName.CLOCK_BREACHED)
def on_breached(tx: Tx, event: Event) -> None:
    """The owner hears of a breach; of an exit request's, all of compliance (rule R-EXIT-2)."""
    if event.data.get("subject_kind") == "exit":
        kind, data = NoticeKind.EXIT_BREACHED, _data(event)
        notify_role(tx, Role.COMPLIANCE, kind, _subject(event), event.client_id, data)
    else:
        kind = NoticeKind.CLOCK_BREACHED
    _tell(tx, [event.data.get("owner_id")], kind, _subject(event), event)


@subscribe(EventName.CLOCK_ESCALATED)
def on_escalated(tx: Tx, event: Event) -> None:
    """The level called hears of it; where nobody holds it, every administrator."""
    people, role = event.data.get("people", []), event.data.get("role")
    kind, subject = NoticeKind.CLOCK_ESCALATED, _subject(event)
    if role == Role.COMPLIANCE:
        notify_role(tx, Role.COMPLIANCE, kind, subject, event.client_id, _data(event))
    elif not _tell(tx, people, kind, subject, event):
        notify_role(tx, Role.ADMIN, kind, subject, event.client_id, _data(event))


def _tell(tx: Tx, people: list[Any], kind: NoticeKind, subject: str, event: Event) -> int:
    return notify(tx, people, kind, subject, event.client_id, _data(event))


def _subject(event: Event) -> str:
    return str(event.data.get("case_id") or event.data.get("exit_id") or event.subject)


def _data(event: Event) -> dict[str, Any]:
    return {name: event.data[name] for name in _SHOWN if event.data.get(name) is not None}
