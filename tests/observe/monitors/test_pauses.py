"""What is late, and what is a holiday: tables with pauses of their own raise no false alarm."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta

import numpy as np

from keepwell.core.days import day_number
from keepwell.observe import rhythm
from keepwell.observe.monitors.profile import Profile
from keepwell.observe.monitors.watch import _open_days, _seen
from keepwell.observe.rhythm import weekday
from keepwell.observe.workspace import Workspace
from tests.desk import write_workspace

MONDAY = date(2026, 3, 2)


def pauses(*days: int):
    return [(MONDAY, MONDAY + timedelta(days=n)) for n in days]


def test_beyond_the_second_longest_pause():
    assert _seen(None, weekday) == math.inf  # two days of facts and then none: nobody knows
    assert _seen(pauses(1, 1, 1, 1), weekday) == 0
    assert _seen(pauses(1, 1, 4, 1), weekday) == 0  # once, which may have been a fault
    assert _seen(pauses(1, 2, 2, 1), weekday) == 2
    # The long ones were holidays: by the exchange's calendar they lasted a day.
    assert _seen(pauses(1, 4, 4, 1), lambda day: day == MONDAY) == 0


def test_a_rhythm_learned_before_pauses_were_kept_or_from_few_tells_nothing(tmp_path):
    workspace = Workspace.open(write_workspace(tmp_path / "ws"))
    days = [[f"2026-03-{n:02}", f"2026-03-{n + 1:02}"] for n in range(1, 11)]
    kept = {
        "trade": {"days": 1, "last": "2026-03-11", "long": days},
        "contact": {"days": 1, "last": "2026-03-03", "long": days[:2]},
        "session": {"days": 1, "last": "2026-03-11"},
    }
    (workspace.state / rhythm.FILE_NAME).write_text(json.dumps(kept), "utf-8")
    assert rhythm.known(workspace) == {"trade": 1, "contact": 1, "session": 1}
    found = rhythm.long_pauses(workspace)
    assert list(found) == ["trade"]
    assert found["trade"][0] == (date(2026, 3, 1), date(2026, 3, 2))


def profile(table: str, days: list[date]) -> Profile:
    numbers = np.array([day_number(day) for day in days], np.int64)
    return Profile(table, numbers, np.full(len(days), 100, np.int64), {})


def test_days_after_the_newest_of_all_trading_tables_may_be_a_holiday():
    days = [MONDAY + timedelta(days=n) for n in range(60) if weekday(MONDAY + timedelta(days=n))]
    last = days[-1]
    is_open = _open_days([profile("trade", days), profile("price", days)])
    assert is_open(day_number(last))
    following = next(n for n in range(1, 4) if weekday(last + timedelta(days=n)))
    assert not is_open(day_number(last) + following)
    # One that stops while the other goes on makes no holiday.
    assert _open_days([profile("trade", days), profile("price", days[:-3])])(day_number(last))
