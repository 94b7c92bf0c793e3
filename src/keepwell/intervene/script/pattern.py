"""Patterns of phrases, compiled so that a phrase is found however it is dressed up.

The language is explained at the head of phrases.yaml. Han characters may have signs between them;
words of English may have signs within them or be spelt letter by letter. Everything is matched
against the normal form (`normal`).
"""

from __future__ import annotations

import re
from typing import Final

from keepwell.intervene.script.normal import unleet

_JUNK: Final = r"[\W_]{0,3}"
_SIGNS: Final = r"[\-_.*·'/|~^+]{0,2}"
_GAP: Final = {
    "zh": r"(?P<gap{n}>[^。!?;,\n]{{0,8}}?)",
    "en": r"(?P<gap{n}>(?:[\s\-]+[^\s!?;,]+){{0,4}}?[\s\-]*?)",
}
_TOKEN: Final = re.compile(
    r"<!(?P<behind>[^>]*)>|\{!(?P<ahead>[^}]*)\}|(?P<class>\[[^\]]*\])|\\(?P<literal>.)"
    r"|(?P<group>[()|?])|(?P<gap>~)|(?P<space>\s+)|(?P<word>[a-z0-9']+\*?)|(?P<other>.)",
    re.IGNORECASE,
)
_STOPS: Final = re.compile(r"[。!?;,、:\n]")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
SURE: Final = 4
"""A phrase of so many Han characters is found across stops too; a shorter one hardly means it."""


class Pattern:
    """One phrase to look for.

    Args:
        source: in the language of phrases.yaml.
        locale: 'zh' or 'en', the language of the phrase.

    Raises:
        re.error: it is not well formed.
    """

    def __init__(self, source: str, locale: str) -> None:
        self.source = source
        self.locale = locale
        self._regex = re.compile(_translate(source, locale))

    def search(self, text: str) -> list[tuple[int, int, str]]:
        """Where the phrase occurs: start, end and what its gaps skipped.

        Args:
            text: in normal form.
        """
        found = []
        for match in self._regex.finditer(text):
            start, end = match.span()
            while end > start + 1 and not text[end - 1].isalnum():
                end -= 1
            if end > start and self._meant(text, start, end):
                gaps = " ".join(v for k, v in match.groupdict().items() if v)
                found.append((start, end, gaps))
        return found

    def _meant(self, text: str, start: int, end: int) -> bool:
        if self.locale != "zh" or not _STOPS.search(text, start, end):
            return True
        if len(_HAN.findall(text, start, end)) >= SURE:
            return True
        alone = start == 0 or not text[start - 1].isalnum()
        return alone and (end == len(text) or not text[end].isalnum())


def readable(text: str) -> str:
    """The normal form with figures that stand for letters undone; of the same length."""
    return unleet(text)


def _translate(source: str, locale: str) -> str:
    out: list[str] = []
    gaps = 0
    for token in _TOKEN.finditer(source):
        kind, value = token.lastgroup, token[0]
        if kind == "behind":
            words = re.escape(token["behind"])
            out.append(f"(?<![{token['behind']}])" if locale == "zh" else f"(?<!{words})")
        elif kind == "ahead":
            out[-1] = _before_junk(out[-1], f"(?![{token['ahead']}])")
        elif kind == "group":
            out.append("(?:" if value == "(" else value)
        elif kind == "gap":
            out.append(_GAP[locale].format(n=gaps))
            gaps += 1
        elif kind == "space":
            # Beside a gap the gap takes the space.
            near = source[max(0, token.start() - 1)] == "~" or source[token.end() :][:1] == "~"
            if locale == "en":
                out.append(r"[\W_]*" if near else r"[\W_]{1,4}")
        elif locale == "en" and kind == "word":
            out.append(_word(value.lower()))
        else:
            out.append(_letters(token, value))
    return "".join(out)


def _before_junk(part: str, ahead: str) -> str:
    """A look ahead goes right behind the letter, before the signs that may follow it."""
    end = _JUNK + ")"
    return part.removesuffix(end) + ahead + end if part.endswith(end) else part + ahead


def _letters(token: re.Match[str], value: str) -> str:
    if token["class"]:
        return f"(?:{value.lower()}{_JUNK})"
    letters = (token["literal"] or value).lower()
    return "(?:" + "".join(re.escape(c) + _JUNK for c in letters) + ")"


def _word(word: str) -> str:
    """A word, with signs within it or spelt letter by letter.

    Its first letter stands before the look behind it: `re` then passes over all places with
    another letter at once, which makes a search several times as fast.
    """
    more = r"(?:[a-z]*|(?:[ ]{1,2}[a-z](?![a-z]))*)" if word.endswith("*") else ""
    first, *letters = (re.escape(c) + ("?" if c == "'" else "") for c in word.rstrip("*"))
    rest = "".join(letters)
    if len(letters) > 1:
        # Signs anywhere within, or spaces between all of the letters.
        within, between = ("".join(mark + c for c in letters) for mark in (_SIGNS, "[ ]{1,2}"))
        rest = f"(?:{within}|{between})"
    may_lack = first.endswith("?")
    begin = rf"(?<![a-z0-9]){first}" if may_lack else rf"{first}(?<![a-z0-9]{first})"
    return rf"{begin}{rest}{more}(?![a-z0-9])"
