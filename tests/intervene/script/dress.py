"""Ways in which a forbidden phrase is dressed up so that a plain search misses it."""

from __future__ import annotations

import re

from keepwell.intervene.script.normal import simplified

HAN = re.compile("[\u4e00-\u9fff]")
_TRADITIONAL = {}
for _code, _plain in simplified().items():
    _TRADITIONAL.setdefault(ord(_plain), chr(_code))
_TWINS = str.maketrans("aeopc", "\u0430\u0435\u043e\u0440\u0441")


def _between(mark):
    return lambda text: re.sub("(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])", mark, text)


def _words(change):
    return lambda text: re.sub("[A-Za-z]{5,}", lambda match: change(match[0]), text)


def _wide(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


CHINESE = {
    "spaces": _between(" "),
    "wide spaces": _between("\u3000"),
    "dots": _between("·"),
    "stars": _between("*"),
    "dashes": _between("-"),
    "low lines": _between("_"),
    "faces": _between("\U0001f642"),
    "zero width": _between("\u200b"),
    "traditional": lambda text: text.translate(_TRADITIONAL),
}
ENGLISH = {
    "capitals": str.upper,
    "wide": _wide,
    "zero width": lambda text: re.sub("(?<=[a-z])(?=[a-z])", "\u200b", text),
    "Cyrillic twins": lambda text: text.translate(_TWINS),
    "stars": _words(lambda word: word[:2] + "*" + word[2:]),
    "dashes": _words(lambda word: word[:3] + "-" + word[3:]),
    "figures": _words(
        lambda word: word[0] + word[1:].replace("o", "0").replace("e", "3").replace("a", "4")
    ),
    "accents": lambda text: text.replace("e", "é"),
    "two spaces": lambda text: text.replace(" ", "  "),
    "lines": lambda text: text.replace(" ", "\n"),
}


def dressed(text):
    """Every dress of a sentence: its name and the sentence in it."""
    ways = CHINESE if HAN.search(text) else ENGLISH
    return [(name, change(text)) for name, change in ways.items()]
