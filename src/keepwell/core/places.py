"""Where ids stand in a list, for whole columns at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]


class Places:
    """Places of ids in a list of distinct ids.

    Args:
        ids: distinct.

    Example:
        >>> Places(["ann", "bob"]).of(["bob", "nobody"])
        array([ 1, -1])
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = pa.array(ids, pa.string())

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, ids: Sequence[str] | npt.NDArray[np.object_]) -> Ints:
        """Place of each id, int64 [n]; -1 for one that is not in the list."""
        asked = pa.array(ids, pa.string())
        found = pc.index_in(asked, value_set=self._ids).fill_null(-1)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)

    def put(
        self,
        out: npt.NDArray[np.generic],
        ids: Sequence[str] | npt.NDArray[np.object_],
        values: npt.NDArray[np.generic],
    ) -> None:
        """Write values of ids to their places; of ids that are not in the list, nothing.

        Args:
            out: written to, [len(self)].
            ids: n ids.
            values: [n].
        """
        at = self.of(ids)
        out[at[at >= 0]] = values[at >= 0]
