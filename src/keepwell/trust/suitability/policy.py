"""What the rules say about a client and a product: pure, and blind to every score.

`judge` answers for each of client level, product level, who begins, and kind of investor:
allowed, allowed with a written warning and the client's recorded insistence, or refused.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any, Final

from keepwell.core.errors import ERRORS
from keepwell.core.text import tr
from keepwell.trust.suitability.rulebook import Rules


class Investor(StrEnum):
    """Kind of investor."""

    ORDINARY = "ordinary"
    PROFESSIONAL = "professional"


class ClientLevel(StrEnum):
    """What risk a client can bear, least first; the lowest class stands below C1."""

    LOWEST = "C-lowest"
    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"

    @property
    def number(self) -> int:
        """1 to 5; the lowest class bears what C1 bears."""
        return 1 if self is ClientLevel.LOWEST else int(self[1])


class ProductLevel(StrEnum):
    """Risk of a product, least first."""

    R1 = "R1"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"
    R5 = "R5"

    @property
    def number(self) -> int:
        """1 to 5."""
        return int(self[1])


class Initiative(StrEnum):
    """Who begins."""

    RECOMMEND = "recommend"
    CLIENT_ASKS = "client-asks"


class Outcome(IntEnum):
    """What may be done, kindest first."""

    ALLOWED = 0
    WARNING = 1
    REFUSED = 2


class Record(StrEnum):
    """What must be on record before a client's insistence counts (SU-4)."""

    WRITTEN_WARNING = "written-warning"
    INSISTENCE = "insistence"
    AUDIO_VIDEO = "audio-video"
    ELECTRONIC_TRAIL = "electronic-trail"

    def title(self, locale: str | None = None) -> str:
        """The record for people."""
        return tr(RECORD_TITLES[self], locale)


RECORD_TITLES: Final[dict[Record, str]] = {
    Record.WRITTEN_WARNING: "Special written warning, given to the client",
    Record.INSISTENCE: "The client's own words that they insist",
    Record.AUDIO_VIDEO: "Recording of sound or picture",
    Record.ELECTRONIC_TRAIL: "Trail of electronic confirmations",
}
"""What each record is, in English."""

