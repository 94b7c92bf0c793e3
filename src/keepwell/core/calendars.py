"""Working time: calendars of exchanges and offices with split sessions, holidays, half-days.

A calendar is a set of sessions [from, until), in UTC. `add` and `between` count only what lies
inside, so a promise of 15 minutes made at 11:25 before a lunch break ends at 13:10. Holidays come
from the package exchange_calendars as far as it knows them; days beyond are Monday to Friday, and
`provisional_after` says from when on.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

from keepwell.core.errors import UsageError, nearest

Span = tuple[time, time]
Sessions = Sequence[tuple[int, int]]
"""Sessions of a day: instants in microseconds since 1970, UTC."""

WEEKDAYS: Final = "weekdays"
WHOLE_DAY: Final[tuple[Span, ...]] = ((time(0), time(0)),)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_HORIZON = 60  # years searched for working time before a calendar counts as empty
_FIRST_DAY, _LAST_DAY = date(2015, 1, 1), date(2035, 12, 31)

_FAULTS: Final = (ImportError, AttributeError, LookupError, TypeError, ValueError, RuntimeError)
"""What a calendar that does not fit the installed pandas raises; the clocks run on weekdays then,
and `load_fault` says so. NotImplementedError, which Athens gives, is a RuntimeError."""

EXCHANGES: Final = {
    "America/New_York": "XNYS", "America/Toronto": "XTSE", "Asia/Hong_Kong": "XHKG",
    "Asia/Kolkata": "XBOM", "Asia/Seoul": "XKRX", "Asia/Shanghai": "XSHG",
    "Asia/Singapore": "XSES", "Asia/Taipei": "XTAI", "Asia/Tokyo": "XTKS",
    "Australia/Sydney": "XASX", "Europe/Athens": "ASEX", "Europe/Berlin": "XETR",
    "Europe/London": "XLON", "Europe/Paris": "XPAR",
}  # fmt: skip
"""Exchange of a time zone where the settings name none."""


@dataclass(frozen=True, slots=True)
class _Year:
    """Sessions of one local year, in order, and the work done before each."""

    starts: list[int]
    ends: list[int]
    before: list[int]
    after: list[int]
    days: list[date]
    closes: list[int]

    @property
    def total(self) -> int:
        return self.after[-1] if self.after else 0

    def done(self, at: int) -> int:
        """Work done in this year until an instant."""
        i = bisect_right(self.starts, at) - 1
        return 0 if i < 0 else self.before[i] + min(at, self.ends[i]) - self.starts[i]


@dataclass(frozen=True)
class BusinessCalendar:
    """Working time in one place.

    Attributes:
        zone: where the days are.
        sessions_of: the sessions of a local day, in order, none overlapping; () for a day off.
        provisional_after: days after this one are a guess (Monday to Friday); None: none is;
            `date.min`: all are.

    Example:
        >>> lunch = from_spans(ZoneInfo("UTC"), [(time(9), time(12)), (time(13), time(18))])
        >>> lunch.add(datetime(2026, 3, 4, 11, 50, tzinfo=UTC), timedelta(minutes=15)).time()
        datetime.time(13, 5)
    """

    zone: ZoneInfo
    sessions_of: Callable[[date], Sessions]
    provisional_after: date | None = None
    _years: dict[int, _Year] = field(default_factory=dict, compare=False, repr=False)

    def add(self, at: datetime, working: timedelta) -> datetime:
        """The instant at which so much working time has passed; nothing added is `at` itself.

        Args:
            at: from when on; need not be working time.
            working: at least zero.

        Raises:
            ValueError: a negative span, or a calendar without working time.
        """
        need = working // _MICRO
        if need <= 0:
            if need < 0:
                raise ValueError("working time cannot be taken back")
            return at.astimezone(UTC)
        year, at_us = self._place(at)
        need += self._year(year).done(at_us)
        for number in range(year, year + _HORIZON):
            sessions = self._year(number)
            if need <= sessions.total:
                i = bisect_left(sessions.after, need)
                return _instant(sessions.starts[i] + need - sessions.before[i])
            need -= sessions.total
        raise ValueError("the calendar has no working time")

    def between(self, a: datetime, b: datetime) -> timedelta:
        """Working time from a to b; negative when b is earlier."""
        if b < a:
            return -self.between(b, a)
        first, from_us = self._place(a)
        last, until_us = self._place(b)
        worked = self._year(last).done(until_us) - self._year(first).done(from_us)
        worked += sum(self._year(number).total for number in range(first, last))
        return worked * _MICRO

    def add_days(self, at: datetime, n: int) -> datetime:
        """The end of the n-th business day after the day of `at`, which itself does not count.

        Args:
            at: an instant.
            n: at least 1.

        Raises:
            ValueError: n is below 1, or the calendar has no working time.
        """
        if n < 1:
            raise ValueError("at least one day")
        day = at.astimezone(self.zone).date()
        for number in range(day.year, day.year + _HORIZON):
            year = self._year(number)
            skip = bisect_right(year.days, day)
            if skip + n <= len(year.days):
                return _instant(year.closes[skip + n - 1])
            n -= len(year.days) - skip
        raise ValueError("the calendar has no working time")

    def is_open(self, at: datetime) -> bool:
        """Whether an instant is working time; the end of a session is not."""
        year, at_us = self._place(at)
        sessions = self._year(year)
        i = bisect_right(sessions.starts, at_us) - 1
        return i >= 0 and at_us < sessions.ends[i]

    def next_open(self, at: datetime) -> datetime:
        """`at` itself when it is working time, else the beginning of the next session.

        Raises:
            ValueError: the calendar has no working time.
        """
        if self.is_open(at):
            return at.astimezone(UTC)
        year, at_us = self._place(at)
        for number in range(year, year + _HORIZON):
            starts = self._year(number).starts
            i = bisect_left(starts, at_us)
            if i < len(starts):
                return _instant(starts[i])
        raise ValueError("the calendar has no working time")

    def is_provisional(self, at: datetime) -> bool:
        """Whether the days around an instant are a guess."""
        known = self.provisional_after
        return known is not None and at.astimezone(self.zone).date() > known

    def _place(self, at: datetime) -> tuple[int, int]:
        return at.astimezone(self.zone).year, (at - _EPOCH) // _MICRO

    def _year(self, number: int) -> _Year:
        known = self._years.get(number)
        if known is None:
            known = self._years[number] = self._build(number)
        return known

    def _build(self, number: int) -> _Year:
        year = _Year([], [], [], [], [], [])
        worked = 0
        day = date(number, 1, 1)
        while day.year == number:
            sessions = self.sessions_of(day)
            for start, end in sessions:
                year.starts.append(start)
                year.ends.append(end)
                year.before.append(worked)
                worked += end - start
                year.after.append(worked)
            if sessions:
                year.days.append(day)
                year.closes.append(sessions[-1][1])
            day += timedelta(days=1)
        return year


@dataclass(frozen=True)
class Exchange:
    """What exchange_calendars knows of an exchange.

    Attributes:
        code: such as XSHG.
        first: first day known.
        last: last day known.
        sessions: of each trading day within.
        usual: hours of an ordinary day.
    """

    code: str
    first: date
    last: date
    sessions: dict[date, tuple[tuple[int, int], ...]]
    usual: tuple[Span, ...]

    def knows(self, day: date) -> bool:
        """Whether the day is within what is known."""
        return self.first <= day <= self.last

    def is_holiday(self, day: date) -> bool:
        """Whether a known weekday has no session."""
        return self.knows(day) and day.weekday() < 5 and day not in self.sessions


def exchange_code(given: str, zone: ZoneInfo) -> str:
    """The exchange to use: the one given, else the zone's, else 'weekdays'.

    Raises:
        UsageError: exchange_calendars has no exchange of the name given.
    """
    if not given:
        return EXCHANGES.get(zone.key, WEEKDAYS)
    if given == WEEKDAYS:
        return given
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = list(exchange_calendars.get_calendar_names())
    if given not in names:
        raise UsageError(
            "calendar.exchange-unknown", code=given, nearest=nearest(given, names) or "–"
        )
    return given


def load_exchange(code: str) -> Exchange | None:
    """Days and hours of an exchange; None when the package cannot give them.

    Args:
        code: as exchange_calendars names it; 'weekdays' gives None.
    """
    if code == WEEKDAYS:
        return None
    return _load(code)[0]


def load_fault(code: str) -> str | None:
    """Why the package cannot give an exchange's days, as a class of exception; None: it can."""
    return None if code == WEEKDAYS else _load(code)[1]


