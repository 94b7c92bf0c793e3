"""The calendars of this desk, from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from keepwell.core.calendars import (
    BusinessCalendar,
    always,
    exchange_calendar,
    exchange_code,
    load_fault,
    office_calendar,
)
from keepwell.frame.context import Frame
from keepwell.frame.logs import logger
from keepwell.frame.settings import CalendarSettings
from keepwell.intervene.clock.policy import CalendarName

_log = logger("keepwell.clock")

Calendars = dict[CalendarName, BusinessCalendar]


def calendar_of(frame: Frame, name: str) -> BusinessCalendar:
    """A calendar of the desk.

    Args:
        frame: its settings and zone.
        name: exchange, office or always.

    Raises:
        UsageError: the settings name an exchange that there is not.
    """
    return calendars_of(frame)[CalendarName(name)]


def calendars_of(frame: Frame) -> Calendars:
    """All calendars of the desk; built once, as their days are looked up for every clock."""
    settings = frame.settings.calendar
    own = "sessions" in settings.model_fields_set
    return _build(settings.model_dump_json(), own, frame.zone)


def exchange_of(frame: Frame) -> str:
    """Code of the desk's exchange."""
    return exchange_code(frame.settings.calendar.exchange, frame.zone)


@lru_cache(maxsize=32)
def _build(text: str, own_sessions: bool, zone: ZoneInfo) -> Calendars:
    settings = CalendarSettings.model_validate_json(text)
    code = exchange_code(settings.exchange, zone)
    fault = load_fault(code)
    if fault is not None:
        _log.warning("calendar.exchange-unreadable", code=code, error=fault)
    holidays, workdays = frozenset(settings.holidays), frozenset(settings.workdays)
    return {
        CalendarName.ALWAYS: always(zone),
        CalendarName.EXCHANGE: exchange_calendar(
            zone, code, settings.sessions if own_sessions else None, settings.sessions, holidays
        ),
        CalendarName.OFFICE: office_calendar(
            zone, code, settings.office, frozenset(settings.office_days), holidays, workdays
        ),
    }


@dataclass(frozen=True, slots=True)
class Unusual:
    """Days that are not as the days of their week usually are.

    Attributes:
        kind: 'off' (days off that are no mere weekend), 'worked' (a weekend day worked) or 'short'.
        first: first day.
        last: last day; the same for 'worked' and 'short'.
        sessions: working time of the day; () for days off.
    """

    kind: str
    first: date
    last: date
    sessions: tuple[tuple[datetime, datetime], ...] = ()


def hours_on(calendar: BusinessCalendar, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """The sessions of a day in local time."""
    spans = calendar.sessions_of(day)
    return tuple((_local(calendar, a), _local(calendar, b)) for a, b in spans)


def unusual(calendar: BusinessCalendar, first: date, days: int) -> list[Unusual]:
    """Days off, weekend days worked and short days, as far as the calendar knows its days.

    Args:
        calendar: exchange or office.
        first: from this day on.
        days: how many to look at.
    """
    known = calendar.provisional_after
    all_days = [first + timedelta(days=n) for n in range(days)]
    seen = [day for day in all_days if known is None or day <= known]
    sessions = {day: calendar.sessions_of(day) for day in seen}
    totals = [sum(b - a for a, b in spans) for spans in sessions.values() if spans]
    usual = max(set(totals), key=totals.count, default=0)
    found: list[Unusual] = []
    run: list[date] = []
    for day in [*seen, None]:
        if day is not None and not sessions[day]:
            run.append(day)
            continue
        if any(off.weekday() < _SATURDAY for off in run):
            found.append(Unusual("off", run[0], run[-1]))
        run = []
        if day is None:
            continue
        if day.weekday() >= _SATURDAY:
            found.append(Unusual("worked", day, day, hours_on(calendar, day)))
        elif sum(b - a for a, b in sessions[day]) < usual:
            found.append(Unusual("short", day, day, hours_on(calendar, day)))
    return found


_SATURDAY: Final = 5


def _local(calendar: BusinessCalendar, us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, calendar.zone)
