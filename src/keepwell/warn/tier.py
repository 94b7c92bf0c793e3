"""The tier: a pure function of score, previous state and rules; the desk stores the state.

Tiers are half-open: mild [60, 76), moderate [76, 90), severe [90, 100]. A client rises at once.
It falls only when the score has been 4 points below the cut of its tier for the whole dwell, so
that a score that trembles about a cut does not raise and drop an alert every day. A rule (first
large transfer out, closing question, overdue complaint) can raise at once, and the state says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import UsageError
from keepwell.core.text import tr


class Tier(IntEnum):
    """Warning tiers, gravest last."""

    NONE = 0
    MILD = 1
    MODERATE = 2
    SEVERE = 3

    @property
    def code(self) -> str:
        """'none', 'mild', 'moderate' or 'severe'."""
        return self.name.lower()

    def title(self, locale: str | None = None) -> str:
        """The tier's name in a language."""
        return tr(TITLES[self], locale)


TITLES: Final[dict[Tier, str]] = {
    Tier.NONE: "No warning",
    Tier.MILD: "Mild",
    Tier.MODERATE: "Moderate",
    Tier.SEVERE: "Severe",
}

CUTS: Final = (60.0, 76.0, 90.0)
"""Lowest scores of mild, moderate and severe."""


class RaiseRule(IntEnum):
    """Rules that raise a client at once, whatever the score."""

    FIRST_LARGE_TRANSFER = 1
    CLOSING_QUESTION = 2
    COMPLAINT_OVERDUE = 3

    @property
    def code(self) -> str:
        """Such as 'first-large-transfer'."""
        return self.name.lower().replace("_", "-")

    def title(self, locale: str | None = None) -> str:
        """The rule's name in a language."""
        return tr(RULE_TITLES[self], locale)


RULE_TITLES: Final[dict[RaiseRule, str]] = {
    RaiseRule.FIRST_LARGE_TRANSFER: "First large transfer out",
    RaiseRule.CLOSING_QUESTION: "Asked how to close the account",
    RaiseRule.COMPLAINT_OVERDUE: "Complaint is overdue",
}


@dataclass(frozen=True, slots=True)
class TierRules:
    """How scores become tiers.

    Attributes:
        cuts: lowest scores of mild, moderate and severe; increasing.
        hysteresis: points below a cut at which a client may fall out of its tier.
        dwell: how long the score must stay that low.
        raises: the tier to which each rule raises.
    """

    cuts: tuple[float, float, float] = CUTS
    hysteresis: float = 4.0
    dwell: timedelta = timedelta(days=7)
    raises: tuple[tuple[RaiseRule, Tier], ...] = field(
        default=(
            (RaiseRule.FIRST_LARGE_TRANSFER, Tier.SEVERE),
            (RaiseRule.CLOSING_QUESTION, Tier.SEVERE),
            (RaiseRule.COMPLAINT_OVERDUE, Tier.MODERATE),
        )
    )

    def __post_init__(self) -> None:
        ordered = 0 < self.cuts[0] < self.cuts[1] < self.cuts[2] <= 100
        if not ordered or self.hysteresis < 0 or self.dwell < timedelta():
            raise UsageError("tier.rules-invalid", cuts=self.cuts, hysteresis=self.hysteresis)


@dataclass(frozen=True, slots=True)
class TierState:
    """A client's tier.

    Attributes:
        tier: now.
        since: when the client entered it.
        low_since: since when the score has been low enough to fall; None while it is not.
        raised_by: the rule that set the tier; None when the score did.
    """

    tier: Tier
    since: datetime
    low_since: datetime | None = None
    raised_by: RaiseRule | None = None


def tier_of(score: float, cuts: tuple[float, float, float] = CUTS) -> Tier:
    """The tier of a score by the cuts alone.

    Example:
        >>> [tier_of(s).code for s in (59.99, 60, 76, 90, 100)]
        ['none', 'mild', 'moderate', 'severe', 'severe']
    """
    return Tier(sum(score >= cut for cut in cuts))


def tiers_of(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The tiers of many scores by the cuts alone, as numbers of `Tier`, int64 [n]."""
    return np.searchsorted(np.array(CUTS), scores, side="right").astype(np.int64)


def next_state(
    score: float,
    at: datetime,
    previous: TierState | None = None,
    rules: TierRules | None = None,
    fired: Sequence[RaiseRule] = (),
) -> TierState:
    """The state after a new score.

    Args:
        score: 0..100.
        at: when it was computed.
        previous: the state before; None for a client new to the desk.
        rules: cuts, hysteresis, dwell, raises.
        fired: rules that hold now. While one holds, the tier does not fall below its own.

    Raises:
        ValueError: `at` lies before the previous state, or the score is not in 0..100.
    """
    rules = rules or TierRules()
    if not 0.0 <= score <= 100.0:
        raise ValueError(f"score {score} is not between 0 and 100")
    if previous and at < previous.since:
        raise ValueError(f"{at} lies before the previous state of {previous.since}")
    to = dict(rules.raises)
    rule = max(fired, key=lambda r: to.get(r, Tier.NONE), default=None)
    floor = to.get(rule, Tier.NONE) if rule is not None else Tier.NONE
    by_score = tier_of(score, rules.cuts)
    target = max(by_score, floor)
    raised_by = rule if floor > by_score else None
    if previous is None or target > previous.tier:
        return TierState(target, at, None, raised_by)
    if target == previous.tier:
        return replace(previous, low_since=None, raised_by=raised_by)
    # A tier whose cut, less the hysteresis, the score still reaches is not left.
    held = max(floor, tier_of(score + rules.hysteresis, rules.cuts))
    if held >= previous.tier:
        return replace(previous, low_since=None, raised_by=previous.raised_by)
    low_since = previous.low_since or at
    if at - low_since < rules.dwell:
        return replace(previous, low_since=low_since, raised_by=previous.raised_by)
    # A tier passed on the way down is left by the same rule, 4 points below its own cut.
    return TierState(max(target, held), at, None, raised_by)
