"""Key figures as people read them: values by unit, intervals, reasons why there is none."""

from __future__ import annotations

from typing import Final

from keepwell.core.text import money, number, percent, tr
from keepwell.learn.kpi.catalogue import Kpi, Unit
from keepwell.learn.kpi.estimate import ABSENT_WORDS

MISSING: Final = "–"
"""Stands where nothing is known."""

OWNER_ROLES: Final = {"director": "Regional director", "analyst": "Analyst"}
"""Roles that answer until somebody is named, in English."""


def value_words(
    unit: Unit | str, value: float | None, currency: str, locale: str | None = None
) -> str:
    """A value in its unit, or a dash.

    Args:
        unit: of the key figure.
        value: in that unit.
        currency: ISO 4217 code of amounts.
        locale: 'en' or 'zh'; default: the current one.
    """
    if value is None:
        return MISSING
    match Unit(unit):
        case Unit.SHARE:
            return percent(value, locale, 1)
        case Unit.MONEY:
            return money(round(value), currency, locale, compact=True)
        case Unit.HOURS:
            return tr("{n} h", locale, n=number(value, locale, 1))
        case Unit.POINTS:
            return number(value, locale, 1)
        case Unit.PER_1000:
            return number(value, locale, 2)
        case Unit.NUMBER:
            return number(value, locale, 3)


def interval_words(
    unit: Unit | str, low: float | None, high: float | None, currency: str,
    locale: str | None = None,
) -> str:  # fmt: skip
    """An interval, or a dash where there is none; an open end says so."""
    if low is None:
        return MISSING
    if high is None:
        least = value_words(unit, low, currency, locale)
        return tr("at least {low}", locale, low=least)
    ends = [value_words(unit, end, currency, locale) for end in (low, high)]
    return tr("{low} to {high}", locale, low=ends[0], high=ends[1])


def distance_words(
    kpi: Kpi, value: float | None, target: float | None, currency: str, locale: str | None = None
) -> str:
    """How far a value is from its target, with its sign; shares differ by percentage points."""
    if value is None or target is None:
        return MISSING
    gap = value - target
    sign = "+" if gap > 0 else "−" if gap < 0 else ""
    if kpi.unit is Unit.SHARE:
        return sign + tr("{value} pp", locale, value=number(abs(gap) * 100, locale, 1))
    return sign + value_words(kpi.unit, abs(gap), currency, locale)


def absent_words(code: str, locale: str | None = None) -> str:
    """Why there is no value; a code of another version stands for itself."""
    known = {reason.value: words for reason, words in ABSENT_WORDS.items()}
    return tr(known[code], locale) if code in known else code
