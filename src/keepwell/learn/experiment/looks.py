"""One look at a running experiment: go on, or stop, and why.

In this order: arms without their shares stop everything; a guardrail that is harmed for certain
stops; then the primary metric, good or bad. What a guardrail does not show is no proof of safety.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import percent, tr
from keepwell.learn.experiment.design import Experiment, Metric
from keepwell.learn.experiment.intervals import Estimate
from keepwell.learn.experiment.ratio import RatioCheck
from keepwell.learn.experiment.readout import Effect, ReadOut
from keepwell.learn.experiment.sequential import any_time, boundaries

HARM_ALPHA: Final = 0.05
"""Chance that any guardrail of an experiment ever gives a false alarm."""


class Verdict(StrEnum):
    """What follows from a look."""

    CONTINUE = "continue"
    BENEFIT = "stop for benefit"
    HARM = "stop for harm"
    RATIO = "stop for ratio"
    FINISHED = "finished"
    """The planned information is there and shows neither benefit nor harm."""


_WORDS: Final = {
    Verdict.CONTINUE: "Go on: nothing is certain yet.",
    Verdict.BENEFIT: "Stop: {arm} does better than {control} in {metric}.",
    Verdict.HARM: "Stop: {arm} does harm in {metric}.",
    Verdict.RATIO: "Stop: the arms do not have their shares.",
    Verdict.FINISHED: "The end: {arm} shows no difference in {metric}.",
}


@dataclass(frozen=True)
class GuardrailRead:
    """A guardrail at a look.

    Attributes:
        metric: watched.
        harm: difference in the harmful direction, above 0 is worse than the control; its interval
            is one-sided, `low` holding at all looks together, `high` is inf.
        margin: borne.
    """

    metric: Metric
    harm: Estimate
    margin: float

    @property
    def harmed(self) -> bool:
        """Whether harm beyond the margin is certain."""
        return self.harm.low > self.margin


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        verdict: what follows.
        arm: treated arm that was looked at.
        control: what it is compared with.
        fraction: share of the planned information.
        boundary: of |z| at this look.
        level: of the primary metric's interval; at this level it holds for all looks together
            (repeated confidence intervals; Jennison & Turnbull 1989).
        primary: the difference, with that interval; None after a stop for ratio.
        because: the metric that decided; None when none did.
        guardrails: as read; empty after a stop for ratio.
        ratio: the check of the arms' shares.
    """

    verdict: Verdict
    arm: str
    control: str
    fraction: float
    boundary: float
    level: float
    primary: Estimate | None
    because: str | None
    guardrails: tuple[GuardrailRead, ...]
    ratio: RatioCheck

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "verdict": str(self.verdict), "arm": self.arm, "control": self.control,
            "fraction": self.fraction, "boundary": self.boundary, "level": self.level,
            "primary": None if self.primary is None else self.primary.to_dict(),
            "because": self.because, "ratio": self.ratio.to_dict(),
            "guardrails": [
                {"metric": one.metric.name, "harm": one.harm.to_dict(), "margin": one.margin,
                 "harmed": one.harmed}
                for one in self.guardrails
            ],
        }  # fmt: skip

    def words(self, locale: str | None = None, metric: str | None = None) -> str:
        """The verdict in a sentence, 'en' or 'zh'.

        Args:
            locale: language.
            metric: what to call the metric that decided; default: its column.
        """
        name = metric or self.because or ""
        return verdict_words(self.verdict, self.arm, self.control, name, self.fraction, locale)


def verdict_words(
    verdict: Verdict, arm: str, control: str, metric: str, fraction: float,
    locale: str | None = None,
) -> str:  # fmt: skip
    """A verdict in a sentence, 'en' or 'zh', such as one that was stored.

    Args:
        verdict: which.
        arm: treated.
        control: compared with.
        metric: what to call the metric that decided.
        fraction: share of the planned information.
        locale: language.
    """
    told = tr(_WORDS[verdict], locale, arm=arm, control=control, metric=metric)
    seen = tr(
        "{share} of the planned information is there.", locale,
        share=percent(fraction, locale, 0),
    )  # fmt: skip
    return tr("{first} {second}", locale, first=told, second=seen)


