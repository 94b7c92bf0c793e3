"""Clock policies as data: which promise of time begins and ends with what. No database here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from keepwell.frame.text import Code, Line

EXIT_POLICY: Final = "exit"
"""Name of the policy of exit requests; made from the settings, it cannot be changed here."""

StartEvent = Literal["case.alerted", "case.opened", "case.reopened", "exit.settled"]
StopEvent = Literal["case.closed", "case.contacted", "exit.completed"]
TierKey = Literal["any", "none", "mild", "moderate", "severe"]
Share = Annotated[float, Field(gt=0, lt=1)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]


class CalendarName(StrEnum):
    """On which time a clock runs."""

    ALWAYS = "always"
    EXCHANGE = "exchange"
    OFFICE = "office"


class Level(StrEnum):
    """Whom a clock calls."""

    LEAD = "lead"
    DIRECTOR = "director"
    COMPLIANCE = "compliance"


class PauseReason(StrEnum):
    """Why a clock may stand still."""

    CLIENT_ASKED_LATER = "client-asked-later"
    COMPLIANCE_REVIEW = "compliance-review"
    CONTACT_FORBIDDEN = "contact-forbidden"
    SYSTEM_OUTAGE = "system-outage"
    WAITING_FOR_CLIENT = "waiting-for-client"
    WAITING_FOR_THIRD_PARTY = "waiting-for-third-party"


LEVELS: Final[dict[Level, int]] = {Level.LEAD: 1, Level.DIRECTOR: 2, Level.COMPLIANCE: 3}
"""Number of each level, as cases know them."""

PAUSE_TITLES: Final[dict[PauseReason, str]] = {
    PauseReason.CLIENT_ASKED_LATER: "The client asked for a later date",
    PauseReason.COMPLIANCE_REVIEW: "Compliance is checking",
    PauseReason.CONTACT_FORBIDDEN: "No contact may be made with the client now",
    PauseReason.SYSTEM_OUTAGE: "A system does not work",
    PauseReason.WAITING_FOR_CLIENT: "Waiting for the client",
    PauseReason.WAITING_FOR_THIRD_PARTY: "Waiting for somebody outside",
}
"""What each reason means, in English."""


BY_PERSON: Final = frozenset(PauseReason) - {PauseReason.CONTACT_FORBIDDEN}
"""Reasons that people may give; the other is the desk's own."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Part):
    """A name in both languages."""

    en: Line = Field(examples=["First touch"])
    zh: Line = Field(examples=["首次触达"])


class Conditions(_Part):
    """When a clock runs; what is not given does not matter, all that is given must hold.

    Attributes:
        reasons: the case's reason is one of these.
        segments: the client's segment is one of these.
        causes: the main cause of the score is one of these.
        channels: the event names one of these channels.
        age: the client's age in years is within, both ends included.
    """

    reasons: list[Word] | None = None
    segments: list[Word] | None = None
    causes: list[Word] | None = None
    channels: list[Word] | None = None
    age: tuple[int, int] | None = None


class Escalation(_Part):
    """Whom a clock calls, and when.

    Attributes:
        at: share of the promised time that has passed; 1 is the breach.
        to: the level called; where nobody holds it, the next one up.
    """

    at: Annotated[float, Field(ge=1, le=20)]
    to: Level


class ClockSpec(_Part):
    """One promise.

    Attributes:
        code: its name for programs.
        title: its name for people.
        starts_on: events that start it; on case.alerted it starts if it has not run yet in this
            round of the case, or becomes shorter, never longer.
        stops_on: events that keep the promise.
        stops_in: states of the case that keep it.
        when: conditions on case and client.
        unless: it does not run when all of these hold.
        minutes: working minutes by tier, or of any tier.
        days: business days by tier; the day of the start does not count, the last ends with its
            last session.
        calendar: which time counts.
        warn: shares of the time at which the owner is warned.
        escalate: who is called and when.
    """

    code: Code = Field(examples=["first-touch"])
    title: Title
    starts_on: Annotated[list[StartEvent], Field(min_length=1)]
    stops_on: list[StopEvent] = []
    stops_in: list[Word] = []
    when: Conditions = Conditions()
    unless: Conditions | None = None
    minutes: dict[TierKey, Annotated[int, Field(ge=1, le=525_600)]] | None = None
    days: dict[TierKey, Annotated[int, Field(ge=1, le=250)]] | None = None
    calendar: CalendarName = CalendarName.OFFICE
    warn: Annotated[list[Share], Field(max_length=5)] = [0.5, 0.8]
    escalate: Annotated[list[Escalation], Field(max_length=5)] = []

    @model_validator(mode="after")
    def _consistent(self) -> ClockSpec:
        if (self.minutes is None) == (self.days is None):
            raise ValueError("either minutes or days")
        if not self.stops_on and not self.stops_in:
            raise ValueError("something must stop a clock")
        names = [f"{share:.2f}" for share in self.warn]
        if names != sorted(set(names)):
            raise ValueError("warnings follow each other")
        shares = [step.at for step in self.escalate]
        if shares != sorted(set(shares)):
            raise ValueError("escalations follow each other")
        return self

    def target(self, tier: str | None) -> Target | None:
        """How much time is promised for a tier; None when nothing is."""
        table = self.minutes if self.minutes is not None else self.days
        assert table is not None
        amount = table.get(tier, table.get("any")) if tier else table.get("any")  # type: ignore[call-overload]
        return None if amount is None else Target(int(amount), self.minutes is None)


