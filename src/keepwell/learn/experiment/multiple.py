"""Many comparisons at once (Benjamini & Hochberg 1995, "Controlling the false discovery rate")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values: those <= q hold a share of at most q false ones on average.

    Args:
        p: p-values, in any order; nan stays nan and counts for nothing.

    Example:
        >>> [round(q, 3) for q in benjamini_hochberg([0.01, 0.04, 0.03, 0.5])]
        [0.04, 0.053, 0.053, 0.5]
    """
    values = np.asarray(p, np.float64)
    adjusted = np.full(len(values), np.nan)
    fine = np.flatnonzero(~np.isnan(values))
    order = fine[np.argsort(values[fine], kind="stable")]
    if len(order):
        scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
        adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted.tolist()
