"""A text as the checker reads it: one form for all the ways in which a word can be dressed up.

Full-width becomes half-width, capitals small, traditional hanzi simplified, letters of other
alphabets the Latin ones they look like; marks that cannot be seen are dropped. Every character
keeps the place it came from, so a finding points into the text as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent

_LOOK_ALIKE: Final = str.maketrans(
    "аеорсхуікмнтвզօѕјԁɡιοαρνκτυηԛԝ‘’`´“”",
    "aeopcxyikmhtbqosjdgioapvktunqw''''\"\"",
)
"""Cyrillic, Armenian and Greek letters, and quotation marks, by what they look like."""

_LEET: Final = str.maketrans("013457@$", "oieastas")
_TOKEN: Final = re.compile(r"[a-z0-9@$]+")
LETTERS: Final = 2
"""A word with figures for letters has at least so many letters left."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A text in its one form.

    Attributes:
        text: the form.
        places: for each of its characters the position in the original; one more for the end.
    """

    text: str
    places: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part [start, end) of the form as a part of the original."""
        if end <= start:
            return self.places[start], self.places[start]
        return self.places[start], self.places[end - 1] + 1


@lru_cache(maxsize=1)
def simplified() -> dict[int, str]:
    """Traditional hanzi of the words that are looked for, to simplified ones.

    The pairs are in hanzi.txt: 'simplified traditional…', one simplified character a line.
    """
    table: dict[int, str] = {}
    for line in (_FOLDER / "hanzi.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            plain, *others = line.split()
            table |= {ord(other): plain for other in "".join(others)}
    return table


def normal(text: str) -> Normal:
    """A text in its one form.

    Args:
        text: any.

    Example:
        >>> normal("保 證　ＡＢ").text
        '保 证 ab'
    """
    letters: list[str] = []
    places: list[int] = []
    hanzi = simplified()
    for place, letter in enumerate(text):
        if letter == "\n":
            letters.append(letter)
            places.append(place)
            continue
        for part in _folded(letter):
            letters.append(hanzi.get(ord(part), part))
            places.append(place)
    places.append(len(text))
    return Normal("".join(letters), tuple(places))


@lru_cache(maxsize=8192)
def _folded(letter: str) -> str:
    if letter == "｡":
        return "。"
    parts = unicodedata.normalize("NFKD", letter).lower().translate(_LOOK_ALIKE)
    return "".join(p for p in parts if unicodedata.category(p) not in ("Mn", "Cf", "Cc", "Me")) or (
        " " if unicodedata.category(letter) == "Cc" else ""
    )


def unleet(text: str) -> str:
    """Figures and signs that stand for letters within a word, as those letters.

    Example:
        >>> unleet("gu4r4nt33d at 5% or 30 days")
        'guaranteed at 5% or 30 days'
    """
    return _TOKEN.sub(lambda m: m[0].translate(_LEET) if _spelt(m[0]) else m[0], text)


def _spelt(token: str) -> bool:
    if token.isalpha() or not token[0].isalpha():
        return False
    return sum("a" <= letter <= "z" for letter in token) >= LETTERS
