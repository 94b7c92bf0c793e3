"""Words of brokers' exports, in English and Chinese, and how near a name is to the contract's.

The words themselves stand in core/locale/exports.toml.
"""

from __future__ import annotations

import re
import tomllib
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files

CLOSE = 0.85
"""Least resemblance, 0 to 1, at which a name is proposed though it is no known word."""


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    text = files("keepwell.core").joinpath("locale/exports.toml").read_text("utf-8")
    return tomllib.loads(text)


def normal(name: str) -> str:
    """A name in lower case, without spaces and punctuation.

    Example:
        >>> normal("Customer-ID (new)")
        'customeridnew'
    """
    return re.sub(r"[\W_]+", "", name.lower())


def words_for(meaning: str) -> list[str]:
    """The cell words that stand for a value of the contract, such as 'buy' or 'true'."""
    return _words()["words"].get(meaning, [meaning])


def meaning_of(cell: str, among: tuple[str, ...]) -> str:
    """Which of the contract's words a cell's word stands for; '' when none.

    Example:
        >>> meaning_of("Buy", ("buy", "sell"))
        'buy'
    """
    plain = normal(cell)
    return next((m for m in among if plain == normal(m) or plain in words_for(m)), "")


def table_likeness(table: str, name: str) -> float:
    """How much a file's name looks like that of a table's export, 0 to 1."""
    return _likeness([table, *_words()["tables"].get(table, [])], name)


def column_likeness(column: str, name: str) -> float:
    """How much a header looks like a contract column, 0 to 1; 0 below `CLOSE`.

    Example:
        >>> column_likeness("client_id", "customerID")
        1.0
    """
    likeness = _likeness([column, *_words()["columns"].get(column, [])], name)
    return likeness if likeness >= CLOSE else 0.0


def is_id(name: str) -> bool:
    """Whether a header names an identifier, so that its digits are no number."""
    return normal(name).endswith(tuple(_words()["endings"]["id"]))


def _likeness(words: list[str], name: str) -> float:
    plain = normal(name)
    return max(SequenceMatcher(None, normal(word), plain).ratio() for word in words)