@lru_cache(maxsize=16)
def _load(code: str) -> tuple[Exchange | None, str | None]:
    with warnings.catch_warnings():
        # The package warns of its own use of pandas, which a caller cannot change.
        warnings.simplefilter("ignore")
        try:
            return _read_exchange(code), None
        except _FAULTS as error:
            return None, type(error).__name__


def from_spans(
    zone: ZoneInfo,
    spans: Sequence[Span],
    works: Callable[[date], bool] | None = None,
    provisional_after: date | None = None,
) -> BusinessCalendar:
    """A calendar with the same hours on every day worked.

    Args:
        zone: where the hours are local time.
        spans: [from, until) of a day; 00:00 as an end means midnight.
        works: whether a day is worked; default: Monday to Friday.
        provisional_after: see `BusinessCalendar`.
    """

    def sessions(day: date) -> Sessions:
        worked = day.weekday() < 5 if works is None else works(day)
        return spans_on(zone, day, spans) if worked else ()

    return BusinessCalendar(zone, sessions, provisional_after)


def always(zone: ZoneInfo) -> BusinessCalendar:
    """The calendar in which all time counts."""
    return from_spans(zone, WHOLE_DAY, lambda _: True)


def exchange_calendar(
    zone: ZoneInfo,
    code: str,
    spans: Sequence[Span] | None,
    fallback: Sequence[Span],
    holidays: frozenset[date] = frozenset(),
) -> BusinessCalendar:
    """Trading time of an exchange.

    Args:
        zone: of the exchange.
        code: from `exchange_code`.
        spans: trading sessions; None takes the exchange's own. Half-days are cut either way.
        fallback: sessions where neither is known.
        holidays: days off where the exchange's are not known.
    """
    known = load_exchange(code)

    def sessions(day: date) -> Sessions:
        if known is not None and known.knows(day):
            own = known.sessions.get(day, ())
            if not own or spans is None:
                return own
            # A half-day ends early whatever the usual sessions are.
            opens, closes = own[0][0], own[-1][1]
            cut = [(max(a, opens), min(b, closes)) for a, b in spans_on(zone, day, spans)]
            return [(a, b) for a, b in cut if a < b]
        if day.weekday() > 4 or day in holidays:
            return ()
        return spans_on(zone, day, spans or (known.usual if known else fallback))

    return BusinessCalendar(zone, sessions, _known_until(code, known))


