"""Excel workbooks, folders of drops, and text whose encoding is found out."""

from __future__ import annotations

import os
import random
import time
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from keepwell.core.errors import KeepwellError
from keepwell.observe.connectors import connector_for, connectors
from keepwell.observe.connectors.base import Since
from keepwell.observe.connectors.encoding import detected
from keepwell.observe.connectors.excel import ExcelConnector
from keepwell.observe.mapping import Source
from keepwell.observe.scan import scan
from keepwell.testing.connector_suite import ConnectorContract, Row

from .test_connectors import write_csv


class TestExcel(ConnectorContract):
    connector = ExcelConnector()
    large_rows = 33_000

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("数据")
        sheet.append(list(columns))
        for row in rows:
            sheet.append([row[column] for column in columns])
        book.save(folder / f"{name}.xlsx")
        return Source(path=f"{name}.xlsx")


class TestDropsOfCsv(ConnectorContract):
    connector = connectors()["drops"]

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        write_csv(folder / f"{name}.csv", rows, columns, "utf-8")
        return Source(path=f"{name}.csv", format="drops", options={"settle_s": 0})


def book(folder: Path, *rows: Sequence[Any], name: str = "a.xlsx") -> openpyxl.Workbook:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(list(row))
    made.save(folder / name)
    return made


def read(folder: Path, columns: dict[str, Any] | None = None, **options: Any):
    """Good rows, and what was set aside as (row, column, reason)."""
    source = Source.model_validate(
        {"path": "a.xlsx", "options": options, "columns": columns or {}, "allow_empty": True}
    )
    found = scan("s", source, folder, folder / "staged")
    good = [r for f in found.files for r in pq.read_table(f).to_pylist()]
    return good, [(r["row"], r["column"], r["reason"]) for r in found.rejects.to_pylist()]


def fault(folder: Path, **options: Any) -> KeepwellError:
    with pytest.raises(KeepwellError) as caught:
        read(folder, **options)
    return caught.value


def test_true_dates_need_no_form_and_other_cells_keep_it(tmp_path: Path) -> None:
    moment = datetime(2024, 3, 1, 9, 30)  # noqa: DTZ001 - a workbook knows no zone
    rows = [("d", "t"), (date(2024, 2, 29), moment), ("29.02.2024", "")]
    book(tmp_path, *rows)
    types = {
        "d": {"type": "date", "format": "%d.%m.%Y"},
        "t": {"type": "instant", "timezone": "UTC"},
    }
    good, bad = read(tmp_path, types)
    assert [row["d"] for row in good] == [date(2024, 2, 29)] * 2
    assert good[0]["t"].isoformat() == "2024-03-01T09:30:00+00:00"
    assert bad == []


@pytest.mark.parametrize("mac", [False, True])
def test_day_counts_are_read_only_where_that_is_said(tmp_path: Path, mac: bool) -> None:
    made = book(tmp_path, ("d",), (45292 - 1462 * mac,), (date(2024, 1, 1),))
    if mac:
        made.epoch = CALENDAR_MAC_1904
        made.save(tmp_path / "a.xlsx")
    good, bad = read(tmp_path, {"d": "date"})
    assert (len(good), bad) == (1, [(2, "d", "cell.not-date")])
    good, bad = read(tmp_path, {"d": "date"}, serials=True)
    assert [row["d"] for row in good] == [date(2024, 1, 1)] * 2


def test_client_ids_keep_their_zeros_and_never_lose_digits(tmp_path: Path) -> None:
    made = book(tmp_path, ("id", "n"), ("000123", 1), (123, 2), (440301199001011234, 3), (7, 4))
    made.active["A3"].number_format = "000000"
    made.save(tmp_path / "a.xlsx")
    good, bad = read(tmp_path, {"n": "integer"})
    assert [row["id"] for row in good] == ["000123", "000123", "7"]
    assert bad == [(4, "id", "cell.digits-lost")]


def test_numbers_stored_as_text_and_text_as_numbers(tmp_path: Path) -> None:
    book(tmp_path, ("x",), ("1.50",), (2,), (0.1 + 0.2,), ("1,000",), (True,))
    good, bad = read(tmp_path, {"x": "decimal"})
    assert [str(row["x"]) for row in good] == ["1.50000000", "2.00000000", "0.30000000"]
    assert bad == [(5, "x", "cell.not-decimal"), (6, "x", "cell.not-decimal")]


