"""The CSV connector: any declared encoding, exact row numbers, quoted line breaks, streaming."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from keepwell.core.errors import DataError
from keepwell.observe.connectors.base import (
    FileConnector,
    Ragged,
    RawBatch,
    Since,
    files_of,
    letters,
    options_of,
    reading,
)
from keepwell.observe.connectors.encoding import (
    AUTO,
    OnError,
    Utf8Stream,
    check_declared,
    detected,
)
from keepwell.observe.mapping import Source

BLOCK = 4 << 20
"""Bytes parsed at a time; a single record must be shorter."""
_LONGEST_NAME = 131_072
"""Characters of a column's name that Python's reader takes at most."""


class CsvConnector(FileConnector):
    """Reads CSV files; every cell is text, absent cells are ''."""

    name = "csv"
    suffixes: tuple[str, ...] = (".csv", ".txt", ".tsv")
    text_cells = True

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source; see `Connector.open`.

        Raises:
            DataError: `source.encoding-wrong`, `source.header-twice`, `source.header-blank`,
                `source.quote-open`, `source.record-long`, `source.csv-broken`.
        """
        del since  # whole files only
        options_of(self.options, name, source)
        for file, path in files_of(name, source, base):
            with reading(name, file, path):
                encoding = source.encoding
                if encoding == AUTO:
                    encoding = detected(name, file, path)
                else:
                    check_declared(name, file, path, encoding)
                yield from _File(name, source, file, path, encoding).batches()


