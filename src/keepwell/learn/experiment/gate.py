"""The stage gate: is churn at least 20 % below the control's, for certain?

It asks for the interval, not for the estimate: a test that is too small passes nothing, and is not
told to have failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keepwell.core.errors import UsageError
from keepwell.core.text import percent, tr
from keepwell.learn.experiment.intervals import Estimate
from keepwell.learn.experiment.readout import Effect

LEAST: Final = 0.20


class Passing(StrEnum):
    """What the gate says."""

    PASSED = "passed"
    NOT_YET = "not yet"
    FAILED = "failed"


_WORDS: Final = {
    (Passing.PASSED, "lower"): (
        "Passed: {metric} is at least {least} lower than in the control group (between {low} and "
        "{high})."
    ),
    (Passing.NOT_YET, "lower"): (
        "Not yet: it is not certain that {metric} is {least} lower than in the control group "
        "(between {low} and {high})."
    ),
    (Passing.FAILED, "lower"): (
        "Failed: {metric} is certainly not {least} lower than in the control group (between {low} "
        "and {high})."
    ),
    (Passing.PASSED, "higher"): (
        "Passed: {metric} is at least {least} higher than in the control group (between {low} and "
        "{high})."
    ),
    (Passing.NOT_YET, "higher"): (
        "Not yet: it is not certain that {metric} is {least} higher than in the control group "
        "(between {low} and {high})."
    ),
    (Passing.FAILED, "higher"): (
        "Failed: {metric} is certainly not {least} higher than in the control group (between {low} "
        "and {high})."
    ),
}


@dataclass(frozen=True)
class Gate:
    """The gate on one effect.

    Attributes:
        passing: passed, not yet, failed.
        least: relative change asked for, above 0; its direction is the metric's goal.
        effect: gated.
        relative: relative difference with the interval that decided.
    """

    passing: Passing
    least: float
    effect: Effect
    relative: Estimate

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "passing": str(self.passing), "least": self.least, "metric": self.effect.metric.name,
            "arm": self.effect.arm, "relative": self.relative.to_dict(),
        }  # fmt: skip

    def words(self, locale: str | None = None, metric: str | None = None) -> str:
        """The finding in a sentence, 'en' or 'zh'.

        Args:
            locale: language.
            metric: what to call the metric; default: its column.
        """
        return passing_words(
            self.passing, self.effect.metric.goal, metric or self.effect.metric.name, self.least,
            (self.relative.low, self.relative.high), locale,
        )  # fmt: skip


def passing_words(
    passing: Passing, goal: str, metric: str, least: float, interval: tuple[float, float],
    locale: str | None = None,
) -> str:  # fmt: skip
    """A finding of the gate in a sentence, 'en' or 'zh', such as one that was stored.

    Args:
        passing: what the gate said.
        goal: of the metric, 'lower' or 'higher'.
        metric: what to call it.
        least: relative change asked for.
        interval: of the relative difference.
        locale: language.
    """
    low, high = interval
    return tr(
        _WORDS[passing, goal], locale, metric=metric, least=percent(least, locale, 0),
        low=_share(low, locale), high=_share(high, locale),
    )  # fmt: skip


def stage_gate(effect: Effect, least: float = LEAST, level: float = 0.95) -> Gate:
    """Hold an effect against the gate.

    Args:
        effect: of a metric whose mean in the control is above 0, such as the share who left.
        least: relative change asked for, 0 to 1, in the direction of the metric's goal.
        level: of the interval; take that of the look (`Look.level`) when there were several.

    Raises:
        UsageError: `experiment.value-wrong`.
    """
    if not 0 < least < 1:
        raise UsageError(
            "experiment.value-wrong", name="least", expected="0 < least < 1", value=least
        )
    relative = effect.relative_at(level)
    lower = effect.metric.goal == "lower"
    # From the best to the worst end, as changes in the good direction.
    best, worst = (-relative.low, -relative.high) if lower else (relative.high, relative.low)
    if worst >= least:
        passing = Passing.PASSED
    elif best < least:
        passing = Passing.FAILED
    else:
        passing = Passing.NOT_YET
    return Gate(passing, least, effect, relative)


def _share(value: float, locale: str | None) -> str:
    if value in (float("inf"), float("-inf")):
        return "−∞" if value < 0 else "+∞"
    return percent(value, locale)
