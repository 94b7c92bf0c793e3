"""The calendar of a rehearsal."""

from datetime import date

import pytest

from keepwell.core.days import day_number, to_date
from keepwell.core.errors import UsageError
from keepwell.rehearsal.plan import Plan, steps, works
from keepwell.world.scenario import Scenario


def test_the_loop_begins_with_a_calendar_year_and_ends_before_today():
    plan = Plan(Scenario(), days=365)
    assert plan.begins(date(2026, 11, 23)) == date(2025, 1, 1)
    assert plan.begins(date(2026, 1, 11)) == date(2025, 1, 1)
    assert plan.begins(date(2026, 1, 10)) == date(2024, 1, 1)
    dated = plan.dated(date(2026, 11, 23))
    assert day_number(date(2025, 1, 1)) - day_number(dated.start) == plan.warm_up


@pytest.mark.parametrize(("days", "span"), [(365, 28), (120, 28), (57, 7), (100, 28)])
def test_steps_cover_every_day_once_and_none_is_a_scrap(days, span):
    plan = Plan(Scenario(), days=days, step=span)
    made = list(steps(plan, date(2025, 1, 1)))
    lived = [day for step in made for day in range(step.first, step.first + step.days)]
    assert lived == list(range(day_number(date(2025, 1, 1)), day_number(date(2025, 1, 1)) + days))
    assert [step.number for step in made] == list(range(len(made)))
    assert {step.days for step in made[:-1]} == {span}
    assert span / 2 <= made[-1].days < 1.5 * span


def test_working_days_are_from_monday_to_friday():
    days = range(day_number(date(2025, 1, 1)), day_number(date(2025, 2, 1)))
    assert all(works(day) == (to_date(day).weekday() < 5) for day in days)


@pytest.mark.parametrize(
    "wrong",
    [{"clients": 10}, {"days": 3}, {"warm_up": 100}, {"share": 0.9}, {"minutes": 0}, {"step": 1}],
)
def test_what_cannot_be_rehearsed_is_said_by_name(wrong):
    with pytest.raises(UsageError) as error:
        Plan(Scenario(), **wrong)
    assert error.value.code == "rehearsal.value-wrong"
    assert next(iter(wrong)) in str(error.value)
