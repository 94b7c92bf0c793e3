"""Where ids stand in a list, for whole columns at a time."""
# numba compiles the walk for the types it is called with.
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.core.kernel import compiled

Ints = npt.NDArray[np.int64]
Ids: TypeAlias = Sequence[str] | npt.NDArray[np.object_] | pa.Array | pa.ChunkedArray
"""Ids as a query or a person gives them; a query's own columns cost least."""


class Places:
    """Places of ids in a list of distinct ids.

    Args:
        ids: distinct.

    Example:
        >>> Places(["ann", "bob"]).of(["bob", "nobody"])
        array([ 1, -1])
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = _column(ids)

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, ids: Ids) -> Ints:
        """Place of each id, int64 [n]; -1 for one that is not in the list."""
        asked = _column(ids)
        found = _beside(asked, self._ids)
        if found is None:
            index = pc.index_in(asked, value_set=self._ids).fill_null(-1)
            found = np.asarray(index.to_numpy(zero_copy_only=False), np.int64)
        return found

    def put(self, out: npt.NDArray[np.generic], ids: Ids, values: npt.NDArray[np.generic]) -> None:
        """Write values of ids to their places; of ids that are not in the list, nothing.

        Args:
            out: written to, [len(self)].
            ids: n ids.
            values: [n].
        """
        at = self.of(ids)
        out[at[at >= 0]] = values[at >= 0]

    def pick(self, ids: Ids, values: pa.Array | pa.ChunkedArray) -> pa.Array:
        """The value of each id of the list; null for one that is not among those asked.

        Args:
            ids: n distinct ids.
            values: [n].
        """
        at = Places(ids).of(self._ids)
        found = values.take(pa.array(at, mask=at < 0))
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _column(ids: Ids) -> pa.Array:
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks().cast(pa.string())
    return ids.cast(pa.string()) if isinstance(ids, pa.Array) else pa.array(ids, pa.string())


def _beside(asked: pa.Array, ids: pa.Array) -> Ints | None:
    """Places of ids that ascend in a list that ascends, found in one walk; None where they do not.

    Queries that end in `order by` give such ids, and looking each up would cost far more.
    """
    if asked.null_count or ids.null_count:
        return None
    out = np.empty(len(asked), np.int64)
    return out if _walk(*_texts(asked), *_texts(ids), out) else None


def _texts(ids: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Offsets and bytes of an array of text."""
    _, offsets, data = ids.buffers()
    at = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    return at, np.frombuffer(data or b"", np.uint8)


@compiled()
def _order(a, low, high, b, begin, end):  # type: ignore[no-untyped-def]
    """-1, 0 or 1: how one text stands to another, byte by byte."""
    n, m = high - low, end - begin
    for i in range(min(n, m)):
        x, y = a[low + i], b[begin + i]
        if x != y:
            return -1 if x < y else 1
    return 0 if n == m else (-1 if n < m else 1)


@compiled()
def _walk(at, data, ids_at, ids, out):  # type: ignore[no-untyped-def]
    """Fills in places; False when either side does not ascend."""
    k, n = 0, len(ids_at) - 1
    for j in range(1, n):
        if _order(ids, ids_at[j - 1], ids_at[j], ids, ids_at[j], ids_at[j + 1]) >= 0:
            return False
    for i in range(len(out)):
        low, high = at[i], at[i + 1]
        if i and _order(data, at[i - 1], low, data, low, high) >= 0:
            return False
        side = 1
        while k < n:
            side = _order(data, low, high, ids, ids_at[k], ids_at[k + 1])
            if side <= 0:
                break
            k += 1
        out[i] = k if side == 0 and k < n else -1
    return True
