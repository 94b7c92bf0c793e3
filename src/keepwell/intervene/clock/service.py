"""Verbs of clocks: start, pause, resume, list; and what events about a case mean for its clocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName
from keepwell.frame.problem import Conflict, NotFound
from keepwell.intervene.clock import policies, repo
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.model import NEVER, Clock, ClockEvent, ClockPolicy
from keepwell.intervene.clock.policy import ClockSpec, Facts, PauseReason, Target, kept, promised
from keepwell.intervene.clock.repo import Filters
from keepwell.intervene.clock.schema import ClockView, view
from keepwell.intervene.clock.state import ClockState, Happening
from keepwell.intervene.clock.wind import MICRO, Wound, tell_case
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import SYSTEM, Actor


def start(
    tx: Tx,
    actor: Actor,
    *,
    subject_kind: str,
    subject_id: str,
    client_id: str,
    kind: str,
    owner_id: str | None,
    tier: str | None,
    since: datetime | None = None,
) -> Clock | None:
    """Start one clock by its code, whatever its policy says about events and conditions.

    Args:
        tx: the unit of work.
        actor: who starts it.
        subject_kind: 'case' for the policy in force, 'exit' for that of exit requests.
        subject_id: id of the case or exit request.
        client_id: whom it is about.
        kind: code of the promise, such as 'first-touch' or 'exit'.
        owner_id: who is warned.
        tier: decides how much time there is.
        since: from when on it counts; default: now. What is due already by then is done by
            `catch_up`.

    Returns:
        The clock; None when the policy promises nothing of this kind for the tier, or such a
        clock has run in this round already.
    """
    exits = subject_kind == "exit"
    policy = policies.for_exits(tx) if exits else policies.in_force(tx)
    spec = policies.body_of(policy).spec(kind)
    target = spec.target(tier) if spec else None
    number, codes = repo.codes_of_round(tx, subject_kind, subject_id)
    if spec is None or target is None or kind in codes:
        return None
    subject = _Subject(subject_kind, subject_id, client_id, owner_id, tier, max(number, 1))
    wound = _start(tx, actor, policy, spec, target, subject, since)
    wound.tell_case()
    return wound.clock


def of_subjects(tx: Tx, actor: Actor, kind: str, ids: Iterable[str]) -> dict[str, list[ClockView]]:
    """Clocks of subjects in the actor's scope, for showing.

    Args:
        tx: the unit of work.
        actor: who looks.
        kind: 'case' or 'exit'.
        ids: of the subjects.

    Returns:
        For each id its clocks, newest round first; an empty list where there is none.
    """
    found: dict[str, list[ClockView]] = {subject: [] for subject in ids}
    if found:
        for clock in repo.of_subjects(tx, actor, kind, found):
            found[clock.subject_id].append(view(tx, clock))
    return found


def page(tx: Tx, actor: Actor, filters: Filters, limit: int, cursor: str | None) -> Sequence[Clock]:
    """Clocks in the actor's scope by due time; one more than `limit` if more follow."""
    return repo.page(tx, actor, filters, limit, cursor)


def read_clock(tx: Tx, actor: Actor, clock_id: str) -> tuple[Clock, list[ClockEvent]]:
    """A clock and its log.

    Raises:
        NotFound: there is none, or it is out of scope.
    """
    clock = repo.find(tx, actor, clock_id)
    if clock is None:
        raise NotFound("clock.clock-unknown")
    return clock, repo.log(tx, clock_id)


def pause(
    tx: Tx, actor: Actor, clock_id: str, version: int, reason: PauseReason, note: str | None
) -> Clock:
    """Let a clock stand still for a listed reason; its timer is gone until it runs again.

    Raises:
        NotFound: there is none, or it is out of scope.
        Stale: somebody changed it.
        Conflict: it has ended, is paused, or is that of an exit request.
    """
    wound = _held(tx, actor, clock_id, version)
    if wound.clock.subject_kind == "exit":
        raise Conflict("clock.exit-unpausable")
    if wound.clock.state == ClockState.PAUSED:
        raise Conflict("clock.clock-paused")
    wound.advance(warn=False)  # what passed before the pause has passed
    wound.write(Happening.PAUSED, actor, {"reason": reason.value}, note=note)
    wound.arm()
    wound.tell_case()
    return wound.clock


