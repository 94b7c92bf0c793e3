"""Verbs of exit requests: record, hold for a lawful reason, settle, complete.

Rules R-EXIT-1 to 3: nothing here reads a score; once application and settlement are complete a
clock of two trading days runs, and its breach pages compliance; at most one contact may try to
keep the client, and none after a no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame import locks
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit_each
from keepwell.frame.logs import logger
from keepwell.frame.problem import Conflict, NotAllowed, NotFound, Unprocessable
from keepwell.intervene.clock import service as clock
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.policy import CalendarName
from keepwell.intervene.exit import repo
from keepwell.intervene.exit.model import ExitHold, ExitRequest
from keepwell.intervene.exit.policy import (
    FEED_KINDS,
    LONGEST_HOLD,
    ExitFacts,
    ExitKind,
    ExitPlan,
    ExitState,
    HoldCode,
    Word,
    held_for,
    lawful,
    plan,
)
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.intervene.notice.service import manager_of, notify_role
from keepwell.jobs.service import cancel as cancel_job
from keepwell.jobs.service import enqueue
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import Actor, Permission, Role, Scope
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import given_at
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

_log = logger("keepwell.exit")
_SKEW = timedelta(minutes=5)

UNSETTLED = "exit.unsettled"
CONSEQUENCE = "exit.consequence"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What the contact gate must know about a client's open exit requests.

    Attributes:
        request_id: the newest open one.
        retention_contacts: retention contacts made about any of the open ones.
        refused: whether the client said no to any contact about one of them.
    """

    request_id: str
    retention_contacts: int
    refused: bool


def request_exit(
    tx: Tx,
    actor: Actor,
    *,
    client_id: str,
    request_id: str | None = None,
    kind: str = "close",
    at: datetime | None = None,
    blockers: str | None = None,
) -> ExitRequest:
    """Record that a client asks to leave; the same request again changes nothing.

    Args:
        tx: the unit of work.
        actor: who records it; narrower scopes than all must see the client.
        client_id: who asks.
        request_id: the broker's own number; default: a new one.
        kind: close, transfer or revoke, or a word of the data contract.
        at: when the client asked; default: now.
        blockers: what the source says stands against it, separated by commas; only lawful
            reasons are kept, and they hold nothing until a person places a hold.

    Raises:
        NotFound: no such client, or not the actor's to see.
        Conflict: the number was used for another client or kind.
        Unprocessable: it was made in the future.
    """
    _must_see(tx, actor, client_id)
    asked, wish = at or tx.at, ExitKind(FEED_KINDS.get(kind, kind))
    if asked > tx.at + _SKEW:
        raise Unprocessable("exit.at-future")
    locks.hold(tx, locks.CLIENT, [client_id])
    known = repo.held(tx, request_id) if request_id else None
    if known is not None:
        if (known.client_id, known.kind) != (client_id, wish.value):
            raise Conflict("exit.request-taken", request_id=known.request_id)
        return known
    request = ExitRequest(
        request_id=request_id or new_id("exit", tx.at), client_id=client_id, kind=wish.value,
        state=ExitState.REQUESTED.value, requested_at=asked,
        reported=[code.value for code in lawful(blockers)], retention_contacts=0, refused=False,
        recorded_by=actor.user_id, recorded_at=tx.at, version=1,
    )  # fmt: skip
    tx.session.add(request)
    _watch(tx, request)
    _tell(tx, actor, request, EvidenceKind.EXIT_REQUESTED, EventName.EXIT_REQUESTED)
    return request


