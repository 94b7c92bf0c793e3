"""Choose the template that fits a client best, and fill it with the client's own facts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Final

from keepwell.core.errors import DataError, UsageError
from keepwell.core.text import current_locale
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.intervene.script.check import Author, Brief, check, needed, passes, standard_words
from keepwell.intervene.script.facts import Facts
from keepwell.intervene.script.normal import normal
from keepwell.intervene.script.persona import Persona
from keepwell.intervene.script.phrases import Occasion, PhraseBook, shipped_phrases
from keepwell.intervene.script.template import SLOT, Library, Template, TierCode
from keepwell.warn.reason_codes import ReasonCode

ALERT_OCCASIONS: Final[dict[str, Occasion]] = {
    "complaint-overdue": Occasion.COMPLAINT,
    "exit-request": Occasion.EXIT,
}
"""The occasion that an alert's reason makes; what an open complaint or exit makes too."""

ALERT_REASONS: Final[dict[str, ReasonCode]] = {
    "first-large-transfer": ReasonCode.MONEY_LEAVING,
    "closing-question": ReasonCode.SERVICE_LEAVING,
}
"""The reason code that an alert by rule speaks to."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a script is for.

    Attributes:
        channel: by which way.
        reasons: why the client is at risk, strongest first.
        tier: the warning tier, if there is one.
        persona: whom it speaks to.
        occasion: whether a complaint or an exit is open; an exit goes before a complaint.
    """

    channel: Channel
    reasons: tuple[ReasonCode, ...] = ()
    tier: TierCode | None = None
    persona: Persona = Persona.DEFAULT
    occasion: Occasion = Occasion.ORDINARY


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A template that would have fitted better, but for facts that there are not."""

    template: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which template, and which better ones were passed over for want of facts."""

    template: Template
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A filled template, ready to be said or sent.

    Attributes:
        template: name and version.
        template_digest: SHA-256 of the template, in hexadecimal.
        locale: 'en' or 'zh'.
        channel: by which way.
        text: for the client, with its disclosures.
        note: for staff only; '' where there is none or its facts are not known.
        slots: facts that it says.
        disclosures: ids of the required words that were added.
        digest: SHA-256 of the text, in hexadecimal: what a contact records.
    """

    template: str
    template_digest: str
    locale: str
    channel: Channel
    text: str
    note: str
    slots: tuple[str, ...]
    disclosures: tuple[str, ...]
    digest: str


def candidates(templates: Library, situation: Situation, on: date) -> list[Template]:
    """The templates that fit a situation on a day, the most specific first.

    The reason decides first (the strongest one that has a template), then the persona, then the
    tier, then the name. Occasion and channel must fit exactly: a client who leaves or complains
    never gets another script.
    """
    ranked = []
    for template in templates.on(on):
        rank = _rank(template, situation)
        if rank is not None:
            ranked.append((rank, template.id, template))
    return [template for _, _, template in sorted(ranked, key=lambda item: item[:2])]


def _rank(template: Template, situation: Situation) -> tuple[int, int, int, int] | None:
    fits = (
        template.occasion is situation.occasion
        and situation.channel in template.channels
        and (not template.personas or situation.persona in template.personas)
        and (not template.tiers or situation.tier in template.tiers)
    )
    spoken = [i for i, code in enumerate(situation.reasons) if code in template.reasons]
    if not fits or (template.reasons and not spoken):
        return None
    reason = spoken[0] if spoken else len(situation.reasons)
    return reason, not template.personas, not template.tiers, len(template.tiers)


def choose(templates: Library, situation: Situation, facts: Facts, on: date) -> Choice:
    """The most specific template all of whose slots have facts.

    Args:
        templates: the library.
        situation: what it is for.
        facts: what may be said.
        on: the day it is for.

    Raises:
        UsageError: `script.none-fits`, with the facts that lack.
    """
    passed: list[PassedOver] = []
    for template in candidates(templates, situation, on):
        missing = tuple(slot for slot in template.slots if slot not in facts)
        if not missing:
            return Choice(template, tuple(passed))
        passed.append(PassedOver(template.ref, missing))
    words = "; ".join(f"{p.template}: {', '.join(p.missing)}" for p in passed)
    raise UsageError("script.none-fits", missing=words or "–")


def fill(
    template: Template,
    facts: Facts,
    channel: Channel,
    on: date,
    locale: str | None = None,
    book: PhraseBook | None = None,
    aim: Aim = Aim.SERVICE,
) -> Script:
    """Fill a template, add the words that are required, and check the whole.

    Args:
        template: the template.
        facts: what may be said; each slot needs one.
        channel: one of the template's channels.
        on: the day it is said or sent.
        locale: 'en' or 'zh'; default: the current one.
        book: phrases; default: those that come with keepwell.
        aim: what the contact is for; one that follows from a score is for retention, and then
            commercial even where the template is not.

    Raises:
        UsageError: `script.fact-missing`: there is never an empty blank.
        DataError: `script.text-refused`: the checker has a grave finding.
    """
    locale = locale or current_locale()
    missing = [slot for slot in template.slots if slot not in facts]
    if missing:
        raise UsageError("script.fact-missing", template=template.id, slots=", ".join(missing))
    brief = brief_of(template, facts, channel, on, aim=aim)
    body = filled(template.text.words(locale), facts, locale)
    text, added = disclosed(body, brief, locale, book)
    findings = check(text, brief, book)
    if not passes(findings):
        words = "; ".join(f"{f.code} {f.quote!r}" for f in findings)
        raise DataError("script.text-refused", template=template.id, findings=words)
    note = template.note.words(locale) if template.note else ""
    if any(slot not in facts for slot in SLOT.findall(note)):
        note = ""
    return Script(
        template.ref, template.digest, locale, channel, text,
        filled(note, facts, locale), template.slots, added, digest_of(text),
    )  # fmt: skip


def brief_of(
    template: Template,
    facts: Facts,
    channel: Channel,
    on: date,
    author: Author = Author.TEMPLATE,
    aim: Aim = Aim.SERVICE,
) -> Brief:
    """What the checker must know about a text made from a template, as in `fill`."""
    commercial = template.commercial or aim is Aim.RETENTION
    return Brief(on, channel, commercial, template.occasion, author, facts)


def filled(text: str, facts: Facts, locale: str) -> str:
    """A text with its slots filled.

    Raises:
        KeyError: a slot has no fact.
    """
    return SLOT.sub(lambda match: facts.told(match[1], locale), text.strip())


def disclosed(
    text: str, brief: Brief, locale: str, book: PhraseBook | None = None
) -> tuple[str, tuple[str, ...]]:
    """A text with the required words that it lacks, and their ids.

    Args:
        text: what is to be said.
        brief: what it is for.
        locale: language of the added words.
        book: phrases; default: those that come with keepwell.
    """
    lacking = needed(normal(text), brief, book or shipped_phrases())
    if not lacking:
        return text, ()
    words = [standard_words(entry, brief.channel).words(locale) for entry in lacking]
    glue = " " if locale == "en" else ""
    if brief.channel is Channel.SMS:
        ends = [w if w[-1] in ".。" or w == words[-1] else w + "。" for w in words]
        return text + glue + glue.join(ends), tuple(entry.id for entry in lacking)
    return f"{text}\n\n{glue.join(words)}", tuple(entry.id for entry in lacking)


def digest_of(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
