"""Files that cannot be read as what they should be: one clear error, the lake unchanged."""

from __future__ import annotations

import pytest


def test_01_wrong_encoding(broker) -> None:
    text = (broker.folder / "trades.csv").read_text("gbk")
    broker.write("trades.csv", text, "utf-8")
    error = broker.refused()
    assert error.code == "source.encoding-wrong"
    assert error.fields["file"] == "trades.csv"
    assert (error.fields["encoding"], error.fields["guess"]) == ("gbk", "utf-8")
    assert error.exit_code == 1


def test_02_a_stray_byte_in_utf8(broker) -> None:
    broker.write("clients.csv", b"id,opened\nC1,2020-05-01\nC\xff,2024-02-01\n")
    error = broker.refused()
    assert error.code == "source.encoding-wrong"
    assert (error.fields["file"], error.fields["row"], error.fields["byte"]) == (
        "clients.csv",
        3,
        25,
    )


def test_03_empty_file(broker) -> None:
    broker.write("trades.csv", b"")
    error = broker.refused()
    assert (error.code, error.fields["file"]) == ("source.file-empty", "trades.csv")


def test_04_header_only_file(broker) -> None:
    broker.trades(keep=False)
    error = broker.refused()
    assert (error.code, error.fields["file"]) == ("source.no-rows", "trades.csv")
    assert "allow_empty" in error.words("en")


def test_05_truncated_parquet(broker) -> None:
    path = broker.folder / "holdings.parquet"
    broker.write("holdings.parquet", path.read_bytes()[:-40])
    error = broker.refused()
    assert (error.code, error.fields["file"]) == ("source.parquet-broken", "holdings.parquet")


def test_06_a_workbook_named_csv(broker) -> None:
    broker.write("clients.csv", b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\xb5\x55\x30\x23" * 50)
    error = broker.refused()
    assert error.code == "source.encoding-wrong"
    assert error.fields["file"] == "clients.csv"


def test_07_missing_file(broker) -> None:
    (broker.folder / "trades.csv").rename(broker.folder / "trades2024.csv")
    error = broker.refused()
    assert (error.code, error.fields["path"]) == ("source.file-missing", "trades.csv")
    assert error.fields["nearest"] == "trades2024.csv"


def test_08_a_quote_never_closed(broker) -> None:
    broker.trades(
        'T4,"C1,2024-03-02 10:00:00,600000,buy,1,1', "T5,C1,2024-03-03 10:00:00,600000,buy,1,1"
    )
    error = broker.refused()
    assert (error.code, error.fields["row"]) == ("source.quote-open", 5)


@pytest.mark.parametrize(
    ("header", "missing", "near"),
    [
        ("成交编号,客户号,成交时间,证券代码,方向,数额,金额", "数量", True),
        ("成交编号,客户号,成交时间,证券代码,方向,数量合计,金额", "数量", True),
        ("成交编号,客户号,时间,证券代码,方向,数量,金额", "成交时间", True),
    ],
)
def test_09_a_typed_column_renamed(broker, header: str, missing: str, near: bool) -> None:
    broker.trades(header=header)
    error = broker.refused()
    assert error.code == "source.column-missing"
    assert (error.fields["file"], error.fields["column"]) == ("trades.csv", missing)
    assert error.fields["columns"].replace(" ", "") == header


def test_10_a_column_renamed_that_only_the_select_names(broker) -> None:
    broker.write("clients.csv", "client_no,opened\nC1,2020-05-01\n")
    broker.mapping("select id as", "select client_nr as")
    error = broker.refused()
    assert error.code == "select.column-unknown"
    assert (error.fields["table"], error.fields["column"]) == ("client", "client_nr")
    assert error.fields["nearest"] == "client_no"
    assert error.exit_code == 2


def test_11_a_column_named_twice(broker) -> None:
    broker.write("clients.csv", "id,opened,id\nC1,2020-05-01,C1\n")
    error = broker.refused()
    assert (error.code, error.fields["column"]) == ("source.header-twice", "id")
