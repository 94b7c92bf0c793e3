"""How much is simulated: a little by default, more with KEEPWELL_SIMULATIONS."""

from __future__ import annotations

import os

from scipy.stats import binom

SIMULATIONS = int(os.environ.get("KEEPWELL_SIMULATIONS", "100"))
"""Experiments per simulation; some take a multiple."""


def at_most(n: int, share: float) -> int:
    """The greatest count that a true share allows but once in ten thousand."""
    return int(binom.ppf(0.9999, n, share))


def at_least(n: int, share: float) -> int:
    """The least count that a true share allows but once in ten thousand."""
    return int(binom.ppf(0.0001, n, share))