def office_calendar(
    zone: ZoneInfo,
    code: str,
    spans: Sequence[Span],
    days: frozenset[int],
    holidays: frozenset[date] = frozenset(),
    workdays: frozenset[date] = frozenset(),
) -> BusinessCalendar:
    """Office hours: days off are the exchange's holidays and those given, but for make-up days.

    Args:
        zone: of the office.
        code: from `exchange_code`, for its holidays.
        spans: hours of a day.
        days: days of the week worked, 1 is Monday.
        holidays: further days off.
        workdays: days worked although they are weekends or holidays.
    """
    known = load_exchange(code)

    def works(day: date) -> bool:
        if day in workdays:
            return True
        off = day in holidays or (known is not None and known.is_holiday(day))
        return day.isoweekday() in days and not off

    return from_spans(zone, spans, works, _known_until(code, known))


def spans_on(zone: ZoneInfo, day: date, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Hours of a day as instants; what a change to summer time leaves out is left out."""
    found = []
    for start, end in spans:
        last = day + timedelta(days=1) if end == time(0) else day
        a, b = _local(zone, day, start), _local(zone, last, end)
        if a < b:
            found.append((a, b))
    return found


def _known_until(code: str, known: Exchange | None) -> date | None:
    if code == WEEKDAYS:
        return None  # asked for, so nothing about it is a guess
    return known.last if known is not None else date.min


def _instant(us: int) -> datetime:
    return _EPOCH + us * _MICRO


def _local(zone: ZoneInfo, day: date, clock: time) -> int:
    naive = datetime.combine(day, clock)
    at = naive.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == naive:
        return (at - _EPOCH) // _MICRO
    # A time that the change to summer time skips means the moment of the change.
    low = (naive.replace(tzinfo=zone, fold=1).astimezone(UTC) - _EPOCH) // _MICRO
    high = (at - _EPOCH) // _MICRO
    before = _instant(low).astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if _instant(middle).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _read_exchange(code: str) -> Exchange:
    module = import_module(f"exchange_calendars.exchange_calendar_{code.lower()}")
    kind = getattr(module, f"{code}ExchangeCalendar")
    low, high = kind.bound_min(), kind.bound_max()
    first = max(_FIRST_DAY, low.date()) if low is not None else _FIRST_DAY
    last = min(_LAST_DAY, high.date()) if high is not None else _LAST_DAY
    calendar = kind(start=first.isoformat(), end=last.isoformat())
    sessions: dict[date, tuple[tuple[int, int], ...]] = {}
    parts = [calendar.opens, calendar.break_starts, calendar.break_ends, calendar.closes]
    for stamp, *edges in zip(calendar.sessions, *parts, strict=True):
        us: list[Any] = [
            None if edge != edge else int(edge.value) // 1000 for edge in edges
        ]  # NaT differs
        opens, pause, resumes, closes = us
        if pause is None or resumes is None:
            sessions[stamp.date()] = ((opens, closes),)
        else:
            sessions[stamp.date()] = ((opens, pause), (resumes, closes))
    return Exchange(code, first, last, sessions, _usual(calendar))


def _usual(calendar: Any) -> tuple[Span, ...]:
    opens, closes = calendar.open_times[-1][1], calendar.close_times[-1][1]
    if not calendar.has_break:
        return ((opens, closes),)
    return (
        (opens, calendar.break_start_times[-1][1]),
        (calendar.break_end_times[-1][1], closes),
    )
