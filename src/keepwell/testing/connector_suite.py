"""The contract suite of connectors: what each must do, built-in or not.

`SourceContract` is for every kind of source, `ConnectorContract` for those that read files, and
`IncrementContract` beside one of them for those that read in increments by a column. Subclass them
in a test module and say how to write a source of your format:

    from keepwell.testing.connector_suite import ConnectorContract

    class TestMine(ConnectorContract):
        connector = MyConnector()

        def write(self, folder, name, rows, columns):
            ...
            return Source(path=f"{name}.mine")

pytest then collects every check. The suite itself needs nothing but pytest's `tmp_path`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from keepwell.core.errors import KeepwellError
from keepwell.observe.connectors.base import Connector, RawBatch, Since
from keepwell.observe.mapping import Source
from keepwell.observe.mapping_source import Increment

Row = dict[str, str]
"""Column name to text; every row of a source has the same columns."""

ROWS: list[Row] = [
    {"id": "1", "name": "张三", "note": "plain"},
    {"id": "2", "name": "Ευαγγελία", "note": 'says "hello"'},
    {"id": "3", "name": "O'Neill", "note": "two\nlines, one cell"},
    {"id": "4", "name": "last", "note": ""},
]
"""Rows that a careless reader gets wrong."""

LARGE_ROWS = 300_000
"""Rows of the streaming check."""


class SourceContract:
    """Checks that a connector keeps its promises, whatever it reads.

    Attributes:
        connector: the connector under test.
        large_rows: rows of the streaming check; fewer for a format that is slow to write.
    """

    connector: ClassVar[Connector]
    large_rows: ClassVar[int] = LARGE_ROWS

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        """Write rows as one file, or one table, of the connector's format.

        Args:
            folder: where; a source on a server leaves it aside.
            name: the file's name without its suffix, or the table's.
            rows: the rows; may be empty.
            columns: the column names, in order.

        Returns:
            The source that reads it, its path relative to `folder`.
        """
        raise NotImplementedError

    def test_is_a_connector(self) -> None:
        """It has the protocol's attributes, and suffixes begin with a dot."""
        assert isinstance(self.connector, Connector)
        assert self.connector.name
        assert all(suffix.startswith(".") for suffix in self.connector.suffixes)

    def test_rows_come_whole_and_in_order(self, tmp_path: Path) -> None:
        """Every cell arrives as it was written, line breaks and quotes included."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        assert _cells(self._read(source, tmp_path)) == ROWS

    def test_row_numbers_name_rows(self, tmp_path: Path) -> None:
        """Row numbers rise by one, from the same start in every file."""
        batches = self._read(self.write(tmp_path, "rows", ROWS, list(ROWS[0])), tmp_path)
        rows = np.concatenate([batch.rows for batch in batches])
        assert rows.dtype == np.int64
        assert (np.diff(rows) == 1).all()
        again = self._read(self.write(tmp_path, "again", ROWS[:1], list(ROWS[0])), tmp_path)
        assert again[0].rows[0] == rows[0]

    def test_reading_twice_gives_the_same(self, tmp_path: Path) -> None:
        """Batches do not depend on chance."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        first, second = self._read(source, tmp_path), self._read(source, tmp_path)
        assert [b.columns.to_pylist() for b in first] == [b.columns.to_pylist() for b in second]

    def test_a_file_without_rows_still_tells_its_columns(self, tmp_path: Path) -> None:
        """One empty batch with the columns."""
        source = self.write(tmp_path, "none", [], ["id", "name", "note"])
        batches = self._read(source, tmp_path)
        assert len(batches) == 1
        assert batches[0].columns.num_rows == 0
        assert batches[0].columns.schema.names == ["id", "name", "note"]

    def test_a_large_source_comes_in_parts(self, tmp_path: Path) -> None:
        """Memory is bounded: many batches, none of them much of the file."""
        rows = [{"id": str(i), "text": "x" * 40} for i in range(self.large_rows)]
        source = self.write(tmp_path, "large", rows, ["id", "text"])
        total, expected = 0, 0
        for batch in self.connector.open("large", source, tmp_path):
            total += batch.columns.num_rows
            assert batch.columns.num_rows <= self.large_rows / 2
            expected += sum(map(int, batch.columns["id"].to_pylist()))
        assert total == self.large_rows
        assert expected == self.large_rows * (self.large_rows - 1) // 2

    def test_an_unknown_option_is_refused_by_name(self, tmp_path: Path) -> None:
        """`source.option-unknown`; the value, which may be a secret, is not repeated."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        options = {**source.options, "paswort": "Tr0ub4dor"}
        error = self._error(source.model_copy(update={"options": options}), tmp_path)
        assert (error.code, error.fields["option"]) == ("source.option-unknown", "paswort")
        assert not any("Tr0ub4dor" in str(value) for value in error.fields.values())

    def test_its_fingerprint_holds_still_or_is_not_given(self, tmp_path: Path) -> None:
        """The same source has the same one; nothing is known of a database without asking it."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        first = self.connector.fingerprint("source", source, tmp_path)
        assert first == self.connector.fingerprint("source", source, tmp_path)
        assert first is None or all(file and digest for file, digest in first.items())

    def _read(self, source: Source, folder: Path) -> list[RawBatch]:
        return list(self.connector.open("source", source, folder))

    def _error(self, source: Source, folder: Path) -> KeepwellError:
        try:
            list(self.connector.open("source", source, folder))
        except KeepwellError as error:
            if error.fields["source"] == "source":
                return error
            raise
        raise AssertionError("no error was raised")


