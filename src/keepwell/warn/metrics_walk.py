# ruff: noqa: ANN001, ANN201, ANN202
"""The compiled pass along a ranking behind `metrics`: every metric of one weighting at once."""

from __future__ import annotations

import numpy as np

from keepwell.core.kernel import compiled


@compiled()
def walk(weights, order, p, y, ends, shares, bins, part, middle, out):  # type: ignore[no-untyped-def]
    """One pass over the ranking per weighting; columns of `out` in the order of METRICS."""
    w = np.empty(len(p))
    wrong = (p - y) ** 2
    mass = np.empty(len(middle))
    for b in range(len(weights)):
        n = pos = brier = 0.0
        mass[:] = 0.0
        for i in range(len(p)):
            w[i] = weights[b, order[i]]
            n += w[i]
            pos += w[i] * y[i]
            brier += w[i] * wrong[i]
            mass[part[i]] += w[i]
        if pos <= 0 or pos >= n:
            continue
        auc, ap, first = _curve(w, y, ends, shares, n, pos)
        times = _times(mass, middle, pos)
        out[b, 0], out[b, 1] = auc, ap
        for k in range(2):
            out[b, 2 + 2 * k], out[b, 3 + 2 * k] = first[k] / shares[k], first[k]
        out[b, 6] = brier / n
        out[b, 7] = _ece(w, y, p, bins, 1.0) / n
        out[b, 8] = _ece(w, y, p, bins, times) / n


@compiled()
def _curve(w, y, ends, shares, n, pos):  # type: ignore[no-untyped-def]
    """AUC, average precision, and the share of leavers within each top share."""
    total = found = auc = ap = 0.0
    first = np.full(2, -1.0)
    i = 0
    for end in ends:
        step = gone = 0.0
        while i <= end:
            step += w[i]
            gone += w[i] * y[i]
            i += 1
        if step == 0.0:
            continue
        # A leaver beats all stayers below it and half of those tied with it.
        stay = step - gone
        below = (n - pos) - (total - found) - stay
        auc += gone * (below + 0.5 * stay)
        for k in range(2):
            wanted = shares[k] * n
            if first[k] < 0 and total + step >= wanted:
                # A tie at the edge counts in part.
                first[k] = (found + gone * (wanted - total) / step) / pos
        total += step
        found += gone
        ap += gone * found / total
    return auc / (pos * (n - pos)), ap / pos, first


@compiled()
def _ece(w, y, p, bins, times):  # type: ignore[no-untyped-def]
    """Sum over bins of |sum of probability - leavers|, all odds multiplied by `times`."""
    out = gap = 0.0
    for i in range(len(p)):
        if i and bins[i] != bins[i - 1]:
            out += abs(gap)
            gap = 0.0
        gap += w[i] * (p[i] * times / (1.0 - p[i] + p[i] * times) - y[i])
    return out + abs(gap)


@compiled()
def _times(mass, middle, pos):  # type: ignore[no-untyped-def]
    """Factor of the odds with which probabilities sum to the leavers (Newton in its logarithm)."""
    shift = 0.0
    for _ in range(30):
        times = np.exp(shift)
        total = slope = 0.0
        for k in range(len(mass)):
            q = middle[k] * times / (1.0 - middle[k] + middle[k] * times)
            total += mass[k] * q
            slope += mass[k] * q * (1 - q)
        move = (pos - total) / max(slope, 1e-12)
        shift += min(max(move, -2.0), 2.0)
        if abs(move) < 1e-9:
            break
    return np.exp(shift)