def resume(tx: Tx, actor: Actor, clock_id: str, version: int) -> Clock:
    """Let a paused clock run on.

    Raises:
        NotFound: there is none, or it is out of scope.
        Stale: somebody changed it.
        Conflict: it has ended, or is not paused.
    """
    wound = _held(tx, actor, clock_id, version)
    if wound.clock.state != ClockState.PAUSED:
        raise Conflict("clock.clock-running")
    if wound.clock.pause_reason == PauseReason.CONTACT_FORBIDDEN:
        raise Conflict("clock.contact-forbidden")
    wound.write(Happening.RESUMED, actor)
    wound.arm()
    wound.tell_case()
    regate(tx, wound.clock.client_id)
    return wound.clock


def catch_up(tx: Tx, kind: str, subject_id: str) -> None:
    """Do what is due of a subject's clocks that were started for an earlier time."""
    for clock in repo.live_of(tx, kind, subject_id):
        wound = Wound(tx, clock)
        wound.advance()
        wound.arm()


def regate(tx: Tx, client_id: str) -> None:
    """Stop the clocks that call for contacts with a client while none may be made, or start them.

    No promise of time may push anybody through a closed gate (rules CT-1, CT-2, R-EXIT-3). Quiet
    time does not count: clocks run on working time. What a person has paused stays paused.
    """
    from keepwell.intervene.case import repo as cases
    from keepwell.intervene.contact.service import shut

    for case in cases.live_of(tx, client_id):
        forbidden = shut(tx, client_id, case.reason)
        moved = False
        for clock in repo.live_of(tx, "case", case.case_id):
            gated = clock.pause_reason == PauseReason.CONTACT_FORBIDDEN
            if forbidden and clock.state != ClockState.PAUSED:
                wound = Wound(tx, clock)
                wound.advance(warn=False)
                data = {"reason": PauseReason.CONTACT_FORBIDDEN.value, "code": forbidden}
                wound.write(Happening.PAUSED, data=data)
            elif gated and not forbidden:
                wound = Wound(tx, clock)
                wound.write(Happening.RESUMED)
            else:
                continue
            wound.arm()
            moved = True
        if moved:
            tell_case(tx, case.case_id)


def tick(tx: Tx, clock_id: str) -> None:
    """A timer has fired: do what is due, if the clock still runs, and set the next timer."""
    repo.lock_subject(tx, clock_id)
    clock = repo.find(tx, SYSTEM, clock_id, lock=True)
    if clock is not None:
        wound = Wound(tx, clock)
        wound.advance()
        wound.arm()


def on_case(tx: Tx, event: Event) -> None:
    """What an event about a case means for its clocks.

    Promises that it keeps end; a closed case's other clocks are cancelled; a rise in tier makes
    running clocks shorter, never longer, and starts those that have not run yet.
    """
    assert event.client_id is not None
    state, closed = event.data.get("state"), event.name is EventName.CASE_CLOSED
    fresh = event.name is EventName.CASE_OPENED  # it has no clocks yet
    live = [] if fresh else [Wound(tx, c) for c in repo.live_of(tx, "case", event.subject)]
    for wound in live:
        if kept(wound.spec, event.name.value, state):
            _end(wound, Happening.MET, event.actor_id)
        elif closed:
            _end(wound, Happening.CANCELLED, event.actor_id)
    _promise(tx, event, [w for w in live if w.clock.ended_at is None])
    tell_case(tx, event.subject)
    if not closed:
        regate(tx, event.client_id)


def hand_over(tx: Tx, kind: str, subject_id: str, owner_id: str | None) -> None:
    """The subject has another owner; who is warned changes, the time does not."""
    for clock in repo.live_of(tx, kind, subject_id):
        clock.owner_id = owner_id


def settle_exit(tx: Tx, actor: Actor, exit_id: str, at: datetime | None = None) -> None:
    """An exit request is completed: the promise is kept, in time or late.

    Args:
        tx: the unit of work.
        actor: who says so.
        exit_id: which.
        at: when it was completed, by which it is judged; default: now.
    """
    _end_exit(tx, actor, exit_id, Happening.MET, at)


def cancel_exit(tx: Tx, actor: Actor, exit_id: str) -> None:
    """The client took an exit request back: nothing is promised any more."""
    _end_exit(tx, actor, exit_id, Happening.CANCELLED)


