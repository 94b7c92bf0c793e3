"""A review opens exactly when two consecutive complete months are more than 10 % worse."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.learn.kpi.review import Reached, before, following, misses, run_of

# Hundredths, so that what is exactly 10 % off can be met with, and told exactly.
HUNDREDTHS = st.integers(-200, 200)
MONTHS = st.lists(
    st.tuples(st.none() | HUNDREDTHS, st.none() | HUNDREDTHS, st.booleans()), max_size=12
)
BETTER = st.sampled_from(["higher", "lower"])


def worse(value: int | None, target: int | None, better: str) -> bool:
    """The rule in exact arithmetic: short of the target by more than a tenth of it."""
    if value is None or target is None:
        return False
    short = (target - value) if better == "higher" else (value - target)
    return Fraction(short) > Fraction(abs(target), 10)


def told(value: int | None) -> float | None:
    return None if value is None else value / 100


@given(MONTHS, BETTER)
@settings(max_examples=200)
def test_a_review_is_due_exactly_after_two_such_months_running(months, better):
    shown, month = [], date(2025, 1, 1)
    rows: list[tuple[date, bool]] = []
    for value, target, there in months:
        if there:  # a month that is left out breaks the run
            shown.append(Reached(month, told(value), told(target)))
            rows.append((month, worse(value, target, better)))
        month = following(month)
    due = run_of(shown, better)
    last_two = rows[-2:]
    expected = (
        len(last_two) == 2
        and all(bad for _, bad in last_two)
        and following(last_two[0][0]) == last_two[1][0]
    )
    assert (due is not None) == expected
    if due is not None:
        bad = {m for m, is_bad in rows if is_bad}
        assert due[1] == rows[-1][0]
        assert due[0] in bad
        assert before(due[0]) not in bad


@given(st.none() | HUNDREDTHS, st.none() | HUNDREDTHS, BETTER)
@settings(max_examples=200)
def test_missing_a_target_is_what_exact_arithmetic_says(value, target, better):
    assert misses(told(value), told(target), better) == worse(value, target, better)
