"""One reader's language: words, numbers, money, days and times as people read them on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from keepwell.core import text

MISSING: Final = "–"
"""Stands where a value is not known."""

_NOTHING: Final = Markup("–")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Tongue:
    """Formats values for one reader.

    Attributes:
        locale: 'en' or 'zh'.
        currency: ISO 4217 code of all money.
        zone: of the exchange; all times are shown in it.
        now: instant of the request.
    """

    locale: str
    currency: str
    zone: ZoneInfo
    now: datetime

    def t(self, message: str, **fields: Any) -> str:
        """A message of the catalogue with its fields filled in."""
        return text.tr(message, self.locale, **fields)

    def names(self, titles: Mapping[Any, str], code: Any) -> str:
        """The name of a code from a table of English names; the code itself where it is unknown."""
        title = titles.get(code)
        return str(code) if title is None else self.t(title)

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number, or a dash."""
        return MISSING if value is None else _number(value, self.locale, digits)

    def percent(self, value: float | None, digits: int = 0) -> str:
        """A share from 0 to 1, or a dash."""
        return MISSING if value is None else _percent(value, self.locale, digits)

    def money(self, minor: int | None, compact: bool = True) -> str:
        """An amount in minor units, by default short ('¥3.82亿'), or a dash."""
        return MISSING if minor is None else _money(minor, self.currency, self.locale, compact)

    def day(self, value: date | datetime | None) -> str:
        """A day, in the exchange's zone, or a dash."""
        if value is None:
            return MISSING
        if isinstance(value, datetime):
            value = value.astimezone(self.zone).date()
        return _day(value, self.locale)

    def month(self, value: date | None) -> str:
        """A month, or a dash."""
        return MISSING if value is None else _month(value, self.locale)

    def moment(self, value: datetime | None) -> str:
        """An instant to the minute in the exchange's zone; today by its time alone."""
        if value is None:
            return MISSING
        local = value.astimezone(self.zone)
        if local.date() == self.now.astimezone(self.zone).date():
            return f"{local:%H:%M}"
        return f"{_day(local.date(), self.locale)} {local:%H:%M}"

    def when(self, value: datetime | None) -> Markup:
        """A `<time>` element: the instant, exact on hovering."""
        if value is None:
            return _NOTHING
        local = value.astimezone(self.zone)
        exact = f"{_day(local.date(), self.locale)} {local:%H:%M:%S}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            value.isoformat(), exact, self.moment(value)
        )

    def span(self, value: timedelta | float | None) -> str:
        """A length of time by its two greatest units, without sign: '3 d 4 h', '12 min'."""
        if value is None:
            return MISSING
        seconds = int(abs(value.total_seconds() if isinstance(value, timedelta) else value))
        if seconds < _MINUTE:
            return self.t("{n} s", n=seconds)
        if seconds < _HOUR:
            return self.t("{n} min", n=seconds // _MINUTE)
        if seconds < _DAY:
            hours, minutes = seconds // _HOUR, seconds % _HOUR // _MINUTE
            words = self.t("{n} h", n=hours)
            return f"{words} {self.t('{n} min', n=minutes)}" if minutes else words
        days, hours = seconds // _DAY, seconds % _DAY // _HOUR
        words = self.t("{n} d", n=days)
        return f"{words} {self.t('{n} h', n=hours)}" if hours and days < 10 else words

    def ago(self, value: datetime | None) -> str:
        """How long ago an instant was, or in how long it comes."""
        if value is None:
            return MISSING
        passed = self.now - value
        if abs(passed) < timedelta(minutes=1):
            return self.t("just now")
        if passed > timedelta(0):
            return self.t("{span} ago", span=self.span(passed))
        return self.t("in {span}", span=self.span(passed))

    def due(self, value: datetime | None) -> Markup:
        """A `<time>` element that counts down: time left, or overdue for how long.

        The page's script keeps it going; without it the text is as of the request.
        """
        if value is None:
            return _NOTHING
        left = (value - self.now).total_seconds()
        key = "{span} overdue" if left < 0 else "{span} left"
        words = self.t(key, span=self.span(left))
        state = "late" if left < 0 else "soon" if left < _HOUR else "calm"
        return Markup(
            '<time class="kw-due kw-{}" datetime="{}" data-due="{}" title="{}">{}</time>'
        ).format(state, value.isoformat(), int(value.timestamp()), self.moment(value), words)

    def gain(self, minor: int | None) -> Markup:
        """A change of money, with sign and in the locale's colour of gains and losses."""
        if minor is None:
            return _NOTHING
        side = "gain" if minor > 0 else "loss" if minor < 0 else "flat"
        sign = "+" if minor > 0 else "−" if minor < 0 else ""
        return Markup('<span class="kw-{}">{}{}</span>').format(side, sign, self.money(abs(minor)))

    def lines(self, words: str) -> Markup:
        """Text that people wrote, its line breaks kept."""
        return Markup("<br>").join(escape(line) for line in words.splitlines())


@lru_cache(maxsize=20_000)
def _number(value: float, locale: str, digits: int) -> str:
    return text.number(value, locale, digits)


@lru_cache(maxsize=5_000)
def _percent(value: float, locale: str, digits: int) -> str:
    return text.percent(value, locale, digits)


@lru_cache(maxsize=20_000)
def _money(minor: int, currency: str, locale: str, compact: bool) -> str:
    return text.money(minor, currency, locale, compact)


@lru_cache(maxsize=5_000)
def _day(value: date, locale: str) -> str:
    return text.day(value, locale)


@lru_cache(maxsize=500)
def _month(value: date, locale: str) -> str:
    from babel.dates import format_date

    return format_date(
        value,
        "MMM y" if locale == "en" else "y年M月",
        locale="en_GB" if locale == "en" else "zh_Hans_CN",
    )