ALLOWING: Final[dict[str, str]] = {
    "suitability.matched": "{product} is not above the client's level {client} (rule SU-1).",
    "suitability.professional": (
        "A professional investor; the levels of ordinary investors do not bind (rule SU-1)."
    ),
    "suitability.unruled": "No rule in force on this day judges this.",
}
"""Codes that allow, with their English words; the words of the others are among the errors."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What suitability needs to know of a client.

    Attributes:
        investor: kind of investor; None when not known.
        level: what risk the client can bear; None when not known.
        assessed_on: day of the last assessment; None when there is none.
        within_objectives: whether the product serves the client's objectives; None: not known,
            and not judged.
    """

    investor: Investor | None
    level: ClientLevel | None
    assessed_on: date | None
    within_objectives: bool | None = None

    @classmethod
    def of_contract(
        cls, investor_class: str | None, risk_level: str | None, assessed_on: date | None
    ) -> Profile:
        """A profile from the columns of the contract's table `client`.

        Args:
            investor_class: 'ordinary', 'lowest', 'professional' or None.
            risk_level: 'C1' to 'C5' or None.
            assessed_on: day of the last assessment.

        Example:
            >>> Profile.of_contract("lowest", "C1", None).level.value
            'C-lowest'
        """
        if investor_class == "lowest":
            return cls(Investor.ORDINARY, ClientLevel.LOWEST, assessed_on)
        investor = Investor(investor_class) if investor_class else None
        return cls(investor, ClientLevel(risk_level) if risk_level else None, assessed_on)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say.

    Attributes:
        outcome: what may be done.
        code: why.
        rules: ids of the rules that say so.
        records: what must be on record first; only with a warning.
        fields: what the code's words name.
    """

    outcome: Outcome
    code: str
    rules: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def allowed(self) -> bool:
        """Whether it may go on without more."""
        return self.outcome is Outcome.ALLOWED

    def words(self, locale: str | None = None) -> str:
        """Why, in a language ('en' or 'zh'; default: the current one)."""
        return tr(ALLOWING.get(self.code) or ERRORS[self.code], locale, **self.fields)


def judge(
    profile: Profile,
    product: ProductLevel | None,
    initiative: Initiative,
    on: date,
    rules: Rules,
    channel: str = "app",
) -> Verdict:
    """What may be done with a product of a level and a client.

    A professional in the lowest class contradicts itself, as only ordinary investors have that
    class: the stricter of the two holds until somebody mends the data.

    Args:
        profile: of the client.
        product: the product's level; None when it has none, and then it is refused.
        initiative: whether we recommend or the client asks.
        on: the day, of the exchange.
        rules: those in force; a rule that is not among them does not judge.
        channel: by which way; it decides how an insistence is recorded.

    Example:
        >>> from keepwell.trust.suitability.rulebook import RuleBook
        >>> day = date(2026, 11, 2)
        >>> profile = Profile.of_contract("ordinary", "C2", date(2026, 5, 4))
        >>> rules = RuleBook.shipped().on(day)
        >>> judge(profile, ProductLevel.R3, Initiative.RECOMMEND, day, rules).code
        'suitability.level-above'
        >>> judge(profile, ProductLevel.R3, Initiative.CLIENT_ASKS, day, rules).outcome.name
        'WARNING'
    """
    stale = _assessment(profile, on, rules)
    if stale is not None:
        return stale
    ours = initiative is Initiative.RECOMMEND
    if ours and profile.within_objectives is False and "SU-2" in rules:
        return _refused("suitability.objectives-differ", "SU-2")
    if "SU-1" not in rules:
        return Verdict(Outcome.ALLOWED, "suitability.unruled")
    if product is None:
        return _refused("suitability.product-unknown", "SU-1")
    lowest = profile.level is ClientLevel.LOWEST
    if profile.investor is Investor.PROFESSIONAL and not lowest:
        return Verdict(Outcome.ALLOWED, "suitability.professional", ("SU-1",))
    if profile.level is None:
        return Verdict(Outcome.ALLOWED, "suitability.unruled")
    fields = {"product": product.value, "client": profile.level.value}
    if product.number <= profile.level.number:
        return Verdict(Outcome.ALLOWED, "suitability.matched", ("SU-1",), fields=fields)
    if ours and "SU-2" in rules:
        return _refused("suitability.level-above", "SU-1", "SU-2", **fields)
    if lowest and "SU-3" in rules:
        return _refused("suitability.lowest-class", "SU-1", "SU-3", **fields)
    if not ours and "SU-4" in rules:
        ids, code = ("SU-1", "SU-4"), "suitability.insistence-missing"
        return Verdict(Outcome.WARNING, code, ids, _records(rules, channel), fields)
    return Verdict(Outcome.ALLOWED, "suitability.unruled")


def leverage_level(rules: Rules) -> ProductLevel:
    """The product level that new leverage counts as; the highest where no rule says."""
    if "SU-2" not in rules:
        return ProductLevel.R5
    return ProductLevel(rules.word("SU-2", "leverage_level") or "R5")


def assessed_until(assessed_on: date, rules: Rules) -> date | None:
    """The first day on which an assessment is out of date; None where no rule ends it.

    Example:
        >>> from keepwell.trust.suitability.rulebook import RuleBook
        >>> assessed_until(date(2024, 2, 29), RuleBook.shipped().on(date(2026, 1, 1)))
        datetime.date(2025, 2, 28)
    """
    if "SU-5" not in rules:
        return None
    months = assessed_on.year * 12 + assessed_on.month - 1 + rules.number("SU-5", "months")
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(assessed_on.day, last))


def _assessment(profile: Profile, on: date, rules: Rules) -> Verdict | None:
    """Why the assessment does not do; None when it does, or nobody asks for one.

    Professionals show their standing otherwise and need no assessment.
    """
    if "SU-5" not in rules:
        return None
    lowest = profile.level is ClientLevel.LOWEST
    if profile.investor is Investor.PROFESSIONAL and not lowest:
        return None
    day = profile.assessed_on
    if profile.investor is None or profile.level is None or day is None or day > on:
        return _refused("suitability.assessment-missing", "SU-5")
    until = assessed_until(day, rules)
    if until is not None and until <= on:
        return _refused("suitability.assessment-expired", "SU-5", until=until.isoformat())
    return None


def _records(rules: Rules, channel: str) -> tuple[Record, ...]:
    way = rules.word("SU-4", "records", channel) or Record.ELECTRONIC_TRAIL
    return (Record.WRITTEN_WARNING, Record.INSISTENCE, Record(way))


def _refused(code: str, *rules: str, **fields: Any) -> Verdict:
    return Verdict(Outcome.REFUSED, code, rules, fields=fields)
