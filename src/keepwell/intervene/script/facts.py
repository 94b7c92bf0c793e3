"""What a script may say about a client: named facts, each of one kind, each told in two languages.

A template names facts by slots. What is not among the facts cannot be said: neither by a template,
which then does not apply, nor by a person or a model, whose text the checker compares with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from keepwell.core import text
from keepwell.core.errors import UsageError, nearest
from keepwell.core.money import minor_exponent
from keepwell.core.text import tr
from keepwell.warn.reason import Fact


class Kind(StrEnum):
    """What a slot takes."""

    TEXT = "text"
    WORDS = "words"
    PRODUCT = "product"
    LEVEL = "level"
    MONEY = "money"
    PERCENT = "percent"
    NUMBER = "number"
    SPAN = "span"
    DATE = "date"
    TIME = "time"
    REASON = "reason"


class Unit(StrEnum):
    """Units of a span of time."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    TRADING_DAYS = "trading-days"
    MONTHS = "months"
    YEARS = "years"


UNIT_WORDS: Final[dict[Unit, str]] = {
    Unit.MINUTES: "{n} minutes",
    Unit.HOURS: "{n} hours",
    Unit.DAYS: "{n} days",
    Unit.TRADING_DAYS: "{n} trading days",
    Unit.MONTHS: "{n} months",
    Unit.YEARS: "{n} years",
}
"""A span in words, in English."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words in both languages, such as the topic of a complaint."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: minor units of a currency (ISO 4217)."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time."""

    value: float
    unit: Unit


@dataclass(frozen=True, slots=True)
class Told:
    """The number that tells a reason, with the currency its money is in."""

    fact: Fact
    currency: str = ""


Value = str | Words | Amount | float | int | Span | date | time | Told


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template.

    Attributes:
        kind: what it takes.
        title: what it is, in English, a key of the catalogue.
        personal: whether it says who the client or the member of staff is.
    """

    kind: Kind
    title: str
    personal: bool = False


SLOTS: Final[dict[str, Slot]] = {
    "client_name": Slot(Kind.TEXT, "The client's name with the form of address", personal=True),
    "staff_name": Slot(Kind.TEXT, "Who speaks or writes", personal=True),
    "staff_phone": Slot(Kind.TEXT, "Number under which that person is reached", personal=True),
    "service_phone": Slot(Kind.TEXT, "Number of the broker's service line"),
    "broker_name": Slot(Kind.TEXT, "The broker's name"),
    "reason": Slot(Kind.REASON, "The number that tells the reason, beside the client's normal"),
    "as_of": Slot(Kind.DATE, "Day of the client's numbers"),
    "logins": Slot(Kind.NUMBER, "Log-ins a week lately"),
    "logins_normal": Slot(Kind.NUMBER, "Log-ins a week, normally"),
    "trades": Slot(Kind.NUMBER, "Trades a month lately"),
    "trades_normal": Slot(Kind.NUMBER, "Trades a month, normally"),
    "client_since": Slot(Kind.DATE, "Day on which the account was opened"),
    "wait": Slot(Kind.SPAN, "How long the client waited"),
    "answer_by": Slot(Kind.DATE, "Day by which the client gets an answer"),
    "plan_within": Slot(Kind.SPAN, "Time within which the plan is made"),
    "issue": Slot(Kind.WORDS, "What went wrong"),
    "issue_on": Slot(Kind.DATE, "Day on which it went wrong"),
    "fixed_on": Slot(Kind.DATE, "Day on which it was mended"),
    "complaint_topic": Slot(Kind.WORDS, "Topic of the complaint"),
    "complaint_on": Slot(Kind.DATE, "Day of the complaint"),
    "complaint_due": Slot(Kind.DATE, "Day by which the complaint is answered"),
    "exit_kind": Slot(Kind.WORDS, "What the client asks for on leaving"),
    "exit_on": Slot(Kind.DATE, "Day on which the client asked to leave"),
    "exit_due": Slot(Kind.DATE, "Day by which the exit request is completed"),
    "exit_days": Slot(Kind.SPAN, "Time within which an exit request is completed"),
    "cash": Slot(Kind.MONEY, "Cash in the account"),
    "cash_share": Slot(Kind.PERCENT, "Share of the assets that is cash"),
    "failed_amount": Slot(Kind.MONEY, "Amount of the failed transfer"),
    "failed_on": Slot(Kind.DATE, "Day of the failed transfer"),
    "margin_debt": Slot(Kind.MONEY, "Margin debt"),
    "margin_ratio": Slot(Kind.PERCENT, "Maintenance ratio of the margin account"),
    "top_share": Slot(Kind.PERCENT, "Share of the largest position"),
    "positions": Slot(Kind.NUMBER, "Number of positions"),
    "product_name": Slot(Kind.PRODUCT, "Name of a product that the client holds"),
    "product_level": Slot(Kind.LEVEL, "Risk level of that product"),
    "matures_on": Slot(Kind.DATE, "Day on which that product matures"),
    "fee_tier": Slot(Kind.TEXT, "Name of the published fee tier that applies"),
    "fee_rate": Slot(Kind.PERCENT, "Commission rate of that published tier"),
    "meeting_on": Slot(Kind.DATE, "Day of the appointment"),
    "meeting_at": Slot(Kind.TIME, "Time of the appointment"),
    "report_from": Slot(Kind.DATE, "First day of the report"),
    "report_until": Slot(Kind.DATE, "Last day of the report"),
}
"""Every slot that a template may name."""

_TAKES: Final[dict[Kind, tuple[type, ...]]] = {
    Kind.TEXT: (str,),
    Kind.WORDS: (Words,),
    Kind.PRODUCT: (str,),
    Kind.LEVEL: (str,),
    Kind.MONEY: (Amount,),
    Kind.PERCENT: (float, int),
    Kind.NUMBER: (float, int),
    Kind.SPAN: (Span,),
    Kind.DATE: (date,),
    Kind.TIME: (time,),
    Kind.REASON: (Told,),
}
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029{}]{1,200}")


class Facts(Mapping[str, Value]):
    """A client's facts by slot.

    Args:
        values: slot to value; what is None is left out.

    Raises:
        UsageError: `script.slot-unknown`, or `script.fact-invalid` for a value of another kind.

    Example:
        >>> Facts({"trades": 3, "cash": None}).told("trades", "en")
        '3'
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Value] = {}
        self.derived: dict[str, Any] = {}  # facts never change, so what follows is kept
        for name, value in (values or {}).items():
            if name not in SLOTS:
                raise _unknown(name)
            if value is not None:
                self._values[name] = _checked(name, value)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def without(self, *names: str) -> Facts:
        """The same facts but some."""
        return Facts({k: v for k, v in self._values.items() if k not in names})

    def told(self, name: str, locale: str | None = None) -> str:
        """A fact as people read it, in a language."""
        return _told(SLOTS[name].kind, self._values[name], locale)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Facts:
        """Facts from plain text and numbers, as a file has them.

        Money is '382000000.00 CNY', a percentage '12.3%' or 0.123, a span '3 days', a date and a
        time ISO text, words {en: …, zh: …}. A reason cannot be given.

        Raises:
            UsageError: `script.slot-unknown` or `script.fact-invalid`.
        """
        return cls({name: _parsed(name, value) for name, value in values.items()})


