"""Means of two arms compared, with intervals clustered by manager; winsorising; CUPED.

Small on purpose: whoever has a better estimator hands it in as an `Estimator`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError, UsageError

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FEW_CLUSTERS: Final = 30
"""Below so many managers the interval is marked: cluster-robust errors are then too small."""

WINSOR: Final = 0.99
"""Quantile of the absolute outcome, of both arms together, beyond which it is cut."""


@dataclass(frozen=True)
class Effect:
    """Treated minus held out, per client.

    Attributes:
        value: the difference of means.
        low: lower end of the interval.
        high: upper end.
        error: standard error.
        confidence: of the two-sided interval.
        clusters: managers, or clients where none are given.
    """

    value: float
    low: float
    high: float
    error: float
    confidence: float
    clusters: int

    def times(self, n: float) -> Effect:
        """The same for so many clients together."""
        return Effect(
            self.value * n, self.low * n, self.high * n, self.error * n, self.confidence,
            self.clusters,
        )  # fmt: skip

    @property
    def few(self) -> bool:
        """Whether there are too few managers for the interval to be taken at its word."""
        return self.clusters < FEW_CLUSTERS


class Estimator(Protocol):
    """Compares the means of two arms."""

    def __call__(
        self, y: Array, treated: Flags, cluster: npt.NDArray[Any], confidence: float
    ) -> Effect:
        """The effect.

        Args:
            y: outcome; float64 [n], no NaN.
            treated: assigned to treatment; bool [n].
            cluster: manager of each client; [n].
            confidence: of the two-sided interval.
        """
        ...


def clustered_difference(
    y: Array, treated: Flags, cluster: npt.NDArray[Any], confidence: float = 0.95
) -> Effect:
    """Difference of means; variance from the clusters' summed influence, t with clusters - 1.

    Liang & Zeger (1986); with the factor G / (G - 1). Where clients are randomised within a
    manager's book, what is common to the book stands in both arms and cancels.

    Args:
        y: outcome; float64 [n], no NaN.
        treated: assigned to treatment; bool [n].
        cluster: manager of each client; [n].
        confidence: of the two-sided interval.

    Raises:
        DataError: an arm is empty, or there are fewer than two clusters.

    Example:
        >>> y = np.array([3.0, 1.0, 5.0, 2.0])
        >>> t = np.array([True, False, True, False])
        >>> clustered_difference(y, t, np.array(["A", "A", "B", "B"])).value
        2.5
    """
    y, treated = np.asarray(y, np.float64), np.asarray(treated, np.bool_)
    many, few = int(treated.sum()), int((~treated).sum())
    codes, groups = coded(cluster)
    if not many or not few or groups < 2:
        raise DataError("value.arm-empty", treated=many, held=few, clusters=groups)
    mean1, mean0 = float(y[treated].mean()), float(y[~treated].mean())
    influence = np.where(treated, (y - mean1) / many, -(y - mean0) / few)
    summed = np.bincount(codes, influence)
    error = float(np.sqrt(groups / (groups - 1) * np.sum(summed**2)))
    half = student_quantile(confidence, groups - 1) * error
    value = mean1 - mean0
    return Effect(value, value - half, value + half, error, confidence, groups)


def coded(cluster: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    """Clusters as numbers from 0, some of which may be unused, and how many are used.

    Args:
        cluster: numbers or texts; [n].
    """
    if cluster.dtype.kind in "iu" and len(cluster):
        low, high = int(cluster.min()), int(cluster.max())
        if low >= 0 and high <= 4 * len(cluster):  # small numbers need no sorting
            codes = cluster.astype(np.int64)
            return codes, int(np.count_nonzero(np.bincount(codes)))
    codes = np.unique(cluster, return_inverse=True)[1].reshape(-1)
    return codes, int(codes.max()) + 1 if len(codes) else 0


def student_quantile(confidence: float, freedom: int) -> float:
    """Half width of a two-sided t interval in standard errors.

    Raises:
        UsageError: the confidence is not between 0 and 1.

    Example:
        >>> round(student_quantile(0.95, 9), 3)
        2.262
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise UsageError("value.share-invalid", name="confidence", given=confidence)
    return float(stdtrit(freedom, (1 + confidence) / 2))


def winsorised(y: Array, quantile: float = WINSOR) -> tuple[Array, float]:
    """Outcomes cut on both sides at a quantile of their absolute values.

    The limit is chosen from both arms together and without regard to the arm, so that it cannot
    favour one (the rule is fixed before the data are seen).

    Args:
        y: float64 [n], no NaN.
        quantile: of |y|.

    Returns:
        What is left, and the limit; without a positive limit nothing is cut.
    """
    limit = float(np.quantile(np.abs(y), quantile)) if len(y) else 0.0
    return (np.clip(y, -limit, limit), limit) if limit > 0 else (np.asarray(y), limit)


def adjusted(y: Array, treated: Flags, before: Array) -> Array:
    """CUPED: the part of the outcome that facts from before the assignment do not foretell.

    y - (x - mean(x)) theta, theta by least squares on deviations within the arms (Deng, Xu, Kohavi
    & Walker 2013), so that an effect does not pass for a slope. Columns without spread, and what is
    unknown, foretell nothing.

    Args:
        y: outcome; float64 [n].
        treated: bool [n]; both arms must have clients.
        before: facts known at the assignment; float64 [n, k], NaN becomes the column's mean.
    """
    x = np.array(before, np.float64).reshape(len(y), -1)
    missing = np.isnan(x)
    if missing.any():
        count = np.maximum((~missing).sum(axis=0), 1)
        x = np.where(missing, np.where(missing, 0.0, x).sum(axis=0) / count, x)
    mean = x.mean(axis=0)
    x -= mean
    spread = np.sqrt(np.einsum("ij,ij->j", x, x) / max(len(x), 1))
    varied = spread > 1e-12 * np.abs(mean)  # what rounding leaves of a constant is no spread
    if not varied.all():
        x, spread = x[:, varied], spread[varied]
    if not x.shape[1]:
        return np.asarray(y, np.float64)
    x /= spread
    # Products of deviations within the arms, from products and the arms' means.
    middle = y - np.mean(y)
    squares, products = x.T @ x, x.T @ middle
    for arm in (treated, ~treated):
        weight = arm / max(int(arm.sum()), 1)
        mean_x, mean_y = weight @ x, float(weight @ middle)
        squares = squares - arm.sum() * np.outer(mean_x, mean_x)
        products = products - arm.sum() * mean_x * mean_y
    theta = np.linalg.lstsq(squares, products, rcond=None)[0]
    return np.asarray(y - x @ theta, np.float64)
