"""The phrase book: what may not be said and what must be, as dated data (phrases.yaml)."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from keepwell.core.errors import UsageError
from keepwell.core.text import current_locale
from keepwell.intervene.script.pattern import Pattern
from keepwell.observe.mapping_yaml import Document, read_yaml_file

_FILE: Final = Path(__file__).parent / "phrases.yaml"
NEAR: Final = 40
"""Characters before a phrase in which its negation is looked for."""


class Severity(StrEnum):
    """How grave a finding is: a grave one must not go out, a caution is for a person to judge."""

    GRAVE = "grave"
    CAUTION = "caution"


class Occasion(StrEnum):
    """What is going on with the client, whatever the score says."""

    ORDINARY = "ordinary"
    COMPLAINT = "complaint"
    EXIT = "exit"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Both(_Part):
    """Words in both languages."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]

    def words(self, locale: str | None = None) -> str:
        """In a language."""
        return self.zh if (locale or current_locale()) == "zh" else self.en


class Rule(_Part):
    """What a finding rests on: an id of the register of rules, or HOUSE."""

    confidence: Literal["verified", "secondary", "unverified", "house"]
    source: str
    words: Both


class _Dated(_Part):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,60}$")]
    rule: str
    since: Annotated[date, Field(alias="from")]
    until: date | None = None
    severity: Severity = Severity.GRAVE
    words: Both

    def in_force(self, on: date) -> bool:
        """Whether it counts on a day: `from` is in, `until` is out."""
        return self.since <= on and (self.until is None or on < self.until)


class Forbidden(_Dated):
    """A group of phrases that no text may contain.

    Attributes:
        when: occasions in which it counts; empty: always.
        suggestion: what to write instead.
        negatable: whether a negated phrase ('we cannot promise …') is none.
        zh: Chinese patterns.
        en: English patterns.
    """

    when: list[Occasion] = []
    suggestion: Both
    negatable: bool = True
    zh: list[str] = []
    en: list[str] = []
    _patterns: list[Pattern] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _compiled(self) -> Forbidden:
        self._patterns.extend(_compile(self.zh, self.en))
        return self

    @property
    def patterns(self) -> list[Pattern]:
        """The patterns, compiled."""
        return self._patterns


class Found(_Part):
    """Patterns by which a disclosure is known."""

    zh: list[str]
    en: list[str]


class Required(_Dated):
    """Words that a text must contain.

    Attributes:
        when: what asks for them: a commercial aim, a product named, a model's words, an exit.
        spoken: the standard words on the phone and at the branch.
        written: in writing.
        sms: in a text message.
        found: patterns by which other words are taken for them.
    """

    when: Literal["commercial", "product", "model", "exit"]
    spoken: Both
    written: Both
    sms: Both
    found: Found
    _patterns: list[Pattern] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _compiled(self) -> Required:
        self._patterns.extend(_compile(self.found.zh, self.found.en))
        return self

    def stands_in(self, text: str) -> bool:
        """Whether a text in normal form has it."""
        return any(pattern.search(text) for pattern in self._patterns)


def _compile(zh: list[str], en: list[str]) -> list[Pattern]:
    made = []
    for locale, sources in (("zh", zh), ("en", en)):
        for source in sources:
            try:
                made.append(Pattern(source, locale))
            except re.error as error:
                raise ValueError(f"pattern {source!r}: {error}") from None
    return made


class PhraseBook(_Part):
    """Rules, forbidden phrases and required words.

    Attributes:
        rules: by id.
        forbidden: groups of phrases.
        required: disclosures.
    """

    rules: dict[str, Rule] = {}
    forbidden: list[Forbidden] = []
    required: list[Required] = []

    def with_house(self, own: PhraseBook) -> PhraseBook:
        """This book and a broker's own; nothing of this one can be taken away.

        Raises:
            ValueError: an id or a rule that there is already, or an unknown rule.
        """
        known = {entry.id for entry in (*self.forbidden, *self.required)}
        twice = [e.id for e in (*own.forbidden, *own.required) if e.id in known]
        twice += [rule for rule in own.rules if rule in self.rules]
        if twice:
            raise ValueError(f"{twice[0]!r} is there already; choose another id")
        return PhraseBook(
            rules={**self.rules, **own.rules},
            forbidden=[*self.forbidden, *own.forbidden],
            required=[*self.required, *own.required],
        ).checked()

    def checked(self) -> PhraseBook:
        """This book, if every rule that it names is in it.

        Raises:
            ValueError: one is not.
        """
        for entry in (*self.forbidden, *self.required):
            if entry.rule not in self.rules:
                raise ValueError(f"{entry.id}: there is no rule {entry.rule!r}")
        return self


@lru_cache(maxsize=1)
def shipped_phrases() -> PhraseBook:
    """The phrase book that comes with keepwell."""
    return _parse(read_yaml_file(_FILE)).checked()


@lru_cache(maxsize=8)
def _own(path: Path, stamp: int) -> PhraseBook:  # noqa: ARG001 the stamp is part of the key
    document = read_yaml_file(path)
    try:
        return shipped_phrases().with_house(_parse(document))
    except ValueError as error:
        raise UsageError(
            "script.file-invalid", file=path.name, line=1, place="–", problem=str(error)
        ) from None


def phrase_book(folder: Path | None = None) -> PhraseBook:
    """The phrase book of a workspace: the shipped one and scripts/phrases.yaml, if there is one.

    Args:
        folder: the workspace's folder `scripts`; default: only the shipped one.

    Raises:
        UsageError: the file is not acceptable, with its line.
    """
    path = folder / "phrases.yaml" if folder else None
    if path is None or not path.is_file():
        return shipped_phrases()
    return _own(path, path.stat().st_mtime_ns)


def _parse(document: Document) -> PhraseBook:
    try:
        return PhraseBook.model_validate(document.value or {})
    except ValidationError as error:
        raise fault(error, document) from None


def fault(error: ValidationError, document: Document, *, at: tuple[Any, ...] = ()) -> UsageError:
    """What is wrong in a file of scripts, with file, line and place."""
    first = error.errors(include_url=False)[0]
    loc = (*at, *first["loc"])
    return UsageError(
        "script.file-invalid", file=document.file, line=document.line(loc),
        place=".".join(str(part) for part in loc) or "–", problem=first["msg"],
    )  # fmt: skip
