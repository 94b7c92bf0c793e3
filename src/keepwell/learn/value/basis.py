"""What the values of a ranking are made of, kept beside them so that every figure can say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from keepwell.core.text import current_locale, number, percent, tr
from keepwell.learn.value.book import ValueBook
from keepwell.learn.value.margin import INCOME, LINE_NAMES, Line

CONFIDENCE: Final = 0.95
"""Of the interval of a value."""

_BETWEEN: Final = {"en": ", ", "zh": "、"}


class Basis(TypedDict):
    """What values are made of; plain, fit for JSON.

    Attributes:
        currency: ISO 4217 code of the amounts.
        months: how far ahead margins are counted.
        discount: yearly rate, as a share.
        discount_yours: whether the broker has set it.
        after: 'observed' or 'constant', as in keepwell.yaml.
        doubt: where the interval comes from: 'proof', 'training' or 'none'.
        lines: line of margin -> whether its rate is the broker's own; else it is assumed.
        absent: lines that neither data nor rates give; they are in no value.
        valued: clients with a value.
    """

    currency: str
    months: int
    discount: float
    discount_yours: bool
    after: str
    doubt: str
    lines: dict[str, bool]
    absent: list[str]
    valued: int


def basis_of(book: ValueBook) -> Basis:
    """What a book's values are made of."""
    rates = book.rates
    return Basis(
        currency=rates.currency, months=rates.months, discount=rates.discount,
        discount_yours="discount_rate" in rates.yours,
        after="constant" if rates.constant_hazard else "observed", doubt=book.values.doubt.source,
        lines={str(line): rates.is_yours(line) for line in book.margins.lines},
        absent=[str(line) for line in book.margins.absent], valued=int(book.valued.sum()),
    )  # fmt: skip


def basis_words(basis: Mapping[str, Any], locale: str | None = None) -> list[str]:
    """The same in sentences: span, lines and whose rates, what is absent, where doubt comes from.

    Args:
        basis: as `basis_of` made it, or as JSON gives it back.
        locale: 'en' or 'zh'; default: the current one.
    """
    told = [
        tr(
            "Margin of {years} years, discounted by {rate} a year ({whose}).", locale,
            years=number(basis["months"] / 12, locale, 1), rate=percent(basis["discount"], locale),
            whose=tr("yours" if basis["discount_yours"] else "default, not yours", locale),
        )
    ]  # fmt: skip
    for yours, words in ((True, "At your rates: {lines}."), (False, "At assumed rates: {lines}.")):
        lines = [line for line, own in basis["lines"].items() if own is yours]
        if lines:
            told.append(tr(words, locale, lines=_lines(lines, locale)))
    absent = [line for line in basis["absent"] if Line(line) in INCOME]
    if absent:
        told.append(tr("Not known, so in no value: {lines}.", locale, lines=_lines(absent, locale)))
    told.append(tr(_DOUBTS[basis["doubt"]], locale))
    return told


_DOUBTS: Final = {
    "proof": "95 % interval of the expected value, with the doubt that the proof showed.",
    "training": "95 % interval of the expected value, with the doubt of the training labels only.",
    "none": "No interval: how far the probabilities can be trusted is not known.",
}


def _lines(lines: list[str], locale: str | None) -> str:
    return _BETWEEN[locale or current_locale()].join(tr(LINE_NAMES[Line(n)], locale) for n in lines)