class ConnectorContract(SourceContract):
    """The same, for a connector that reads files."""

    def test_several_files_come_in_the_order_of_their_names(self, tmp_path: Path) -> None:
        """A list of paths or a glob gives one file after the other, each named."""
        paths = [
            path
            for part in ("b", "a")
            for path in self.write(tmp_path, part, [{"id": part}], ["id"]).paths
        ]
        source = self.write(tmp_path, "b", [{"id": "b"}], ["id"])
        listed = source.model_copy(update={"path": paths})
        assert [row["id"] for row in _cells(self._read(listed, tmp_path))] == ["b", "a"]
        pattern = source.model_copy(update={"path": "*" + Path(paths[0]).suffix})
        batches = self._read(pattern, tmp_path)
        assert [row["id"] for row in _cells(batches)] == ["a", "b"]
        assert [Path(batch.file).stem for batch in batches] == ["a", "b"]

    def test_a_missing_file_is_named_with_the_nearest(self, tmp_path: Path) -> None:
        """`source.file-missing`."""
        source = self.write(tmp_path, "trades", ROWS, list(ROWS[0]))
        wrong = source.paths[0].replace("trades", "trade")
        error = self._error(source.model_copy(update={"path": wrong}), tmp_path)
        assert error.code == "source.file-missing"
        assert error.fields["nearest"] == source.paths[0]

    def test_an_empty_file_is_an_error(self, tmp_path: Path) -> None:
        """`source.file-empty`: no bytes at all is never a right export."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        (tmp_path / source.paths[0]).write_bytes(b"")
        error = self._error(source, tmp_path)
        assert error.code == "source.file-empty"
        assert error.fields["file"] == source.paths[0]

    def test_a_cut_off_file_gives_its_rows_or_a_clear_error(self, tmp_path: Path) -> None:
        """Never another library's exception."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        path = tmp_path / source.paths[0]
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        error: KeepwellError | None = None
        try:
            list(self.connector.open("rows", source, tmp_path))
        except KeepwellError as raised:
            error = raised
        assert error is None or error.fields["file"] == source.paths[0]

    def test_a_changed_file_has_another_fingerprint(self, tmp_path: Path) -> None:
        """Otherwise an ingest would take it for read; only what asks each time gives none."""
        source = self.write(tmp_path, "rows", ROWS, list(ROWS[0]))
        before = self.connector.fingerprint("source", source, tmp_path)
        self.write(tmp_path, "rows", ROWS[:2], list(ROWS[0]))
        after = self.connector.fingerprint("source", source, tmp_path)
        assert before is None or before != after


class IncrementContract(SourceContract):
    """Checks of a connector that reads what is new by a column of whole numbers or text."""

    def test_only_rows_from_the_mark_on_come_and_those_without_one(self, tmp_path: Path) -> None:
        """The mark's own row comes again: two rows may share it."""
        rows = [{"id": text, "name": f"row {text}"} for text in ("a1", "a2", "a2b", "Z", "")]
        source = self._increment(tmp_path, rows)
        found = self._since(source, tmp_path, "a2")
        assert {row["id"] for row in found} >= {"a2", "a2b"}
        assert not {row["id"] for row in found} & {"a1", "Z"}

    def test_nothing_new_still_tells_its_columns(self, tmp_path: Path) -> None:
        """One empty batch, which is no fault."""
        source = self._increment(tmp_path, [{"id": "a1", "name": "x"}])
        batches = list(self.connector.open("source", source, tmp_path, Since("b")))
        assert [batch.columns.num_rows for batch in batches] == [0]
        assert batches[0].columns.schema.names == ["id", "name"]

    def test_a_mark_is_a_value_and_never_a_piece_of_sql(self, tmp_path: Path) -> None:
        """It comes from the data, and data may hold quotes."""
        source = self._increment(tmp_path, [{"id": "a' or 'x' = 'x", "name": "x"}])
        assert self._since(source, tmp_path, "b' or 'x' = 'x") == []
        assert len(self._since(source, tmp_path, "a' or 'x' = 'x")) == 1

    def _increment(self, folder: Path, rows: Sequence[Row]) -> Source:
        source = self.write(folder, "rows", rows, list(rows[0]))
        return source.model_copy(update={"increment": Increment(by="id")})

    def _since(self, source: Source, folder: Path, mark: str) -> list[Row]:
        return _cells(list(self.connector.open("source", source, folder, Since(mark))))


def _cells(batches: Sequence[RawBatch]) -> list[Row]:
    table = pa.Table.from_batches([batch.columns for batch in batches])
    return [{name: str(cell or "") for name, cell in row.items()} for row in table.to_pylist()]
