"""How positions changed between two days, and what they are made of.

Means are taken over ascending values, so that no order of rows can change a bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keepwell.core.kernel import compiled
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


def movements(
    held: Held,
    days: Ints,
    changed: npt.NDArray[np.bool_] | None = None,
    sized: npt.NDArray[np.bool_] | None = None,
) -> Array:
    """Changes of each question's positions up to the first question's, and their sizes.

    Args:
        held: the positions.
        days: X of each question; int64 [a].
        changed: of which questions the changes are asked; bool [a], default: all.
        sized: of which the sizes; bool [a], default: all.

    Returns:
        float64 [len(MOVES), a, n]; the changes are NaN unless both positions are known, their
        logarithms also where nothing is held at both, the sizes where nothing is held; NaN also
        where not asked.
    """
    n, a = held.known.shape
    out = np.full((len(MOVES), a, n), np.nan)
    every = np.ones(a, np.bool_)
    _movements(
        held.start, held.first, held.quantity, held.known, days, float(QUANTITY_SCALE),
        every if changed is None else changed, every if sized is None else sized, out,
    )  # fmt: skip
    return out


def share(held: Held, member: npt.NDArray[np.bool_], question: int) -> Array:
    """Share of the positions whose instrument belongs to a class.

    Args:
        held: the positions.
        member: whether each instrument code does; bool [codes].
        question: which of the questions.

    Returns:
        float64 [n]; NaN where positions are unknown or nothing is held.
    """
    out = np.full(len(held.known), np.nan)
    _share(held.start, held.instrument, held.quantity, held.known, member, question, out)
    return out


@compiled()
def _share(start, instrument, quantity, known, member, a, out):  # type: ignore[no-untyped-def]
    for q in range(len(out)):
        total = part = 0
        for k in range(start[q], start[q + 1]):
            if quantity[k, a] > 0:
                total += 1
                part += member[instrument[k]]
        if known[q, a] and total > 0:
            out[q] = part / total


@compiled()
def _movements(  # type: ignore[no-untyped-def]
    start, first, quantity, known, days, scale, changed, sizes_asked, out
):
    count = len(days)
    most = 0
    for q in range(len(start) - 1):
        most = max(most, start[q + 1] - start[q])
    logs, sizes = np.empty(most), np.empty(most)
    for q in range(len(start) - 1):
        for a in range(count):
            if not known[q, a] or not (changed[a] or sizes_asked[a]):
                continue
            both = sized = up = down = back = 0
            for k in range(start[q], start[q + 1]):
                now, then = quantity[k, 0], quantity[k, a]
                if then > 0:
                    sizes[sized] = float(then) / scale
                    sized += 1
                if not changed[a]:
                    continue
                if now > 0 and then > 0:
                    up += now > then
                    down += now < then
                    change = np.log(float(now) / float(then))
                    logs[both] = min(max(change, -MOST_CHANGE), MOST_CHANGE)
                    both += 1
                elif now > 0 and first[k] < days[a]:
                    back += 1
            if known[q, 0] and changed[a]:
                out[0, a, q], out[1, a, q], out[4, a, q] = up, down, back
                if both:
                    out[2, a, q] = _mean(logs[:both])
                    out[3, a, q] = logs[:both].min()
            if sized and sizes_asked[a]:
                out[5, a, q] = sizes[:sized].min()
                out[6, a, q] = sizes[:sized].max()
                out[7, a, q] = _mean(np.log(1.0 + sizes[:sized]))


@compiled()
def _mean(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in np.sort(values):
        total += value
    return total / len(values)
