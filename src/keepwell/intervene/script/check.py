"""The checker that every text to a client passes: our templates, staff's edits, a model's words.

It finds forbidden phrases, disclosures that lack, figures and products that no fact supports, and
blanks that nobody filled. It is no lawyer: a text without findings may still mislead. What it does
find, it finds in whichever dress (`pattern`), with the rule behind it and a way to say it instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from keepwell.core.errors import UsageError
from keepwell.core.text import tr
from keepwell.intervene.contact.policy import Channel
from keepwell.intervene.script.facts import Facts
from keepwell.intervene.script.figures import Dim
from keepwell.intervene.script.negation import denied
from keepwell.intervene.script.normal import Normal, normal
from keepwell.intervene.script.pattern import readable
from keepwell.intervene.script.phrases import (
    Both,
    Forbidden,
    Occasion,
    PhraseBook,
    Required,
    Severity,
    shipped_phrases,
)
from keepwell.intervene.script.products import products_in
from keepwell.intervene.script.support import Support

LIMIT: Final = 10_000
"""Most characters of a text."""

_BLANK: Final = re.compile(
    r"\{[^{}\n]{0,40}\}|_{3,}|(?<![a-z0-9])x{2,}(?![a-z0-9])|【\s*】|\[\s*\]|<[a-z_ ]{2,30}>"
)
_LATIN: Final = re.compile("[a-z]{2}|[a-z] [a-z]")
_LINK: Final = re.compile(
    r"(?:https?://|www\.)[^\s，。]+|(?<![a-z0-9@.])[a-z0-9-]+(?:\.[a-z0-9-]+)*"
    r"\.(?:com|cn|net|org|io|top|xyz|cc|me|app|info|site|vip)(?![a-z0-9])(?:/[^\s，。]*)?"
)
SAYS: Final[dict[str, tuple[str, str]]] = {
    "fact-unsupported": (
        "No fact given supports this figure.",
        "Leave it out, or take it from the client's record.",
    ),
    "product-unsupported": (
        "This product is not among the facts given.",
        "Name only products that the client's record gives for this contact.",
    ),
    "link-unsupported": (
        "This address is not among the facts given.",
        "Name the app or the service line instead of an address.",
    ),
    "blank-unfilled": ("A blank was not filled.", "Fill it from the client's record or drop it."),
    "text-empty": ("There is no text.", "Write something, or choose a template."),
}
"""Findings that are no phrase: what is wrong and what to do, in English."""


class Author(StrEnum):
    """Whose words they are when they go out.

    A model's text that a person has taken over, read and answers for is that person's.
    """

    TEMPLATE = "template"
    STAFF = "staff"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Brief:
    """What the checker must know about a text.

    Attributes:
        on: the day it is said or sent; the phrases in force then count.
        channel: by which way.
        commercial: whether it is to keep or win business, not for the client's own affair.
        occasion: whether a complaint or an exit request is open.
        author: whose words they are.
        facts: what may be said about the client; None: figures and products are not judged.
        products: names of products that the broker deals in, to know them in a text.
    """

    on: date
    channel: Channel = Channel.PHONE
    commercial: bool = True
    occasion: Occasion = Occasion.ORDINARY
    author: Author = Author.STAFF
    facts: Facts | None = None
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a text.

    Attributes:
        code: which phrase group, disclosure or check.
        rule: id of the rule behind it; HOUSE where none is.
        severity: how grave it is.
        start: position of its first character in the text as given.
        end: position after its last one; the same as `start` for what lacks.
        quote: the characters between.
        what: what is wrong, in both languages.
        suggestion: what to do, in both languages.
    """

    code: str
    rule: str
    severity: Severity
    start: int
    end: int
    quote: str
    what: Both
    suggestion: Both

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "code": self.code, "rule": self.rule, "severity": self.severity.value,
            "start": self.start, "end": self.end, "quote": self.quote,
            "what": self.what.model_dump(), "suggestion": self.suggestion.model_dump(),
        }  # fmt: skip


def check(text: str, brief: Brief, book: PhraseBook | None = None) -> tuple[Finding, ...]:
    """Check a text; findings in order of their place.

    Args:
        text: as it would be said or sent.
        brief: what it is for.
        book: phrases; default: those that come with keepwell.

    Raises:
        UsageError: the text is longer than `LIMIT`.

    Example:
        >>> [f.rule for f in check("这款产品保 本", Brief(date(2026, 11, 1), commercial=False))]
        ['SU-8']
    """
    if len(text) > LIMIT:
        raise UsageError("script.text-long", length=len(text), limit=LIMIT)
    book = book or shipped_phrases()
    form = normal(text)
    if not form.text.strip():
        return (_said("text-empty", text, 0, 0),)
    found = _forbidden(text, form, brief, book)
    found += _blanks(text, form)
    if brief.facts is not None:
        found += _unsupported(text, form, brief, Support.of(brief.facts))
    found += [_missing(entry, brief, len(text)) for entry in needed(form, brief, book)]
    return tuple(sorted(found, key=lambda f: (f.start, f.end, f.code)))


