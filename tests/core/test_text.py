"""Numbers are the same whether they were asked for before or not."""

from __future__ import annotations

from babel.numbers import format_decimal, format_percent
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core import text

NAMES = {"en": "en_GB", "zh": "zh_Hans_CN"}
NUMBERS = st.floats(-1e15, 1e15) | st.floats(-3, 3)


def pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


@given(NUMBERS, st.sampled_from(["en", "zh"]), st.integers(0, 2))
def test_a_number_is_as_babel_writes_it(value, locale, digits):
    rounded = round(value, digits)
    expected = format_decimal(rounded, pattern(digits), locale=NAMES[locale])
    assert text.number(value, locale, digits) == expected


@given(NUMBERS, st.sampled_from(["en", "zh"]), st.integers(0, 2))
def test_a_share_is_as_babel_writes_it(value, locale, digits):
    expected = format_percent(value, pattern(digits) + "%", locale=NAMES[locale])
    assert text.percent(value, locale, digits) == expected


def test_zero_keeps_its_sign_whatever_was_asked_before():
    assert [text.number(x, "en") for x in (0.0, -0.0, 0.0)] == ["0", "-0", "0"]
    assert [text.percent(x, "en", 0) for x in (0.0, -0.001, 0.0)] == ["0%", "-0%", "0%"]
