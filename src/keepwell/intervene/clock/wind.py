"""What moves a clock: its log, the projection of the log on its row, its steps and its timer.

A clock has one timer at a time, for its next step; when it fires, whatever is due is done and the
timer is set for the step after. A timer that comes too early or too late therefore does no harm.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from keepwell.core.calendars import BusinessCalendar
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.intervene.clock import policies, repo
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.model import NEVER, Clock, ClockEvent
from keepwell.intervene.clock.policy import LEVELS, ClockSpec, Level, Step, steps
from keepwell.intervene.clock.state import LIVE, Happening, Reading, counted, replay, threshold
from keepwell.intervene.notice.service import directors_of, leads_of
from keepwell.jobs.service import cancel_prefix, enqueue
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record, sealed

TICK: Final = "clock.tick"
MICRO: Final = timedelta(microseconds=1)

_EVENTS: Final = {
    Happening.STARTED: EventName.CLOCK_STARTED, Happening.PAUSED: EventName.CLOCK_PAUSED,
    Happening.RESUMED: EventName.CLOCK_RESUMED, Happening.WARNED: EventName.CLOCK_WARNED,
    Happening.BREACHED: EventName.CLOCK_BREACHED, Happening.ESCALATED: EventName.CLOCK_ESCALATED,
    Happening.MET: EventName.CLOCK_MET,
}  # fmt: skip


_TIMED: Final = frozenset(
    {
        Happening.STARTED, Happening.PAUSED, Happening.RESUMED, Happening.TIGHTENED,
        Happening.MET, Happening.CANCELLED,
    }
)  # fmt: skip
"""Entries that keep the due time and the time counted as they were then."""


class Wound:
    """A clock together with what moves it, within one transaction.

    Args:
        tx: the unit of work; it holds the clock's lock.
        clock: the row.
        log: its entries, when they are known already.
    """

    def __init__(self, tx: Tx, clock: Clock, log: list[ClockEvent] | None = None) -> None:
        self.tx = tx
        self.clock = clock
        self.log = repo.log(tx, clock.clock_id) if log is None else log
        self.calendar: BusinessCalendar = calendar_of(tx.frame, clock.calendar)
        spec = policies.body_by_id(tx, clock.policy_id).spec(clock.code)
        assert spec is not None
        self.spec: ClockSpec = spec

    def reading(self, at: datetime | None = None) -> Reading:
        """What the clock shows at an instant, not before its last entry; default: now."""
        return replay(self.log, self.calendar, at or self.tx.at)

    def write(
        self,
        kind: Happening,
        actor: Actor = SYSTEM,
        data: dict[str, Any] | None = None,
        told: dict[str, Any] | None = None,
        note: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Add to the log, project it, record the evidence and tell the other rooms.

        Args:
            kind: what happened.
            actor: who did it.
            data: of the entry.
            told: further facts of the event.
            note: what the person wrote.
            at: when it happened, not before what the log holds already; default: now.
        """
        clock, tx = self.clock, self.tx
        when = tx.at if at is None else max([at, *(entry.at for entry in self.log[-1:])])
        entry = ClockEvent(
            clock_id=clock.clock_id, number=len(self.log) + 1, kind=kind.value, at=when,
            actor_id=actor.user_id, data=data or {}, note=note,
        )  # fmt: skip
        self.log.append(entry)
        reading = self.reading(when)
        if kind in _TIMED:
            due = reading.due_at.isoformat() if reading.due_at else None
            entry.data = {
                **entry.data, "due_at": due, "elapsed_us": reading.elapsed // MICRO
            }  # fmt: skip
        tx.session.add(entry)
        project(clock, reading, len(self.log))
        clock.pause_reason = entry.data.get("reason") if kind is Happening.PAUSED else None
        tx.session.flush()
        attest(tx, clock.client_id, entry)
        facts = self._facts()
        record(
            tx, actor, EvidenceKind(f"clock.{kind.value}"), client_id=clock.client_id,
            subject=clock.clock_id,
            data={n: v for n, v in {**facts, **entry.data}.items() if n != "tier"},
            personal={**({"note": note} if note else {}), **sealed(tier=clock.tier)},
        )  # fmt: skip
        if kind in _EVENTS:
            more = {**facts, **entry.data, **(told or {}), "title": self.spec.title.model_dump()}
            emit(tx, Event(_EVENTS[kind], clock.clock_id, actor.user_id, clock.client_id, more))

    def advance(self, warn: bool = True, at: datetime | None = None) -> None:
        """Do every step that is due; late warnings are left out in favour of what came after.

        Args:
            warn: whether to warn at all; nobody needs it of a clock that is stopped right now.
            at: due by when; default: now.
        """
        reading = self.reading(at)
        if reading.status not in LIVE or reading.since is None:
            return
        done = {entry.data.get("step") for entry in self.log}
        due = [
            step
            for step in steps(self.spec)
            if step.name not in done and reading.elapsed >= threshold(reading.target, step.share)
        ]
        for position, step in enumerate(due):
            newest = position == len(due) - 1 and not self._passed(step, done)
            if (newest and warn) or not step.is_warning:
                self._act(step, reading)

    def arm(self) -> None:
        """Set the timer for the next step; the timers before are gone."""
        clock, tx = self.clock, self.tx
        if len(self.log) > 1:  # one that was only started has no timer yet
            cancel_prefix(tx, f"clock:{clock.clock_id}:")
        reading = self.reading()
        if reading.status not in LIVE or reading.since is None:
            return
        done = {entry.data.get("step") for entry in self.log}
        ahead = [
            (step, threshold(reading.target, step.share))
            for step in steps(self.spec)
            if step.name not in done
        ]
        coming = [(s, need) for s, need in ahead if need > reading.elapsed]
        if coming:
            step, need = coming[0]
            at = self.calendar.add(reading.since, need - reading.elapsed_before)
            if need == reading.target and reading.due_at is not None:
                at = reading.due_at  # as it was promised, whatever the calendar says by now
            key = f"clock:{clock.clock_id}:{step.name}"
            enqueue(tx, TICK, {"clock_id": clock.clock_id}, key=key, due_at=at)

    def tell_case(self) -> None:
        """Let the case know when its first clock is due."""
        if self.clock.subject_kind == "case":
            tell_case(self.tx, self.clock.subject_id)

    def _passed(self, step: Step, done: set[Any]) -> bool:
        return any(s.name in done and s.share > step.share for s in steps(self.spec))

    def _act(self, step: Step, reading: Reading) -> None:
        clock = self.clock
        share = {"step": step.name, "share": step.share}
        if step.is_warning:
            people: list[str] = [clock.owner_id] if clock.owner_id else []
            if step.share >= 0.8:
                people += leads_of(self.tx, clock.owner_id)
            self.write(Happening.WARNED, data=share, told={"people": people})
        elif step.to is None:
            due = reading.due_at.isoformat() if reading.due_at else None
            self.write(Happening.BREACHED, data={**share, "due_at": due})
        else:
            level, people = self._called(step.to)
            data = {**share, "level": LEVELS[level], "to": people[0] if people else None}
            self.write(Happening.ESCALATED, data=data, told={"people": people, "role": level.value})

    def _called(self, level: Level) -> tuple[Level, list[str]]:
        """Who is called: the level, or the next one up that anybody holds."""
        owner = self.clock.owner_id
        if level is Level.LEAD:
            leads = leads_of(self.tx, owner)
            if leads:
                return level, leads
            level = Level.DIRECTOR
        if level is Level.DIRECTOR:
            return level, directors_of(self.tx, owner, self.clock.client_id)
        return level, []

    def _facts(self) -> dict[str, Any]:
        clock = self.clock
        return {
            f"{clock.subject_kind}_id": clock.subject_id, "subject_kind": clock.subject_kind,
            "clock": clock.code, "owner_id": clock.owner_id, "tier": clock.tier,
            "state": clock.state, "late": clock.late,
        }  # fmt: skip


def project(clock: Clock, reading: Reading, version: int) -> None:
    """Write what the log says onto the row."""
    clock.state = reading.status.value
    clock.target_us = reading.target // MICRO
    clock.elapsed_us = reading.elapsed_before // MICRO
    clock.running_since = reading.since
    clock.due_at = reading.due_at
    clock.due_rank = reading.due_at or NEVER
    clock.late = reading.late
    clock.ended_at = reading.ended_at
    clock.version = version


def tell_case(tx: Tx, case_id: str) -> None:
    """Let a case know when its first clock is due."""
    from keepwell.intervene.case.service import set_next_due

    set_next_due(tx, case_id, repo.next_due(tx, "case", case_id))


def elapsed_at(clock: Clock, calendar: BusinessCalendar, at: datetime) -> timedelta:
    """Working time passed on a clock's row at an instant, without reading its log."""
    before = clock.elapsed_us * MICRO
    since = clock.running_since
    if since is None:
        return before
    worked = before + calendar.between(since, at)
    return counted(worked, clock.target_us * MICRO, clock.due_at, at)
