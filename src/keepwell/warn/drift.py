"""Inputs whose distribution has moved so far that what was learnt from them no longer applies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.warn.dataset import Dataset

Array = npt.NDArray[np.float64]

MOST_DRIFT: Final = 2.0
"""Stability index above which an input is left out: the two distributions hardly overlap."""

_BINS: Final = 10
_LEAST: Final = 1e-3  # a share of 0 would make the index infinite


def stability_index(before: Array, after: Array) -> float:
    """Population stability index of one input between two dates; absent is a bin of its own.

    Sum over bins of (p - q) ln(p / q), with ten equal bins of both dates together (Siddiqi,
    Credit Risk Scorecards, 2006). By its custom, below 0.1 nothing has changed, and above 0.25
    much has.

    Args:
        before: [n] values, NaN absent.
        after: [m] values.

    Example:
        >>> a = np.arange(100.0)
        >>> round(stability_index(a, a), 3), stability_index(a, a + 1000) > 5
        (0.0, True)
    """
    both = np.concatenate([before, after])
    both = both[~np.isnan(both)]
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(both, inner)) if len(both) else np.empty(0)
    p, q = (_shares(values, edges) for values in (before, after))
    return float(((p - q) * np.log(p / q)).sum())


def _shares(values: Array, edges: Array) -> Array:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    return np.append(counts, len(values) - len(known)) / max(len(values), 1) + _LEAST


def drifted(learnt: Dataset, now: Dataset, names: Sequence[str]) -> list[str]:
    """Inputs that are too far from where they were at the newest training date.

    Only inputs are compared, never labels, so that this can be done at any ranking.

    Args:
        learnt: training rows.
        now: rows to be ranked, at one date.
        names: inputs to look at.
    """
    newest = learnt.date == len(learnt.dates) - 1
    before = {name: learnt.X[newest, i] for i, name in enumerate(learnt.names)}
    after = {name: now.X[:, i] for i, name in enumerate(now.names)}
    return [name for name in names if stability_index(before[name], after[name]) > MOST_DRIFT]