def _unknown(name: str) -> UsageError:
    return UsageError("script.slot-unknown", slot=name, nearest=nearest(name, list(SLOTS)) or "–")


def _invalid(name: str, value: object) -> UsageError:
    return UsageError("script.fact-invalid", slot=name, kind=SLOTS[name].kind, value=value)


def _checked(name: str, value: Any) -> Value:
    kind = SLOTS[name].kind
    fits = isinstance(value, _TAKES[kind]) and not isinstance(value, bool)
    texts = (
        [value] if isinstance(value, str) else
        [value.en, value.zh] if isinstance(value, Words) else []
    )  # fmt: skip
    if not fits or not all(_LINE.fullmatch(t) and t.strip() for t in texts):
        raise _invalid(name, value)
    if isinstance(value, float) and not abs(value) < 1e15:
        raise _invalid(name, value)
    if kind is Kind.LEVEL and not re.fullmatch("[RC][1-5]", value):
        raise _invalid(name, value)
    if isinstance(value, Amount):
        minor_exponent(value.currency)
    return value  # type: ignore[no-any-return]


def _told(kind: Kind, value: Any, locale: str | None) -> str:
    if kind is Kind.WORDS:
        return str(value.zh if (locale or text.current_locale()) == "zh" else value.en)
    if kind is Kind.MONEY:
        large = abs(value.minor) >= 10 ** (minor_exponent(value.currency) + 7)
        return text.money(value.minor, value.currency, locale, compact=large)
    if kind is Kind.PERCENT:
        return text.percent(value, locale, _digits(value * 100))
    if kind is Kind.NUMBER:
        return text.number(value, locale, _digits(value))
    if kind is Kind.SPAN:
        n = text.number(value.value, locale, _digits(value.value))
        return tr(UNIT_WORDS[value.unit], locale, n=n)
    if kind is Kind.DATE:
        return text.day(value, locale)
    if kind is Kind.TIME:
        return f"{value:%H:%M}"
    return value.fact.words(locale, value.currency) if kind is Kind.REASON else str(value)


def _digits(value: float) -> int:
    """Fewest decimals, at most three, that say a number to a thousandth."""
    return next((n for n in range(3) if abs(round(value, n) - value) < 5e-4), 3)


def _parsed(name: str, value: Any) -> Any:
    if name not in SLOTS:
        raise _unknown(name)
    try:
        return _PARSERS.get(SLOTS[name].kind, lambda given: given)(value)
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation):
        raise _invalid(name, value) from None


def _money(value: Any) -> Amount:
    number, currency = str(value).split()
    return Amount(int(Decimal(number).scaleb(minor_exponent(currency))), currency)


def _percent(value: Any) -> float:
    found = str(value).strip()
    return float(found[:-1]) / 100 if found.endswith("%") else float(found)


def _span(value: Any) -> Span:
    number, _, unit = str(value).strip().partition(" ")
    return Span(float(number), Unit(unit.strip().replace(" ", "-")))


def _no_reason(value: Any) -> Any:
    raise ValueError(value)


_PARSERS: Final[dict[Kind, Any]] = {
    Kind.TEXT: str,
    Kind.PRODUCT: str,
    Kind.LEVEL: str,
    Kind.WORDS: lambda given: Words(str(given["en"]), str(given["zh"])),
    Kind.MONEY: _money,
    Kind.PERCENT: _percent,
    Kind.NUMBER: lambda given: float(str(given)),
    Kind.SPAN: _span,
    Kind.DATE: lambda given: date.fromisoformat(str(given)),
    Kind.TIME: lambda given: time.fromisoformat(str(given)),
    Kind.REASON: _no_reason,
}