def settle(
    tx: Tx, actor: Actor, request_id: str, version: int | None, at: datetime | None = None
) -> ExitRequest:
    """Application and settlement are complete: the clock of the exchange's days starts.

    It starts when they were complete, not when somebody came to record it.

    Args:
        tx: the unit of work.
        actor: who says so.
        request_id: which request.
        version: which the actor has read; None skips the check, for feeds.
        at: since when they are complete; default: now.

    Raises:
        NotFound: there is none, or it is out of scope.
        Stale: somebody changed it.
        Conflict: it is settled or has ended, or a lawful hold is in force.
        Unprocessable: it lies in the future or before the request.
    """
    request = _held(tx, actor, request_id, version)
    if request.state == ExitState.SETTLED:
        raise Conflict("exit.request-settled")
    since = tx.at if at is None else min(at, tx.at)
    if (at or since) > tx.at + _SKEW or since < request.requested_at - _SKEW:
        raise Unprocessable("exit.settled-span")
    holds = plan_of(tx, request).holds
    if holds:
        raise Conflict("exit.blocker-open", codes=", ".join(code.value for code in holds))
    _change(request, state=ExitState.SETTLED)
    _start_clock(tx, actor, request, max(since, request.requested_at))
    clock.catch_up(tx, "exit", request.request_id)
    cancel_job(tx, _watch_key(request))
    _tell(tx, actor, request, EvidenceKind.EXIT_SETTLED, EventName.EXIT_SETTLED)
    return request


def complete(
    tx: Tx,
    actor: Actor,
    request_id: str,
    version: int | None,
    at: datetime | None = None,
    settled_at: datetime | None = None,
) -> ExitRequest:
    """The exit was carried out; its clock ends. Nothing can stand against it, not even a hold.

    It is judged by when it was carried out, not by when somebody came to record it; but a breach
    that is on record already stays there.

    Args:
        tx: the unit of work.
        actor: who says so.
        request_id: which request.
        version: which the actor has read; None skips the check, for feeds.
        at: when it was carried out, as a feed says; default: now.
        settled_at: since when application and settlement were complete, as a feed says; without
            it, of a request that nobody settled here, nothing is judged.

    Raises:
        NotFound: there is none, or it is out of scope.
        Stale: somebody changed it.
        Conflict: it has ended already.
    """
    request = _held(tx, actor, request_id, version)
    done = max(min(at or tx.at, tx.at), request.requested_at)
    _change(request, state=ExitState.COMPLETED, completed_at=done)
    _judge(tx, actor, request, done, settled_at)
    cancel_job(tx, _watch_key(request))
    _tell(tx, actor, request, EvidenceKind.EXIT_COMPLETED, EventName.EXIT_COMPLETED)
    return request


def take_from_feed(
    tx: Tx,
    actor: Actor,
    *,
    client_id: str,
    request_id: str,
    kind: str,
    at: datetime,
    completed_at: datetime | None,
    settled_at: datetime | None = None,
    blockers: str | None = None,
) -> ExitRequest:
    """Bring a request to where the broker's own system says it is; repeats change nothing.

    One that is heard of only once it is completed is recorded as such: nobody has to serve it.

    Args:
        tx: the unit of work.
        actor: the feed.
        client_id: who asked.
        request_id: the broker's own number.
        kind: a word of the data contract.
        at: when the client asked.
        completed_at: when it was carried out; None while it is not.
        settled_at: since when application and settlement are complete; None: not known. While a
            lawful hold is in force here the request stays where it is.
        blockers: as of `request_exit`.

    Raises:
        Conflict: the number names another client or kind, or the desk knows it as cancelled.
    """
    wish = ExitKind(FEED_KINDS.get(kind, kind))
    locks.hold(tx, locks.CLIENT, [client_id])
    known = repo.held(tx, request_id)
    if completed_at is None:
        request = request_exit(
            tx, actor, client_id=client_id, request_id=request_id, kind=kind, at=at,
            blockers=blockers,
        )  # fmt: skip
        fresh = settled_at is not None and request.state == ExitState.REQUESTED
        if fresh and not plan_of(tx, request).holds:
            settle(tx, actor, request_id, None, settled_at)
        return request
    if known is not None:
        if (known.client_id, known.kind) != (client_id, wish.value):
            raise Conflict("exit.request-taken", request_id=request_id)
        if known.state == ExitState.COMPLETED:
            return known
        return complete(tx, actor, request_id, None, completed_at, settled_at)
    request = ExitRequest(
        request_id=request_id, client_id=client_id, kind=wish.value,
        state=ExitState.COMPLETED.value, requested_at=at,
        completed_at=max(min(completed_at, tx.at), at),
        reported=[code.value for code in lawful(blockers)], retention_contacts=0, refused=False,
        recorded_by=actor.user_id, recorded_at=tx.at, version=1,
    )  # fmt: skip
    return _record_done(tx, actor, request, settled_at)


