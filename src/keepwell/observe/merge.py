"""Stored rows and newer rows of a few clients, merged in memory into the order the kernels walk."""
# numba compiles `_merge` for the types it is called with.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keepwell.core.kernel import compiled
from keepwell.observe.tile_rows import Block, Layout
from keepwell.observe.windows import Rows

Ints = npt.NDArray[np.int64]


def merge(
    base: Rows, extra: Block, layout: Layout, spans: tuple[Ints, Ints, Ints, Ints]
) -> tuple[Rows, Ints, Ints]:
    """Merge the base and the newer rows of some clients.

    Args:
        base: mapped rows.
        extra: newer rows, sorted by client and the layout's order.
        layout: the columns of both; rows of one client are ordered by its "instrument", if it
            has one, then by day, then by known day.
        spans: first row and end of each client in base, and in extra; int64 [n] each.

    Returns:
        The merged rows, everything in 64 bits; first row of each client, and the end.
    """
    counts = (spans[1] - spans[0]) + (spans[3] - spans[2])
    high = np.cumsum(counts)
    total = int(high[-1]) if len(high) else 0
    names = layout.names
    where = np.array(
        [base.wide_index.get(n, -1 - base.narrow_index.get(n, 0)) for n in names], np.int64
    )
    day, known, gone = (np.empty(total, np.int32) for _ in range(3))
    values = np.empty((total, len(names)), np.int64)
    first = names.index("instrument") if "instrument" in names else -1
    _merge(
        *spans, base.day, base.known, base.gone, base.narrow, base.wide, where,
        extra.day, extra.known, extra.gone, extra.values, first, day, known, gone, values,
    )  # fmt: skip
    zero = np.zeros(total, np.int32)
    return Block(zero, day, known, gone, values).rows(layout), high - counts, high


@compiled()
def _merge(  # type: ignore[no-untyped-def]
    base_low, base_high, extra_low, extra_high,
    base_day, base_known, base_gone, narrow, wide, where,
    extra_day, extra_known, extra_gone, extra_values, first,
    day, known, gone, values,
):  # fmt: skip
    k = 0
    for q in range(len(base_low)):
        i, e = base_low[q], extra_low[q]
        while i < base_high[q] or e < extra_high[q]:
            from_base = e >= extra_high[q]
            if not from_base and i < base_high[q]:
                a = b = np.int64(0)
                if first >= 0:
                    c = where[first]
                    a = wide[i, c] if c >= 0 else np.int64(narrow[i, -1 - c])
                    b = extra_values[e, first]
                if a == b:
                    a, b = np.int64(base_day[i]), np.int64(extra_day[e])
                if a == b:
                    a, b = np.int64(base_known[i]), np.int64(extra_known[e])
                from_base = a <= b
            if from_base:
                day[k], known[k] = base_day[i], base_known[i]
                gone[k] = base_gone[i] if len(base_gone) else 2147483647
                for m in range(len(where)):
                    c = where[m]
                    values[k, m] = wide[i, c] if c >= 0 else np.int64(narrow[i, -1 - c])
                i += 1
            else:
                day[k], known[k], gone[k] = extra_day[e], extra_known[e], extra_gone[e]
                for m in range(len(where)):
                    values[k, m] = extra_values[e, m]
                e += 1
            k += 1
