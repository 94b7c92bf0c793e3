"""The scan: typed values staged, bad cells named."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepwell.core.errors import REASONS, DataError
from keepwell.observe.mapping import Source
from keepwell.observe.scan import Scan, scan


def scanned(folder: Path, rows: list[str], columns: dict[str, object], **options: object) -> Scan:
    (folder / "a.csv").write_text("\n".join(rows) + "\n", "utf-8")
    source = Source.model_validate({"path": "a.csv", "columns": columns, **options})
    return scan("a", source, folder, folder / "staging")


def staged(found: Scan) -> list[dict[str, object]]:
    return [row for file in found.files for row in pq.read_table(file).to_pylist()]


def values(folder: Path, type_: object, *cells: str) -> tuple[list[object], list[str]]:
    """Staged values, and the cells refused, of one column of a type."""
    rows = ["n,x", *(f'{i},"{cell}"' for i, cell in enumerate(cells))]
    found = scanned(folder, rows, {"x": type_})
    refused = [json.loads(r["fields"])["value"] for r in found.rejects.to_pylist()]
    return [row["x"] for row in staged(found)], refused


def test_integer(tmp_path: Path) -> None:
    good, bad = values(
        tmp_path,
        "integer",
        "1",
        " -2 ",
        "+3",
        "",
        "1.5",
        "1_000",
        "0x1F",
        "ten",
        "9223372036854775808",
    )
    assert good == [1, -2, 3, None]
    assert bad == ["1.5", "1_000", "0x1F", "ten", "9223372036854775808"]


def test_decimal(tmp_path: Path) -> None:
    good, bad = values(
        tmp_path, "decimal", "1.10", "-.5", "1e3", "", "1,000.00", "nan", "inf", "12元", "1e30"
    )
    assert good == [Decimal("1.1"), Decimal("-0.5"), Decimal(1000), None]
    assert bad == ["1,000.00", "nan", "inf", "12元", "1e30"]


def test_double(tmp_path: Path) -> None:
    good, bad = values(tmp_path, "double", "1.5", "1e300", "", "nan", "inf", "-Infinity", "x")
    assert good == [1.5, 1e300, None]
    assert bad == ["nan", "inf", "-Infinity", "x"]


def test_boolean(tmp_path: Path) -> None:
    good, bad = values(tmp_path, "boolean", "true", "N", "1", "是", "否", "", "maybe", "2")
    assert good == [True, False, True, True, False, None]
    assert bad == ["maybe", "2"]


def test_date(tmp_path: Path) -> None:
    good, bad = values(
        tmp_path,
        "date",
        "2024-02-29",
        "2024-2-9",
        "",
        "2023-02-29",
        "20240229",
        "infinity",
        "epoch",
        "29/02/2024",
    )
    assert good == [date(2024, 2, 29), date(2024, 2, 9), None]
    assert bad == ["2023-02-29", "20240229", "infinity", "epoch", "29/02/2024"]


def test_date_with_a_format(tmp_path: Path) -> None:
    good, bad = values(
        tmp_path, {"type": "date", "format": "%Y%m%d"}, "20240229", "20230229", "2024-02-29"
    )
    assert good == [date(2024, 2, 29)]
    assert bad == ["20230229", "2024-02-29"]


def test_instants_in_a_declared_zone(tmp_path: Path) -> None:
    good, bad = values(
        tmp_path,
        {"type": "instant", "timezone": "Asia/Shanghai"},
        "2024-03-02 10:00:00",
        "2024-03-02T10:00",
        "2024-03-02",
        "2024-03-02 10:00:00+00:00",
        "2024-03-02 10:00:00.5Z",
        "",
        "2024-03-02 25:00:00",
        "10:00",
    )
    assert good == [
        datetime(2024, 3, 2, 2, tzinfo=UTC),
        datetime(2024, 3, 2, 2, tzinfo=UTC),
        datetime(2024, 3, 1, 16, tzinfo=UTC),
        datetime(2024, 3, 2, 10, tzinfo=UTC),
        datetime(2024, 3, 2, 10, 0, 0, 500_000, tzinfo=UTC),
        None,
    ]
    assert bad == ["2024-03-02 25:00:00", "10:00"]


def test_instants_without_a_declared_zone_need_an_offset(tmp_path: Path) -> None:
    rows = ["x", "2024-03-02 10:00:00+08:00", "2024-03-02 10:00:00", "2024-03-02", "nonsense"]
    found = scanned(tmp_path, rows, {"x": "instant"})
    assert [row["x"] for row in staged(found)] == [datetime(2024, 3, 2, 2, tzinfo=UTC)]
    reasons = found.rejects["reason"].to_pylist()
    assert reasons == ["cell.no-zone", "cell.no-zone", "cell.not-instant"]


def test_instants_with_a_format(tmp_path: Path) -> None:
    form = {"type": "instant", "format": "%d/%m/%Y %H:%M", "timezone": "Europe/Athens"}
    good, bad = values(tmp_path, form, "02/07/2024 10:00", "07/13/2024 10:00")
    assert good == [datetime(2024, 7, 2, 7, tzinfo=UTC)]
    assert bad == ["07/13/2024 10:00"]


def test_text_is_trimmed_and_words_for_absent_are_absent(tmp_path: Path) -> None:
    found = scanned(tmp_path, ["a,b", " x ,NULL", "N/A,y", "-,z"], {}, nulls=["NULL", "N/A", "-"])
    assert staged(found) == [{"a": "x", "b": None}, {"a": None, "b": "y"}, {"a": None, "b": "z"}]


def test_a_reject_names_file_row_column_value_and_reason(tmp_path: Path) -> None:
    found = scanned(
        tmp_path,
        ["id,x,y", "1,2,2024-01-01", "2,two,2024-13-01", "3,4,2024-01-02"],
        {"x": "integer", "y": "date"},
    )
    assert (found.rows, found.rejected, found.columns) == (3, 1, ["id", "x", "y"])
    assert [row["id"] for row in staged(found)] == ["1", "3"]
    first, second = found.rejects.to_pylist()
    assert (first["source"], first["file"], first["row"], first["column"]) == ("a", "a.csv", 3, "x")
    assert (first["reason"], second["reason"]) == ("cell.not-integer", "cell.not-date")
    assert json.loads(first["raw"]) == {"id": "2", "x": "two", "y": "2024-13-01"}
    for reject in (first, second):
        words = REASONS[reject["reason"]].format(**json.loads(reject["fields"]))
        assert "two" in words or "2024-13-01" in words


def test_a_typed_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        scanned(tmp_path, ["id,amout", "1,2"], {"amount": "decimal"})
    assert (caught.value.code, caught.value.fields["nearest"]) == ("source.column-missing", "amout")


def test_files_of_one_source_must_have_the_first_one_s_columns(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,amount\n1,2\n", "utf-8")
    (tmp_path / "2.csv").write_text("amount,id,more\n4,3,x\n", "utf-8")
    found = scan("s", Source(path="*.csv"), tmp_path, tmp_path / "staging")
    assert found.rows == 2
    (tmp_path / "3.csv").write_text("id,amonut\n1,2\n", "utf-8")
    with pytest.raises(DataError) as caught:
        scan("s", Source(path="*.csv"), tmp_path, tmp_path / "staging")
    assert (caught.value.fields["file"], caught.value.fields["column"]) == ("3.csv", "amount")
    assert caught.value.fields["nearest"] == "amonut"


def test_a_source_without_rows_must_be_meant(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        scanned(tmp_path, ["id,x"], {})
    assert caught.value.code == "source.no-rows"
    found = scanned(tmp_path, ["id,x"], {"x": "date"}, allow_empty=True)
    assert found.rows == 0
    assert pq.read_schema(found.files[0]).field("x").type == pa.date32()


def test_parquet_keeps_its_types_and_text_in_it_can_be_typed(tmp_path: Path) -> None:
    table = pa.table({"x": ["2024-01-01", "soon"], "n": [1.5, None]})
    pq.write_table(table, tmp_path / "p.parquet")
    source = Source.model_validate({"path": "p.parquet", "columns": {"x": "date"}})
    found = scan("p", source, tmp_path, tmp_path / "staging")
    assert staged(found) == [{"x": date(2024, 1, 1), "n": 1.5}]
    assert found.rejects.to_pylist()[0]["row"] == 2


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(st.integers(-(10**6), 10**6).map(str), st.sampled_from(["x", "", "1.5"])),
        min_size=1,
        max_size=40,
    )
)
def test_every_row_is_staged_or_refused_never_both(tmp_path: Path, cells: list[str]) -> None:
    rows = ["n,x", *(f"{i},{cell}" for i, cell in enumerate(cells))]
    found = scanned(tmp_path, rows, {"x": "integer", "n": "integer"})
    kept = [row["n"] for row in staged(found)]
    refused = [row - 2 for row in found.rejects["row"].to_pylist()]
    assert sorted(kept + refused) == list(range(len(cells)))
    assert refused == [i for i, cell in enumerate(cells) if cell in ("x", "1.5")]
    assert found.rejected == len(refused)
