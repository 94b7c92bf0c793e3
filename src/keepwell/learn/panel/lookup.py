"""One client's rows out of a file sorted by client, without reading the rest of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class Sorted:
    """A Parquet file sorted by client_id, held open; threads may share it.

    The file may be removed while it is open.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._source = pa.memory_map(str(path))
        self._about = pq.read_metadata(self._source)
        groups = range(self._about.num_row_groups)
        spans = [self._about.row_group(i).column(0).statistics for i in groups]
        self._low = [span.min for span in spans]
        self._high = [span.max for span in spans]

    def rows(self, client_id: str) -> list[dict[str, Any]]:
        """A client's rows in the file's order, without client_id; [] for one not in it."""
        # A group whose last client is smaller cannot hold this one, nor one that begins later.
        first = bisect_left(self._high, client_id)
        until = bisect_right(self._low, client_id)
        if first >= until:
            return []
        # A reader of its own for each call: they are cheap, and one is not for two threads.
        file = pq.ParquetFile(self._source, metadata=self._about)
        table = file.read_row_groups(list(range(first, until)), use_threads=False)
        ids = table.column("client_id")
        low = pc.index(ids, client_id).as_py()
        if low < 0:
            return []
        count = pc.sum(pc.equal(ids, client_id)).as_py()
        return list(table.slice(low, count).drop_columns(["client_id"]).to_pylist())