def test_errors_and_formulas_never_computed_are_not_taken_for_empty(tmp_path: Path) -> None:
    book(tmp_path, ("a", "b"), (1, "#N/A"), (2, "=A2*2"), (3, 6), (None, "#REF!"))
    good, bad = read(tmp_path)
    assert good == [{"a": "3", "b": "6"}]
    assert bad == [
        (2, "b", "cell.excel-error"), (3, "b", "cell.not-computed"), (5, "b", "cell.excel-error"),
    ]  # fmt: skip


def test_a_computed_formula_is_its_value(tmp_path: Path) -> None:
    book(tmp_path, ("a", "b"), (1, "=A2*2"))
    with zipfile.ZipFile(tmp_path / "a.xlsx") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b"<v />" in parts[sheet]
    parts[sheet] = parts[sheet].replace(b"<v />", b"<v>2</v>")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as whole:
        for name, data in parts.items():
            whole.writestr(name, data)
    assert read(tmp_path) == ([{"a": "1", "b": "2"}], [])


def test_merged_cells_are_set_aside_unless_they_may_be_filled(tmp_path: Path) -> None:
    made = book(tmp_path, ("branch", "x"), ("上海", 1), (None, 2), ("深圳", 3))
    made.active.merge_cells("A2:A3")
    made.save(tmp_path / "a.xlsx")
    good, bad = read(tmp_path)
    assert ([row["x"] for row in good], bad) == (["1", "3"], [(3, "branch", "cell.merged")])
    good, bad = read(tmp_path, merged=True)
    assert ([row["branch"] for row in good], bad) == (["上海", "上海", "深圳"], [])


def test_a_title_above_the_table_and_blank_lines_in_it(tmp_path: Path) -> None:
    made = book(tmp_path, ("2024 年客户表", None), (), ("id", "x"), (1, 2), (), (3, 4))
    made.active.merge_cells("A1:B1")
    made.save(tmp_path / "a.xlsx")
    batches = list(
        ExcelConnector().open("s", Source(path="a.xlsx", options={"header": 3}), tmp_path)
    )
    assert [b.rows.tolist() for b in batches] == [[4, 6]]
    assert batches[0].columns.to_pylist() == [{"id": "1", "x": "2"}, {"id": "3", "x": "4"}]


def test_sheets_hidden_missing_and_too_many(tmp_path: Path) -> None:
    made = book(tmp_path, ("id",), ("shown",))
    hidden = made.create_sheet("旧")
    hidden.append(["id"])
    hidden.append(["secret"])
    hidden.sheet_state = "hidden"
    made.create_sheet("leer")
    made.save(tmp_path / "a.xlsx")
    assert read(tmp_path)[0] == [{"id": "shown"}]
    assert read(tmp_path, sheet="旧")[0] == [{"id": "secret"}]
    assert fault(tmp_path, sheet="新").code == "source.sheet-missing"
    made["leer"].append(["id"])
    made.save(tmp_path / "a.xlsx")
    assert fault(tmp_path).code == "source.sheet-unclear"


def test_a_value_under_no_name_and_a_name_given_twice(tmp_path: Path) -> None:
    book(tmp_path, ("id", None), (1, 2))
    error = fault(tmp_path)
    assert (error.code, error.fields["column"]) == ("source.header-blank", "B")
    book(tmp_path, ("id", "id"), (1, 2))
    assert fault(tmp_path).code == "source.header-twice"


