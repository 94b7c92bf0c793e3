"""A clock's state from its event log, and nothing else: no database here.

What was promised and what was missed stand in the log itself: due times as they were given and
breaches as they were told. A calendar that is changed later counts for what comes, and rewrites
neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from keepwell.core.calendars import BusinessCalendar

_MICRO = timedelta(microseconds=1)
_ZERO = timedelta()


class ClockState(StrEnum):
    """How a clock stands."""

    RUNNING = "running"
    PAUSED = "paused"
    BREACHED = "breached"
    MET = "met"
    CANCELLED = "cancelled"


LIVE = (ClockState.RUNNING, ClockState.PAUSED, ClockState.BREACHED)


class Happening(StrEnum):
    """What the log of a clock holds."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    TIGHTENED = "tightened"
    WARNED = "warned"
    BREACHED = "breached"
    ESCALATED = "escalated"
    MET = "met"
    CANCELLED = "cancelled"


class Entry(Protocol):
    """An entry of the log, as `replay` reads it."""

    kind: Any
    at: Any
    data: Any


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of the log.

    Attributes:
        kind: what.
        at: when, UTC.
        data: `target_us` of started and tightened, `reason` of paused, `step` of the others;
            `due_at` as it was given then and `elapsed_us` as it was counted then.
    """

    kind: str
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clock shows at one instant.

    Attributes:
        status: how it stands.
        target: working time promised.
        elapsed: working time passed.
        due_at: when the time is or was over; None while it is paused in time.
        since: since when it runs; None when it does not.
        elapsed_before: working time passed until `since`.
        late: whether the promised time is over, or was when it ended.
        ended_at: when it was met or cancelled.
    """

    status: ClockState
    target: timedelta
    elapsed: timedelta
    due_at: datetime | None
    since: datetime | None
    elapsed_before: timedelta
    late: bool
    ended_at: datetime | None = None

    @property
    def remaining(self) -> timedelta:
        """Working time left; negative when it is over."""
        return self.target - self.elapsed

    @property
    def share(self) -> float:
        """Share of the promised time that has passed."""
        return self.elapsed / self.target


def threshold(target: timedelta, share: float) -> timedelta:
    """Working time after which a share of the target has passed."""
    return round(target / _MICRO * share) * _MICRO


def replay(log: Iterable[Entry], calendar: BusinessCalendar, at: datetime) -> Reading:
    """The state of a clock at an instant, from its log up to then.

    Args:
        log: entries in the order in which they happened; the first is `started`.
        calendar: whose time counts.
        at: not before the last entry.
    """
    tape = _Tape(calendar)
    for entry in log:
        tape.take(entry)
    return tape.read(at)


class _Tape:
    def __init__(self, calendar: BusinessCalendar) -> None:
        self.calendar = calendar
        self.target = _ZERO
        self.elapsed = _ZERO
        self.since: datetime | None = None
        self.due: datetime | None = None
        self.paused = False
        self.late = False
        self.end: tuple[ClockState, datetime] | None = None

    def take(self, entry: Entry) -> None:
        kind, at = Happening(entry.kind), entry.at
        if kind in (Happening.STARTED, Happening.TIGHTENED):
            self._halt(entry)
            self.target = entry.data["target_us"] * _MICRO
            if not self.paused:
                self._run(entry)
        elif kind is Happening.PAUSED:
            self._halt(entry)
            self.paused = True
        elif kind is Happening.RESUMED:
            self.paused = False
            self._run(entry)
        elif kind is Happening.BREACHED:
            self.late = True
            self.due = _told(entry) or self.due
        elif kind in (Happening.MET, Happening.CANCELLED):
            due = self.due
            self._halt(entry)
            self.due = due
            self.end = (ClockState(kind.value), at)

    def read(self, at: datetime) -> Reading:
        before, elapsed = self.elapsed, self.elapsed
        if self.since is not None:
            elapsed = counted(
                elapsed + self.calendar.between(self.since, at), self.target, self.due, at
            )
        late = self.late or (self.since is not None and self.due is not None and at >= self.due)
        if self.end is not None:
            status = self.end[0]
        elif self.paused:
            status = ClockState.PAUSED
        else:
            status = ClockState.BREACHED if late else ClockState.RUNNING
        ended = self.end[1] if self.end else None
        return Reading(status, self.target, elapsed, self.due, self.since, before, late, ended)

    def _halt(self, entry: Entry) -> None:
        at, told = entry.at, entry.data.get("elapsed_us")
        if self.since is not None:
            self.late = self.late or (self.due is not None and at >= self.due)
            worked = self.elapsed + self.calendar.between(self.since, at)
            self.elapsed = counted(worked, self.target, self.due, at)
            if told is not None:
                self.elapsed = told * _MICRO
            self.since = None
        if not self.late:
            self.due = None

    def _run(self, entry: Entry) -> None:
        self.since = entry.at
        if not self.late:
            ahead = self.target - self.elapsed
            self.due = _told(entry) or self.calendar.add(entry.at, ahead)


def counted(worked: timedelta, target: timedelta, due: datetime | None, at: datetime) -> timedelta:
    """Working time as shown: past the target from the due time on, below it until then.

    The two differ only where the calendar was changed after the due time was given.
    """
    if due is None:
        return worked
    return max(worked, target) if at >= due else min(worked, target - _MICRO)


def _told(entry: Entry) -> datetime | None:
    text = entry.data.get("due_at")
    return datetime.fromisoformat(text) if text else None
