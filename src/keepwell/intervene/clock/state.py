"""A clock's state from its event log, and nothing else: no database here."""

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
        data: `target_us` of started and tightened, `reason` of paused, `step` of the others.
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
            self._halt(at)
            self.target = entry.data["target_us"] * _MICRO
            if not self.paused:
                self._run(at)
        elif kind is Happening.PAUSED:
            self._halt(at)
            self.paused = True
        elif kind is Happening.RESUMED:
            self.paused = False
            self._run(at)
        elif kind in (Happening.MET, Happening.CANCELLED):
            due = self.due
            self._halt(at)
            self.due = due
            self.end = (ClockState(kind.value), at)

    def read(self, at: datetime) -> Reading:
        before, elapsed = self.elapsed, self.elapsed
        if self.since is not None:
            elapsed += self.calendar.between(self.since, at)
        late = self.late or elapsed >= self.target
        if self.end is not None:
            status = self.end[0]
        elif self.paused:
            status = ClockState.PAUSED
        else:
            status = ClockState.BREACHED if late else ClockState.RUNNING
        ended = self.end[1] if self.end else None
        return Reading(status, self.target, elapsed, self.due, self.since, before, late, ended)

    def _halt(self, at: datetime) -> None:
        if self.since is not None:
            self.elapsed += self.calendar.between(self.since, at)
            self.since = None
        self.late = self.late or (self.target > _ZERO and self.elapsed >= self.target)
        if not self.late:
            self.due = None

    def _run(self, at: datetime) -> None:
        self.since = at
        if not self.late:
            self.due = self.calendar.add(at, self.target - self.elapsed)
