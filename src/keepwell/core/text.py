"""Words, numbers, money and days for people, in English and Chinese.

English text is the message id; Chinese stands in the catalogues under core/locale/zh_Hans, one
.po file per room, all merged. A test fails on any text without Chinese.
"""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from babel import Locale

LOCALES = ("en", "zh")
_BABEL = {"en": "en_GB", "zh": "zh_Hans_CN"}
_CATALOGUES = Path(__file__).parent / "locale" / "zh_Hans"
_chosen: list[str] = []
_WIDE: Final = 1e12


def set_locale(locale: str) -> None:
    """Choose the language of this process: 'en' or 'zh'."""
    if locale not in LOCALES:
        raise ValueError(f"unknown language {locale!r}; expected one of {', '.join(LOCALES)}")
    _chosen[:] = [locale]


def current_locale() -> str:
    """The language in force: what `set_locale` chose, else KEEPWELL_LANG, else LANG, else 'en'."""
    if _chosen:
        return _chosen[0]
    wanted = os.environ.get("KEEPWELL_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG")
    return "zh" if (wanted or "").lower().startswith("zh") else "en"


@lru_cache(maxsize=1)
def catalogue() -> dict[str, str]:
    """English message id to Chinese, from every .po file, merged.

    Raises:
        ValueError: two catalogues translate one message differently.
    """
    from babel.messages.pofile import read_po

    merged: dict[str, str] = {}
    for path in sorted(_CATALOGUES.glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans", abort_invalid=True):
                if not message.id or not message.string:
                    continue
                source, target = str(message.id), str(message.string)
                if merged.setdefault(source, target) != target:
                    raise ValueError(f"{path.name}: {source!r} is translated twice, differently")
    return merged


def tr(message: str, locale: str | None = None, /, **fields: Any) -> str:
    """A message in a language, its {fields} filled in.

    Args:
        message: the English text, also the catalogue's key.
        locale: 'en' or 'zh'; default: the current one.
        **fields: values for the braces.

    Example:
        >>> tr("No {thing} here.", "en", thing="table")
        'No table here.'
    """
    words = message
    if (locale or current_locale()) == "zh":
        words = catalogue().get(message, message)
    return words.format(**fields) if fields else words


def number(value: float, locale: str | None = None, digits: int = 0) -> str:
    """A number with the language's separators.

    Example:
        >>> number(1234.5, "en", 1)
        '1,234.5'
    """
    return _number(str(round(value, digits)), digits, locale or current_locale())


@lru_cache(maxsize=65_536)
def _number(value: str, digits: int, locale: str) -> str:
    """Counts and days repeat: a long list of reasons has few different numbers."""
    from babel.numbers import format_decimal

    return format_decimal(Decimal(value), _format(digits), locale=_locale(locale))


def percent(value: float, locale: str | None = None, digits: int = 1) -> str:
    """A share between 0 and 1 as per cent.

    Example:
        >>> percent(0.123, "en")
        '12.3%'
    """
    exact = Decimal(str(value))
    if abs(value) < _WIDE:  # rounded as it will be shown, shares repeat
        exact = exact.quantize(Decimal(1).scaleb(-2 - digits), ROUND_HALF_EVEN)
    return _percent(str(exact), digits, locale or current_locale())


@lru_cache(maxsize=65_536)
def _percent(value: str, digits: int, locale: str) -> str:
    from babel.numbers import format_percent

    return format_percent(Decimal(value), _format(digits) + "%", locale=_locale(locale))


def money(minor: int, currency: str, locale: str | None = None, compact: bool = False) -> str:
    """An amount in minor units as people read it.

    Args:
        minor: amount in minor units (cents, 分).
        currency: ISO 4217 code.
        locale: 'en' or 'zh'.
        compact: '€3.8M', '¥3.82亿'.

    Example:
        >>> money(123456, "EUR", "en")
        '€1,234.56'
    """
    from babel.numbers import format_compact_currency, format_currency

    from keepwell.core.money import minor_exponent

    major = minor / 10 ** minor_exponent(currency)
    of = _locale(locale or current_locale())
    if compact:
        return format_compact_currency(major, currency, locale=of, fraction_digits=2)
    return format_currency(major, currency, locale=of)


def day(value: date | datetime, locale: str | None = None) -> str:
    """A day as people write it: '1 Jul 2021', '2021年7月1日'."""
    from babel.dates import format_date

    return format_date(
        value, "d MMM y" if (locale or current_locale()) == "en" else "long",
        locale=_locale(locale or current_locale()),
    )  # fmt: skip


@lru_cache
def _locale(locale: str) -> Locale:
    """Babel's, read from its name once: that costs as much as the formatting."""
    from babel import Locale

    return Locale.parse(_BABEL[locale])


def _format(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")
