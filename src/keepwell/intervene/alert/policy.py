"""What becomes of an alert: reasons, decisions, ceilings; pure rules without database."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from keepwell.core.text import tr
from keepwell.frame.settings import Settings
from keepwell.warn.tier import RULE_TITLES, RaiseRule, Tier, TierRules

TIERS: Final = TierRules()
"""The rules of tiers that the desk applies."""


class AlertReason(StrEnum):
    """Why the desk warns."""

    RISK = "risk"
    FIRST_LARGE_TRANSFER = RaiseRule.FIRST_LARGE_TRANSFER.code
    CLOSING_QUESTION = RaiseRule.CLOSING_QUESTION.code
    COMPLAINT_OVERDUE = RaiseRule.COMPLAINT_OVERDUE.code
    EXIT_REQUEST = "exit-request"

    def title(self, locale: str | None = None) -> str:
        """The reason's name in a language."""
        return tr(REASON_TITLES[self], locale)


REASON_TITLES: Final[dict[AlertReason, str]] = {
    AlertReason.RISK: "Risk of leaving by the score",
    AlertReason.FIRST_LARGE_TRANSFER: RULE_TITLES[RaiseRule.FIRST_LARGE_TRANSFER],
    AlertReason.CLOSING_QUESTION: RULE_TITLES[RaiseRule.CLOSING_QUESTION],
    AlertReason.COMPLAINT_OVERDUE: RULE_TITLES[RaiseRule.COMPLAINT_OVERDUE],
    AlertReason.EXIT_REQUEST: "Asks to leave or to transfer",
}

MANDATORY: Final = frozenset({AlertReason.COMPLAINT_OVERDUE, AlertReason.EXIT_REQUEST})
"""Service that every client gets: no hold-out, no ceiling, no refusal stops it."""


SERVICE_WEIGHT: Final = 2e15
"""No money at risk weighs as much: mandatory service comes first within its tier."""


def service_weight(at: datetime) -> float:
    """Urgency of mandatory service: the older before the newer, whatever score and assets."""
    return 2 * SERVICE_WEIGHT - at.timestamp()


class Status(StrEnum):
    """Where an alert stands."""

    SHOWN = "shown"
    HELD_BACK = "held-back"
    HELD_OUT = "held-out"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLOSED = "closed"


STATUS_TITLES: Final[dict[Status, str]] = {
    Status.SHOWN: "Shown",
    Status.HELD_BACK: "Held back",
    Status.HELD_OUT: "Held out",
    Status.ACKNOWLEDGED: "Acknowledged",
    Status.SNOOZED: "Snoozed",
    Status.CLOSED: "Closed",
}
"""Statuses, in English."""

LOOKS_HELD_BACK: Final = (Status.HELD_BACK, Status.HELD_OUT)
"""States that people see as held back: who is held out is told by the log of treatments alone."""


def looks(status: str) -> str:
    """An alert's state as people see it.

    Example:
        >>> looks("held-out"), looks("shown")
        ('held-back', 'shown')
    """
    return Status.HELD_BACK.value if status in LOOKS_HELD_BACK else status


SEEN: Final = (Status.SHOWN, Status.ACKNOWLEDGED, Status.SNOOZED)
"""States of a live alert that its owner sees."""


class Decision(StrEnum):
    """What the desk decided about an alert or a would-be alert."""

    SHOWN = "shown"
    HELD_OUT = "held-out"
    HELD_BACK = "held-back"
    EXEMPT = "exempt"
    PROFILING_REFUSED = "profiling-refused"
    EXIT_REQUESTED = "exit-requested"
    BY_HAND = "by-hand"
    ENDED = "ended"


DECISION_TITLES: Final[dict[Decision, str]] = {
    Decision.SHOWN: "Shown",
    Decision.HELD_OUT: "Held out",
    Decision.HELD_BACK: "Held back by the ceiling",
    Decision.EXEMPT: "Shown, by duty",
    Decision.PROFILING_REFUSED: "Not shown: profiling refused",
    Decision.EXIT_REQUESTED: "Not shown: the client asks to leave",
    Decision.BY_HAND: "Done by hand",
    Decision.ENDED: "Ended",
}
"""Decisions, in English."""


class Cause(StrEnum):
    """What led to a decision."""

    DRAW = "draw"
    CEILING = "ceiling"
    RELEASE = "release"
    MANDATORY = "mandatory"
    PROFILING = "profiling"
    EXIT = "exit"
    PERSON = "person"
    SIGNAL = "signal"


class WakeEvent(StrEnum):
    """What wakes a sleeping alert."""

    NEXT_CONTACT = "next-contact"
    NEXT_LOGIN = "next-login"
    NEXT_FLOW = "next-flow"


WAKE_TITLES: Final[dict[WakeEvent, str]] = {
    WakeEvent.NEXT_CONTACT: "The client's next contact with us",
    WakeEvent.NEXT_LOGIN: "The client's next log-in",
    WakeEvent.NEXT_FLOW: "The client's next movement of money",
}
"""What wakes a sleeping alert, in English."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and the chance with which it was taken.

    Attributes:
        decision: what was decided.
        cause: by what.
        propensity: of the draw, 1 - share for shown and share for held out; decisions that do
            not depend on chance have 1 where the alert is shown and 0 where it is not.
        status: the alert's; None where no alert is kept.
    """

    decision: Decision
    cause: Cause
    propensity: float
    status: Status | None


def decide(
    reason: AlertReason,
    tier: Tier,
    *,
    held_out: bool,
    propensity: float,
    refused: bool,
    exiting: bool,
    room: bool,
) -> Verdict:
    """Decide about a new alert.

    Args:
        reason: why.
        tier: how grave.
        held_out: the client's arm is the hold-out.
        propensity: the chance with which the draw gave this arm.
        refused: the client refused profiling (rule PI-4).
        exiting: the client has asked to leave (rules R-EXIT).
        room: the owner's ceiling of the day leaves room.
    """
    if reason in MANDATORY:
        return Verdict(Decision.EXEMPT, Cause.MANDATORY, 1.0, Status.SHOWN)
    if exiting:
        return Verdict(Decision.EXIT_REQUESTED, Cause.EXIT, 0.0, None)
    if refused:
        return Verdict(Decision.PROFILING_REFUSED, Cause.PROFILING, 0.0, None)
    if held_out:
        return Verdict(Decision.HELD_OUT, Cause.DRAW, propensity, Status.HELD_OUT)
    if room or tier is Tier.SEVERE:
        return Verdict(Decision.SHOWN, Cause.DRAW, propensity, Status.SHOWN)
    return Verdict(Decision.HELD_BACK, Cause.CEILING, 0.0, Status.HELD_BACK)


def tier_by_code(code: str) -> Tier:
    """The tier of a code such as 'severe'."""
    return Tier[code.upper()]


def weight(score: float | None, assets: int | None) -> float:
    """Urgency within a tier: money at risk, score times assets; 0 where either is unknown."""
    return (score or 0.0) * float(max(assets or 0, 0))


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The exchange's day."""
    return at.astimezone(zone).date()


def policy_hash(settings: Settings) -> str:
    """Fingerprint of all that a decision depends on: tiers, hold-out, ceilings."""
    rules = {
        "cuts": TIERS.cuts,
        "hysteresis": TIERS.hysteresis,
        "dwell": TIERS.dwell.total_seconds(),
        "raises": [[rule.code, tier.code] for rule, tier in TIERS.raises],
        "holdout": settings.holdout.model_dump(mode="json"),
        "alert": settings.alert.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]
