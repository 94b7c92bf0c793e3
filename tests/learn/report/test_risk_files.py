"""risk.csv and risk.parquet."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import DataError
from keepwell.learn.report.risk_files import (
    CSV_COLUMNS,
    RISK_SCHEMA,
    RiskTable,
    inert,
    write_risk_csv,
    write_risk_parquet,
)


def columns() -> dict[str, Any]:
    reason = {"code": "sold-most", "en": "Sold 3 of 5", "zh": "卖出5个中的3个"}
    formula = {"code": "x", "en": "=2+5", "zh": "=2+5"}
    return {
        "client": ["C2", "=cmd|' /C calc'!A0", "C3", "C1"],
        "manager": ["王芳", "@SUM(A1)", None, "-7"],
        "score": [76.04, 93.25, None, 76.04],
        "tier": ["moderate", "severe", None, "moderate"],
        "probability": [0.3, 0.8, None, 0.41237],
        "assets_minor": [-1205, 123456789, None, 7],
        "currency": ["EUR", "EUR", None, "JPY"],
        "coverage": [0.5, 1.0, 0.25, 0.0],
        "not_scored": [None, None, "unfunded", None],
        "last_activity": [date(2021, 12, 30), None, date(2020, 2, 29), None],
        "reasons": [[reason, formula], [formula], [], None],
    }


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_csv_rows_order_and_formats(tmp_path: Path):
    write_risk_csv(tmp_path / "risk.csv", RiskTable.of(columns()), "en")
    raw = (tmp_path / "risk.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfclient,manager,")
    assert b"\r\n" in raw
    rows = read(tmp_path / "risk.csv")
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["client"] for row in rows] == ["'=cmd|' /C calc'!A0", "C1", "C2", "C3"]
    assert rows[0] | {} == {
        "client": "'=cmd|' /C calc'!A0",
        "manager": "'@SUM(A1)",
        "score": "93.2",
        "tier": "severe",
        "probability": "0.8000",
        "assets": "1234567.89",
        "currency": "EUR",
        "coverage": "1.000",
        "coverage_note": "",
        "last_activity": "",
        "top_reasons": "'=2+5",
    }
    assert (rows[1]["assets"], rows[1]["manager"]) == ("7", "'-7")
    assert rows[2]["assets"] == "-12.05"
    assert rows[2]["top_reasons"] == "Sold 3 of 5; =2+5"


def test_clients_without_a_score_are_listed_with_a_note(tmp_path: Path):
    write_risk_csv(tmp_path / "risk.csv", RiskTable.of(columns()), "en")
    last = read(tmp_path / "risk.csv")[-1]
    assert (last["client"], last["score"], last["tier"], last["probability"]) == ("C3", "", "", "")
    assert last["coverage_note"] == "not scored: no position and no balance"
    assert last["coverage"] == "0.250"


def test_csv_in_chinese(tmp_path: Path):
    write_risk_csv(tmp_path / "risk.csv", RiskTable.of(columns()), "zh")
    rows = read(tmp_path / "risk.csv")
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["tier"] for row in rows] == ["重度", "中度", "中度", ""]
    assert rows[2]["manager"] == "王芳"
    assert rows[2]["top_reasons"].startswith("卖出5个中的3个")
    assert rows[3]["coverage_note"] == "未评分：无持仓且无余额"


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\tx", "\r=x", "\n=x", "  =1", "＝1", "＠a"]
)
def test_formulas_are_made_inert(text: str):
    assert inert(text) == "'" + text


@pytest.mark.parametrize("text", ["A-17", "张三", "3=4", "a@b", "'=1"])
def test_plain_text_is_left_alone(text: str):
    assert inert(text) == text


def test_parquet_is_typed_and_carries_the_facts(tmp_path: Path):
    meta = {"as_of": "2021-12-31T22:00:00+00:00", "model": "m1", "manifest": "7"}
    risk = RiskTable.of(columns(), meta)
    write_risk_parquet(tmp_path / "risk.parquet", risk)
    table = pq.read_table(tmp_path / "risk.parquet")
    assert table.schema.remove_metadata() == RISK_SCHEMA
    assert table.to_pylist() == risk.table.to_pylist()
    assert table.column("client")[0].as_py() == "=cmd|' /C calc'!A0"
    assert table.schema.metadata[b"keepwell.manifest"] == b"7"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["risk.parquet"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("client", [None, "a", "b", "c"]),
        ("score", ["high", "a", "b", "c"]),
        ("coverage", [1.0]),
    ],
)
def test_wrong_columns_are_refused(name: str, values: list[Any]):
    with pytest.raises(DataError) as caught:
        RiskTable.of(columns() | {name: values})
    assert caught.value.code == "risk.columns-wrong"


def test_missing_column_is_named():
    given = columns()
    del given["tier"]
    with pytest.raises(DataError, match="tier"):
        RiskTable.of(given)


def test_an_empty_ranking_is_a_header(tmp_path: Path):
    risk = RiskTable.of({name: [] for name in RISK_SCHEMA.names})
    write_risk_csv(tmp_path / "risk.csv", risk, "en")
    write_risk_parquet(tmp_path / "risk.parquet", risk)
    assert read(tmp_path / "risk.csv") == []
    assert pq.read_table(tmp_path / "risk.parquet").num_rows == 0
