"""Mappings that are wrong or reach too far: one clear error, the lake unchanged."""

from __future__ import annotations

import pytest

SELECT = "select client_id, day, instrument_id, quantity from holdings"


@pytest.mark.parametrize(
    "sql",
    [
        "delete from holdings",
        "create table x as select * from holdings",
        "copy holdings to 'out.csv'",
        "copy (select 1) to '/tmp/keepwell-must-not-exist.csv'",
        "attach 'other.db'",
        "pragma database_list",
        "set threads = 1",
        "install httpfs",
        "load httpfs",
        "describe holdings",
    ],
)
def test_28_a_select_that_is_none(broker, sql: str) -> None:
    broker.mapping(SELECT, sql)
    error = broker.refused()
    assert error.code == "select.kind-wrong"
    assert (error.fields["table"], error.fields["kind"]) == ("holding", sql.split()[0].upper())
    assert not (broker.folder / "out.csv").exists()


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('/etc/passwd')",
        "'/etc/passwd'",
        "read_text('/etc/passwd')",
        "glob('/etc/*')",
        "read_parquet('clients.parquet')",
        "'https://example.com/x.parquet'",
        "'s3://bucket/x.parquet'",
        "(select content from read_blob('/etc/passwd'))",
    ],
)
def test_29_a_select_that_reaches_outside(broker, source: str) -> None:
    broker.mapping(SELECT, f"select 1 as client_id from {source}")
    error = broker.refused()
    assert (error.code, error.fields["table"]) == ("select.reach-outside", "holding")
    assert error.exit_code == 2


def test_30_two_statements(broker) -> None:
    broker.mapping(SELECT, f"{SELECT}; {SELECT}")
    error = broker.refused()
    assert (error.code, error.fields["found"]) == ("select.count-wrong", 2)


def test_31_an_unknown_source(broker) -> None:
    broker.mapping(SELECT, SELECT.replace("from holdings", "from holding"))
    error = broker.refused()
    assert (error.code, error.fields["source"]) == ("select.source-unknown", "holding")
    assert error.fields["nearest"] == "holdings"


def test_32_a_column_that_the_contract_has_not(broker) -> None:
    broker.mapping(SELECT, SELECT.replace("quantity", "quantity as quantty"))
    error = broker.refused()
    assert (error.code, error.fields["column"]) == ("select.output-unknown", "quantty")
    assert error.fields["nearest"] == "quantity"


def test_33_a_required_column_not_given(broker) -> None:
    broker.mapping(SELECT, "select client_id, day, quantity from holdings")
    error = broker.refused()
    assert (error.code, error.fields["column"]) == ("select.output-missing", "instrument_id")


def test_34_a_select_that_fails_on_its_rows(broker) -> None:
    broker.mapping(SELECT, SELECT.replace("day,", "cast(instrument_id || 'x' as int) as day,"))
    error = broker.refused()
    assert (error.code, error.fields["table"]) == ("select.failed", "holding")


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "nearest"),
    [
        ("currency: CNY", "curency: CNY", "mapping.key-unknown", 4, "currency"),
        ("    encoding: gbk", "    enconding: gbk", "mapping.key-unknown", 8, "encoding"),
        ("  holding:", "  holdings:", "mapping.table-unknown", 24, "holding"),
        ("timezone: Asia/Shanghai\n", "timezone: Asia/Shangai\n", "mapping.value-invalid", 3, None),
        ("encoding: gbk", "encoding: gbkk", "mapping.value-invalid", 8, None),
        ("name: broken", "name: broken\nname: twice", "mapping.key-twice", 3, None),
        ("currency: CNY", "currency: [CNY", "mapping.yaml-invalid", 5, None),
        ("currency: CNY\n", "", "mapping.key-missing", 1, None),
        ("数量: decimal", "数量: decimals", "mapping.value-invalid", 11, None),
    ],
)
def test_35_a_mapping_with_a_slip(broker, old, new, code, line, nearest) -> None:
    broker.mapping(old, new)
    error = broker.refused()
    assert (error.code, error.exit_code) == (code, 2)
    assert (error.fields["file"], error.fields["line"]) == ("keepwell.yaml", line)
    if nearest:
        assert error.fields["nearest"] == nearest
