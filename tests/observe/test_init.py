"""A proposed mapping: types, encodings, selects, days."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import UsageError
from keepwell.observe.check import check
from keepwell.observe.guess import guess_columns, guess_csv
from keepwell.observe.init import init
from keepwell.observe.mapping import Mapping
from keepwell.observe.workspace import Workspace


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A broker's exports: GBK with Chinese headers, a semicolon file, Parquet, and a broken one."""
    folder = tmp_path / "exports"
    folder.mkdir()
    trades = ["成交编号,客户号,成交时间,证券代码,买卖方向,成交数量,成交金额,备注"]
    trades += [
        f"T{i},{i % 7:06d},2024-03-{1 + i % 28:02d} 10:00:00,600000,{'买入' if i % 2 else '卖出'},"
        f"{i},{i * 1.5:.2f},无"
        for i in range(200)
    ]
    (folder / "成交明细.csv").write_bytes(("\n".join(trades) + "\n").encode("gbk"))
    clients = ["客户号;更新时间;开户日期;营业部"]
    clients += [f"{i:06d};2020-01-01 00:00:00+08:00;20190315;上海" for i in range(7)]
    (folder / "clients.csv").write_text("\n".join(clients) + "\n", "utf-8")
    positions = pa.table(
        {
            "customerID": ["000001"],
            "asof": pa.array([19783], pa.int32()).cast(pa.date32()),
            "ISIN": ["600000"],
            "net_units": [5.0],
        }
    )
    pq.write_table(positions, folder / "holdings.parquet")
    (folder / "cut.parquet").write_bytes(b"PAR1")
    return folder


def test_the_proposal_from_exports_is_a_mapping_that_works(exports: Path, tmp_path: Path) -> None:
    report = init(tmp_path / "ws", exports)
    tables = {t.table: t for t in report.tables}
    assert set(tables) == {"trade", "client", "holding"}
    assert tables["trade"].found["client_id"] == "客户号"
    assert tables["trade"].words["side"] == {"买入": "buy", "卖出": "sell"}
    assert tables["trade"].covers == (date(2024, 3, 1), date(2024, 3, 29))
    assert tables["trade"].missing == ()
    done = check(Workspace.open(tmp_path / "ws"))
    assert (done.problems, done.exit_code) == ((), 0)
    assert {t.table: t.passed for t in done.tables} == {"trade": 200, "client": 7, "holding": 1}


def test_types_and_encodings_are_found(exports: Path, tmp_path: Path) -> None:
    report = init(tmp_path / "ws", exports)
    sources = {s.name: s for s in report.sources}
    trades = sources["成交明细"]
    assert trades.source.encoding == "gb18030"
    assert {c.name: c.type for c in trades.columns} == {
        "成交编号": "text",
        "客户号": "text",
        "成交时间": "instant",
        "证券代码": "text",
        "买卖方向": "text",
        "成交数量": "integer",
        "成交金额": "decimal",
        "备注": "text",
    }
    clients = sources["clients"]
    assert clients.source.delimiter == ";"
    assert clients.source.columns["开户日期"].format == "%Y%m%d"
    assert clients.source.columns["更新时间"].timezone is None
    assert "cut off" in sources["cut"].fault


def test_what_is_not_found_is_named_in_its_place(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "trades.csv").write_text(
        "trade_id,client_id,time,way\nT1,C1,2024-01-01 10:00:00,buy\n", "utf-8"
    )
    report = init(tmp_path / "ws", data)
    (trade,) = report.tables
    assert trade.missing == ("side",)
    assert "side as side /* found nothing like it: name yours */" in report.path.read_text("utf-8")
    problem = check(Workspace.open(tmp_path / "ws")).problems[0].error
    assert (problem.code, problem.fields["column"]) == ("select.column-unknown", "side")


def test_without_files_an_example_that_reads_as_a_mapping(tmp_path: Path) -> None:
    report = init(tmp_path / "ws", timezone="Europe/Athens", currency="EUR")
    text = report.path.read_text("utf-8")
    mapping = Mapping.parse(text)
    assert (mapping.timezone, mapping.currency) == ("Europe/Athens", "EUR")
    assert mapping.name == "ws"
    assert text.count("#") > 15


def test_an_existing_mapping_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "keepwell.yaml").write_text("mine", "utf-8")
    with pytest.raises(UsageError) as caught:
        init(tmp_path)
    assert caught.value.code == "init.mapping-exists"
    assert (tmp_path / "keepwell.yaml").read_text("utf-8") == "mine"


def test_wrong_options_write_nothing(tmp_path: Path) -> None:
    for options in ({"timezone": "Asia/Shangai"}, {"currency": "RMB"}):
        with pytest.raises(UsageError) as caught:
            init(tmp_path / "ws", **options)
        assert caught.value.code == "mapping.value-invalid"
    with pytest.raises(UsageError) as caught:
        init(tmp_path / "ws", tmp_path / "nowhere")
    assert caught.value.code == "init.folder-missing"
    assert not (tmp_path / "ws").exists()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2", ""], "integer"),
        (["1", "2.5"], "decimal"),
        (["01", "02"], "text"),
        (["2024-01-01", ""], "date"),
        (["20240101", "20241231"], "date"),
        (["20240101", "99999999"], "integer"),
        (["31/12/2024", "01/02/2024"], "date"),
        (["12/31/2024"], "date"),
        (["2024-01-01 10:00:00"], "instant"),
        (["2024/1/1 10:00"], "instant"),
        (["2024-01-01T10:00:00Z"], "instant"),
        (["a", "1"], "text"),
        (["", ""], "text"),
    ],
)
def test_the_type_of_a_column(tmp_path: Path, cells: list[str], expected: str) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{c},1\n" for c in cells), "utf-8")
    columns = guess_columns("a", guess_csv(tmp_path / "a.csv"), tmp_path, "Asia/Shanghai")
    assert columns[0].type == expected


def test_numbers_that_name_something_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("trade_id,客户编号,n\n1,2,3\n", "utf-8")
    columns = guess_columns("a", guess_csv(tmp_path / "a.csv"), tmp_path, "UTC")
    assert [c.type for c in columns] == ["text", "text", "integer"]
