"""What cases do when other rooms tell that something happened; all in the same transaction."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.intervene.case import repo
from keepwell.intervene.case.history import change, tell
from keepwell.intervene.case.lend import lend
from keepwell.intervene.case.model import Case
from keepwell.intervene.case.policy import (
    SCORE_REASONS,
    SERVICE_REASONS,
    CaseReason,
    CloseReason,
    EventKind,
    Level,
    Retention,
    State,
)
from keepwell.intervene.case.service import end, retention_of
from keepwell.jobs.service import enqueue
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.evidence.policy import EvidenceKind

_LEFT: Final = {
    "close": CloseReason.CLOSED_ACCOUNT,
    "revoke": CloseReason.MOVED_TO_COMPETITOR,
    "transfer": CloseReason.ASSETS_WITHDRAWN,
}
"""How a client left, by the kind of exit."""


@subscribe(EventName.CLOCK_ESCALATED)
def escalate(tx: Tx, event: Event) -> None:
    """Take a case to the level that a clock calls, and let the person called see the client."""
    case_id, to = event.data.get("case_id"), event.data.get("to")
    case = repo.get(tx, case_id) if case_id else None
    if case is None or not case.live:
        return
    level = max(case.level, min(int(event.data.get("level", 0)), int(Level.DIRECTOR)))
    # A lower clock that comes late does not take the case back from whoever has it by now.
    called = to if level > case.level or case.escalated_to is None else None
    if level == case.level and called is None:
        lend(tx, SYSTEM, case, to)
        return
    new: dict[str, Any] = {"level": level} | ({"escalated_to": called} if called else {})
    before = case.level
    change(tx, SYSTEM, case, EventKind.ESCALATED, event.subject, **new)
    lend(tx, SYSTEM, case, to)
    more = {"old_level": before, "to": to, "clock_id": event.subject}
    tell(tx, SYSTEM, case, EventName.CASE_ESCALATED, EvidenceKind.CASE_ESCALATED, more)


@subscribe(EventName.PROFILING_REFUSED)
def withdraw(tx: Tx, event: Event) -> None:
    """End the cases that came from profiling a client who refuses it (rule PI-4)."""
    from keepwell.intervene.profile import forget_profile

    client = event.client_id or event.subject
    # First, so that no event, notice or entry of the closing says a tier.
    forget_profile(tx, client)
    for case in repo.live_of(tx, client):
        if case.reason in SCORE_REASONS:
            end(tx, SYSTEM, case, State.WITHDRAWN, CloseReason.PROFILING_REFUSED)


@subscribe(EventName.EXIT_REQUESTED)
def limit(tx: Tx, event: Event) -> None:
    """Leave one retention contact to the cases of a client who asks to leave (rule R-EXIT-3)."""
    for case in repo.live_of(tx, event.client_id or ""):
        if case.retention == Retention.FREE:
            restrict(tx, case, Retention.ONCE, event.subject)


@subscribe(EventName.EXIT_CONTACT_REFUSED)
def silence(tx: Tx, event: Event) -> None:
    """Leave no retention contact to the cases of a client who said no (rule R-EXIT-3)."""
    for case in repo.live_of(tx, event.client_id or ""):
        if case.retention != Retention.NONE:
            restrict(tx, case, Retention.NONE, event.subject)


@subscribe(EventName.EXIT_COMPLETED)
def let_go(tx: Tx, event: Event) -> None:
    """End the cases that would keep a client who has left, and the service that is done."""
    from keepwell.intervene.exit.service import open_request

    client = event.client_id or ""
    reason = _LEFT[str(event.data.get("kind"))]
    more = open_request(tx, client) is not None
    for case in repo.live_of(tx, client):
        if case.reason not in SERVICE_REASONS or (
            case.reason == CaseReason.EXIT_REQUEST and not more
        ):
            end(tx, SYSTEM, case, State.LOST, reason)


@subscribe(EventName.EXIT_CANCELLED)
def free(tx: Tx, event: Event) -> None:
    """Give the cases of a client who stays after all the contacts back that they may have."""
    _free(tx, event)


@subscribe(EventName.CONSENT_GIVEN)
def agree(tx: Tx, event: Event) -> None:
    """Who agrees to contacts again may be contacted again."""
    if event.data.get("purpose") != Purpose.PROFILING:
        _free(tx, event)


def _free(tx: Tx, event: Event) -> None:
    for case in repo.live_of(tx, event.client_id or ""):
        left = retention_of(tx, case.client_id)
        if case.retention != left:
            restrict(tx, case, left, event.subject)


@subscribe(EventName.CONSENT_REFUSED)
def stop(tx: Tx, event: Event) -> None:
    """Leave no retention contact to the cases of a client who refuses marketing (rule CT-1)."""
    if event.data.get("purpose") == Purpose.MARKETING:
        for case in repo.live_of(tx, event.client_id or ""):
            if case.retention != Retention.NONE:
                restrict(tx, case, Retention.NONE, event.subject)


def restrict(tx: Tx, case: Case, retention: Retention, reason: str) -> None:
    """Show in a case how many retention contacts are left; the gate decides, not this."""
    change(tx, SYSTEM, case, EventKind.LIMITED, reason, retention=retention.value)
    more = {"retention": retention.value, "cause": reason}
    tell(tx, SYSTEM, case, EventName.CASE_NOTED, EvidenceKind.CASE_LIMITED, more)


@subscribe(EventName.GENERATION_PUBLISHED)
def look_for_strangers(tx: Tx, event: Event) -> None:
    """A new generation may have given clients to other managers."""
    enqueue(tx, "case.lend", {}, key=f"case:lend:{event.subject}")
