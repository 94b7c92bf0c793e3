"""The Parquet connector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.errors import DataError
from keepwell.observe.connectors.base import (
    BadCell,
    FileConnector,
    RawBatch,
    Since,
    files_of,
    options_of,
    reading,
)
from keepwell.observe.mapping import Source
from keepwell.observe.raw_rows import rows_of

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
            with reading(name, file, path):
                try:
                    yield from _batches(file, path)
                # A damaged file may ask for any amount of memory, or name a column in no encoding.
                except (
                    pa.ArrowException,
                    OSError,
                    ValueError,
                    OverflowError,
                    MemoryError,
                ) as error:
                    problem = (str(error).splitlines() or [type(error).__name__])[0]
                    raise DataError(
                        "source.parquet-broken", source=name, file=file, problem=problem
                    ) from None


def _batches(file: str, path: Path) -> Iterator[RawBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as reader:
        first = 1
        for batch in reader.iter_batches(batch_size=BATCH_ROWS):
            rows = np.arange(first, first + batch.num_rows, dtype=np.int64)
            first += batch.num_rows
            yield _sound(RawBatch(file, rows, batch))
        if first == 1:
            empty = pa.RecordBatch.from_pylist([], schema=reader.schema_arrow)
            yield RawBatch(file, np.empty(0, np.int64), empty)


def _sound(given: RawBatch) -> RawBatch:
    """The batch without rows whose text is no UTF-8, of which a Parquet file gives no warning."""
    batch = given.columns
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return given
    spoilt = np.zeros(batch.num_rows, bool)
    faults: list[tuple[int, str]] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        where = _no_text(column)
        spoilt[where] = True
        faults += [(int(place), name) for place in where]
    kept = batch.filter(pa.array(~spoilt))
    kept = pa.RecordBatch.from_arrays([_renewed(c) for c in kept.columns], schema=kept.schema)
    kept.validate(full=True)  # what is damaged in another way damages the whole file
    raw = dict(zip(np.flatnonzero(spoilt), rows_of(batch.filter(pa.array(spoilt))), strict=True))
    bad = [
        BadCell(int(given.rows[place]), name, "cell.not-text", raw[place][name], raw[place])
        for place, name in sorted(faults)
    ]
    return RawBatch(given.file, given.rows[~spoilt], kept, bad=bad)


def _no_text(column: pa.Array) -> list[int]:
    """Places of cells that cannot be read as text, in a column of text."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return [place for place, cell in enumerate(column) if not _readable(cell)]
    return []


def _readable(cell: pa.Scalar) -> bool:
    try:
        cell.as_py()
    except UnicodeDecodeError:
        return False
    return True


def _renewed(column: pa.Array) -> pa.Array:
    """A column whose dictionary has only what occurs."""
    if not pa.types.is_dictionary(column.type):
        return column
    return column.dictionary_decode().dictionary_encode().cast(column.type)
