"""One language's voice: every number, day, amount and name of the report as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from keepwell.core.text import day, money, number, percent, tr
from keepwell.learn.report.data import AsOf, Interval, LabelFacts, Words
from keepwell.learn.report.words import METRICS, MODELS, SOURCES, TIER_NAMES, UNSCORED
from keepwell.warn.label import span_words

MISSING = "–"
"""Stands where a value is not known."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Formats values in one language.

    Attributes:
        locale: 'en' or 'zh'.
        currency: ISO 4217 code of all money.
    """

    locale: str
    currency: str

    def t(self, message: str, **fields: Any) -> str:
        """A message of the catalogue with its fields filled in."""
        return tr(message, self.locale, **fields)

    def words(self, words: Words) -> str:
        """This language's side of a text that came with the run."""
        return words.of(self.locale)

    def n(self, value: float | None, digits: int = 0) -> str:
        """A number, or a dash."""
        return MISSING if value is None else number(value, self.locale, digits)

    def pct(self, value: float | None, digits: int = 1) -> str:
        """A share, or a dash."""
        return MISSING if value is None else percent(value, self.locale, digits)

    def money(self, minor: int | None, compact: bool = False) -> str:
        """An amount in minor units, or a dash."""
        return MISSING if minor is None else money(minor, self.currency, self.locale, compact)

    def day(self, value: date | None) -> str:
        """A day, or a dash."""
        return MISSING if value is None else day(value, self.locale)

    def instant(self, value: datetime, zone: str) -> str:
        """An instant to the minute, in the exchange's zone."""
        local = value.astimezone(ZoneInfo(zone))
        return f"{day(local.date(), self.locale)} {local:%H:%M}"

    def as_of(self, value: AsOf) -> str:
        """An as-of instant in words: 'the close of 31 Dec 2021'."""
        if value.point == "close":
            return self.t("the close of {day}", day=self.day(value.day))
        if value.point == "start":
            return self.t("the start of {day}", day=self.day(value.day))
        return self.instant(value.at, value.zone)

    def as_of_short(self, value: AsOf) -> str:
        """The day alone, for axes and narrow columns."""
        return self.day(value.day)

    def span(self, span: str) -> str:
        """A span such as '6mo' or '90d' in words."""
        return span_words(span, self.locale)

    def ahead(self, label: LabelFacts) -> str:
        """The days in which leaving counts, to stand after 'within'; the gap is left out of it."""
        if label.gap in ("0d", "0mo"):
            return self.span(label.horizon)
        return self.t(
            "the {horizon} that follow the next {gap}",
            horizon=self.span(label.horizon),
            gap=self.span(label.gap),
        )

    def interval(self, value: Interval | None, style: str = "percent", digits: int = 1) -> str:
        """An estimate with its bounds: '48.2% (42.1% to 55.0%)'."""
        if value is None:
            return MISSING
        if value.low is None or value.high is None:
            return self.value(value.value, style, digits)
        return self.t(
            "{value} ({low} to {high})",
            value=self.value(value.value, style, digits),
            low=self.value(value.low, style, digits),
            high=self.value(value.high, style, digits),
        )

    def value(self, value: float, style: str, digits: int = 1) -> str:
        """A number in a metric's style: 'ratio' 0.741, 'percent' 74.1%, 'times' 2.1×."""
        if style == "percent":
            return self.pct(value, digits)
        if style == "times":
            return f"{self.n(value, 2)}×"
        return self.n(value, 3)

    def difference(self, code: str, value: Interval | None) -> str:
        """A difference of a metric with its sign; shares differ by percentage points."""
        if value is None:
            return MISSING
        style = METRICS[code].style if code in METRICS else "ratio"

        def signed(number: float) -> str:
            sign = "+" if number > 0 else ""
            if style == "percent":
                return sign + self.t("{value} pp", value=self.n(number * 100, 1))
            return sign + self.value(number, style)

        if value.low is None or value.high is None:
            return signed(value.value)
        return self.t(
            "{value} ({low} to {high})",
            value=signed(value.value),
            low=signed(value.low),
            high=signed(value.high),
        )

    def metric_name(self, code: str) -> str:
        """A metric's name; an unknown code stands for itself."""
        return self.t(METRICS[code].name) if code in METRICS else code

    def metric_explain(self, code: str) -> str:
        """What a metric means, in one sentence; '' for an unknown code."""
        return self.t(METRICS[code].explain) if code in METRICS else ""

    def model(self, code: str) -> str:
        """A model's name; an unknown code stands for itself."""
        return self.t(MODELS[code]) if code in MODELS else code

    def tier(self, code: str) -> str:
        """A tier's name."""
        return self.t(TIER_NAMES[code])

    def source(self, table: str) -> str:
        """A contract table's name for people; an unknown one stands for itself."""
        return self.t(SOURCES[table]) if table in SOURCES else table

    def unscored(self, reason: str) -> str:
        """Why a client has no score; an unknown code stands for itself."""
        return self.t(UNSCORED[reason]) if reason in UNSCORED else reason
