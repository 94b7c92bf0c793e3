"""Instants and the exchange's calendar days.

An instant is a timezone-aware datetime. A day is a whole number of days since 1970-01-01, read
off the calendar of the exchange's zone.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from keepwell.core.errors import UsageError

_EPOCH = date(1970, 1, 1)
_SPAN = re.compile(r"(\d+)(d|mo)")


def day_number(value: date) -> int:
    """Days since 1970-01-01.

    Example:
        >>> day_number(date(1970, 1, 2))
        1
    """
    return (value - _EPOCH).days


def to_date(number: int) -> date:
    """The date of a day number.

    Example:
        >>> to_date(0)
        datetime.date(1970, 1, 1)
    """
    return _EPOCH + timedelta(days=int(number))


def local_day(instant: datetime, zone: ZoneInfo) -> int:
    """The exchange's calendar day in which an instant falls."""
    return day_number(instant.astimezone(zone).date())


def midnight(number: int, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which a day begins in the exchange's zone."""
    return datetime.combine(to_date(number), time(), zone).astimezone(UTC)


def parse_as_of(text: str | date | datetime, zone: ZoneInfo) -> datetime:
    """An as-of instant: a bare date means the day's beginning in the exchange's zone.

    Args:
        text: 'YYYY-MM-DD', an ISO 8601 instant (naive ones are in the exchange's zone), or the
            date or datetime itself.
        zone: the exchange's zone.

    Returns:
        The instant in UTC.

    Raises:
        UsageError: the text is neither.

    Example:
        >>> parse_as_of("2021-07-01", ZoneInfo("Europe/Athens"))
        datetime.datetime(2021, 6, 30, 21, 0, tzinfo=datetime.timezone.utc)
    """
    value: date | datetime
    try:
        value = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        raise UsageError("as-of.day-invalid", text=text) from None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def add_span(instant: datetime, span: str, zone: ZoneInfo) -> datetime:
    """An instant moved by 'Nd' (days) or 'Nmo' (calendar months) on the exchange's calendar.

    The local time of day is kept; the 31st becomes a shorter month's last day.

    Raises:
        UsageError: the span is not of that form.

    Example:
        >>> zone = ZoneInfo("Europe/Athens")
        >>> add_span(parse_as_of("2021-08-31", zone), "6mo", zone).astimezone(zone).date()
        datetime.date(2022, 2, 28)
    """
    found = _SPAN.fullmatch(span)
    if not found:
        raise UsageError("as-of.span-invalid", text=span)
    local = instant.astimezone(zone)
    if found[2] == "d":
        target = local.date() + timedelta(days=int(found[1]))
    else:
        months = local.year * 12 + local.month - 1 + int(found[1])
        year, month = divmod(months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        target = date(year, month + 1, min(local.day, last))
    return datetime.combine(target, local.time(), zone).astimezone(UTC)