def look(
    experiment: Experiment,
    done: Sequence[float],
    fraction: float,
    read: ReadOut,
    ratio: RatioCheck,
    *,
    arm: str | None = None,
) -> Look:
    """Look at one treated arm.

    With several treated arms the alpha is shared out among them, for benefit and for harm.

    Args:
        experiment: as registered.
        done: shares of the information of the earlier looks of this arm, whatever they found.
        fraction: share of the planned information now: units whose horizon is over by the units
            planned, or planned by present variance; above 1 counts as 1.
        read: of the units whose horizon is over; has the experiment's metrics.
        ratio: of all units drawn.
        arm: which; default: the only treated one.

    Raises:
        UsageError: `experiment.arm-unknown` when several arms are treated and none is named,
            `experiment.looks-wrong` when `fraction` is not after the earlier looks,
            `experiment.metric-unknown`.
    """
    from scipy.special import ndtr

    name = _named(experiment, arm)
    now = min(fraction, 1.0)
    boundary = boundaries([*done, now], experiment.alpha / len(experiment.treated))[-1]
    level = 1 - 2 * float(ndtr(-boundary))

    def seen(
        verdict: Verdict, because: str | None, primary: Estimate | None,
        rails: tuple[GuardrailRead, ...],
    ) -> Look:  # fmt: skip
        return Look(
            verdict, name, experiment.control, now, boundary, level, primary, because, rails, ratio
        )

    if ratio.stop:
        return seen(Verdict.RATIO, None, None, ())
    rails = watch(experiment, read, name, fraction)
    primary = read.effect(experiment.primary.name, name).at(level)
    harmed = [one for one in rails if one.harmed]
    if harmed:
        return seen(Verdict.HARM, harmed[0].metric.name, primary, rails)
    good = -1 if experiment.primary.goal == "lower" else 1
    side = (primary.low > 0) - (primary.high < 0)
    if side:
        verdict = Verdict.BENEFIT if side == good else Verdict.HARM
        return seen(verdict, experiment.primary.name, primary, rails)
    if now >= 1:
        return seen(Verdict.FINISHED, experiment.primary.name, primary, rails)
    return seen(Verdict.CONTINUE, None, primary, rails)


def _named(experiment: Experiment, arm: str | None) -> str:
    treated = experiment.treated
    name = arm or (treated[0] if len(treated) == 1 else "")
    if name not in treated:
        raise UsageError(
            "experiment.arm-unknown", arm=name, nearest=nearest(name, list(treated)),
            known=", ".join(treated),
        )  # fmt: skip
    return name


def watch(
    experiment: Experiment,
    read: ReadOut,
    arm: str,
    fraction: float,
    absent: Collection[str] = (),
) -> tuple[GuardrailRead, ...]:
    """Read the guardrails of one treated arm; this may be done at any time, as often as one likes.

    Args:
        experiment: as registered; the chance of a false alarm is shared out among all its
            guardrails and treated arms, whichever can be read.
        read: has the guardrails' metrics.
        arm: treated.
        fraction: share of the planned information, above 0; of counts, clients times time.
        absent: metrics that cannot be read.

    Raises:
        UsageError: `experiment.metric-unknown`.
    """
    if not experiment.guardrails:
        return ()
    alpha = HARM_ALPHA / (len(experiment.guardrails) * len(experiment.treated))
    z = any_time(fraction, alpha)
    return tuple(
        GuardrailRead(
            rail.metric, _harm(read.effect(rail.metric.name, arm), z), rail.margin
        )
        for rail in experiment.guardrails
        if rail.metric.name not in absent
    )  # fmt: skip


def _harm(effect: Effect, z: float) -> Estimate:
    """The harmful difference with its lower bound at z, by t where clusters are few.

    Flipping signs could not reach so small a level with few clusters, and a guardrail that can
    never ring guards nothing.
    """
    from scipy.special import ndtr

    sign = 1.0 if effect.metric.goal == "lower" else -1.0
    level = 1 - 2 * float(ndtr(-z))
    found = effect.contrast(sign, -sign, level, few="clusters")
    return Estimate(
        found.value, found.low, float("inf"), found.se, found.p, found.df, found.method, level
    )
