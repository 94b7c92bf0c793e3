"""How positions changed between two days, and what they are made of.

Means are taken over ascending values, so that no order of rows can change a bit.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from keepwell.core.money import QUANTITY_SCALE
from keepwell.observe.positions import Held

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOVES = (
    "increased", "decreased", "log_change_mean", "log_change_min", "returned",
    "units_min", "units_max", "units_log_mean",
)  # fmt: skip
"""What `movements` computes, in the order of its output."""

MOST_CHANGE = 3.0
"""Limit of the logarithm of a quantity's change, either way."""


def movements(held: Held, days: Ints) -> Array:
    """Changes of each question's positions up to the first question's, and their sizes.

    Args:
        held: the positions.
        days: X of each question; int64 [a].

    Returns:
        float64 [len(MOVES), a, n]; the changes are NaN unless both positions are known, their
        logarithms also where nothing is held at both, the sizes where nothing is held.
    """
    n, a = held.known.shape
    out = np.full((len(MOVES), a, n), np.nan)
    _movements(held.start, held.first, held.quantity, held.known, days, float(QUANTITY_SCALE), out)
    return out


def shares(held: Held, member: npt.NDArray[np.bool_]) -> Array:
    """Share of the positions whose instrument belongs to a class.

    Args:
        held: the positions.
        member: whether each instrument code does; bool [codes].

    Returns:
        float64 [a, n]; NaN where positions are unknown or nothing is held.
    """
    n, a = held.known.shape
    owner = np.repeat(np.arange(n), np.diff(held.start))
    inside = member[held.instrument]
    out = np.full((a, n), np.nan)
    for i in range(a):
        some = held.quantity[:, i] > 0
        total = np.bincount(owner[some], minlength=n)
        part = np.bincount(owner[some & inside], minlength=n)
        ready = held.known[:, i] & (total > 0)
        out[i, ready] = part[ready] / total[ready]
    return out


@numba.njit(nogil=True, cache=True)
def _movements(start, first, quantity, known, days, scale, out):  # type: ignore[no-untyped-def]
    count = len(days)
    most = 0
    for q in range(len(start) - 1):
        most = max(most, start[q + 1] - start[q])
    logs, sizes = np.empty(most), np.empty(most)
    for q in range(len(start) - 1):
        for a in range(count):
            if not known[q, a]:
                continue
            both = sized = up = down = back = 0
            for k in range(start[q], start[q + 1]):
                now, then = quantity[k, 0], quantity[k, a]
                if then > 0:
                    sizes[sized] = float(then) / scale
                    sized += 1
                if now > 0 and then > 0:
                    up += now > then
                    down += now < then
                    change = np.log(float(now) / float(then))
                    logs[both] = min(max(change, -MOST_CHANGE), MOST_CHANGE)
                    both += 1
                elif now > 0 and first[k] < days[a]:
                    back += 1
            if known[q, 0]:
                out[0, a, q], out[1, a, q], out[4, a, q] = up, down, back
                if both:
                    out[2, a, q] = _mean(logs[:both])
                    out[3, a, q] = logs[:both].min()
            if sized:
                out[5, a, q] = sizes[:sized].min()
                out[6, a, q] = sizes[:sized].max()
                out[7, a, q] = _mean(np.log(1.0 + sizes[:sized]))


@numba.njit(nogil=True, cache=True)
def _mean(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in np.sort(values):
        total += value
    return total / len(values)
