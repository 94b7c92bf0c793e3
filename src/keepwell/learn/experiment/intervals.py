"""Estimates and intervals from the arms' means and what they vary by.

Three ways to an interval, by who is independent of whom:

- units: Student's t with Welch's and Satterthwaite's degrees of freedom;
- clusters, 30 or more: sums of residuals by cluster (Liang & Zeger 1986, "Longitudinal data
  analysis using generalized linear models"), t with clusters - 1 degrees of freedom;
- clusters, fewer: the signs of the clusters' scores are flipped, every way or 19,999 drawn ways,
  and the test is inverted. It is the wild score bootstrap with Rademacher signs (Kline & Santos
  2012, "A score based approach to wild bootstrap inference"), whose size holds for any fixed
  number of clusters that each tell of the effect (Canay, Romano & Shaikh 2017, "Randomization tests
  under an approximate symmetry assumption"). With five clusters or fewer no 95 % interval is
  finite; that is what so few can tell.

Ratios of two contrasts get Fieller's interval (1954, "Some problems in interval estimation").
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEW: Final = 30
"""Clusters below which signs are flipped."""
_ALL_WAYS: Final = 14
"""Most clusters whose signs are flipped in every way."""
_DRAWN: Final = 19_999


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: the estimate.
        low: lower end; -inf where nothing bounds it.
        high: upper end; inf where nothing bounds it.
        se: standard error; nan where the interval comes from no standard error.
        p: two-sided p-value of the value 0.
        df: degrees of freedom of t; nan for flipped signs.
        method: 'units', 'clusters' or 'signs'.
        level: of the interval.
    """

    value: float
    low: float
    high: float
    se: float
    p: float
    df: float
    method: str
    level: float

    def to_dict(self) -> dict[str, float | str | None]:
        """As plain data for JSON; None for what is not finite."""
        told = asdict(self)
        return {
            name: None if isinstance(one, float) and not math.isfinite(one) else one
            for name, one in told.items()
        }


@dataclass(frozen=True)
class Means:
    """Means of the arms and how they vary together.

    Attributes:
        mean: by arm [a].
        cov: covariance of the means [a, a].
        fourth: by arm [a], the sum over cells of (variance of the cell's part)² / (units - 1).
        scores: what each cluster adds to the error of each mean [g, a]; None without clusters.
        weight: share of all units in each cluster [g]; None without clusters.
    """

    mean: Floats
    cov: Floats
    fourth: Floats = field(repr=False)
    scores: Floats | None = field(default=None, repr=False)
    weight: Floats | None = field(default=None, repr=False)

    def method(self, few: str = "signs") -> str:
        """How an interval is made: 'units', 'clusters' or, below 30 clusters, what `few` says."""
        if self.scores is None:
            return "units"
        return "clusters" if len(self.scores) >= FEW else few

    def contrast(self, by: Floats, level: float = 0.95, few: str = "signs") -> Estimate:
        """A weighted sum of the means.

        Args:
            by: weights [a], such as +1 for an arm and -1 for the control.
            level: of the interval, 0 to 1.
            few: 'signs' or 'clusters' (t with clusters - 1), for fewer than 30 clusters.
        """
        from scipy.special import stdtr

        value = float(by @ self.mean)
        se = math.sqrt(max(float(by @ self.cov @ by), 0.0))
        method = self.method(few)
        if method == "signs":
            scores, weight = self._by_cluster()
            parts = scores @ by + weight * value
            low, high = flipped(parts, weight, level)
            return Estimate(value, low, high, se, flipped_p(parts), math.nan, method, level)
        df = self.freedom(by)
        if se == 0:
            return Estimate(value, value, value, 0.0, float(value == 0), df, method, level)
        half = two_sided(level, df) * se
        p = 2 * float(stdtr(df, -abs(value) / se))
        return Estimate(value, value - half, value + half, se, p, df, method, level)

    def quotient(self, over: Floats, under: Floats, level: float = 0.95) -> Estimate:
        """A contrast divided by another that is above 0.

        Args:
            over: weights of the numerator [a].
            under: weights of the denominator [a].
            level: of the interval.

        Returns:
            Fieller's interval: every ratio that the data do not reject. Unbounded when the
            denominator's sign is not certain. `p` is that of the numerator.
        """
        top, bottom = float(over @ self.mean), float(under @ self.mean)
        value = top / bottom if bottom else math.nan
        above = self.contrast(over, level)
        se = math.nan
        if bottom:
            line = over - value * under
            se = math.sqrt(max(float(line @ self.cov @ line), 0.0)) / abs(bottom)
        if above.method == "signs":
            scores, weight = self._by_cluster()
            low, high = flipped(
                scores @ over + weight * top, scores @ under + weight * bottom, level
            )
        else:
            # Degrees of freedom of the line through the estimate.
            df = self.freedom(over - value * under) if bottom else above.df
            ends = (float(over @ self.cov @ over), float(over @ self.cov @ under),
                    float(under @ self.cov @ under))  # fmt: skip
            low, high = fieller(top, bottom, ends, two_sided(level, df))
        return Estimate(value, low, high, se, above.p, above.df, above.method, level)

    def freedom(self, by: Floats) -> float:
        """Degrees of freedom of a contrast: Welch-Satterthwaite, or clusters - 1."""
        if self.scores is not None:
            return float(len(self.scores) - 1)
        variance = float((by**2) @ np.diag(self.cov))
        fourth = float((by**4) @ self.fourth)
        return variance**2 / fourth if fourth > 0 else math.inf

    def _by_cluster(self) -> tuple[Floats, Floats]:
        assert self.scores is not None
        assert self.weight is not None
        return self.scores, self.weight