def _record_done(
    tx: Tx, actor: Actor, request: ExitRequest, settled_at: datetime | None
) -> ExitRequest:
    """Record a request that was heard of only when it was carried out."""
    assert request.completed_at is not None
    tx.session.add(request)
    tx.session.flush()
    _judge(tx, actor, request, request.completed_at, settled_at)
    _tell(tx, actor, request, EvidenceKind.EXIT_COMPLETED, EventName.EXIT_COMPLETED)
    return request


def cancel(
    tx: Tx, actor: Actor, request_id: str, version: int, source: str, note: str
) -> ExitRequest:
    """The client took the request back, of their own accord.

    Whoever has clients of their own to keep cannot say so for the client.

    Args:
        tx: the unit of work.
        actor: compliance, or the client's own feed.
        request_id: which request.
        version: which the actor has read.
        source: where the client's word stands: a recording, a letter, an order in the app.
        note: the client's word.

    Raises:
        NotFound: there is none, or it is out of scope.
        NotAllowed: the actor is neither.
        Stale: somebody changed it.
        Conflict: it has ended already.
    """
    if not actor.may(Permission.EXIT_CANCEL):
        raise NotAllowed("exit.cancel-forbidden")
    request = _held(tx, actor, request_id, version)
    _change(request, state=ExitState.CANCELLED, cancelled_at=tx.at)
    clock.cancel_exit(tx, actor, request.request_id)
    cancel_job(tx, _watch_key(request))
    since = {"since": request.recorded_at.isoformat()}
    event = EventName.EXIT_CANCELLED
    word = {"source": source, "note": note}
    _tell(tx, actor, request, EvidenceKind.EXIT_CANCELLED, event, word, since)
    return request


def place_hold(
    tx: Tx, actor: Actor, request_id: str, version: int, code: HoldCode, until: datetime,
    appeal: str,
) -> ExitHold:  # fmt: skip
    """Hold a request for a lawful reason, with an end and a way to appeal.

    Only people of compliance place one, and all holds of a request together last `LONGEST_HOLD` at
    the most. A clock that runs already runs on: compliance hears of its breach and judges.

    Raises:
        NotFound: there is none, or it is out of scope.
        NotAllowed: the actor is not of compliance.
        Stale: somebody changed it.
        Conflict: it has ended already.
        Unprocessable: it ends in the past, or the holds would last too long.
    """
    if actor.role is not Role.COMPLIANCE:
        raise NotAllowed("exit.hold-forbidden")
    request = _held(tx, actor, request_id, version)
    spans = [
        (hold.placed_at, min(hold.until, hold.lifted_at or hold.until))
        for hold in repo.holds_of(tx, [request_id])[request_id]
    ]
    if not tx.at < until or held_for([*spans, (tx.at, until)]) > LONGEST_HOLD:
        raise Unprocessable("exit.hold-span", days=LONGEST_HOLD.days)
    hold = ExitHold(
        hold_id=new_id("hold", tx.at), request_id=request.request_id, code=code.value,
        placed_by=actor.user_id, placed_at=tx.at, until=until, appeal=appeal,
    )  # fmt: skip
    tx.session.add(hold)
    _change(request)
    facts = {"hold_id": hold.hold_id, "code": code.value, "until": until}
    _tell(tx, actor, request, EvidenceKind.EXIT_BLOCKED, None, {"appeal": appeal}, facts)
    return hold


def lift_hold(tx: Tx, actor: Actor, request_id: str, version: int, hold_id: str) -> ExitRequest:
    """A hold has ended before its time; everybody who sees the request may say so.

    Raises:
        NotFound: there is no such request or hold, or it is out of scope.
        Stale: somebody changed it.
        Conflict: the request has ended already.
    """
    request = _held(tx, actor, request_id, version)
    hold = repo.hold(tx, hold_id)
    if hold is None or hold.request_id != request_id or hold.lifted_at is not None:
        raise NotFound("exit.blocker-unknown")
    hold.lifted_at, hold.lifted_by = tx.at, actor.user_id
    _change(request)
    facts = {"hold_id": hold.hold_id, "code": hold.code}
    _tell(tx, actor, request, EvidenceKind.EXIT_UNBLOCKED, None, None, facts)
    return request