class _Subject:
    """What a clock is started for."""

    def __init__(
        self, kind: str, subject_id: str, client_id: str, owner_id: str | None,
        tier: str | None, round_: int,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.subject_id = subject_id
        self.client_id = client_id
        self.owner_id = owner_id
        self.tier = tier
        self.round = round_


def _start(
    tx: Tx,
    actor: Actor,
    policy: ClockPolicy,
    spec: ClockSpec,
    target: Target,
    subject: _Subject,
    since: datetime | None = None,
) -> Wound:
    begin = since or tx.at
    time = _time(tx, spec, target, begin)
    clock = Clock(
        clock_id=new_id("clock", tx.at), subject_kind=subject.kind, subject_id=subject.subject_id,
        client_id=subject.client_id, policy_id=policy.policy_id, code=spec.code,
        calendar=spec.calendar.value, round=subject.round, owner_id=subject.owner_id,
        tier=subject.tier, started_at=begin, target_us=time // MICRO, state="running",
        elapsed_us=0, running_since=begin, due_at=None, due_rank=NEVER, late=False, version=0,
    )  # fmt: skip
    tx.session.add(clock)
    tx.session.flush()
    wound = Wound(tx, clock, [])
    wound.write(Happening.STARTED, actor, {"target_us": time // MICRO}, at=begin)
    wound.arm()
    return wound


def _time(tx: Tx, spec: ClockSpec, target: Target, since: datetime) -> timedelta:
    if not target.in_days:
        return timedelta(minutes=target.amount)
    calendar = calendar_of(tx.frame, spec.calendar)
    return calendar.between(since, calendar.add_days(since, target.amount))


def _held(tx: Tx, actor: Actor, clock_id: str, version: int) -> Wound:
    repo.lock_subject(tx, clock_id)
    clock = repo.find(tx, actor, clock_id, lock=True)
    if clock is None:
        raise NotFound("clock.clock-unknown")
    check_version(clock.version, version)
    if clock.ended_at is not None:
        raise Conflict("clock.clock-ended")
    return Wound(tx, clock)


def _end_exit(
    tx: Tx, actor: Actor, exit_id: str, how: Happening, at: datetime | None = None
) -> None:
    for clock in repo.live_of(tx, "exit", exit_id):
        _end(Wound(tx, clock), how, actor.user_id, at)


def _end(wound: Wound, how: Happening, actor_id: str, at: datetime | None = None) -> None:
    last = wound.log[-1].at
    when = max(at, last) if at is not None else None
    wound.advance(warn=False, at=when)  # a breach that no timer has told yet comes before the end
    wound.write(how, replace(SYSTEM, user_id=actor_id), at=when)
    wound.arm()


def _promise(tx: Tx, event: Event, live: list[Wound]) -> None:
    anew = event.name in (EventName.CASE_OPENED, EventName.CASE_REOPENED)
    if not anew and event.name is not EventName.CASE_ALERTED:
        return
    policy = policies.in_force(tx)
    facts = _facts(tx, event)
    fresh = event.name is EventName.CASE_OPENED
    number, codes = (0, set()) if fresh else repo.codes_of_round(tx, "case", event.subject)
    assert event.client_id is not None
    subject = _Subject(
        "case", event.subject, event.client_id, event.data.get("owner_id"), facts.tier,
        number + 1 if anew else max(number, 1),
    )  # fmt: skip
    for wound in live:
        _tighten(tx, wound, facts)
    for spec in policies.body_of(policy).clocks:
        target = promised(spec, event.name.value, facts)
        # A case found at a state that keeps the promise already promises nothing more.
        if target is None or kept(spec, event.name.value, event.data.get("state")):
            continue
        if anew or spec.code not in codes:
            actor = replace(SYSTEM, user_id=event.actor_id)
            _start(tx, actor, policy, spec, target, subject)


def _tighten(tx: Tx, wound: Wound, facts: Facts) -> None:
    wound.clock.tier = facts.tier
    target = promised(wound.spec, EventName.CASE_ALERTED.value, facts)
    reading = wound.reading()
    if target is None or reading.late:
        return
    time = reading.elapsed + _time(tx, wound.spec, target, tx.at)
    if time < reading.target:
        wound.advance()
        wound.write(Happening.TIGHTENED, data={"target_us": time // MICRO})
        wound.arm()


def _facts(tx: Tx, event: Event) -> Facts:
    assert event.client_id is not None
    person = repo.person(tx, event.client_id)
    year = tx.at.astimezone(tx.frame.zone).year
    return Facts(
        tier=event.data.get("tier"), reason=event.data.get("reason"), segment=person.segment,
        cause=person.cause, channel=event.data.get("channel"),
        age=year - person.birth_year if person.birth_year else None,
    )  # fmt: skip
