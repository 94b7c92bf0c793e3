"""Monthly survival from one probability of leaving.

The model says with which probability a client leaves within its horizon. Two assumptions make a
curve of it:

- *Within* gap and horizon the hazard is constant: the rate of leaving that, kept up over the
  horizon, gives the probability. The model does not speak of the gap; it gets the same rate.
- *Beyond* it the data decide nothing about the single client. `observed` takes the rate at which
  all clients left on the newest training date: a high risk passes. `constant` keeps the client's
  own rate: a high risk stays. Neither is known to hold, and the error of it is in no interval.

Leaving is final here: who comes back is a new client.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import UsageError

Array = npt.NDArray[np.float64]

MONTH_DAYS: Final = 365.25 / 12
"""Days of an average month."""

_CERTAIN: Final = 1.0 - 1e-9
# Of a certain leaver the rate would be infinite.


def months_of(span: str) -> float:
    """Months of a span such as '90d' or '6mo'.

    Example:
        >>> months_of("6mo"), round(months_of("90d"), 3)
        (6.0, 2.957)
    """
    return float(span[:-2]) if span.endswith("mo") else int(span[:-1]) / MONTH_DAYS


@dataclass(frozen=True)
class SurvivalRule:
    """How a probability becomes a curve.

    Attributes:
        horizon: months over which the probability counts.
        gap: months before them.
        base: share of all clients who leave within a horizon, for the time beyond; None keeps
            each client's own rate.
    """

    horizon: float
    gap: float = 0.0
    base: float | None = None

    def __post_init__(self) -> None:
        if not self.horizon > 0 or not self.gap >= 0:
            raise UsageError("value.span-invalid", horizon=self.horizon, gap=self.gap)
        if self.base is not None and not 0 <= self.base < 1:
            raise UsageError("value.share-invalid", name="base", given=self.base)

    @property
    def foreseen(self) -> float:
        """Months that the model speaks of: gap and horizon."""
        return self.gap + self.horizon

    def near(self, probability: Array) -> Array:
        """Each client's rate of leaving, per month, within gap and horizon; float64 [n]."""
        return np.asarray(-np.log1p(-checked(probability)) / self.horizon, np.float64)

    def far(self, probability: Array) -> Array:
        """Each client's rate of leaving beyond it; float64 [n], NaN where there is none."""
        near = self.near(probability)
        if self.base is None:
            return near
        rate = -np.log1p(-self.base) / self.horizon
        return np.where(np.isnan(near), np.nan, rate)

    def spent(self, month: int) -> tuple[float, float]:
        """Months up to the end of a month that lie within what is foreseen, and beyond it.

        Example:
            >>> SurvivalRule(horizon=2.5).spent(4)
            (2.5, 1.5)
        """
        within = min(float(month), self.foreseen)
        return within, month - within


def checked(probability: Array) -> Array:
    """Probabilities of leaving as float64 [n]; NaN passes, 1 becomes nearly 1.

    Raises:
        UsageError: one lies outside of 0 to 1.
    """
    given = np.asarray(probability, np.float64)
    wrong = given[(given < 0) | (given > 1)]
    if len(wrong):
        raise UsageError("value.share-invalid", name="probability", given=float(wrong[0]))
    return np.minimum(given, _CERTAIN)


def survival(probability: Array, rule: SurvivalRule, months: int) -> Array:
    """Share of clients like this one who are still there at the end of each month.

    Args:
        probability: of leaving within the horizon; float64 [n], NaN unknown.
        rule: the assumptions.
        months: how many.

    Returns:
        float64 [n, months + 1]; the first column is today: 1.

    Example:
        >>> survival(np.array([0.19]), SurvivalRule(horizon=2.0), 2).round(6).tolist()
        [[1.0, 0.9, 0.81]]
    """
    near, far = rule.near(probability), rule.far(probability)
    spent = np.array([rule.spent(k) for k in range(months + 1)])
    rates = near[:, None] * spent[:, 0] + far[:, None] * spent[:, 1]
    return np.asarray(np.exp(-rates), np.float64)


def normal_quantile(confidence: float) -> float:
    """Half width of a two-sided normal interval in standard errors.

    Raises:
        UsageError: the confidence is not between 0 and 1.

    Example:
        >>> round(normal_quantile(0.95), 4)
        1.96
    """
    if not 0 < confidence < 1:
        raise UsageError("value.share-invalid", name="confidence", given=confidence)
    return NormalDist().inv_cdf((1 + confidence) / 2)


@dataclass(frozen=True)
class Doubt:
    """How uncertain the probabilities are, all of them together, and the base.

    One common error moves all clients' log-odds; it does not average out over a segment.

    Attributes:
        log_odds: standard error of the common shift of calibrated log-odds.
        base: standard error of the share who leave, for the time beyond the horizon.
        source: where it comes from: 'proof', 'training' or 'none'.
    """

    log_odds: float
    base: float
    source: str

    @classmethod
    def of_training(cls, left: float, clients: float) -> Doubt:
        """Binomial doubt of a calibration fitted on so many clients, of whom so many left.

        The variance of a common shift of log-odds is 1 / (n p (1 - p)) (the information of a
        logistic intercept).
        """
        if not 0 < left < clients:
            return cls(float("nan"), float("nan"), "none")
        p = left / clients
        return cls((clients * p * (1 - p)) ** -0.5, (p * (1 - p) / clients) ** 0.5, "training")

    @classmethod
    def of_proof(cls, predicted: Array, observed: Array, clients: Array) -> Doubt:
        """Doubt shown by a test on a later date: what luck explains, and what it does not.

        The shift between the leavers expected and those found counts as one draw of what another
        date may bring; its variance is added to the binomial one.

        Args:
            predicted: mean probability by bin; float64 [b].
            observed: share who left by bin; float64 [b].
            clients: clients by bin; [b].
        """
        n = float(np.sum(clients))
        expected, found = float(clients @ predicted), float(clients @ observed)
        luck = cls.of_training(found, n)
        spread = float(clients @ (predicted * (1 - predicted)))
        if luck.source == "none" or not spread > 0:
            return cls(float("nan"), float("nan"), "none")
        shift = (found - expected) / spread  # one Newton step of the refitted intercept
        drift = (found - expected) / n
        return cls(float(np.hypot(spread**-0.5, shift)), float(np.hypot(luck.base, drift)), "proof")


def survival_interval(
    probability: Array, rule: SurvivalRule, months: int, doubt: Doubt, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Lower and upper curve: log-odds and base moved by their doubt, both at once.

    That is wider than need be where the two errors are not the same; it never leaves 0 to 1.

    Args:
        probability: as for `survival`.
        rule: the assumptions.
        months: how many.
        doubt: of the calibration.
        confidence: of the two-sided interval.

    Returns:
        Two arrays float64 [n, months + 1]; NaN where the doubt is not known.
    """
    half = normal_quantile(confidence)
    p = checked(probability)

    def moved(by: float) -> Array:
        base = rule.base
        if base is not None and not np.isnan(doubt.base):
            base = min(max(base + by * doubt.base, 0.0), _CERTAIN)
        # Of no chance at all the odds are nothing, however they are moved.
        with np.errstate(divide="ignore", over="ignore"):
            odds = np.log(p) - np.log1p(-p) + by * doubt.log_odds
            shifted = 1.0 / (1.0 + np.exp(-odds))
        shifted = np.where(p == 0, 0.0, shifted)
        return survival(shifted, SurvivalRule(rule.horizon, rule.gap, base), months)

    return moved(half), moved(-half)