def test_what_is_no_workbook_says_so(tmp_path: Path) -> None:
    book(tmp_path, ("id",), (1,))
    whole = (tmp_path / "a.xlsx").read_bytes()
    for content in (b"id\n1\n", whole[: len(whole) // 2], b"PK\x03\x04" + b"\0" * 99):
        (tmp_path / "a.xlsx").write_bytes(content)
        assert fault(tmp_path).code == "source.excel-broken"


def dropped(folder: Path, name: str, content: str, age: float = 3600) -> None:
    path = folder / name
    path.write_text(content, "utf-8")
    os.utime(path, (time.time() - age, time.time() - age))


def drops(**options: Any) -> Source:
    return Source(path="in/*.csv", format="drops", options=options)


def ids(source: Source, folder: Path, since: Since | None = None) -> list[str]:
    found = connector_for("s", source).open("s", source, folder, since)
    return [value for batch in found for value in batch.columns["id"].to_pylist()]


def test_only_new_and_changed_drops_are_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for day in ("20240301", "20240302"):
        dropped(tmp_path / "in", f"t_{day}.csv", f"id\n{day}\n")
    connector = connector_for("s", drops())
    seen = Since(files=dict(connector.fingerprint("s", drops(), tmp_path) or {}))
    assert ids(drops(), tmp_path) == ["20240301", "20240302"]
    assert ids(drops(), tmp_path, seen) == []
    dropped(tmp_path / "in", "t_20240303.csv", "id\nnew\n")
    dropped(tmp_path / "in", "t_20240301.csv", "id\nsent again\n")
    assert ids(drops(), tmp_path, seen) == ["sent again", "new"]


def test_a_drop_still_being_written_waits(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dropped(tmp_path / "in", "a.csv", "id\n1\n")
    dropped(tmp_path / "in", "b.csv", "id\n2", age=1)
    assert ids(drops(), tmp_path) == ["1"]
    assert ids(drops(settle_s=0), tmp_path) == ["1", "2"]
    marked = drops(ready="{name}.ok")
    with pytest.raises(KeepwellError) as caught:
        ids(marked, tmp_path)
    assert caught.value.code == "source.drop-unready"
    (tmp_path / "in" / "b.csv.ok").touch()
    assert ids(marked, tmp_path) == ["2"]


def test_drops_of_parquet_keep_their_types(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"id": [1]}), tmp_path / "in" / "a.parquet")
    source = Source(path="in/*.parquet", format="drops", options={"settle_s": 0})
    assert not connector_for("s", source).text_cells
    assert ids(source, tmp_path) == [1]
    wrong = Source(path="in/*.db", format="drops")
    with pytest.raises(KeepwellError) as caught:
        connector_for("s", wrong)
    assert caught.value.code == "source.drop-format"


TEXTS = {
    "utf-8": "客户,Müller\n",
    "utf-8-sig": "编号\n甲\n",
    "utf-16": "编号,姓名\n1,张三\n",
    "utf-16-le": "编号,姓名\n1,张三\n",
    "gb18030": "客户号,客户名称,营业部\nC1,张三丰,上海浦东世纪大道\n",
    "big5hkscs": "客戶編號,姓名,分公司\nC1,陳美麗,臺北信義分公司\nC2,林志明,高雄\n",
    "cp932": "顧客番号,氏名,支店\nC1,山田太郎,東京支店\n",
    "cp1253": "πελάτης,όνομα\nC1,Ευαγγελία Παπαδοπούλου\n",
    "cp1251": "клиент,имя,филиал\nC1,Иван Петров,Москва\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_an_encoding_without_doubt_is_found_out(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(TEXTS[encoding].encode(encoding))
    found = detected("s", "a.csv", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().decode(found) == TEXTS[encoding]


def test_gbk_far_behind_plain_text_is_found(tmp_path: Path) -> None:
    plain = "".join(f"{n},abc\n" for n in range(200_000))
    content = ("id,name\n" + plain).encode() + "9,上海浦东世纪大道营业部\n".encode("gbk") * 3
    (tmp_path / "a.csv").write_bytes(content)
    assert detected("s", "a.csv", tmp_path / "a.csv") == "gb18030"
    source = Source(path="a.csv")
    batches = list(connector_for("s", source).open("s", source, tmp_path))
    assert batches[-1].columns["name"][-1].as_py() == "上海浦东世纪大道营业部"
    assert batches[-1].encoding == "gb18030"


def test_no_list_of_names_is_ever_read_as_other_names(tmp_path: Path) -> None:
    """Short lists are the hard case: each is read right, or refused with its readings."""
    rng = random.Random(5)
    family, given = (
        "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗",
        "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明",
    )
    unsure = 0
    for number in range(120):
        length = (4, 6, 10, 30)[number % 4]
        names = [rng.choice(family) + "".join(rng.choices(given, k=2)) for _ in range(length)]
        text = "id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(names))
        (tmp_path / "a.csv").write_bytes(text.encode("gbk"))
        found, error = attempted(tmp_path / "a.csv")
        if error is None:
            assert found == "gb18030"
            continue
        unsure += 1
        assert error.code == "source.encoding-unsure"
        assert names[0] in error.fields["readings"]
        assert error.fields["row"] == 2
    assert unsure < 60


def attempted(path: Path) -> tuple[str, KeepwellError | None]:
    try:
        return detected("s", path.name, path), None
    except KeepwellError as error:
        return "", error


def test_bytes_that_no_encoding_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        "编号,名称\n1,上海浦东世纪大道营业部\n".encode("gbk") + b"2,\xff\xff\n"
    )
    source = Source(path="a.csv")
    with pytest.raises(KeepwellError) as caught:
        list(connector_for("s", source).open("s", source, tmp_path))
    assert caught.value.code in ("source.encoding-wrong", "source.encoding-unsure")
    assert caught.value.fields["file"] == "a.csv"
