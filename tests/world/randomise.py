"""Randomised experiments on stored potential outcomes, many at a time, and their intervals.

A trial is one drawing of a sample and one assignment; arrays are [trials, ...].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, norm

Z = float(norm.ppf(0.975))


class Trials(NamedTuple):
    """Estimates and their 95 % intervals' half widths, [trials] each."""

    estimate: np.ndarray
    half: np.ndarray

    def covers(self, truth: float) -> int:
        """Trials whose interval holds the truth."""
        return int((np.abs(self.estimate - truth) <= self.half).sum())

    def error(self) -> float:
        """Monte-Carlo standard error of the mean estimate."""
        return float(self.estimate.std(ddof=1) / np.sqrt(len(self.estimate)))


def bounds(trials: int, share: float = 0.95, level: float = 0.999) -> tuple[int, int]:
    """Least and greatest count of covering intervals that a true coverage of `share` allows."""
    low, high = binom.interval(level, trials, share)
    return int(low), int(high)


def difference_of_means(y1: np.ndarray, y0: np.ndarray, treated: np.ndarray) -> Trials:
    """Neyman's (1923) difference of means and its normal interval.

    Args:
        y1: outcomes under treatment [trials, n].
        y0: outcomes under control [trials, n].
        treated: bool [trials, n].
    """
    many = treated.sum(axis=1)
    few = treated.shape[1] - many
    mean1 = np.where(treated, y1, 0).sum(axis=1) / many
    mean0 = np.where(treated, 0, y0).sum(axis=1) / few
    # Outcomes are 0 or 1, so a sample variance follows from its mean.
    var1 = mean1 * (1 - mean1) / (many - 1)
    var0 = mean0 * (1 - mean0) / (few - 1)
    return Trials(mean1 - mean0, Z * np.sqrt(var1 + var0))


def clustered(
    total1: np.ndarray, size1: np.ndarray, total0: np.ndarray, size0: np.ndarray
) -> Trials:
    """Difference of means of whole clusters, with the cluster-robust interval.

    The mean of an arm is its total over its clients; its variance is that of the clusters'
    residual totals (linearisation of a ratio; Cochran, Sampling techniques, ch. 6).

    Args:
        total1: outcomes summed by treated cluster [trials, clusters].
        size1: clients of each.
        total0: the same of the clusters left alone.
        size0: clients of each.
    """
    mean1, var1 = _ratio(total1, size1)
    mean0, var0 = _ratio(total0, size0)
    return Trials(mean1 - mean0, Z * np.sqrt(var1 + var0))


def _ratio(total: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    clusters, clients = total.shape[1], size.sum(axis=1)
    mean = total.sum(axis=1) / clients
    left = total - mean[:, None] * size
    return mean, (left**2).sum(axis=1) * clusters / (clusters - 1) / clients**2


def halves(rng: np.random.Generator, trials: int, n: int) -> np.ndarray:
    """Complete randomisation: half of n treated, bool [trials, n]."""
    row = np.arange(n) < n // 2
    return rng.permuted(np.broadcast_to(row, (trials, n)), axis=1)
