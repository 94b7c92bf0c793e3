"""How many units an experiment needs, and what it can show with those it has.

Two-sided normal test of a difference, each arm with its own variance (Fleiss, Levin & Paik 2003,
"Statistical methods for rates and proportions", ch. 4, without continuity correction). Unequal
shares, clusters, covariates and looks enter as factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.design import Experiment
from keepwell.learn.experiment.sequential import inflation


@dataclass(frozen=True)
class Baseline:
    """What is known of a metric before the test.

    Attributes:
        mean: of the control.
        variance: of a unit's value; None: that of a proportion, mean (1 - mean), in each arm.
    """

    mean: float
    variance: float | None = None

    def variances(self, effect: float) -> tuple[float, float]:
        """Variance of a treated unit and of a control unit under a difference.

        Raises:
            UsageError: `experiment.value-wrong`: a proportion would leave 0 to 1.
        """
        if self.variance is not None:
            return self.variance, self.variance
        treated = self.mean + effect
        if not (0 < self.mean < 1 and 0 <= treated <= 1):
            value = f"{self.mean:g}, {treated:g}"
            raise UsageError(
                "experiment.value-wrong", name="mean", expected="0 < mean < 1", value=value
            )
        return treated * (1 - treated), self.mean * (1 - self.mean)


@dataclass(frozen=True)
class Terms:
    """How a test is run.

    Attributes:
        treated_share: of the units compared, 0 to 1.
        alpha: two-sided.
        power: wanted.
        cluster_size: units that share luck, on average; 1: none do.
        icc: intraclass correlation, 0 to 1.
        size_cv: coefficient of variation of the clusters' sizes.
        explained: share of the variance that covariates take away (CUPED), 0 to 1.
        looks: shares of the information at which the test may stop; the last is 1.

    Raises:
        UsageError: `experiment.value-wrong`, `experiment.looks-wrong`.
    """

    treated_share: float = 0.5
    alpha: float = 0.05
    power: float = 0.8
    cluster_size: float = 1.0
    icc: float = 0.0
    size_cv: float = 0.0
    explained: float = 0.0
    looks: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for name in ("treated_share", "alpha", "power"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise UsageError(
                    "experiment.value-wrong", name=name, expected=f"0 < {name} < 1", value=value
                )
        for name in ("icc", "explained"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise UsageError(
                    "experiment.value-wrong", name=name, expected=f"0 <= {name} < 1", value=value
                )
        if self.alpha >= self.power:
            raise UsageError(
                "experiment.value-wrong", name="power", expected="power > alpha", value=self.power
            )

    def factor(self) -> float:
        """By how much more (or fewer) units are needed than in the plainest test."""
        wider = design_effect(self.cluster_size, self.icc, self.size_cv)
        return wider * (1 - self.explained) * inflation(self.looks, self.alpha, self.power)


@dataclass(frozen=True)
class Sizes:
    """Units that a test needs.

    Attributes:
        treated: units.
        control: units.
    """

    treated: int
    control: int

    @property
    def total(self) -> int:
        """Both arms."""
        return self.treated + self.control


def design_effect(cluster_size: float, icc: float, size_cv: float = 0.0) -> float:
    """How much wider variances are when whole clusters are drawn: 1 + (m - 1) rho.

    Drawing clients within each manager's book costs nothing of this; drawing managers does.

    Args:
        cluster_size: mean size m of the clusters.
        icc: intraclass correlation rho.
        size_cv: coefficient of variation of the sizes; m becomes m (1 + cv²) (Eldridge, Ashby &
            Kerry 2006, "Sample size for cluster randomized trials").

    Raises:
        UsageError: `experiment.value-wrong`.

    Example:
        >>> design_effect(300, 0.01)
        3.99
    """
    if cluster_size < 1:
        raise UsageError(
            "experiment.value-wrong", name="cluster_size", expected=">= 1", value=cluster_size
        )
    return 1 + (cluster_size * (1 + size_cv**2) - 1) * icc


def needed(baseline: Baseline, effect: float, terms: Terms | None = None) -> Sizes:
    """Units needed to show a difference.

    Args:
        baseline: of the control.
        effect: treated less control, in the metric's unit; not 0.
        terms: default: halves, 5 %, 80 %.

    Raises:
        UsageError: `experiment.value-wrong`.

    Example:
        >>> needed(Baseline(0.172), -0.11 * 0.172).treated
        5966
    """
    if effect == 0 or not math.isfinite(effect):
        raise UsageError("experiment.value-wrong", name="effect", expected="!= 0", value=effect)
    how = terms or Terms()
    return _sizes(_spread(baseline, effect, how) * _quantiles(how) ** 2 / effect**2, how)


def _sizes(total: float, how: Terms) -> Sizes:
    return Sizes(
        math.ceil(total * how.treated_share - 1e-9),
        math.ceil(total * (1 - how.treated_share) - 1e-9),
    )


def power_of(baseline: Baseline, effect: float, units: int, terms: Terms | None = None) -> float:
    """The chance that a test with so many units shows a difference that is there.

    Args:
        baseline: of the control.
        effect: treated less control.
        units: of both arms together.
        terms: whose power is only used for the cost of the looks.
    """
    from scipy.special import ndtr, ndtri

    how = terms or Terms()
    se = math.sqrt(_spread(baseline, effect, how) / units)
    return float(ndtr(abs(effect) / se + ndtri(how.alpha / 2)))


def detectable(
    baseline: Baseline, units: int, terms: Terms | None = None, *, lower: bool = False
) -> float:
    """The smallest difference that a test with so many units shows with the wanted power.

    Args:
        baseline: of the control.
        units: of both arms together.
        terms: default: halves, 5 %, 80 %.
        lower: look for a decrease; matters for proportions, whose variance moves with the mean.

    Returns:
        Treated less control; nan when a proportion cannot move so far.
    """
    how = terms or Terms()
    sign = -1.0 if lower else 1.0
    effect = sign * math.sqrt(_spread(baseline, 0.0, how) / units) * _quantiles(how)
    for _ in range(200):
        # The variance under the effect gives the effect: a contraction, as variances move little.
        if baseline.variance is None and not 0 <= baseline.mean + effect <= 1:
            return math.nan
        new = sign * math.sqrt(_spread(baseline, effect, how) / units) * _quantiles(how)
        if abs(new - effect) <= 1e-12 * abs(new):
            return new
        effect = new
    return effect


def needed_to_pass(
    baseline: Baseline, relative: float, least: float, terms: Terms | None = None
) -> Sizes:
    """Units needed to pass the stage gate (`keepwell.learn.experiment.gate`).

    Args:
        baseline: of the control.
        relative: change that the arm really makes, such as -0.3; beyond the gate.
        least: change that the gate asks for, above 0, in the same direction.
        terms: default: halves, 5 %, 80 %.

    Raises:
        UsageError: `experiment.value-wrong`.
    """
    how = terms or Terms()
    if not 0 < least < abs(relative):
        raise UsageError(
            "experiment.value-wrong", name="least", expected="0 < least < |relative|", value=least
        )
    # Passed means: the arm's mean is beyond this part of the control's.
    part = 1 + math.copysign(least, relative)
    distance = baseline.mean * (1 + relative - part)
    spread = _spread(baseline, relative * baseline.mean, how, part)
    return _sizes(spread * _quantiles(how) ** 2 / distance**2, how)


def terms_of(
    experiment: Experiment,
    arm: str | None = None,
    *,
    cluster_size: float = 1.0,
    icc: float = 0.0,
    explained: float = 0.0,
) -> Terms:
    """The terms on which an experiment compares one of its arms with the control.

    Args:
        experiment: its shares, alpha (shared out among the treated arms), power and looks.
        arm: treated; default: the first.
        cluster_size: as in `Terms`.
        icc: as in `Terms`.
        explained: as in `Terms`.

    Raises:
        UsageError: `experiment.arm-unknown`, `experiment.value-wrong`.
    """
    share = experiment.share(arm or experiment.treated[0])
    return Terms(
        treated_share=share / (share + experiment.share(experiment.control)),
        alpha=experiment.alpha / len(experiment.treated), power=experiment.power,
        cluster_size=cluster_size, icc=icc, explained=explained, looks=experiment.looks,
    )  # fmt: skip


def planned_units(experiment: Experiment, sizes: Sizes, arm: str | None = None) -> int:
    """Units of all arms together, when one arm and the control need so many.

    Looks take their `fraction` of it.

    Args:
        experiment: its shares.
        sizes: of `needed` or `needed_to_pass`.
        arm: treated; default: the first.

    Raises:
        UsageError: `experiment.arm-unknown`.
    """
    share = experiment.share(arm or experiment.treated[0])
    return math.ceil(sizes.total / (share + experiment.share(experiment.control)) - 1e-9)


def table(
    baseline: Baseline, relative: Sequence[float], terms: Terms | None = None
) -> list[tuple[float, Sizes]]:
    """Units needed for each of several relative effects, such as -0.05, -0.1, -0.2."""
    return [(one, needed(baseline, one * baseline.mean, terms)) for one in relative]


def _quantiles(how: Terms) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - how.alpha / 2) + ndtri(how.power))


def _spread(baseline: Baseline, effect: float, how: Terms, part: float = 1.0) -> float:
    """Variance of treated mean - part * control mean, times the units of both arms together."""
    treated, control = baseline.variances(effect)
    parts = treated / how.treated_share + part**2 * control / (1 - how.treated_share)
    return parts * how.factor()