def open_request(tx: Tx, client_id: str) -> OpenRequest | None:
    """Facts of a client's open exit requests for rule R-EXIT-3; None when there is none."""
    return standing(tx, client_id)[0]


def word_of(tx: Tx, client_id: str) -> Word:
    """What a client's exits mean for contacts: a no and a completed exit outlast the request.

    Only consent to marketing or service messages given later takes them back.
    """
    return standing(tx, client_id)[1]


def standing(tx: Tx, client_id: str) -> tuple[OpenRequest | None, Word]:
    """A client's open request and what their exits mean, by one look at all of them."""
    requests = repo.of_client(tx, client_id)
    found = repo.open_among(requests)
    contacts = sum(request.retention_contacts for request in found)
    refused = any(request.refused for request in found)
    request = OpenRequest(found[0].request_id, contacts, refused) if found else None
    return request, _word(tx, client_id, requests)


def _word(tx: Tx, client_id: str, requests: Sequence[ExitRequest]) -> Word:
    left = max((r.completed_at for r in requests if r.completed_at is not None), default=None)
    refused = max((r.refused_at for r in requests if r.refused_at is not None), default=None)
    if left is None and refused is None:
        return Word()
    yes = [given_at(tx, client_id, purpose) for purpose in (Purpose.MARKETING, Purpose.SERVICE)]
    since = max((at for at in yes if at is not None), default=None)

    def stands(at: datetime | None) -> bool:
        return at is not None and (since is None or since <= at)

    return Word(stands(left), stands(refused))


def note_contact(tx: Tx, request_id: str, refused: bool = False) -> None:
    """Count a contact that tried to keep the client; `refused`: the client wants no other.

    Raises:
        NotFound: there is no such request.
    """
    request = repo.held(tx, request_id)
    if request is None:
        raise NotFound("exit.request-unknown")
    if refused:
        request.refused, request.refused_at = True, tx.at
    _change(request, retention_contacts=request.retention_contacts + 1)
    tx.session.flush()


def refuse_contact(tx: Tx, actor: Actor, request_id: str, version: int) -> ExitRequest:
    """The client wants no contact about the request: from now on there is none.

    Raises:
        NotFound: there is none, or it is out of scope.
        Stale: somebody changed it.
        Conflict: it has ended already.
    """
    request = _held(tx, actor, request_id, version)
    _change(request, refused=True, refused_at=tx.at)
    _tell(tx, actor, request, EvidenceKind.CONTACT_REFUSED, EventName.EXIT_CONTACT_REFUSED)
    return request


def page(
    tx: Tx, actor: Actor, client_id: str | None, state: str | None, limit: int, cursor: str | None
) -> Sequence[ExitRequest]:
    """Requests in the actor's scope, newest first; one more than `limit` if more follow."""
    return repo.page(tx, actor, client_id, state, limit, cursor)


def read_request(tx: Tx, actor: Actor, request_id: str) -> ExitRequest:
    """One request.

    Raises:
        NotFound: there is none, or it is out of scope.
    """
    request = repo.find(tx, actor, request_id)
    if request is None:
        raise NotFound("exit.request-unknown")
    return request


def holds_of(tx: Tx, requests: Sequence[ExitRequest]) -> dict[str, list[ExitHold]]:
    """Every hold ever placed on requests, by request."""
    return repo.holds_of(tx, [request.request_id for request in requests])


def plan_of(tx: Tx, request: ExitRequest, holds: Sequence[ExitHold] | None = None) -> ExitPlan:
    """Where a request stands now and what is next."""
    placed = repo.holds_of(tx, [request.request_id])[request.request_id] if holds is None else holds
    facts = ExitFacts(
        ExitKind(request.kind), request.requested_at, request.settled_at, request.completed_at,
        request.cancelled_at,
        [(HoldCode(hold.code), hold.until) for hold in placed if hold.lifted_at is None],
    )  # fmt: skip
    calendar = calendar_of(tx.frame, CalendarName.EXCHANGE)
    return plan(facts, tx.at, calendar, tx.frame.settings.clock.exit_days)


