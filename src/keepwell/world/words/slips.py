"""Slips of the hand and habits of chat: what happens to a phrase on its way to the screen.

Chinese slips are homophones of pinyin input, pinyin left standing, and characters dropped, doubled
or swapped; English ones are common misspellings, neighbouring keys, and letters dropped, doubled or
swapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from keepwell.world.words.grammar import Grammar

_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS: Final = {
    key: row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    for row in _ROWS
    for place, key in enumerate(row)
}
_KEPT: Final = "不没别无未非"
"""Characters that no slip touches: a text would say the opposite."""

Draw = Callable[[], float]


class Slips:
    """The slips of one language.

    Args:
        grammar: of the language; its swaps are used.
        english: whether letters and words, or characters, are the matter.
    """

    def __init__(self, grammar: Grammar, *, english: bool) -> None:
        self._english = english
        self._swaps = grammar.swaps
        self._found = {
            name: re.compile(
                "|".join(
                    rf"\b{re.escape(left)}\b" if english else re.escape(left)
                    for left in sorted(swaps, key=len, reverse=True)
                )
            )
            for name, swaps in grammar.swaps.items()
        }

    def swap(self, kind: str, text: str, draw: Draw) -> str:
        """The text with one of its phrases written otherwise; as it is when it has none.

        Args:
            kind: 'slip', 'mix' or 'chat'.
            text: the phrase.
            draw: gives the next draw in [0, 1).
        """
        places = list(self._found[kind].finditer(text))
        if not places:
            return text
        place = places[int(draw() * len(places))]
        instead = self._swaps[kind][place.group()]
        return text[: place.start()] + instead[int(draw() * len(instead))] + text[place.end() :]

    def typo(self, text: str, draw: Draw) -> str:
        """The text with one typo more.

        Args:
            text: the phrase; one of fewer than four characters is left as it is.
            draw: gives the next draw in [0, 1).
        """
        if len(text) < 4:
            return text
        if draw() < (0.35 if self._english else 0.65):
            slipped = self.swap("slip", text, draw)
            if slipped != text:
                return slipped
        at = 1 + int(draw() * (len(text) - 2))
        if text[at] in _KEPT:
            return text
        # Pinyin input drops characters more often than it doubles or swaps them.
        how = draw() if self._english else draw() ** 1.5
        if self._english and how < 0.35 and text[at] in _NEIGHBOURS:
            near = _NEIGHBOURS[text[at]]
            return text[:at] + near[int(draw() * len(near))] + text[at + 1 :]
        if how < 0.6:
            return text[:at] + text[at + 1 :]
        if how < 0.8:
            return text[:at] + text[at] + text[at:]
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
