"""The calendars of this desk, from its settings."""

from __future__ import annotations

from functools import lru_cache
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