def _held(tx: Tx, actor: Actor, request_id: str, version: int | None) -> ExitRequest:
    seen = repo.find(tx, actor, request_id)
    if seen is not None:
        locks.hold(tx, locks.CLIENT, [seen.client_id])
    request = repo.find(tx, actor, request_id, lock=True)
    if request is None:
        raise NotFound("exit.request-unknown")
    if version is not None:
        check_version(request.version, version)
    if request.state in (ExitState.COMPLETED, ExitState.CANCELLED):
        raise Conflict("exit.request-ended")
    return request


def still_unsettled(tx: Tx, request_id: str) -> None:
    """A request has stood unsettled for long: page compliance, and look again later."""
    request = repo.held(tx, request_id)
    if request is None or request.state != ExitState.REQUESTED:
        return
    data = {"exit_id": request_id, "state": request.state}
    notify_role(tx, Role.COMPLIANCE, NoticeKind.EXIT_UNSETTLED, request_id, request.client_id, data)
    _watch(tx, request, tx.at)


def _watch(tx: Tx, request: ExitRequest, since: datetime | None = None) -> None:
    calendar = calendar_of(tx.frame, CalendarName.EXCHANGE)
    days = tx.frame.settings.clock.exit_settle_days
    due = calendar.add_days(since or request.requested_at, days)
    payload = {"request_id": request.request_id}
    enqueue(tx, UNSETTLED, payload, key=_watch_key(request), due_at=max(due, tx.at))


def _watch_key(request: ExitRequest) -> str:
    return f"exit:{hashlib.sha256(request.request_id.encode()).hexdigest()[:32]}:unsettled"


def _start_clock(tx: Tx, actor: Actor, request: ExitRequest, since: datetime) -> None:
    started = clock.start(
        tx, actor, subject_kind="exit", subject_id=request.request_id,
        client_id=request.client_id, kind="exit",
        owner_id=manager_of(tx, request.client_id), tier=None, since=since,
    )  # fmt: skip
    request.settled_at = since
    request.due_at = started.due_at if started else plan_of(tx, request).due_at


def _judge(
    tx: Tx, actor: Actor, request: ExitRequest, done: datetime, settled_at: datetime | None
) -> None:
    """End the clock of what is completed; start it first where only now we hear of its start."""
    if request.settled_at is None and settled_at is not None:
        _start_clock(tx, actor, request, max(min(settled_at, done), request.requested_at))
    request.settled_at = request.settled_at or done
    clock.settle_exit(tx, actor, request.request_id, max(done, request.settled_at))


def _change(request: ExitRequest, **values: Any) -> None:
    for name, value in values.items():
        setattr(request, name, value)
    request.version += 1


def _tell(
    tx: Tx,
    actor: Actor,
    request: ExitRequest,
    evidence: EvidenceKind,
    event: EventName | None,
    personal: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> None:
    tx.session.flush()
    attest(tx, request.client_id, request)
    data = {"exit_id": request.request_id, "kind": request.kind, "state": request.state}
    record(
        tx, actor, evidence, client_id=request.client_id, subject=request.request_id,
        data={**data, **(more or {})}, personal=personal,
    )  # fmt: skip
    if event is not None:
        data |= more or {}
        told = Event(event, request.request_id, actor.user_id, request.client_id, data)
        emit_each(tx, told, _consequence_failed)


def _consequence_failed(tx: Tx, event: Event, subscriber: str, error: Exception) -> None:
    # Alerts, cases and messages follow from an exit; none of them may refuse it (rule R-EXIT-1).
    _log.error("exit.consequence-failed", kind=event.name.value, error=type(error).__name__)
    payload = {
        "name": event.name.value, "subject": event.subject, "actor_id": event.actor_id,
        "client_id": event.client_id, "data": event.data, "subscriber": subscriber,
    }  # fmt: skip
    enqueue(tx, CONSEQUENCE, payload, max_attempts=20)


def _must_see(tx: Tx, actor: Actor, client_id: str) -> None:
    # An exit must never wait for our book: who sees everybody may record it for anybody.
    if actor.scope is not Scope.ALL:
        from keepwell.trust.book.service import get_client

        get_client(tx, actor, client_id)
