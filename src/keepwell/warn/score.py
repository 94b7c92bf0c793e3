"""The score: calibrated log-odds on a readable scale from 0 to 100.

Piecewise linear and strictly increasing between its extremes. The base rate is 40; 60, 76 and 90
are set from the staff's capacity on calibration data; 0 and 100 are the extremes seen there,
beyond which scores are clipped. The knots are frozen with the model version.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError, UsageError
from keepwell.warn.models.base import logit

Array = npt.NDArray[np.float64]

SCORES = (0.0, 40.0, 60.0, 76.0, 90.0, 100.0)
"""Scores of the six knots."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Share of the clients at or above each tier's cut on calibration data, 0..1."""

    severe: float = 0.01
    moderate: float = 0.03
    mild: float = 0.10

    def __post_init__(self) -> None:
        if not 0 < self.severe < self.moderate < self.mild < 1:
            raise UsageError(
                "score.capacity-invalid",
                severe=self.severe, moderate=self.moderate, mild=self.mild,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Log-odds of the scores 0, 40, 60, 76, 90 and 100; strictly increasing.

    Attributes:
        knots: six log-odds.
        anchor: what 40 stands for: 'base-rate' or 'median'.
    """

    knots: tuple[float, float, float, float, float, float]
    anchor: str = "base-rate"

    def __post_init__(self) -> None:
        if not np.isfinite(self.knots).all() or not (np.diff(self.knots) > 0).all():
            raise DataError("score.knots-invalid", knots=self.knots)

    def score(self, log_odds: Array) -> Array:
        """Scores 0..100 of calibrated log-odds, float64 [n]; NaN stays NaN."""
        return np.asarray(np.interp(log_odds, self.knots, SCORES), np.float64)


def fit_score(log_odds: Array, base_rate: float, capacity: Capacity | None = None) -> ScoreMap:
    """Set the knots.

    Ties: a knot lies on a value that occurs, namely the one whose share of clients at or above it
    is nearest to the capacity (the smaller share of two equally near ones). Where so many clients
    are equal that nobody above them is nearer, nobody reaches the knot.

    Args:
        log_odds: [n] calibrated log-odds of the calibration data.
        base_rate: share who left there, 0..1.
        capacity: shares for 90, 76 and 60.

    Raises:
        DataError: no rows, or log-odds that are not finite.
    """
    capacity = capacity or Capacity()
    z = np.asarray(log_odds, np.float64)
    if not len(z) or not np.isfinite(z).all():
        raise DataError("score.calibration-empty", rows=len(z))
    values, counts = np.unique(z, return_counts=True)
    at_or_above = np.append(counts[::-1].cumsum()[::-1], 0) / len(z)
    places = np.append(values, _after(values[-1]))
    k60, k76, k90 = (
        _nearest(places, at_or_above, share)
        for share in (capacity.mild, capacity.moderate, capacity.severe)
    )
    base, anchor = float(logit(base_rate)), "base-rate"
    if base >= k60:
        base, anchor = float(np.median(z)), "median"
    if base >= k60:
        base = _before(k60)
    low, high = min(float(values[0]), _before(base)), float(values[-1])
    knots = [low, base, k60, k76, k90, high]
    for i in range(1, 6):
        knots[i] = max(knots[i], _after(knots[i - 1]))
    return ScoreMap((knots[0], knots[1], knots[2], knots[3], knots[4], knots[5]), anchor)


def _nearest(places: Array, shares: Array, wanted: float) -> float:
    """The place whose share is nearest; from the top, so that the smaller of two wins."""
    off = np.abs(shares - wanted)[::-1]
    return float(places[len(places) - 1 - int(np.argmin(off))])


def _after(x: float) -> float:
    """A little more: far above rounding, far below any difference that matters."""
    return float(x + 1e-9 * max(1.0, abs(x)))


def _before(x: float) -> float:
    return float(x - 1e-9 * max(1.0, abs(x)))
