"""Types of settings that hold several numbers, checked as they are read."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator

from keepwell.world.terms import CAUSES


def _whole(shares: tuple[float, ...]) -> tuple[float, ...]:
    """Above 0, add up to 1."""
    if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise ValueError("shares must be above 0 and add up to 1")
    return shares


def _positive(values: tuple[float, ...]) -> tuple[float, ...]:
    """Above 0."""
    if min(values) <= 0:
        raise ValueError("values must be above 0")
    return values


def _one_per_cause(tilts: tuple[float, ...]) -> tuple[float, ...]:
    """One per cause, -2 to 2."""
    if len(tilts) != len(CAUSES) or max(map(abs, tilts)) > 2:
        raise ValueError("one tilt per cause is needed, each from -2 to 2")
    return tilts


def _chances(values: tuple[float, ...]) -> tuple[float, ...]:
    """Above 0, below 1."""
    if min(values) <= 0 or max(values) >= 1:
        raise ValueError("chances must lie between 0 and 1, neither included")
    return values


def _odds(values: tuple[float, ...]) -> tuple[float, ...]:
    """0 to 1."""
    if min(values) < 0 or max(values) > 1:
        raise ValueError("chances must lie between 0 and 1")
    return values


def _rows_of_shares(
    rows: tuple[tuple[float, ...], ...],
) -> tuple[tuple[float, ...], ...]:
    """Rows of shares, each adds up to 1."""
    for row in rows:
        if min(row) < 0 or not math.isclose(sum(row), 1.0, abs_tol=1e-6):
            raise ValueError("each row must hold shares that add up to 1")
    return rows


Pair = Annotated[tuple[float, float], AfterValidator(_positive)]
"""Two numbers above 0."""

Positive3 = Annotated[tuple[float, float, float], AfterValidator(_positive)]
"""Three numbers above 0."""

Positive4 = Annotated[tuple[float, float, float, float], AfterValidator(_positive)]
"""Four numbers above 0."""

Chances4 = Annotated[tuple[float, float, float, float], AfterValidator(_chances)]
"""Four chances, none certain."""

Eight = tuple[float, float, float, float, float, float, float, float]
Odds8 = Annotated[Eight, AfterValidator(_odds)]
"""Eight chances."""

Six = tuple[float, float, float, float, float, float]
SharesBySix = Annotated[tuple[Six, Six, Six, Six, Six], AfterValidator(_rows_of_shares)]
"""Five rows of six shares of a whole."""

Shares3 = Annotated[tuple[float, float, float], AfterValidator(_whole)]
"""Three shares of a whole."""

Shares4 = Annotated[tuple[float, float, float, float], AfterValidator(_whole)]
"""Four shares of a whole."""

Shares = Annotated[tuple[float, ...], AfterValidator(_whole)]
"""Shares of a whole."""

Tilts = Annotated[tuple[float, ...], AfterValidator(_one_per_cause)]
"""A change of a log per cause of leaving, in the order of `terms.CAUSES`."""
