"""The Parquet connector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.errors import DataError
from keepwell.observe.connectors.base import FileConnector, RawBatch, Since, files_of, options_of
from keepwell.observe.mapping import Source

BATCH_ROWS = 131_072


class ParquetConnector(FileConnector):
    """Reads Parquet files; cells keep the file's types."""

    name = "parquet"
    suffixes: tuple[str, ...] = (".parquet", ".pq")
    text_cells = False

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source; see `Connector.open`.

        Raises:
            DataError: `source.parquet-broken` for a file that is cut off or is not Parquet.
        """
        del since  # whole files only
        options_of(self.options, name, source)
        for file, path in files_of(name, source, base):
            try:
                yield from _batches(file, path)
            except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
                problem = str(error).splitlines()[0]
                raise DataError(
                    "source.parquet-broken", source=name, file=file, problem=problem
                ) from None


def _batches(file: str, path: Path) -> Iterator[RawBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as reader:
        first = 1
        for batch in reader.iter_batches(batch_size=BATCH_ROWS):
            rows = np.arange(first, first + batch.num_rows, dtype=np.int64)
            first += batch.num_rows
            yield RawBatch(file, rows, batch)
        if first == 1:
            empty = pa.RecordBatch.from_pylist([], schema=reader.schema_arrow)
            yield RawBatch(file, np.empty(0, np.int64), empty)
