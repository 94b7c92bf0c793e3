"""How good a ranking and its probabilities are, with intervals by client and paired differences.

All bootstrap replicates of all models are computed on the same client weights, in one pass each
along the model's own ranking: no replicate is ever resampled or sorted again.
Replicates are Poisson(1) weights per client, so a client's rows enter and leave together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError
from keepwell.warn.metrics_walk import walk
from keepwell.warn.models.base import logit, sigmoid

Array = npt.NDArray[np.float64]

METRICS: dict[str, str] = {
    "auc": "Area under the ROC curve",
    "ap": "Average precision",
    "lift_top10": "Lift in the top tenth",
    "recall_top10": "Share of leavers found in the top tenth",
    "lift_capacity": "Lift at the staff's capacity",
    "recall_capacity": "Share of leavers found at the staff's capacity",
    "brier": "Brier score",
    "ece": "Calibration error",
    "ece_refit": "Calibration error after the intercept is refitted on the test",
}
"""Metric code to its English name; lower is better for 'brier' and the calibration errors."""

TOP = 0.10
BINS = 10
_BLOCK = 64
_PARTS = 400


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """Models side by side on one test set.

    Attributes:
        rows: rows tested.
        left: of them with the label.
        clients: distinct clients.
        metrics: model -> metric code -> estimate.
        differences: baseline -> metric code -> estimate of champion minus baseline, paired.
        champion: the model compared with the others.
        capacity: share of the clients that the staff can handle.
        replicates: bootstrap replicates.
    """

    rows: int
    left: int
    clients: int
    metrics: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    champion: str
    capacity: float
    replicates: int = field(default=1000)


def evaluate(
    y: Array,
    log_odds: Mapping[str, Array],
    clients: Sequence[str] | npt.NDArray[np.object_],
    *,
    champion: str | None = None,
    capacity: float = TOP,
    replicates: int = 1000,
    seed: int = 20210701,
) -> Evaluation:
    """Evaluate models on one test set.

    Args:
        y: [n], 0 or 1.
        log_odds: model name -> float64 [n].
        clients: [n] client of each row: the unit of resampling.
        champion: the model that is compared with the others; default: the first.
        capacity: share of the rows that the staff can handle, 0..1.
        replicates: bootstrap replicates; 0 for point estimates only (the bounds repeat them).
        seed: of the replicates.

    Raises:
        DataError: only one class.
    """
    y = np.asarray(y, np.float64)
    if not len(y) or len(np.unique(y)) < 2:
        raise DataError("metric.class-single", rows=len(y))
    champion = champion or next(iter(log_odds))
    _, code = np.unique(np.asarray(clients, dtype=str), return_inverse=True)
    scorers = {
        name: _Scorer(y, np.asarray(z, np.float64), capacity) for name, z in log_odds.items()
    }
    point = {name: s(np.ones((1, len(y))))[0] for name, s in scorers.items()}
    drawn = {name: np.empty((replicates, len(METRICS))) for name in scorers}
    for at, weights in _replicates(code, replicates, seed):
        for name, scorer in scorers.items():
            drawn[name][at : at + len(weights)] = scorer(weights)
    metrics = {name: _estimates(point[name], drawn[name]) for name in scorers}
    differences = {
        name: _estimates(point[champion] - point[name], drawn[champion] - drawn[name])
        for name in scorers
        if name != champion
    }
    return Evaluation(
        len(y), int(y.sum()), int(code.max()) + 1, metrics, differences, champion, capacity,
        replicates,
    )  # fmt: skip


def _replicates(code: npt.NDArray[np.int64], count: int, seed: int) -> Iterator[tuple[int, Array]]:
    rng = np.random.default_rng(seed)
    clients = int(code.max()) + 1
    for at in range(0, count, _BLOCK):
        size = min(_BLOCK, count - at)
        yield at, rng.poisson(1.0, (size, clients))[:, code].astype(np.float64)


def _estimates(point: Array, drawn: Array) -> dict[str, Estimate]:
    low, high = np.nanpercentile(drawn, (2.5, 97.5), axis=0) if len(drawn) else (point, point)
    return {
        name: Estimate(float(point[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(METRICS)
    }


class _Scorer:
    """One model's metrics for many weightings of its rows; sorts once."""

    def __init__(self, y: Array, z: Array, capacity: float) -> None:
        n = len(z)
        self._order = np.argsort(-z, kind="stable")
        self._z = z[self._order]
        self.y = y[self._order]
        # Rows with equal log-odds are one step of every curve.
        self.ends = np.append(np.flatnonzero(np.diff(self._z) != 0), n - 1)
        self._shares = np.array([TOP, capacity])
        self._bins = np.arange(n) * BINS // n
        # Grid on which the intercept is refitted: within a part log-odds hardly differ.
        self._part = np.arange(n) * min(_PARTS, n) // n
        counts = np.bincount(self._part)
        self._middle = sigmoid(np.bincount(self._part, weights=self._z) / counts)
        self._p = sigmoid(self._z)

    def __call__(self, weights: Array) -> Array:
        """Metrics [b, len(METRICS)] of weightings [b, n]; NaN where a weighting has one class."""
        out = np.full((len(weights), len(METRICS)), np.nan)
        walk(
            weights, self._order, self._p, self.y, self.ends, self._shares, self._bins,
            self._part, self._middle, out,
        )  # fmt: skip
        return out


