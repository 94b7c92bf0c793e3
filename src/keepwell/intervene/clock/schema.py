"""What the API says about clocks, policies and calendars."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from keepwell.core.calendars import load_fault
from keepwell.frame.database import Tx
from keepwell.frame.text import Note
from keepwell.intervene.clock import policies, repo
from keepwell.intervene.clock.calendars import calendar_of, calendars_of, exchange_of
from keepwell.intervene.clock.model import Clock, ClockEvent
from keepwell.intervene.clock.policy import CalendarName, PauseReason, PolicyBody, Title
from keepwell.intervene.clock.state import ClockState
from keepwell.intervene.clock.wind import MICRO, elapsed_at

SubjectKind = Literal["case", "exit"]
_CLOCK = "clock_01kdvdna00fgzjsdqkfb56fv6q"


class ClockView(BaseModel):
    """A clock, as it stands now.

    Attributes:
        clock_id: its id.
        subject_kind: what it belongs to.
        subject_id: id of the case or exit request.
        client_id: whom it is about.
        code: the promise, for programs.
        title: the promise, for people.
        policy: name of the policy it started under.
        policy_version: version of the policy it started under; it keeps it.
        calendar: which time counts.
        state: how it stands.
        late: whether the promised time was over before it ended.
        tier: that decided how much time there is.
        owner_id: who is warned.
        started_at: when it started.
        due_at: when the time is or was over; null while it is paused in time.
        provisional: whether `due_at` is a guess: it lies beyond the days that the calendar
            knows, so holidays may be missing.
        target_minutes: working time promised.
        elapsed_minutes: working time passed.
        remaining_minutes: working time left, negative when it is over.
        share: share of the promised time that has passed.
        pause_reason: why it stands still.
        ended_at: when the promise was kept or fell away.
        version: for If-Match.
    """

    clock_id: str = Field(examples=[_CLOCK])
    subject_kind: SubjectKind = Field(examples=["case"])
    subject_id: str = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    code: str = Field(examples=["first-touch"])
    title: Title
    policy: str = Field(examples=["first-touch"])
    policy_version: int = Field(examples=[1])
    calendar: CalendarName = Field(examples=["office"])
    state: ClockState = Field(examples=["running"])
    late: bool = Field(examples=[False])
    tier: str | None = Field(examples=["severe"])
    owner_id: str | None = Field(examples=["m1"])
    started_at: datetime
    due_at: datetime | None
    provisional: bool = Field(examples=[False])
    target_minutes: float = Field(examples=[15.0])
    elapsed_minutes: float = Field(examples=[7.5])
    remaining_minutes: float = Field(examples=[7.5])
    share: float = Field(examples=[0.5])
    pause_reason: PauseReason | None = None
    ended_at: datetime | None = None
    version: int = Field(examples=[1])


class ClockEntry(BaseModel):
    """An entry of a clock's log.

    Attributes:
        number: its place.
        kind: what happened.
        at: when.
        actor_id: who did it.
        data: facts of it.
        note: what the person wrote.
    """

    number: int = Field(examples=[1])
    kind: str = Field(examples=["started"])
    at: datetime
    actor_id: str = Field(examples=["system"])
    data: dict[str, Any]
    note: str | None


class ClockDetail(ClockView):
    """A clock with its log.

    Attributes:
        events: the log, oldest first; the state follows from it alone.
    """

    events: list[ClockEntry]


class PauseIn(BaseModel):
    """Why a clock shall stand still.

    Attributes:
        reason: from the list; 'contact-forbidden' is the desk's own.
        note: in words.
    """

    model_config = ConfigDict(extra="forbid")

    reason: Literal[
        "client-asked-later", "compliance-review", "system-outage", "waiting-for-client",
        "waiting-for-third-party",
    ] = Field(examples=["waiting-for-client"])  # fmt: skip
    note: Note | None = Field(default=None, examples=["Sent the form; she signs tomorrow."])


class PolicyOut(PolicyBody):
    """A clock policy as stored.

    Attributes:
        name: its name.
        version: its newest version.
        active: whether a version of it is in force.
        active_version: which.
    """

    name: str = Field(examples=["first-touch"])
    version: int = Field(examples=[1])
    active: bool = Field(examples=[True])
    active_version: int | None = Field(examples=[1])


class CalendarOut(BaseModel):
    """A calendar, as it stands now.

    Attributes:
        name: which.
        exchange: code of the exchange whose holidays it keeps.
        open: whether it is working time now.
        next_open: now, or when working time begins again.
        provisional_after: days after this one are Monday to Friday, without holidays, because the
            exchange's are not known; null: none is.
        provisional: whether today is such a day.
        fault: why the exchange's calendar could not be loaded, so that all days are a guess;
            null: it could, or none is asked for.
    """

    name: CalendarName = Field(examples=["exchange"])
    exchange: str = Field(examples=["XSHG"])
    open: bool = Field(examples=[True])
    next_open: datetime
    provisional_after: date | None = Field(examples=["2026-12-31"])
    provisional: bool = Field(examples=[False])
    fault: str | None = Field(examples=[None])


def view(tx: Tx, clock: Clock) -> ClockView:
    """A clock as the API shows it."""
    return ClockView(**_fields(tx, clock))


def detail(tx: Tx, clock: Clock, log: list[ClockEvent]) -> ClockDetail:
    """A clock with its log as the API shows it."""
    entries = [ClockEntry.model_validate(entry, from_attributes=True) for entry in log]
    return ClockDetail(**_fields(tx, clock), events=entries)


def policy_out(name: str, version: int, body: PolicyBody, active: tuple[str, int]) -> PolicyOut:
    """A policy as the API shows it."""
    is_active = name == active[0]
    return PolicyOut(
        **body.model_dump(), name=name, version=version, active=is_active,
        active_version=active[1] if is_active else None,
    )  # fmt: skip


def calendars_out(tx: Tx) -> list[CalendarOut]:
    """The calendars of clocks as they stand now."""
    code = exchange_of(tx.frame)
    return [
        CalendarOut(
            name=name, exchange=code, open=calendar.is_open(tx.at),
            next_open=calendar.next_open(tx.at), provisional_after=calendar.provisional_after,
            provisional=calendar.is_provisional(tx.at), fault=load_fault(code),
        )
        for name, calendar in calendars_of(tx.frame).items()
    ]  # fmt: skip


def _fields(tx: Tx, clock: Clock) -> dict[str, Any]:
    policy = repo.policy_by_id(tx, clock.policy_id)
    spec = policies.body_of(policy).spec(clock.code)
    assert spec is not None
    target = clock.target_us * MICRO
    calendar = calendar_of(tx.frame, clock.calendar)
    elapsed = elapsed_at(clock, calendar, tx.at)
    late = clock.late or (clock.running_since is not None and elapsed >= target)
    due = clock.due_at
    return {
        "clock_id": clock.clock_id, "subject_kind": clock.subject_kind,
        "subject_id": clock.subject_id, "client_id": clock.client_id, "code": clock.code,
        "title": spec.title, "policy": policy.name, "policy_version": policy.version,
        "calendar": clock.calendar, "state": clock.state, "late": late,
        "tier": clock.tier, "owner_id": clock.owner_id, "started_at": clock.started_at,
        "due_at": due, "provisional": due is not None and calendar.is_provisional(due),
        "target_minutes": _minutes(clock.target_us),
        "elapsed_minutes": _minutes(elapsed // MICRO),
        "remaining_minutes": _minutes((target - elapsed) // MICRO),
        "share": round(elapsed / target, 4), "pause_reason": clock.pause_reason,
        "ended_at": clock.ended_at, "version": clock.version,
    }  # fmt: skip


def _minutes(us: int) -> float:
    return round(us / 60_000_000, 3)
