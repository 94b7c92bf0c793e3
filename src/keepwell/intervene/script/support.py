"""Whether what a text says about numbers, dates and products is among the facts given."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, time
from typing import Final

from keepwell.core.money import minor_exponent
from keepwell.core.text import LOCALES
from keepwell.intervene.script.facts import SLOTS, Amount, Facts, Kind, Span, Told, Unit
from keepwell.intervene.script.figures import Dim, Figure, figures
from keepwell.intervene.script.normal import normal

ROUNDED: Final = 0.05
"""Share by which a rounded figure may lie beside the fact: 4亿 for 3.82亿, but not 2 for 1.5."""

_LITERAL: Final = frozenset({Kind.TEXT, Kind.PRODUCT, Kind.LEVEL, Kind.WORDS, Kind.REASON})
_TOLD: Final = frozenset({Kind.MONEY, Kind.PERCENT, Kind.NUMBER, Kind.SPAN, Kind.REASON})
_SECONDS: Final = {Unit.MINUTES: 60.0, Unit.HOURS: 3600.0, Unit.DAYS: 86_400.0}
_FACT_SPANS: Final = {
    "days": ("seconds", 86_400.0), "hours": ("seconds", 3600.0), "seconds": ("seconds", 1.0),
    "milliseconds": ("seconds", 0.001), "years": ("months", 12.0),
}  # fmt: skip


@dataclass
class Support:
    """What facts support, ready to be asked often.

    Attributes:
        literals: texts as they may stand in a script, in normal form.
        products: names of products, in normal form.
        known: what a number may be: dimension, unit, value.
        days: dates.
        times: times of day.
    """

    literals: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)
    known: list[tuple[Dim, str, float]] = field(default_factory=list)
    days: list[tuple[int, ...]] = field(default_factory=list)
    times: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def of(cls, facts: Facts) -> Support:
        """What these facts support."""
        made: Support | None = facts.derived.get("support")
        if made is None:
            made = cls()
            for name in facts:
                made._add(facts, name)
            facts.derived["support"] = made
        return made

    def _add(self, facts: Facts, name: str) -> None:
        kind, value = SLOTS[name].kind, facts[name]
        told = {normal(facts.told(name, locale)).text for locale in LOCALES}
        if kind in _LITERAL:
            self.literals |= told
        if kind in _TOLD:  # as rounded for people; and '90 days' of 'trades in 90 days'
            currency = value.currency if isinstance(value, (Amount, Told)) else ""
            for figure in (f for text in told for f in figures(text)):
                unit = currency if figure.dim is Dim.MONEY else figure.unit
                self._know(figure.dim, unit, figure.value)
        if kind is Kind.PRODUCT:
            self.products |= told
        elif isinstance(value, Amount):
            self._know(
                Dim.MONEY, value.currency, value.minor / 10 ** minor_exponent(value.currency)
            )
        elif isinstance(value, Span):
            self._span(value)
        elif isinstance(value, Told):
            self._reason(value)
        elif isinstance(value, date):
            self.days.append((value.year, value.month, value.day))
        elif isinstance(value, time):
            self.times.add((value.hour, value.minute))
        elif kind is Kind.PERCENT and isinstance(value, (float, int)):
            self._know(Dim.PERCENT, "", value)
        elif isinstance(value, (float, int)):
            self._know(Dim.PLAIN, "", value)

    def _know(self, dim: Dim, unit: str, value: float) -> None:
        self.known.append((dim, unit, abs(value)))

    def _span(self, span: Span) -> None:
        if span.unit in _SECONDS:
            self._know(Dim.SPAN, "seconds", span.value * _SECONDS[span.unit])
        elif span.unit is Unit.TRADING_DAYS:
            self._know(Dim.SPAN, "trading-days", span.value)
        else:
            months = 12.0 if span.unit is Unit.YEARS else 1.0
            self._know(Dim.SPAN, "months", span.value * months)

    def _reason(self, told: Told) -> None:
        from keepwell.observe.indicators import INDICATORS

        fact = told.fact
        known = INDICATORS.get(fact.indicator)
        unit = known.unit if known else ""
        for value in (fact.value, fact.normal, fact.typical):
            if value is None:
                continue
            if unit == "money":
                exponent = minor_exponent(told.currency) if told.currency else 2
                self._know(Dim.MONEY, told.currency, value / 10**exponent)
            elif unit in ("share", "change"):
                self._know(Dim.PERCENT, "", value)
            elif unit in _FACT_SPANS:
                name, scale = _FACT_SPANS[unit]
                self._know(Dim.SPAN, name, value * scale)
            else:
                self._know(Dim.PLAIN, "", value)

    def unsupported(self, text: str) -> list[Figure]:
        """The figures of a text in normal form that no fact supports."""
        return [
            figure
            for figure in figures(text)
            if not self._supports(figure) and not self.covers(text, figure.start, figure.end)
        ]

    def covers(self, text: str, start: int, end: int) -> bool:
        """Whether text[start:end) lies within a text that is among the facts."""
        return any(
            match.start() <= start and end <= match.end()
            for literal in self.literals
            for match in re.finditer(re.escape(literal), text)
        )

    def _supports(self, figure: Figure) -> bool:
        if figure.dim is Dim.DATE:
            return any(
                all(said in (0, fact) for said, fact in zip(figure.parts, day, strict=True))
                for day in self.days
            )
        if figure.dim is Dim.TIME:
            return figure.parts in self.times
        if figure.dim is Dim.NAME:
            return False
        if figure.dim is Dim.PLAIN and any(figure.value == day[0] for day in self.days):
            return True
        return any(
            _same_kind(figure, dim, unit) and _close(figure, value)
            for dim, unit, value in self.known
        )

    def names(self, product: str) -> bool:
        """Whether a name of a product, in normal form, is among the facts."""
        return any(product in known or known in product for known in self.products)


def _same_kind(figure: Figure, dim: Dim, unit: str) -> bool:
    if figure.dim is Dim.PLAIN:
        return dim in (Dim.PLAIN, Dim.MONEY)
    if figure.dim is not dim:
        return False
    return figure.unit == unit or (dim is Dim.MONEY and not (figure.unit and unit))


def _close(figure: Figure, fact: float) -> bool:
    apart = abs(figure.value - fact)
    if apart <= 1e-9 * max(1.0, abs(fact)):
        return True
    if apart > ROUNDED * abs(fact):
        return False
    return figure.rough or apart <= figure.step / 2 * (1 + 1e-9)
