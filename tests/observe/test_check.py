"""The dry run: what it counts, and that it writes nothing."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from keepwell.observe.check import check
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace

MAPPING = """\
version: 1
name: x
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: trades.csv, columns: {when: {type: instant, timezone: Asia/Shanghai}, n: decimal}}
  people: {path: people.csv, columns: {opened: date}}
tables:
  trade:
    sql: select id as trade_id, client as client_id, "when" as at, side, n as quantity from trades
    covers: [["2024-01-01", "2024-02-01"]]
  client: {sql: "select id as client_id, opened as valid_from from people"}
"""
TRADES = """\
id,client,when,side,n
T1,C1,2024-01-01 00:30:00,buy,1
T2,C1,2024-01-31 23:59:59,sell,2
T3,C2,2024-02-01 00:00:00,buy,3
T4,C3,2024-01-15 10:00:00,buy,-4
T5,C3,2024-01-15 10:00:00,buy,many
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "keepwell.yaml").write_text(MAPPING, "utf-8")
    (tmp_path / "trades.csv").write_text(TRADES, "utf-8")
    (tmp_path / "people.csv").write_text("id,opened\nC1,2020-01-01\n", "utf-8")
    return Workspace.open(tmp_path)


def test_counts_reasons_range_coverage(workspace: Workspace) -> None:
    report = check(workspace)
    found = {t.table: t for t in report.tables}
    trade = found["trade"]
    assert (trade.rows.read, trade.passed, trade.rows.quarantined) == (4, 3, 1)
    assert trade.rows.reasons == {"cell.below-zero": 1}
    assert (trade.first, trade.last) == (date(2024, 1, 1), date(2024, 2, 1))
    assert trade.coverage == ((date(2024, 1, 1), date(2024, 2, 1)),)
    assert trade.uncovered == 1
    assert "amount" in trade.not_given
    assert "quantity" not in trade.not_given
    assert {s.source: s.reasons for s in report.sources} == {
        "trades": {"cell.not-decimal": 1},
        "people": {},
    }
    assert report.clients_without_profile == 1
    assert (report.problems, report.exit_code) == ((), 0)
    assert json.loads(json.dumps(report.as_dict()))["tables"]


def test_nothing_is_written(workspace: Workspace) -> None:
    check(workspace)
    assert workspace.lake.manifest() is None
    assert not list(workspace.scan.iterdir())
    ingest(workspace)
    before = workspace.lake.manifest()
    check(workspace)
    assert workspace.lake.manifest() == before


def test_it_counts_what_the_ingest_then_does(workspace: Workspace) -> None:
    foreseen = {t.table: t.rows for t in check(workspace).tables}
    assert foreseen == {t.table: t for t in ingest(workspace).tables}
    again = {t.table: t.rows for t in check(workspace).tables}
    assert (again["trade"].added, again["trade"].ignored) == (0, 3)


def test_a_faulty_table_does_not_hide_the_others(workspace: Workspace) -> None:
    path = workspace.root / "keepwell.yaml"
    path.write_text(MAPPING.replace("opened as valid_from", "openned as valid_from"), "utf-8")
    report = check(Workspace.open(workspace.root))
    assert [t.table for t in report.tables] == ["trade"]
    (problem,) = report.problems
    assert (problem.table, problem.error.code) == ("client", "select.column-unknown")
    assert problem.error.fields["nearest"] == "opened"
    assert report.exit_code == 2
    assert report.as_dict()["problems"][0]["code"] == "select.column-unknown"


def test_a_table_refused_whole_is_not_acceptable(workspace: Workspace) -> None:
    (workspace.root / "trades.csv").write_text(
        "id,client,when,side,n\nT1,C1,2024-01-01 00:30:00,bought,1\n", "utf-8"
    )
    report = check(workspace)
    assert report.exit_code == 1
    assert {t.table: t.first for t in report.tables}["trade"] is None


def test_only_the_tables_asked_for(workspace: Workspace) -> None:
    report = check(workspace, ["client"])
    assert [t.table for t in report.tables] == ["client"]
    assert [s.source for s in report.sources] == ["people"]