def lift_curve(y: Array, log_odds: Array, points: int = 50) -> tuple[Array, Array]:
    """Share of leavers found among the share of clients with the highest scores.

    Args:
        y: [n], 0 or 1.
        log_odds: [n].
        points: points of the curve after the origin.

    Returns:
        Shares of clients and shares of leavers found, both [points + 1], from 0 to 1.
    """
    scorer = _Scorer(np.asarray(y, np.float64), np.asarray(log_odds, np.float64), TOP)
    total = scorer.ends + 1.0
    found = np.cumsum(scorer.y)[scorer.ends]
    shares = np.linspace(0.0, 1.0, points + 1)
    at = np.interp(shares * len(y), np.append(0.0, total), np.append(0.0, found))
    return shares, np.asarray(at / found[-1], np.float64)


@dataclass(frozen=True, slots=True)
class Bin:
    """Clients of similar probability."""

    predicted: float
    observed: float
    low: float
    high: float
    clients: int


def calibration_bins(y: Array, p: Array, bins: int = BINS) -> list[Bin]:
    """Equal bins by probability: mean predicted, share who left, with Wilson's interval.

    Args:
        y: [n], 0 or 1.
        p: [n], probability.
        bins: how many; fewer when there are fewer rows.
    """
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    out = []
    for part in parts:
        low, high = wilson(int(y[part].sum()), len(part))
        out.append(
            Bin(float(p[part].mean()), float(y[part].mean()), float(low), float(high), len(part))
        )
    return out


def wilson(
    left: int | npt.NDArray[Any], n: int | npt.NDArray[Any], z: float = 1.959963984540054
) -> tuple[Array, Array]:
    """Wilson's 95 % interval of a share; (0, 1) where n is 0.

    Example:
        >>> low, high = wilson(5, 10)
        >>> round(float(low), 3), round(float(high), 3)
        (0.237, 0.763)
    """
    k, m = np.asarray(left, np.float64), np.asarray(n, np.float64)
    safe = np.where(m > 0, m, 1.0)
    p = np.where(m > 0, k / safe, 0.5)
    denominator = 1 + z * z / safe
    middle = (p + z * z / (2 * safe)) / denominator
    half = z * np.sqrt(p * (1 - p) / safe + z * z / (4 * safe * safe)) / denominator
    low, high = np.where(m > 0, middle - half, 0.0), np.where(m > 0, middle + half, 1.0)
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def lead_time(flagged_day: Array, left_day: Array) -> float | None:
    """Median days between a client's first warning and leaving.

    Args:
        flagged_day: [n] day number of the first warning; NaN when there was none.
        left_day: [n] day number of leaving; NaN when it is not known or did not happen.

    Returns:
        Days; None where no warned client has a known leaving day.
    """
    days = np.asarray(left_day, np.float64) - np.asarray(flagged_day, np.float64)
    days = days[~np.isnan(days) & (days >= 0)]
    return float(np.median(days)) if len(days) else None


def refit_intercept(y: Array, log_odds: Array) -> float:
    """The shift of log-odds with which the mean probability equals the share who left."""
    z, shift = np.asarray(log_odds, np.float64), float(logit(float(np.mean(y))))
    shift -= float(logit(float(sigmoid(z).mean())))
    for _ in range(50):
        p = sigmoid(z + shift)
        move = float((np.mean(y) - p.mean()) / max(float((p * (1 - p)).mean()), 1e-12))
        shift += float(np.clip(move, -2.0, 2.0))
        if abs(move) < 1e-10:
            break
    return shift
