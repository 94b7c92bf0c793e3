"""Working time: sessions, holidays, half-days, changes of the clock, midnight."""

from __future__ import annotations

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.calendars import (
    always,
    exchange_calendar,
    exchange_code,
    from_spans,
    load_exchange,
    office_calendar,
    spans_on,
)
from keepwell.core.errors import UsageError

SHANGHAI = ZoneInfo("Asia/Shanghai")
ATHENS = ZoneInfo("Europe/Athens")
NEW_YORK = ZoneInfo("America/New_York")
SPLIT = [(time(9, 30), time(11, 30)), (time(13), time(15))]
OFFICE = [(time(9), time(12)), (time(13), time(18))]
NIGHT = [(time(0), time(2, 30)), (time(2, 30), time(5)), (time(22), time(0))]
DAYS = frozenset({1, 2, 3, 4, 5})

XSHG = exchange_calendar(SHANGHAI, "XSHG", None, SPLIT)
XNYS = exchange_calendar(NEW_YORK, "XNYS", None, SPLIT)
CALENDARS = {
    "exchange": XSHG,
    "new-york": XNYS,
    "office": office_calendar(SHANGHAI, "XSHG", OFFICE, DAYS),
    "athens": from_spans(ATHENS, OFFICE),
    "night": from_spans(ATHENS, NIGHT, lambda _: True),
    "always": always(ATHENS),
}


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


instants = st.integers(0, 545 * 86_400_000).map(
    lambda ms: datetime(2025, 9, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
spans = st.timedeltas(timedelta(0), timedelta(days=12))
names = st.sampled_from(sorted(CALENDARS))


@settings(deadline=None)
@given(names, instants, spans)
def test_what_was_added_lies_between(name, at, working):
    calendar = CALENDARS[name]
    assert calendar.between(at, calendar.add(at, working)) == working


@settings(deadline=None)
@given(names, instants, instants)
def test_adding_what_lies_between_comes_back(name, a, b):
    calendar = CALENDARS[name]
    first, last = sorted((a, b))
    back = calendar.add(first, calendar.between(first, last))
    assert back <= last
    if calendar.is_open(last) and calendar.is_open(first):
        assert back == last


@settings(deadline=None)
@given(names, instants, instants, spans)
def test_a_later_start_is_never_due_earlier(name, a, b, working):
    first, last = sorted((a, b))
    calendar = CALENDARS[name]
    assert calendar.add(first, working) <= calendar.add(last, working)


@settings(deadline=None)
@given(names, instants, spans, spans)
def test_adding_twice_is_adding_the_sum(name, at, one, two):
    calendar = CALENDARS[name]
    assert calendar.add(calendar.add(at, one), two) == calendar.add(at, one + two)


@settings(deadline=None)
@given(names, instants, instants, instants)
def test_spans_add_up(name, a, b, c):
    calendar = CALENDARS[name]
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)


@settings(deadline=None)
@given(names, instants)
def test_the_next_opening_is_open_and_no_work_is_before_it(name, at):
    calendar = CALENDARS[name]
    opening = calendar.next_open(at)
    assert opening >= at
    assert calendar.is_open(opening)
    assert calendar.between(at, opening) == timedelta(0)


@settings(deadline=None)
@given(names, instants, st.integers(1, 8))
def test_the_nth_day_ends_after_n_days_of_work(name, at, n):
    calendar = CALENDARS[name]
    end = calendar.add_days(at, n)
    local = end.astimezone(calendar.zone) - timedelta(microseconds=1)
    assert local.date() > at.astimezone(calendar.zone).date()
    assert not calendar.sessions_of(local.date())[-1][1] > int(end.timestamp() * 1e6)
    assert end == calendar.add(at, calendar.between(at, end))


def test_lunch_stands_still():
    assert XSHG.add(shanghai("2026-03-04 11:25"), timedelta(minutes=15)) == shanghai(
        "2026-03-04 13:10"
    )
    assert not XSHG.is_open(shanghai("2026-03-04 11:30"))
    assert XSHG.is_open(shanghai("2026-03-04 13:00"))


def test_lunar_new_year_2026_is_no_working_time():
    # The exchange is closed from 15 to 23 February; the 14th is a Saturday.
    late = shanghai("2026-02-13 14:50")
    assert XSHG.add(late, timedelta(minutes=15)) == shanghai("2026-02-24 09:35")
    assert XSHG.add_days(late, 2) == shanghai("2026-02-25 15:00")
    assert XSHG.next_open(shanghai("2026-02-17 12:00")) == shanghai("2026-02-24 09:30")


def test_a_make_up_day_is_worked_in_the_office_and_not_at_the_exchange():
    saturday = date(2026, 2, 14)
    office = office_calendar(SHANGHAI, "XSHG", OFFICE, DAYS, workdays=frozenset({saturday}))
    assert office.is_open(shanghai("2026-02-14 10:00"))
    assert not CALENDARS["office"].is_open(shanghai("2026-02-14 10:00"))
    assert not XSHG.is_open(shanghai("2026-02-14 10:00"))


def test_a_holiday_of_the_settings_is_a_day_off():
    day = date(2026, 3, 4)
    office = office_calendar(SHANGHAI, "XSHG", OFFICE, DAYS, holidays=frozenset({day}))
    assert not office.is_open(shanghai("2026-03-04 10:00"))


def test_a_half_day_ends_early():
    # New York closes at 13:00 on the day after Thanksgiving, whatever the sessions set.
    noon = datetime(2025, 11, 28, 12, 30, tzinfo=NEW_YORK)
    due = datetime(2025, 12, 1, 10, 0, tzinfo=NEW_YORK)
    assert XNYS.add(noon, timedelta(hours=1)) == due
    own = exchange_calendar(NEW_YORK, "XNYS", [(time(9, 30), time(16))], SPLIT)
    assert own.add(noon, timedelta(hours=1)) == due


def test_beyond_what_is_known_days_are_weekdays_and_it_says_so():
    assert XSHG.provisional_after == date(2026, 12, 31)
    new_year = shanghai("2027-01-01 10:00")
    assert XSHG.is_open(new_year)
    assert XSHG.is_provisional(new_year)
    assert not XSHG.is_provisional(shanghai("2026-12-31 10:00"))
    given = exchange_calendar(SHANGHAI, "XSHG", None, SPLIT, frozenset({date(2027, 1, 1)}))
    assert not given.is_open(new_year)


def test_an_exchange_that_cannot_be_loaded_falls_back_and_says_so():
    assert exchange_code("", ATHENS) == "ASEX"
    assert load_exchange("ASEX") is None
    athens = exchange_calendar(ATHENS, "ASEX", None, SPLIT)
    assert athens.provisional_after == date.min
    assert athens.is_open(datetime(2026, 3, 4, 10, 0, tzinfo=ATHENS))
    assert athens.is_provisional(datetime(2026, 3, 4, 10, 0, tzinfo=ATHENS))


def test_weekdays_asked_for_are_no_guess():
    assert exchange_code("weekdays", SHANGHAI) == "weekdays"
    assert exchange_calendar(SHANGHAI, "weekdays", None, SPLIT).provisional_after is None


def test_an_unknown_exchange_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        exchange_code("XSHH", SHANGHAI)
    assert caught.value.code == "calendar.exchange-unknown"
    assert caught.value.fields["nearest"] == "XSHG"


def test_a_zone_without_an_exchange_means_weekdays():
    assert exchange_code("", ZoneInfo("Pacific/Auckland")) == "weekdays"


def test_the_day_of_the_change_is_an_hour_shorter_or_longer():
    whole = always(ATHENS)
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)):
        start = datetime.combine(day, time(0), ATHENS)
        end = datetime.combine(day + timedelta(days=1), time(0), ATHENS)
        assert whole.between(start, end) == timedelta(hours=hours)


