"""Churn analytics: how many of whom left, by as-of date, segment and tenure, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.warn.label import Labels
from keepwell.warn.metrics import wilson

SMALL: Final = 20
"""A cell of fewer clients than this says little and is marked."""

UNKNOWN: Final = "unknown"
"""Value of clients for whom a dimension says nothing."""

TENURE_BANDS: Final = (
    (0, "under 3 months"),
    (91, "3 to 12 months"),
    (366, "1 to 2 years"),
    (731, "2 to 5 years"),
    (1827, "5 years and more"),
)
"""First day of each band and its English name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One rate.

    Attributes:
        dimension: 'all', or a name such as 'segment' or 'tenure'.
        value: the segment.
        as_of: the start of the horizon.
        ends_at: its end.
        clients: with a known label.
        left: of them.
        rate: left / clients.
        low: Wilson's 95 % bounds.
        high: the upper one.
    """

    dimension: str
    value: str
    as_of: datetime
    ends_at: datetime
    clients: int
    left: int
    rate: float
    low: float
    high: float

    @property
    def small(self) -> bool:
        """Whether fewer than 20 clients stand behind the rate."""
        return self.clients < SMALL


def churn_rates(
    labels: Sequence[Labels],
    dimensions: Mapping[str, Mapping[str, str] | Sequence[Mapping[str, str]]] | None = None,
) -> list[Cell]:
    """Rates at every as-of date, over all and along each dimension.

    Args:
        labels: one per as-of date.
        dimensions: name -> client -> segment, the same for all dates or one mapping per date.
            Clients that a mapping lacks count under `UNKNOWN`: they are never dropped.

    Returns:
        Cells by date, dimension and segment; segments in alphabetical order. Cells without
        clients are left out.
    """
    out: list[Cell] = []
    for i, of in enumerate(labels):
        known = ~np.isnan(of.y)
        left = of.y[known] == 1.0
        out += _cells("all", of, np.full(int(known.sum()), "all", object), left)
        clients = [c for c, k in zip(of.clients, known, strict=True) if k]
        for name, mapping in (dimensions or {}).items():
            now = mapping if isinstance(mapping, Mapping) else mapping[i]
            values = np.array([now.get(c) or UNKNOWN for c in clients], object)
            out += _cells(name, of, values, left)
    return out


def _cells(
    dimension: str, of: Labels, values: npt.NDArray[np.object_], left: npt.NDArray[np.bool_]
) -> list[Cell]:
    if not len(values):
        return []
    names, code = np.unique(values.astype(str), return_inverse=True)
    clients = np.bincount(code, minlength=len(names))
    gone = np.bincount(code, weights=left.astype(np.float64), minlength=len(names))
    low, high = wilson(gone, np.asarray(clients, np.float64))
    return [
        Cell(
            dimension, str(name), of.as_of, of.ends_at, int(clients[j]), int(gone[j]),
            float(gone[j] / clients[j]), float(low[j]), float(high[j]),
        )
        for j, name in enumerate(names)
    ]  # fmt: skip


def tenure_bands(tenure_days: Mapping[str, float]) -> dict[str, str]:
    """The tenure band of each client, by days since opening or else since the first activity.

    Example:
        >>> tenure_bands({"a": 10.0, "b": 400.0})
        {'a': 'under 3 months', 'b': '1 to 2 years'}
    """
    starts = np.array([first for first, _ in TENURE_BANDS])
    out = {}
    for client, days in tenure_days.items():
        if days == days and days >= 0:
            out[client] = TENURE_BANDS[int(np.searchsorted(starts, days, side="right")) - 1][1]
    return out
