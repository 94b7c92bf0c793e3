"""The compiled loops of the window kernel; see windows.py for what they compute.

The pieces are inlined into one function by numba: passing some thirty arrays to a called function
for every row would cost more than the row itself.
"""
# numba compiles these for the types they are called with.
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from keepwell.core.kernel import compiled
from keepwell.observe.tiles import ALWAYS, BLANK


@compiled()
def _flush(age, std, pending, welford):
    """Takes a finished day's sums into the running mean and squares of each window."""
    for j in range(len(pending)):
        if std[j, 1] <= age <= std[j, 2]:
            welford[j, 0] += 1.0
            x = float(pending[j])
            delta = x - welford[j, 1]
            welford[j, 1] += delta / welford[j, 0]
            welford[j, 2] += delta * (x - welford[j, 1])
        pending[j] = 0


@compiled()
def _g_ln_g(g, ln):
    return ln[g] if g < len(ln) else g * math.log(g)


@compiled()
def _gap(age, ages, ln, found):
    """Takes an active day into the gaps: days, first age, last age, longest, sum g ln g."""
    for j in range(len(ages)):
        if age < ages[j, 0] or age > ages[j, 1]:
            continue
        if found[j, 0] == 0.0:
            found[j, 1] = age
            found[j, 4] = _g_ln_g(ages[j, 1] + 1 - age, ln)
        else:
            g = np.int64(found[j, 2]) - age
            found[j, 3] = max(found[j, 3], float(g))
            found[j, 4] += _g_ln_g(g, ln)
        found[j, 0] += 1.0
        found[j, 2] = age


@compiled()
def _gap_value(kind, found, youngest, oldest, ln):
    """Longest gap (kind 0), mean gap (1) or clumpiness (2)."""
    n = found[0]
    if kind == 2:
        if n == 0.0:
            return np.nan
        # the window ends with age 0, or with the day before its youngest
        end = max(youngest - 1, 0)
        length = float(oldest + 1 - end)
        total = found[4] + _g_ln_g(np.int64(found[2]) - end, ln)
        return 1.0 + (total / length - math.log(length)) / math.log(n + 1.0)
    if n < 2.0:
        return np.nan
    return found[3] if kind == 0 else (found[1] - found[2]) / (n - 1.0)


@compiled()
def _bit_count(v):
    n = 0
    while v != 0:
        v &= v - 1
        n += 1
    return n


@compiled(inline="always")
def _add(i, band, narrow, wide, columns, acc, mx, mn, bits, pending):
    """Adds a row's measures to its band."""
    for j in range(len(columns[0])):
        acc[band, columns[0][j, 1]] += narrow[i, columns[0][j, 0]]
    for j in range(len(columns[1])):
        acc[band, columns[1][j, 1]] += wide[i, columns[1][j, 0]]
    for j in range(len(columns[2])):
        mx[band, j] = max(mx[band, j], wide[i, columns[2][j, 0]])
    for j in range(len(columns[3])):
        v = wide[i, columns[3][j, 0]]
        if v != BLANK and (mn[band, j] == BLANK or v < mn[band, j]):
            mn[band, j] = v
    for j in range(len(columns[4])):
        bits[band, j] |= wide[i, columns[4][j, 0]]
    for j in range(len(columns[6])):
        c = columns[6][j, 0]
        pending[j] += wide[i, c] if c >= 0 else narrow[i, -1 - c]


@compiled(inline="always")
def _replace(i, age, wide, real, columns, ops, last):
    """Keeps a row's values as the latest of those old enough."""
    for j in range(len(ops)):
        if age > ops[j, 1]:
            c = columns[j, 0]
            if columns[j, 1]:
                last[j] = real[i, c]
            else:
                last[j] = np.nan if wide[i, c] == BLANK else float(wide[i, c])


