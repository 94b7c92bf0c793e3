"""Boundaries for looking at an experiment more than once.

Benefit: a group-sequential test that spends its alpha like O'Brien and Fleming (Lan & DeMets 1983,
"Discrete sequential boundaries for clinical trials"); boundaries by numerical integration of the
score's density over what earlier looks let pass (Armitage, McPherson & Rowe 1969). Looks need not
be equally spaced, nor be where they were planned.

Harm: a one-sided confidence sequence, which may be looked at any time. The boundary of Robbins
(1970, "Statistical methods related to the law of the iterated logarithm") with a half-normal
mixture, used with estimated variance as in Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024,
"Time-uniform central limit theory and asymptotic confidence sequences").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.intervals import Floats

FARTHEST: Final = 10.0
"""Boundaries in standard errors beyond which no alpha is spent (the tail is below 1e-23)."""
_LEAST_STEP: Final = 1e-4


def spent(fraction: float, alpha: float = 0.05) -> float:
    """Alpha spent, both sides together, when a share of the information is there.

    Args:
        fraction: above 0; above 1 counts as 1.
        alpha: of the whole test, two-sided.

    Example:
        >>> round(spent(0.5), 5), spent(1.0)
        (0.00305, 0.05)
    """
    from scipy.special import ndtr, ndtri

    if fraction >= 1:
        return alpha
    return 4 * float(ndtr(ndtri(alpha / 4) / math.sqrt(fraction)))


def boundaries(looks: Sequence[float], alpha: float = 0.05) -> tuple[float, ...]:
    """Boundaries of |z| at the looks made so far; two-sided, symmetric.

    Args:
        looks: shares of the information, increasing; a look beyond 1 counts as 1.
        alpha: of the whole test.

    Raises:
        UsageError: `experiment.looks-wrong`.

    Example:
        >>> [round(z, 3) for z in boundaries([0.2, 0.4, 0.6, 0.8, 1.0])]
        [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    fractions = tuple(min(float(one), 1.0) for one in looks)
    apart = all(b - a >= _LEAST_STEP for a, b in pairwise((0.0, *fractions)))
    if not fractions or not apart:
        raise UsageError("experiment.looks-wrong", looks=tuple(looks))
    return _boundaries(fractions, alpha)


@lru_cache(maxsize=256)
def _boundaries(looks: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    from scipy.special import ndtr

    found: list[float] = []
    walk = _Walk(0.0)
    before = 0.0
    for look in looks:
        now = spent(look, alpha)
        step = now - before
        before = now
        if step / 2 <= float(ndtr(-FARTHEST)):
            z = FARTHEST
        else:
            z = _solve(walk, look, step / 2)
        found.append(z)
        walk.on(look, z)
    return tuple(found)


def _solve(walk: _Walk, look: float, share: float) -> float:
    from scipy.optimize import brentq

    def beyond(z: float) -> float:
        return walk.above(look, z) - share

    return float(brentq(beyond, 0.0, FARTHEST, xtol=1e-10))


def crossing(looks: Sequence[float], bounds: Sequence[float], drift: float) -> tuple[float, float]:
    """Chance to cross the upper and the lower boundary at any of the looks.

    Args:
        looks: shares of the information.
        bounds: of |z|.
        drift: expected z at full information.
    """
    walk, up, down = _Walk(drift), 0.0, 0.0
    for look, z in zip(looks, bounds, strict=True):
        up += walk.above(look, z)
        down += walk.below(look, z)
        walk.on(look, z)
    return up, down


def inflation(looks: Sequence[float], alpha: float = 0.05, power: float = 0.8) -> float:
    """By how much more units a test with looks needs at most, for the same power.

    Args:
        looks: shares of the information; the last is 1.
        alpha: two-sided.
        power: wanted.

    Raises:
        UsageError: `experiment.looks-wrong`.

    Example:
        >>> round(inflation([0.25, 0.5, 0.75, 1.0]), 3)
        1.02
    """
    if not looks or looks[-1] != 1:
        raise UsageError("experiment.looks-wrong", looks=tuple(looks))
    if len(looks) == 1:
        return 1.0
    return _inflation(tuple(map(float, looks)), alpha, power)


@lru_cache(maxsize=64)
def _inflation(looks: tuple[float, ...], alpha: float, power: float) -> float:
    from scipy.optimize import brentq
    from scipy.special import ndtri

    bounds = boundaries(looks, alpha)
    plain = float(ndtri(1 - alpha / 2) + ndtri(power))

    def short(drift: float) -> float:
        return crossing(looks, bounds, drift)[0] - power

    return (float(brentq(short, plain * 0.9, plain * 2)) / plain) ** 2


class _Walk:
    """The score S(t), normal with mean drift * t and variance t, while it crossed no boundary."""

    def __init__(self, drift: float) -> None:
        self.drift = drift
        self.at = 0.0
        self.z = math.inf
        self.density: tuple[Floats, Floats] | None = None
        """Places and weights (density times quadrature weight)."""

    def above(self, look: float, z: float) -> float:
        """Chance to be above z standard errors at a later look."""
        return self._tail(look, z, 1.0)

    def below(self, look: float, z: float) -> float:
        """Chance to be below -z standard errors at a later look."""
        return self._tail(look, z, -1.0)

    def _tail(self, look: float, z: float, side: float) -> float:
        from scipy.special import ndtr

        step = look - self.at
        edge = side * z * math.sqrt(look)
        if self.density is None:
            return float(ndtr(side * (self.drift * step - edge) / math.sqrt(step)))
        places, weights = self.density
        far = side * (places + self.drift * step - edge) / math.sqrt(step)
        return float(weights @ ndtr(far))

    def on(self, look: float, z: float) -> None:
        """Go on to a look, crossing nothing there."""
        step = look - self.at
        edge = z * math.sqrt(look)
        # Nodes closer than the density's narrowest feature, the step.
        count = int(min(max(96, 8 * edge / math.sqrt(step)), 1200))
        nodes, weights = _gauss(count)
        places = nodes * edge
        if self.density is None:
            heights = _normal(places - self.drift * step, step)
        else:
            old, held = self.density
            heights = _normal(places[:, None] - old - self.drift * step, step) @ held
        self.density = places, heights * weights * edge
        self.at = look


def _normal(x: Floats, variance: float) -> Floats:
    return np.asarray(np.exp(-(x**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance))


@lru_cache(maxsize=32)
def _gauss(count: int) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


def any_time(fraction: float, alpha: float = 0.05, tight_at: float = 0.5) -> float:
    """One-sided boundary of z that is crossed by chance at any time at most with chance alpha.

    Args:
        fraction: share of the planned information, above 0; may exceed 1.
        alpha: for all looks together, however many.
        tight_at: share of the information at which the boundary is about tightest.

    Raises:
        UsageError: `experiment.value-wrong`.

    Example:
        >>> [round(any_time(t), 2) for t in (0.1, 0.5, 1.0)]
        [3.12, 2.77, 2.79]
    """
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    if not fraction > 0:
        raise UsageError("experiment.value-wrong", name="fraction", expected="> 0", value=fraction)
    # Tightest where s solves s = 2 log(1/a) + log(1 + s), nearly (their appendix on rho).
    level = 2 * alpha
    best = -2 * math.log(level) + math.log(-2 * math.log(level) + 1)
    s = best * fraction / tight_at
    goal = 0.5 * math.log1p(s) - math.log(alpha)

    def short(x: float) -> float:
        return math.log(2) + float(log_ndtr(x)) + x**2 / 2 - goal

    x = float(brentq(short, 0.0, math.sqrt(2 * goal) + 2))
    return x * math.sqrt((1 + s) / s)
