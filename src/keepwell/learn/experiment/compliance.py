"""The effect on those whom the arm made receive the action (CACE).

Contact is not assignment: who was drawn to be called may not be reached. Intention to treat is the
experiment's answer; divided by the difference in who received the action it is the effect on the
compliers (Imbens & Angrist 1994; Angrist, Imbens & Rubin 1996, "Identification of causal effects
using instrumental variables"), if being drawn does nothing but through receiving, and makes nobody
go without. The interval is Fieller's, so few compliers give a wide one and never a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keepwell.learn.experiment.design import Metric
from keepwell.learn.experiment.intervals import Estimate, Floats, Means
from keepwell.learn.experiment.layout import Layout, lay_out
from keepwell.learn.experiment.readout import (
    Columns,
    covariate,
    explained,
    numbers,
    outcome,
    winsorised,
)


@dataclass(frozen=True)
class Complied:
    """The effect on compliers.

    Attributes:
        metric: read out; of a mean or a proportion.
        arm: treated.
        compliance: arm less control in the share that received the action, with its interval.
        effect: intention to treat over compliance, Fieller's interval.
    """

    metric: Metric
    arm: str
    compliance: Estimate
    effect: Estimate


def complied(
    metric: Metric,
    data: Columns,
    received: str,
    *,
    treated: str,
    control: str,
    arm: str = "arm",
    stratum: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> Complied:
    """The effect of an arm on those whom it made receive the action.

    Args:
        metric: a mean or a proportion.
        data: a row per unit of the two arms.
        received: column, 1 when the action reached the unit, else 0.
        treated: name of the arm.
        control: name of the arm to compare with.
        arm: column of the arms' names.
        stratum: column of the draw's blocks.
        cluster: column of who shares luck.
        level: of the intervals.

    Raises:
        UsageError: `experiment.column-missing`.
        DataError: `experiment.column-length`, `experiment.outcome-missing`,
            `experiment.arm-unknown`, `experiment.arm-empty`.
    """
    # The arms' names, as another column's length is checked against them.
    names = np.asarray(data[arm])
    rows = len(names)
    keep = (names == treated) | (names == control)
    some = [None if one is None else np.asarray(data[one])[keep] for one in (stratum, cluster)]
    layout = lay_out(names[keep], (treated, control), *some)
    values = winsorised(outcome(data, metric, rows)[keep], metric)
    if metric.covariates:
        known = np.stack(
            [winsorised(covariate(data, one, rows)[keep], metric) for one in metric.covariates]
        )
        values = values - explained(layout, values, known)
    both = joined(layout, values, numbers(data, received, rows)[keep])
    over, under = np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0])
    return Complied(metric, treated, both.contrast(under, level), both.quotient(over, under, level))


def joined(layout: Layout, first: Floats, second: Floats) -> Means:
    """Means of two values in each arm, [a + a], with all their covariances."""
    one, two = layout.means(first), layout.means(second)
    mean = np.concatenate([one.mean, two.mean])
    fourth = np.concatenate([one.fourth, two.fourth])
    if one.scores is not None and two.scores is not None:
        scores = np.hstack([one.scores, two.scores])
        clusters = len(scores)
        cov = scores.T @ scores * (clusters / max(clusters - 1, 1))
        return Means(mean, cov, fourth, scores, one.weight)
    # var(x + y) = var x + var y + 2 cov, with y brought to the size of x.
    spread = float(second.std())
    scale = float(first.std()) / spread if spread else 0.0
    scale = scale or 1.0
    sum_of = layout.means(first + scale * second).cov
    cross = (sum_of - one.cov - scale**2 * two.cov) / (2 * scale)
    return Means(mean, np.block([[one.cov, cross], [cross, two.cov]]), fourth)