def two_sided(level: float, df: float) -> float:
    """The quantile of t that leaves (1 - level) / 2 above it."""
    from scipy.special import stdtrit

    # Of the lower tail, where small shares keep their digits.
    return -float(stdtrit(df, (1 - level) / 2)) if math.isfinite(df) else two_sided(level, 1e9)


def fieller(
    top: float, bottom: float, cov: tuple[float, float, float], quantile: float
) -> tuple[float, float]:
    """The ratios that are not rejected: Fieller's interval of top / bottom.

    Args:
        top: numerator.
        bottom: denominator.
        cov: variance of the numerator, covariance, variance of the denominator.
        quantile: of t.

    Returns:
        The ends; -inf and inf when the denominator may be 0.
    """
    square = quantile**2
    a = bottom**2 - square * cov[2]
    if a <= 0:
        return -math.inf, math.inf
    b = top * bottom - square * cov[1]
    c = top**2 - square * cov[0]
    root = math.sqrt(max(b**2 - a * c, 0.0))
    return (b - root) / a, (b + root) / a


def flipped(parts: Floats, weight: Floats, level: float) -> tuple[float, float]:
    """The interval of sum(parts) / sum(weight) by flipping the clusters' signs.

    A value v is rejected when few sign vectors e give |sum e (parts - v weight)| as large as no
    flip does. For one e that is so exactly when v lies between the ratios of the flipped and of the
    unflipped clusters, so the ends of the interval are quantiles of those ratios.

    Args:
        parts: of the numerator by cluster [g].
        weight: of the denominator by cluster [g]; groups of clusters whose sum is not above 0
            bound nothing.
        level: of the interval.
    """
    ways = _ways(len(parts))
    over, under = ways @ parts, ways @ weight
    ends = np.full((2, len(ways)), [[-np.inf], [np.inf]])
    fine = (under > 0) & (weight.sum() - under > 0)
    one = over[fine] / under[fine]
    other = (parts.sum() - over[fine]) / (weight.sum() - under[fine])
    ends[0, fine], ends[1, fine] = np.minimum(one, other), np.maximum(one, other)
    place = math.floor((1 - level) * len(ways) * (1 + 1e-12))
    return float(np.partition(ends[0], place)[place]), float(-np.partition(-ends[1], place)[place])


def flipped_p(parts: Floats) -> float:
    """Two-sided p-value of a sum of 0, by flipping signs."""
    total = parts.sum()
    sums = np.abs(total - 2 * (_ways(len(parts)) @ parts))
    return float(np.mean(sums >= abs(total) * (1 - 1e-12)))


@lru_cache(maxsize=8)
def _ways(clusters: int) -> Floats:
    """Which clusters are flipped, a row a way, the first none; a way and its opposite are one."""
    if clusters <= _ALL_WAYS:
        codes = np.arange(2 ** max(clusters - 1, 0))
        ways = (codes[:, None] >> np.arange(clusters)) & 1
    else:
        rng = np.random.default_rng(clusters)
        ways = rng.integers(0, 2, (_DRAWN + 1, clusters))
        ways[0] = 0
    return ways.astype(np.float64)
