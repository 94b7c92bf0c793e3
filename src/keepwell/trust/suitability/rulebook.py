"""Rules as dated data: which rule was in force on a day, as far as was known on another.

Every rule says where it comes from and how sure we are of it: verified (legal text read),
secondary (somebody reliable says so) or unverified (general knowledge, until a compliance reviewer
signs it). A rule is as sure as its weakest source. A rule that is not in force does not judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt, StringConstraints

from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import tr
from keepwell.frame.data_file import NONE, Part, Text, Words, digest, read_entries, wrong
from keepwell.observe.mapping_yaml import Document, Loc

FILE: Final = Path(__file__).parent / "rules.yaml"

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$")]


class Confidence(StrEnum):
    """How sure a source is, as the research marks it."""

    TEXT = "T"
    SECONDARY = "S"
    KNOWLEDGE = "K"


class Status(StrEnum):
    """How sure a rule is, surest first."""

    VERIFIED = "verified"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"

    def title(self, locale: str | None = None) -> str:
        """The status for people."""
        return tr(STATUS_TITLES[self], locale)


STATUS_TITLES: Final[dict[Status, str]] = {
    Status.VERIFIED: "Verified: the legal text was read",
    Status.SECONDARY: "Secondary source",
    Status.UNVERIFIED: "Unverified until compliance signs it",
}
"""What each status means, in English."""

_STATUS: Final = {
    Confidence.TEXT: Status.VERIFIED,
    Confidence.SECONDARY: Status.SECONDARY,
    Confidence.KNOWLEDGE: Status.UNVERIFIED,
}


class Source(Part):
    """Where a rule comes from.

    Attributes:
        text: law and article.
        confidence: T, S or K.
    """

    text: Words
    confidence: Confidence


class Parameter(Part):
    """A number or word that a rule leaves open.

    Attributes:
        value: a whole number, a word, or words by name.
        note: what it is, with its unit.
        confidence: how sure the value is; K is keepwell's own assumption.
    """

    value: StrictInt | str | dict[str, str]
    note: Words
    confidence: Confidence


class InForce(Part):
    """Days on which a rule binds.

    Attributes:
        since: the first day; None: a rule of our own, at all times.
        until: the first day on which it binds no more; None: no end is known.
        confidence: how sure the dates are.
    """

    since: date | None = Field(alias="from")
    until: date | None = Field(default=None, alias="to")
    confidence: Confidence


class Rule(Part):
    """One version of a rule.

    Attributes:
        id: such as SU-1; the same in every version.
        version: from 1.
        jurisdiction: ISO 3166 code of the country.
        origin: 'law', or 'house' for what keepwell itself holds to.
        title: its name.
        words: what it demands.
        sources: where it comes from.
        in_force: when it binds.
        recorded_on: the day from which keepwell knew this version.
        supersedes: the version that it takes the place of, from its first day on.
        parameters: what it leaves open, by name.
        test: the test that shows it, `path::name`.
        signed_by: the compliance reviewer who signed this version.
    """

    id: RuleId
    version: Annotated[StrictInt, Field(ge=1)] = 1
    jurisdiction: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    origin: Literal["law", "house"] = "law"
    title: Words
    words: Words
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    in_force: InForce
    recorded_on: date
    supersedes: StrictInt | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    test: Text
    signed_by: Text | None = None

    @property
    def name(self) -> str:
        """Id and version, such as 'SU-1@1'."""
        return f"{self.id}@{self.version}"

    @property
    def status(self) -> Status:
        """As sure as the weakest source, or verified by who signed it."""
        if self.signed_by:
            return Status.VERIFIED
        order = list(Status)
        return max((_STATUS[s.confidence] for s in self.sources), key=order.index)

    def digest(self) -> str:
        """SHA-256 of the content."""
        return digest(self)


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules in force on one day; what judges.

    Attributes:
        day: the day.
        known: what was known by this day.
        by_id: the version of each rule in force.
    """

    day: date
    known: date
    by_id: Mapping[str, Rule]

    def __contains__(self, rule_id: object) -> bool:
        return rule_id in self.by_id

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.by_id.values())

    def number(self, rule_id: str, name: str) -> int:
        """A whole number that a rule in force leaves open.

        Raises:
            KeyError: the rule is not in force or has no such number.
        """
        value = self.by_id[rule_id].parameters[name].value
        if not isinstance(value, int):
            raise KeyError(f"{rule_id} {name} is not a number")
        return value

    def word(self, rule_id: str, name: str, key: str | None = None) -> str | None:
        """A word that a rule in force leaves open; None when it is silent about `key`.

        Raises:
            KeyError: the rule is not in force or has no such parameter.
        """
        value = self.by_id[rule_id].parameters[name].value
        if isinstance(value, dict):
            return value.get(key or "")
        return str(value)

    def names(self, rule_ids: Iterable[str]) -> tuple[str, ...]:
        """Ids with the versions in force, such as 'SU-1@1'; for the evidence of a decision."""
        return tuple(self.by_id[i].name for i in rule_ids if i in self.by_id)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the digests of all rules in force."""
        text = "\n".join(f"{r.name} {r.digest()}" for r in sorted(self, key=lambda r: r.name))
        return hashlib.sha256(text.encode()).hexdigest()


class RuleBook:
    """All versions of all rules.

    Args:
        rules: in any order; no version of a rule twice.

    Example:
        >>> rules = RuleBook.shipped().on(date(2026, 11, 2))
        >>> "SU-3" in rules, rules.number("SU-5", "months")
        (True, 12)
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.versions = tuple(sorted(rules, key=lambda r: (r.id, r.version)))

    @classmethod
    def shipped(cls) -> RuleBook:
        """The rules that come with keepwell."""
        return _shipped()

    @classmethod
    def parse(cls, text: str, file: str = FILE.name) -> RuleBook:
        """Rules of a file.

        Raises:
            UsageError: the first fault, with its line.
        """
        entries = read_entries(text, file, "rules", Rule)
        seen: dict[str, Rule] = {}
        for rule, loc, document in entries:
            _check(rule, loc, document, seen)
            seen[rule.id] = rule
        return cls([rule for rule, _, _ in entries])

    def on(self, day: date, known: date | None = None, jurisdiction: str = "CN") -> Rules:
        """The rules in force on a day.

        A version takes the place of the earlier ones from its own first day on; a repeal is a new
        version with an end.

        Args:
            day: the day, of the exchange.
            known: judge as one would have with what was known by this day; default: all that is.
            jurisdiction: ISO 3166 code of the country.
        """
        known = known or date.max
        current: dict[str, Rule] = {}
        for rule in self.versions:
            begun = rule.in_force.since is None or rule.in_force.since <= day
            if rule.jurisdiction == jurisdiction and rule.recorded_on <= known and begun:
                current[rule.id] = rule
        over = [i for i, r in current.items() if r.in_force.until and r.in_force.until <= day]
        for rule_id in over:
            del current[rule_id]
        return Rules(day, known, current)

    def get(self, rule_id: str) -> Rule:
        """The newest version of a rule.

        Raises:
            UsageError: there is none.
        """
        found = [rule for rule in self.versions if rule.id == rule_id]
        if not found:
            known = sorted({rule.id for rule in self.versions})
            close = nearest(rule_id, known) or NONE
            raise UsageError("suitability.rule-unknown", id=rule_id, nearest=close)
        return found[-1]


def _check(rule: Rule, loc: Loc, document: Document, seen: Mapping[str, Rule]) -> None:
    """Versions follow one another, ends come after beginnings."""
    before = seen.get(rule.id)
    expected = before.version + 1 if before else 1
    if rule.version != expected:
        raise wrong(document, (*loc, "version"), rule.version, f"version {expected} of {rule.id}")
    if rule.supersedes != (before.version if before else None):
        raise wrong(
            document, (*loc, "supersedes"), rule.supersedes, "the version before, or nothing"
        )
    since, until = rule.in_force.since, rule.in_force.until
    if since is None and rule.origin == "law":
        raise wrong(document, (*loc, "in_force"), None, "the first day of a rule of law")
    if since is not None and until is not None and until <= since:
        raise wrong(document, (*loc, "in_force", "to"), until, "a day after from")


@lru_cache(maxsize=1)
def _shipped() -> RuleBook:
    return RuleBook.parse(FILE.read_text("utf-8"))