class _File:
    """One CSV file being read."""

    def __init__(self, name: str, source: Source, file: str, path: Path, encoding: str) -> None:
        self.name, self.source, self.file, self.path = name, source, file, path
        self.encoding = encoding
        self.left_out: list[Ragged] = []
        self.next_row = 2
        self.empty = True
        self.last: pa.RecordBatch | None = None
        self.nameless: list[int] = []

    def batches(self) -> Iterator[RawBatch]:
        header = self._header()
        with self._stream() as stream:
            try:
                for batch in self._reader(stream, header):
                    yield self._numbered(batch.rename_columns([h.strip() for h in header]))
            except pa.ArrowInvalid as error:
                self._raise(error, stream)
            if stream.quotes % 2:
                self._check_last_quote()
        rest, self.left_out = self._take_ragged(len(self.left_out)), []
        if self.empty or rest:
            schema = pa.schema([(h.strip(), pa.string()) for h in header if h.strip()])
            none = pa.RecordBatch.from_pylist([], schema=schema)
            yield RawBatch(self.file, np.empty(0, np.int64), none, rest, encoding=self.found)

    @property
    def found(self) -> str:
        """The encoding, if it was found out."""
        return self.encoding if self.source.encoding == AUTO else ""

    def _stream(self) -> Utf8Stream:
        on_error = OnError(self.name, self.file, self.path, self.encoding)
        return Utf8Stream(self.path, self.encoding, on_error)

    def _header(self) -> list[str]:
        with self._stream() as stream:
            head = stream.read(BLOCK).decode("utf-8", "ignore")
        rows = csv.reader(io.StringIO(head, newline=""), delimiter=self.source.delimiter)
        try:
            header = next(rows, [])
        except csv.Error:  # a cell longer than any name
            self._raise_long(1)
        names = [cell.strip() for cell in header]
        if not any(names):
            raise DataError("source.file-empty", source=self.name, file=self.file)
        self.nameless = [place for place, cell in enumerate(names) if not cell]
        for cell in filter(None, names):
            if names.count(cell) > 1:
                raise DataError(
                    "source.header-twice", source=self.name, file=self.file, column=cell
                )
        return header

    def _reader(self, stream: Utf8Stream, header: list[str]) -> Iterator[pa.RecordBatch]:
        return iter(
            pacsv.open_csv(
                # A file that ends right after its header needs the line break to be a header.
                pa.PythonFile(_Ended(stream), mode="r"),
                read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.source.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=self._on_ragged,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types={h: pa.string() for h in header},
                    strings_can_be_null=False,
                ),
            )
        )

    def _on_ragged(self, row: pacsv.InvalidRow) -> str:
        self.left_out.append(Ragged(row.number, row.actual_columns, row.expected_columns, row.text))
        return "skip"

    def _numbered(self, batch: pa.RecordBatch) -> RawBatch:
        """Give the rows their record numbers, which skip those of ragged records."""
        count = batch.num_rows
        skipped = np.array([r.row for r in self.left_out], np.int64)
        rows = np.arange(self.next_row, self.next_row + count + len(skipped), dtype=np.int64)
        rows = rows[~np.isin(rows, skipped)][:count]
        if count:
            self.next_row, self.last = int(rows[-1]) + 1, batch
        ragged = self._take_ragged(int((skipped < self.next_row).sum()))
        blank = _blank_rows(batch)
        if blank.any():
            kept = pa.array(~blank)
            batch, rows = batch.filter(kept), rows[~blank]
        batch = self._named(batch, rows)
        self.empty = self.empty and batch.num_rows == 0
        return RawBatch(self.file, rows, batch, ragged, encoding=self.found)

    def _named(self, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Without the columns that have no name, which must have no value either."""
        for place in self.nameless:
            there = pc.binary_length(pc.utf8_trim_whitespace(batch.column(place)))
            filled = np.flatnonzero(pc.greater(there, 0).to_numpy(zero_copy_only=False))
            if len(filled):
                raise DataError(
                    "source.header-blank",
                    source=self.name,
                    file=self.file,
                    row=int(rows[filled[0]]),
                    column=letters(place),
                )
        if self.nameless:
            batch = batch.select([n for n in range(batch.num_columns) if n not in self.nameless])
        return batch

    def _take_ragged(self, count: int) -> list[Ragged]:
        taken, self.left_out = self.left_out[:count], self.left_out[count:]
        if taken:
            self.next_row = max(self.next_row, taken[-1].row + 1)
        return [r for r in taken if r.text.strip(" \t\r\n" + self.source.delimiter)]

    def _check_last_quote(self) -> None:
        """An odd number of quotes and a last record over several lines: a quote left open."""
        tail = self.left_out[-1] if self.left_out else None
        if tail and "\n" in tail.text and tail.text.count('"') % 2:
            self._raise_quote(tail.row)
        if self.last is not None and any("\n" in c[-1].as_py() for c in self.last.columns):
            self._raise_quote(self.next_row - 1)

    def _raise_quote(self, row: int) -> NoReturn:
        raise DataError("source.quote-open", source=self.name, file=self.file, row=row)

    def _raise_long(self, row: int) -> NoReturn:
        raise DataError(
            "source.record-long",
            source=self.name,
            file=self.file,
            row=row,
            megabytes=BLOCK >> 20,
        ) from None

    def _raise(self, error: pa.ArrowInvalid, stream: Utf8Stream) -> NoReturn:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        if "straddling" in problem and stream.quotes % 2:
            self._raise_quote(self.next_row)
        if "straddling" in problem:
            self._raise_long(self.next_row)
        raise DataError(
            "source.csv-broken", source=self.name, file=self.file, problem=problem
        ) from None


class _Ended(io.RawIOBase):
    """A stream with a line break added at its end if there is none."""

    def __init__(self, stream: Utf8Stream) -> None:
        super().__init__()
        self._stream = stream
        self._last = b"\n"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._last = data[-1:] or self._last
        if (size < 0 or len(data) < size) and self._last != b"\n":
            self._last = b"\n"
            data += b"\n"
        return data


def _blank_rows(batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows without a single character: blank lines, which are no records."""
    blank = np.ones(batch.num_rows, bool)
    for column in batch.columns:
        if blank.any():
            blank &= pc.equal(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return blank
