"""The built-in connectors: the contract suite, and what is particular to each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import DataError, UsageError
from keepwell.observe.connectors import RawBatch, connector_for, connectors
from keepwell.observe.connectors.csv_files import CsvConnector
from keepwell.observe.connectors.encoding import guess_encoding
from keepwell.observe.connectors.parquet_files import ParquetConnector
from keepwell.observe.mapping import Source
from keepwell.testing.connector_suite import ConnectorContract, Row


def write_csv(path: Path, rows: Sequence[Row], columns: Sequence[str], encoding: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)


class TestCsvContract(ConnectorContract):
    connector = CsvConnector()

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        write_csv(folder / f"{name}.csv", rows, columns, "utf-8")
        return Source(path=f"{name}.csv")


class TestCsvContractInGb18030(ConnectorContract):
    connector = CsvConnector()

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        write_csv(folder / f"{name}.csv", rows, columns, "gb18030")
        return Source(path=f"{name}.csv", encoding="gb18030")


class TestParquetContract(ConnectorContract):
    connector = ParquetConnector()

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        schema = pa.schema([(column, pa.string()) for column in columns])
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), folder / f"{name}.parquet")
        return Source(path=f"{name}.parquet")


def read(folder: Path, content: bytes, **options: object) -> list[RawBatch]:
    (folder / "a.csv").write_bytes(content)
    source = Source.model_validate({"path": "a.csv", **options})
    return list(CsvConnector().open("a", source, folder))


def fault(folder: Path, content: bytes, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, content, **options)
    return caught.value


def test_the_registry_finds_readers_by_suffix_and_by_format() -> None:
    assert {"csv", "parquet"} <= set(connectors())
    assert connector_for("a", Source(path="x/y.CSV")).name == "csv"
    assert connector_for("a", Source(path="x/*.parquet")).name == "parquet"
    assert connector_for("a", Source(path="export.dat", format="csv")).name == "csv"
    with pytest.raises(UsageError) as caught:
        connector_for("a", Source(path="book.ods"))
    assert caught.value.code == "source.format-unknown"
    assert caught.value.fields["format"] == ".ods"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_each_declared_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    text = "客户,营业部\nC1,上海\nC2,深圳\n"
    batches = read(tmp_path, text.encode(encoding), encoding=encoding)
    assert batches[0].columns.to_pydict() == {"客户": ["C1", "C2"], "营业部": ["上海", "深圳"]}


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    batches = read(tmp_path, "编号,x\n1,2\n".encode("utf-8-sig"), encoding="utf-8")
    assert batches[0].columns.schema.names == ["编号", "x"]


def test_wrong_encoding_names_file_row_byte_and_likely_encoding(tmp_path: Path) -> None:
    content = b"id,name\nC1,plain\n" + "C2,张三\n".encode("gbk")
    error = fault(tmp_path, content, encoding="utf-8")
    assert error.code == "source.encoding-wrong"
    assert error.fields["file"] == "a.csv"
    assert (error.fields["row"], error.fields["byte"]) == (3, 20)
    assert error.fields["guess"] == "gb18030"


def test_a_wrong_byte_far_into_the_file_is_found_where_it_is(tmp_path: Path) -> None:
    line = "C1,张三丰\n".encode("gbk")
    content = b"id,name\n" + line * 400_000 + b"C2,\xff\xff\n"
    error = fault(tmp_path, content, encoding="gbk")
    assert error.fields["byte"] == len(b"id,name\n") + len(line) * 400_000 + 3
    assert error.fields["row"] == 400_002


def test_utf8_declared_as_gbk_is_refused_though_it_would_decode(tmp_path: Path) -> None:
    content = "编号,名称\n甲乙丙丁,张三李四\n".encode()
    assert content.decode("gbk", "replace")
    error = fault(tmp_path, content, encoding="gbk")
    assert error.code == "source.encoding-wrong"
    assert error.fields["guess"] == "utf-8"


def test_ragged_rows_are_set_apart_with_the_number_a_spreadsheet_shows(tmp_path: Path) -> None:
    content = b'a,b\n1,2\n"x\ny",3\nonly\n\n4,5\n6,7,8\n9,10\n'
    batches = read(tmp_path, content)
    rows = np.concatenate([b.rows for b in batches]).tolist()
    ragged = [(r.row, r.found, r.expected, r.text) for b in batches for r in b.ragged]
    assert rows == [2, 3, 6, 8]
    assert ragged == [(4, 1, 2, "only"), (7, 3, 2, "6,7,8")]
    assert [v for b in batches for v in b.columns["a"].to_pylist()] == ["1", "x\ny", "4", "9"]


def test_row_numbers_stay_right_over_many_blocks_with_ragged_rows(tmp_path: Path) -> None:
    lines = ["id,text"]
    lines += [f"{n},{'x' * 30}" if n % 1000 else f"{n}" for n in range(2, 400_002)]
    batches = read(tmp_path, ("\n".join(lines) + "\n").encode())
    assert len(batches) > 2
    rows = np.concatenate([b.rows for b in batches])
    ids = np.concatenate([np.array(b.columns["id"].to_pylist(), np.int64) for b in batches])
    assert (rows == ids).all()
    ragged = [r.row for b in batches for r in b.ragged]
    assert ragged == list(range(1000, 400_002, 1000))
    assert len(rows) + len(ragged) == 400_000


def test_blank_lines_are_no_records(tmp_path: Path) -> None:
    batches = read(tmp_path, b"a,b\n\n1,2\n,\n\n3,4\n\n\n")
    assert [b.rows.tolist() for b in batches if len(b.rows)] == [[3, 6]]
    assert not [r for b in batches for r in b.ragged]


def test_a_quote_never_closed_is_an_error_and_not_a_swallowed_file(tmp_path: Path) -> None:
    tail = b"4,5,6\n7,8,9\n"
    for content in (b'a,b,c\n1,2,"open\n' + tail, b'a,b,c\n1,"open\n' + tail):
        error = fault(tmp_path, content)
        assert error.code == "source.quote-open"
        assert error.fields["row"] == 2
    assert fault(tmp_path, b'a,b\n1,"open\n' + b"4,5\n" * 3_000_000).code == "source.quote-open"


def test_an_inch_sign_is_not_an_open_quote(tmp_path: Path) -> None:
    batches = read(tmp_path, b'a,b\n1,5" pipe\n2,x\n')
    assert batches[0].columns["b"].to_pylist() == ['5" pipe', "x"]


def test_a_column_named_twice_is_an_error(tmp_path: Path) -> None:
    error = fault(tmp_path, b"id,date, id\n1,2,3\n")
    assert error.code == "source.header-twice"
    assert error.fields["column"] == "id"


@pytest.mark.parametrize("content", [b"a,b", b"a,b\n", b"a,b\r\n"])
def test_header_only(tmp_path: Path, content: bytes) -> None:
    batches = read(tmp_path, content)
    assert [b.columns.num_rows for b in batches] == [0]
    assert batches[0].columns.schema.names == ["a", "b"]


def test_a_blank_header_is_an_empty_file(tmp_path: Path) -> None:
    assert fault(tmp_path, b"\n\n").code == "source.file-empty"


def test_delimiter_and_windows_line_ends(tmp_path: Path) -> None:
    batches = read(tmp_path, b"a;b\r\n1;2,5\r\n", delimiter=";")
    assert batches[0].columns.to_pylist() == [{"a": "1", "b": "2,5"}]


def test_truncated_parquet_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(1000))}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for content in (whole[:-20], whole[: len(whole) // 2], b"PAR1", b"not parquet at all"):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(DataError) as caught:
            list(ParquetConnector().open("a", Source(path="a.parquet"), tmp_path))
        assert caught.value.code == "source.parquet-broken"
        assert caught.value.fields["file"] == "a.parquet"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"plain", "utf-8"),
        ("汉字".encode(), "utf-8"),
        ("汉字".encode("utf-8-sig"), "utf-8-sig"),
        ("汉字与更多的字".encode("gbk"), "gb18030"),
        ("汉字".encode("utf-16"), "utf-16"),
    ],
)
def test_guessing_an_encoding(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert guess_encoding(tmp_path / "a.csv") == expected
