"""On which days the Shanghai exchange has a session."""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import UsageError

Flags = npt.NDArray[np.bool_]


def sessions(start: date, days: int) -> Flags:
    """Which days have a session on the Shanghai exchange.

    Holidays are those the package exchange_calendars holds, as the exchange announced them; it
    knows none beyond the last year announced.

    Args:
        start: the first day.
        days: number of calendar days, at least 1.

    Returns:
        One flag for each of the days.

    Raises:
        UsageError: the days reach beyond what the package knows.
    """
    return _sessions(start, days).copy()


@lru_cache(maxsize=16)
def _sessions(start: date, days: int) -> Flags:
    from exchange_calendars.exchange_calendar_xshg import XSHGExchangeCalendar

    from keepwell.core.days import day_number

    last = start + timedelta(days=days - 1)
    with warnings.catch_warnings():
        # The package warns of its own use of pandas, which a caller cannot change.
        warnings.simplefilter("ignore")
        earliest = XSHGExchangeCalendar.bound_min().date()
        latest = XSHGExchangeCalendar.bound_max().date()
        if start < earliest or last > latest:
            raise UsageError("world.calendar-short", since=earliest, until=latest)
        # A calendar needs a session of its own, which a holiday week does not have.
        margin = timedelta(days=30)
        calendar = XSHGExchangeCalendar(start=max(earliest, start - margin), end=last)
        stamps = calendar.sessions.tz_localize(None).to_numpy()
    numbers = stamps.astype("datetime64[D]").astype(np.int64)
    return np.isin(np.arange(days) + day_number(start), numbers)