@compiled(inline="always")
def _emit_bands(to, sums, ops, acc, mx, mn, bits, out):
    """Combines bands into windows."""
    for b in range(1, len(acc)):
        for m in range(sums + 1):
            acc[b, m] += acc[b - 1, m]
    for o in range(len(ops[0])):
        m = ops[0][o, 1] if ops[0][o, 1] >= 0 else sums
        total = acc[ops[0][o, 3] - 1, m]
        if ops[0][o, 2] > 0:
            total -= acc[ops[0][o, 2] - 1, m]
        out[ops[0][o, 0], to] = float(total)
    for o in range(len(ops[1])):
        best = np.int64(BLANK)
        for b in range(ops[1][o, 2], ops[1][o, 3]):
            best = max(best, mx[b, ops[1][o, 1]])
        out[ops[1][o, 0], to] = np.nan if best == BLANK else float(best)
    for o in range(len(ops[2])):
        least = np.int64(BLANK)
        for b in range(ops[2][o, 2], ops[2][o, 3]):
            v = mn[b, ops[2][o, 1]]
            if v != BLANK and (least == BLANK or v < least):
                least = v
        out[ops[2][o, 0], to] = np.nan if least == BLANK else float(least)
    for o in range(len(ops[3])):
        merged = np.int64(0)
        for b in range(ops[3][o, 2], ops[3][o, 3]):
            merged |= bits[b, ops[3][o, 1]]
        out[ops[3][o, 0], to] = float(_bit_count(merged))


@compiled(inline="always")
def _emit_rest(to, recency, first, ops, last, welford, found, ln, out):
    """Writes what is not made of bands; recency and first are NaN without rows."""
    for o in range(len(ops[4])):
        out[ops[4][o, 0], to] = last[o]
    for o in range(len(ops[5])):
        n = welford[o, 0]
        out[ops[5][o, 0], to] = math.sqrt(welford[o, 2] / (n - 1.0)) if n >= 2.0 else np.nan
    for o in range(len(ops[6])):
        k = ops[6][o, 1]
        out[ops[6][o, 0], to] = _gap_value(ops[6][o, 2], found[k], ops[7][k, 0], ops[7][k, 1], ln)
    for o in range(len(ops[8])):
        out[ops[8][o, 0], to] = recency
    for o in range(len(ops[9])):
        out[ops[9][o, 0], to] = first


@compiled()
def kernel(today, low, high, at, ages, bands, sums, ops, rows, columns, check_known, ln, out):
    """Walks the rows of each client once; see `windows.run`.

    `ops`: sum, max, min, or, last, std, gap, gap ages, recency, first seen; `rows`: day, known,
    gone, narrow, wide, wide as float64; `columns`: narrow sums, wide sums, max, min, or, last, std.
    """
    day, known, gone, narrow, wide, real = rows
    farthest, check_gone, old_matters = len(ages) - 1, len(gone) > 0, len(ops[4]) > 0
    acc = np.zeros((bands, sums + 1), np.int64)  # the last column counts active days
    mx = np.empty((bands, len(columns[2])), np.int64)
    mn = np.empty((bands, len(columns[3])), np.int64)
    bits = np.zeros((bands, len(columns[4])), np.int64)
    last = np.empty(len(ops[4]))
    pending = np.zeros(len(ops[5]), np.int64)
    welford = np.zeros((len(ops[5]), 3))
    found = np.zeros((len(ops[7]), 5))
    for q in range(len(low)):
        acc[:] = 0
        mx[:] = BLANK
        mn[:] = BLANK
        bits[:] = 0
        last[:] = np.nan
        pending[:] = 0
        welford[:] = 0.0
        found[:] = 0.0
        first = newest = np.int64(today + 1)  # a day no visible row has
        for i in range(low[q], high[q]):
            d = np.int64(day[i])
            if d >= today and (d > today or known[i] != ALWAYS):
                continue
            if (check_known and known[i] > today) or (check_gone and gone[i] <= today):
                continue
            age = today - d
            if d != newest:
                if newest > today:
                    first = d
                else:
                    _flush(today - newest, ops[5], pending, welford)
                newest = d
                if age <= farthest:
                    acc[ages[age], sums] += 1
                    _gap(age, ops[7], ln, found)
            if age <= farthest:
                _add(i, ages[age], narrow, wide, columns, acc, mx, mn, bits, pending)
            if old_matters:
                _replace(i, age, wide, real, columns[5], ops[4], last)
        recency = seen = np.nan
        if newest <= today:
            _flush(today - newest, ops[5], pending, welford)
            recency, seen = float(today - newest), float(today - first)
        _emit_bands(at[q], sums, ops, acc, mx, mn, bits, out)
        _emit_rest(at[q], recency, seen, ops, last, welford, found, ln, out)


@compiled()
def newest(today, low, high, day, known, gone, out):
    """Days since each client's latest visible row; `out` keeps what it has where there is none."""
    check_gone = len(gone) > 0
    for q in range(len(low)):
        for i in range(high[q] - 1, low[q] - 1, -1):
            d = np.int64(day[i])
            if d > today or (d == today and known[i] != ALWAYS):
                continue
            if known[i] > today or (check_gone and gone[i] <= today):
                continue
            out[q] = float(today - d)
            break
