"""Names of products in a text: those of the caller's list, and those that look like one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from keepwell.intervene.script.normal import normal
from keepwell.observe.mapping_yaml import read_yaml_file

_FILE: Final = Path(__file__).parent / "products.yaml"
SHORTEST: Final = 3
"""Names of the caller's list with fewer characters are ordinary words too often."""


@lru_cache(maxsize=1)
def _looks() -> re.Pattern[str]:
    words = read_yaml_file(_FILE).value

    def choice(names: Iterable[str]) -> str:
        ordered = sorted((normal(name).text for name in names), key=len, reverse=True)
        return "|".join(re.escape(name) for name in ordered)

    zh, en = words["zh"], words["en"]
    return re.compile(
        rf"(?:{choice(zh['houses'])})[\u4e00-\u9fffa-z0-9]{{1,14}}?(?:{choice(zh['kinds'])})+[a-e]?"
        rf"|(?:{choice(zh['names'])})"
        rf"|(?<![a-z])(?:{choice(en['houses'])})(?:\s+[\w&.\-]+){{0,5}}?(?:\s+(?:{choice(en['kinds'])}))+"
        rf"(?![a-z])|(?<![a-z])(?:{choice(en['names'])})(?![a-z])"
    )


def products_in(text: str, known: Iterable[str] = ()) -> list[tuple[int, int]]:
    """Where names of products stand in a text in normal form, longest first at a place.

    Args:
        text: in normal form.
        known: names of products, as the broker's list has them.
    """
    found = {match.span() for match in _looks().finditer(text)}
    for name in {normal(name).text.strip() for name in known}:
        if len(name) >= SHORTEST:
            found |= {(m.start(), m.end()) for m in re.finditer(re.escape(name), text)}
    whole: list[tuple[int, int]] = []
    for span in sorted(found, key=lambda s: (s[0], -s[1])):
        if not whole or span[1] > whole[-1][1]:
            whole.append(span)
    return whole