def passes(findings: tuple[Finding, ...]) -> bool:
    """Whether a text with these findings may go out: none of them is grave."""
    return all(finding.severity is not Severity.GRAVE for finding in findings)


def needed(form: Normal, brief: Brief, book: PhraseBook) -> list[Required]:
    """The disclosures that a text must have and has not."""
    asked = {
        "commercial": brief.commercial and brief.occasion is Occasion.ORDINARY,
        "product": bool(_products(form, brief)),
        "model": brief.author is Author.MODEL,
        "exit": brief.occasion is Occasion.EXIT,
    }
    return [
        entry
        for entry in book.required
        if asked[entry.when] and entry.in_force(brief.on) and not entry.stands_in(form.text)
    ]


def standard_words(entry: Required, channel: Channel) -> Both:
    """The standard words of a disclosure for a channel."""
    if channel is Channel.SMS:
        return entry.sms
    return entry.spoken if channel in (Channel.PHONE, Channel.BRANCH) else entry.written


def _forbidden(text: str, form: Normal, brief: Brief, book: PhraseBook) -> list[Finding]:
    plain = readable(form.text)
    # What the client's record says may be quoted: the topic of a complaint, a product's name.
    support = Support.of(brief.facts) if brief.facts is not None else Support()
    found: list[Finding] = []
    for group in book.forbidden:
        if not group.in_force(brief.on) or (group.when and brief.occasion not in group.when):
            continue
        spans = _spans(plain, group)
        for i, (start, end) in enumerate(spans):
            if i and start < spans[i - 1][1]:
                continue  # the same words by another pattern
            if support.covers(form.text, start, end):
                continue
            first, last = form.span(start, end)
            found.append(
                Finding(
                    group.id, group.rule, group.severity, first, last, text[first:last],
                    group.words, group.suggestion,
                )
            )  # fmt: skip
    return found


def _spans(plain: str, group: Forbidden) -> list[tuple[int, int]]:
    spans: set[tuple[int, int]] = set()
    harmless: list[tuple[int, int]] = []
    latin = _LATIN.search(plain) is not None
    for pattern in group.patterns:
        if pattern.locale == "en" and not latin:
            continue
        for start, end, gaps in pattern.search(plain):
            if group.negatable and denied(plain, start, end, gaps, pattern.locale):
                harmless.append((start, end))
            else:
                spans.add((start, end))
    # A shorter phrase within a denied one is denied with it: 'no risk' in 'not without risk'.
    for first, last in harmless:
        spans -= {(s, e) for s, e in spans if first < s and e <= last + 1}
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _blanks(text: str, form: Normal) -> list[Finding]:
    return [
        _said("blank-unfilled", text, *form.span(*m.span())) for m in _BLANK.finditer(form.text)
    ]


def _unsupported(text: str, form: Normal, brief: Brief, support: Support) -> list[Finding]:
    found = []
    for figure in support.unsupported(form.text):
        # An appointment may be offered; a person answers for its hour.
        severity = Severity.CAUTION if figure.dim is Dim.TIME else Severity.GRAVE
        span = form.span(figure.start, figure.end)
        found.append(_said("fact-unsupported", text, *span, severity=severity))
    links = (match.span() for match in _LINK.finditer(form.text))
    loose = [("link-unsupported", link) for link in links if not support.covers(form.text, *link)]
    for start, end in products_in(form.text, brief.products):
        if not support.names(form.text[start:end]):
            loose.append(("product-unsupported", (start, end)))
    return found + [_said(code, text, *form.span(*span)) for code, span in loose]


def _products(form: Normal, brief: Brief) -> list[tuple[int, int]]:
    known = [*brief.products]
    if brief.facts is not None and "product_name" in brief.facts:
        known.append(str(brief.facts["product_name"]))
    return products_in(form.text, known)


def _missing(entry: Required, brief: Brief, place: int) -> Finding:
    words = standard_words(entry, brief.channel)
    return Finding(
        f"{entry.id}-missing", entry.rule, entry.severity, place, place, "", entry.words, words
    )


def _said(
    code: str, text: str, start: int, end: int, severity: Severity = Severity.GRAVE
) -> Finding:
    what, suggestion = (
        Both(en=tr(words, "en"), zh=tr(words, "zh")) for words in SAYS[code]
    )  # fmt: skip
    return Finding(code, "HOUSE", severity, start, end, text[start:end], what, suggestion)
