"""Figures with their intervals: shares, counts, ratios and medians of rows that clients own.

Rows of one client hang together. Shares and counts are therefore taken as if there were only
n / d rows, where d is how much more the estimate varies with clients as units than with rows as
units (the design effect of Kish 1965, "Survey Sampling"); d is never taken below 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.warn.metrics import wilson

Floats = npt.NDArray[np.float64]

FEW: Final = 10
"""Clients below which a mean or a ratio has no interval."""

_Z: Final = 1.959963984540054


class Absent(StrEnum):
    """Why there is no figure."""

    TABLE = "table-missing"
    COVERAGE = "not-covered"
    ROWS = "no-rows"
    WAITING = "half-waits"
    RATES = "rates-missing"
    ASSETS = "assets-unknown"
    LABEL = "label-fails"
    ALERTS = "no-alerts"


ABSENT_WORDS: Final[dict[Absent, str]] = {
    Absent.TABLE: "no table of the data tells it",
    Absent.COVERAGE: "the data are not declared complete for this month",
    Absent.ROWS: "nothing of the kind happened in this month",
    Absent.WAITING: "half of the cases had not been contacted",
    Absent.RATES: "no line of income is known at your rates",
    Absent.ASSETS: "assets at the month's beginning are not known",
    Absent.LABEL: "the label of leaving cannot be applied to this month",
    Absent.ALERTS: "no client had an open alert at the month's end",
}
"""Each reason, in English."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one month.

    Attributes:
        value: in the unit of its key figure.
        low: lower end of the 95 % interval; None where there is none.
        high: upper end.
        n: of how many rows or clients it was made.
    """

    value: float
    low: float | None
    high: float | None
    n: int


def share(hits: int, n: int) -> Figure | Absent:
    """A share of units that have nothing to do with each other, with Wilson's interval.

    Args:
        hits: how many of them.
        n: how many in all.

    Example:
        >>> share(5, 10)
        Figure(value=0.5, low=0.236593..., high=0.763406..., n=10)
    """
    return clustered_share(np.arange(n), np.arange(n) < hits)


def clustered_share(owner: npt.ArrayLike, hit: npt.ArrayLike) -> Figure | Absent:
    """A share of rows, with Wilson's interval for as many rows as tell of different clients.

    Args:
        owner: [n], whose row.
        hit: [n], whether it counts.
    """
    hits = np.asarray(hit, np.float64)
    n = len(hits)
    if not n:
        return Absent.ROWS
    value = float(hits.mean())
    effective = n / max(1.0, _design(np.asarray(owner), hits - value, value * (1 - value)))
    low, high = wilson(np.asarray(value * effective), np.asarray(effective))
    return Figure(value, float(low), float(high), n)


def _design(owner: npt.NDArray[np.generic], residual: Floats, variance: float) -> float:
    """How much more a mean varies with clients as units than with rows as units."""
    if variance <= 0:
        # Nothing varies in the sample: rows of one client are then taken for one row.
        _, sizes = np.unique(owner, return_counts=True)
        return float((sizes**2).sum() / sizes.sum())
    sums = by_owner(owner, residual)
    return float((sums**2).sum() / (len(residual) * variance))


def by_owner(owner: npt.NDArray[np.generic], values: Floats) -> Floats:
    """Sum of each owner's values, float64 [owners]."""
    _, code = np.unique(owner, return_inverse=True)
    return np.bincount(code, values).astype(np.float64)


def ratio(owner: npt.ArrayLike, top: npt.ArrayLike, bottom: npt.ArrayLike) -> Figure | Absent:
    """Sum over sum, with the linearised interval of clients as units (Cochran 1977, chapter 6).

    Args:
        owner: [n], whose row.
        top: [n], what is counted.
        bottom: [n], what it is counted over, not negative.
    """
    owners = np.asarray(owner)
    over, under = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    whole = float(under.sum())
    if whole <= 0:
        return Absent.ROWS
    value = float(over.sum()) / whole
    sums = by_owner(owners, over - value * under)
    clients = len(sums)
    if clients < FEW:
        return Figure(value, None, None, len(over))
    half = _Z * math.sqrt(float((sums**2).sum()) * clients / (clients - 1)) / whole
    return Figure(value, value - half, value + half, len(over))


def rate(owner: npt.ArrayLike, exposed: int, per: float) -> Figure | Absent:
    """Events per so many exposed, with the exact Poisson interval (Garwood 1936).

    Args:
        owner: [events], whose event.
        exposed: how many could have had one.
        per: such as 1000.
    """
    from scipy.special import gammaincinv

    if exposed <= 0:
        return Absent.ROWS
    _, sizes = np.unique(np.asarray(owner), return_counts=True)
    events = float(sizes.sum())
    # Events of one client count as one in how sure we are: d = sum of squares over sum.
    design = max(1.0, float((sizes**2).sum() / events)) if events else 1.0
    seen = events / design
    low = float(gammaincinv(seen, 0.025)) if seen else 0.0
    high = float(gammaincinv(seen + 1, 0.975))
    scale = per / exposed
    return Figure(events * scale, low * design * scale, high * design * scale, exposed)


def median(values: npt.ArrayLike) -> Figure | Absent:
    """The lower median, with the interval that the order of the values gives whatever their law.

    Args:
        values: [n]; inf for one that was still open.
    """
    from scipy.special import bdtr

    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    if not n:
        return Absent.ROWS
    value = float(ordered[(n - 1) // 2])
    if math.isinf(value):
        return Absent.WAITING
    # The largest k with P(Binomial(n, 1/2) < k) <= 2.5 %: from the k-th value to the k-th last.
    k = int(np.searchsorted(bdtr(np.arange(n, dtype=np.float64), n, 0.5), 0.025, "right"))
    if k == 0:
        return Figure(value, None, None, n)
    low, high = float(ordered[k - 1]), float(ordered[n - k])
    return Figure(value, low, None if math.isinf(high) else high, n)
