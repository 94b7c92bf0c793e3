from datetime import date

import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.world.market.calendar import sessions


def test_national_holidays_are_closed():
    # Exchange's announcement for 2024: closed from 1 to 7 October, open from the 8th on.
    week = sessions(date(2024, 9, 30), 9)
    assert week.tolist() == [True, *[False] * 7, True]


def test_spring_festival_is_closed_and_working_weekends_too():
    # 10 to 17 February 2024 was the festival; Friday the 9th was closed, Sunday the 18th worked.
    days = sessions(date(2024, 2, 8), 12)
    assert np.flatnonzero(days).tolist() == [0, 11]
    assert not sessions(date(2024, 2, 12), 1)[0]


def test_a_year_has_the_sessions_that_the_exchange_held():
    assert sessions(date(2023, 1, 1), 365).sum() == 242
    assert sessions(date(2024, 1, 1), 366).sum() == 242


def test_a_start_within_a_holiday_is_possible():
    assert not sessions(date(2024, 10, 2), 3).any()


def test_the_result_may_be_changed_without_harm():
    first = sessions(date(2024, 1, 2), 5)
    first[:] = False
    assert sessions(date(2024, 1, 2), 5).any()


@pytest.mark.parametrize(("start", "days"), [(date(2026, 12, 1), 60), (date(1985, 1, 1), 10)])
def test_days_beyond_the_known_holidays_are_refused(start, days):
    with pytest.raises(UsageError) as caught:
        sessions(start, days)
    assert caught.value.code == "world.calendar-short"
    assert str(caught.value.fields["until"]) in caught.value.words("zh")