EXAMPLE: Final[dict[str, Any]] = {
    "title": {"en": "First touch", "zh": "首次触达"},
    "note": "Service standard 2026",
    "clocks": [
        {
            "code": "first-touch",
            "title": {"en": "First touch", "zh": "首次触达"},
            "starts_on": ["case.opened", "case.reopened"],
            "stops_on": ["case.contacted", "case.closed"],
            "minutes": {"severe": 240, "any": 480},
            "warn": [0.5, 0.8],
            "escalate": [{"at": 1, "to": "lead"}, {"at": 1.5, "to": "director"}],
        }
    ],
}


class PolicyBody(_Part):
    """A clock policy.

    Attributes:
        title: its name for people.
        note: where it comes from.
        clocks: its promises, each code once.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    title: Title
    note: Annotated[str, StringConstraints(max_length=1000)] = ""
    clocks: Annotated[list[ClockSpec], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _codes_once(self) -> PolicyBody:
        codes = [clock.code for clock in self.clocks]
        if len(set(codes)) != len(codes):
            raise ValueError("each code once")
        return self

    def spec(self, code: str) -> ClockSpec | None:
        """The promise of a code."""
        return next((clock for clock in self.clocks if clock.code == code), None)

    def digest(self) -> str:
        """SHA-256 of the content, independent of spelling."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Target:
    """An amount of time: working minutes, or business days."""

    amount: int
    in_days: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions look at.

    Attributes:
        tier: of the case.
        reason: of the case.
        segment: of the client.
        cause: main cause of the score.
        channel: named by the event.
        age: of the client in years.
    """

    tier: str | None = None
    reason: str | None = None
    segment: str | None = None
    cause: str | None = None
    channel: str | None = None
    age: int | None = None


def holds(conditions: Conditions, facts: Facts) -> bool:
    """Whether all conditions given hold; an unknown fact satisfies none."""
    pairs = (
        (conditions.reasons, facts.reason), (conditions.segments, facts.segment),
        (conditions.causes, facts.cause), (conditions.channels, facts.channel),
    )  # fmt: skip
    if any(wanted is not None and fact not in wanted for wanted, fact in pairs):
        return False
    if conditions.age is None:
        return True
    low, high = conditions.age
    return facts.age is not None and low <= facts.age <= high


def promised(spec: ClockSpec, event: str, facts: Facts) -> Target | None:
    """The time that an event promises under a spec; None when it starts nothing."""
    if event not in spec.starts_on or not holds(spec.when, facts):
        return None
    if spec.unless is not None and holds(spec.unless, facts):
        return None
    return spec.target(facts.tier)


def kept(spec: ClockSpec, event: str, state: str | None) -> bool:
    """Whether an event, or the state it leads to, keeps the promise."""
    return event in spec.stops_on or (state is not None and state in spec.stops_in)


def exit_policy(days: int) -> PolicyBody:
    """The clock of exit requests (rule R-EXIT-2)."""
    return PolicyBody(
        title=Title(en="Exit requests", zh="离场申请"),
        note="Made from the setting clock.exit_days.",
        clocks=[
            ClockSpec(
                code="exit", title=Title(en="Exit request", zh="离场申请办理"),
                starts_on=["exit.settled"], stops_on=["exit.completed"], days={"any": days},
                calendar=CalendarName.EXCHANGE, escalate=[Escalation(at=2.0, to=Level.DIRECTOR)],
            )
        ],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a clock does when a share of its time has passed.

    Attributes:
        name: warn50, breach, escalate1 …; part of the timer's key.
        share: when.
        level: 0 for warnings and the breach, 1 for the first escalation.
        to: whom an escalation calls.
    """

    name: str
    share: float
    level: int = 0
    to: Level | None = None

    @property
    def is_warning(self) -> bool:
        """Whether it is a warning; one that comes too late is left out."""
        return self.share < 1


def steps(spec: ClockSpec) -> list[Step]:
    """All steps of a clock in the order in which they come; the breach before its escalation."""
    warnings = [Step(f"warn{round(share * 100)}", share) for share in spec.warn]
    calls = [
        Step(f"escalate{level}", step.at, level, step.to)
        for level, step in enumerate(spec.escalate, start=1)
    ]
    return [*warnings, Step("breach", 1.0), *calls]