def test_hours_that_the_change_skips_are_left_out():
    # 03:00 becomes 04:00 on 29 March 2026 in Athens.
    day = date(2026, 3, 29)
    change = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert spans_on(ATHENS, day, [(time(3, 10), time(3, 50))]) == []
    assert spans_on(ATHENS, day, [(time(2), time(3, 30))]) == [(change - 3_600_000_000, change)]
    assert spans_on(ATHENS, day, [(time(3, 30), time(5))]) == [(change, change + 3_600_000_000)]


def test_a_span_may_end_at_midnight():
    night = from_spans(SHANGHAI, [(time(22), time(0))], lambda _: True)
    assert night.is_open(shanghai("2026-03-04 23:59"))
    assert not night.is_open(shanghai("2026-03-05 00:00"))
    assert night.add(shanghai("2026-03-04 22:00"), timedelta(hours=3)) == shanghai(
        "2026-03-05 23:00"
    )


def test_time_is_not_taken_back():
    with pytest.raises(ValueError, match="taken back"):
        XSHG.add(shanghai("2026-03-04 10:00"), timedelta(minutes=-1))
    with pytest.raises(ValueError, match="one day"):
        XSHG.add_days(shanghai("2026-03-04 10:00"), 0)


def test_a_calendar_without_work_is_told_apart_from_a_long_wait():
    never = from_spans(SHANGHAI, OFFICE, lambda _: False)
    for ask in (
        lambda: never.add(shanghai("2026-03-04 10:00"), timedelta(minutes=1)),
        lambda: never.next_open(shanghai("2026-03-04 10:00")),
        lambda: never.add_days(shanghai("2026-03-04 10:00"), 1),
    ):
        with pytest.raises(ValueError, match="no working time"):
            ask()


def test_ten_thousand_a_second():
    at = shanghai("2026-02-13 14:50")
    XSHG.add(at, timedelta(days=10))
    begin = clock.process_time()
    for minutes in range(5_000):
        XSHG.add(at + timedelta(minutes=minutes), timedelta(minutes=minutes % 3000 + 1))
    assert clock.process_time() - begin < 0.5


def test_an_exchange_that_cannot_be_read_says_why_and_nothing_else_is_swallowed(monkeypatch):
    from keepwell.core import calendars

    assert calendars.load_fault("ASEX") == "NotImplementedError"
    assert calendars.load_fault("XSHG") is None
    assert calendars.load_fault(calendars.WEEKDAYS) is None

    def broken(_):
        raise MemoryError

    monkeypatch.setattr(calendars, "_read_exchange", broken)
    calendars._load.cache_clear()
    with pytest.raises(MemoryError):
        calendars.load_exchange("XSHG")
    calendars._load.cache_clear()
