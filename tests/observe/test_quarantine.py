from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepwell.core.errors import REASONS
from keepwell.core.text import catalogue
from keepwell.observe import quarantine
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace

from .small_workspace import content, trade, workspace, write_trades

NOW = datetime(2021, 7, 1, tzinfo=UTC)
BAD = [trade(1), trade(2, quantity=-1.0), trade("=cmd()", side="x"), trade(4, at="soon")]


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    made = workspace(tmp_path, BAD, clients="client_id,opened_on\nc1,2020-01-01\nc2,?\n")
    ingest(made, now=NOW)
    return made


def reasons(ws: Workspace, **filters: str | None) -> list[str]:
    return sorted(quarantine.entries(ws.lake, **filters)["reason"].to_pylist())


def test_entries_by_table_source_and_reason(ws: Workspace) -> None:
    trades = ["cell.below-zero", "cell.formula", "cell.not-in-list", "cell.not-instant"]
    assert reasons(ws) == sorted([*trades, "cell.not-date"])
    assert reasons(ws, table="trade") == trades
    assert reasons(ws, source="clients") == ["cell.not-date"]
    assert reasons(ws, reason="cell.formula") == ["cell.formula"]
    assert reasons(ws, state="resolved") == []
    assert quarantine.entries(ws.lake, limit=2).num_rows == 2
    counted = quarantine.summary(ws.lake).to_pylist()
    assert sum(row["entries"] for row in counted) == 5


def test_reading_the_same_rows_again_adds_no_entries(ws: Workspace) -> None:
    before = quarantine.entries(ws.lake)
    ingest(ws, now=NOW, force=True)
    assert quarantine.entries(ws.lake).equals(before)


def test_an_empty_quarantine(tmp_path: Path) -> None:
    made = workspace(tmp_path, [trade(1)])
    assert quarantine.entries(made.lake).num_rows == 0
    ingest(made, now=NOW)
    assert quarantine.entries(made.lake).num_rows == 0
    assert quarantine.retry(made).ingest is None


def test_a_table_made_but_not_yet_written(tmp_path: Path) -> None:
    """What a kill between the table's making and its first commit leaves."""
    made = workspace(tmp_path, BAD)
    with made.lake.writer() as writer:
        writer.create("quarantine", quarantine.SCHEMA)
        writer.publish()
    assert quarantine.entries(made.lake).num_rows == 0
    ingest(made, now=NOW)
    assert quarantine.entries(made.lake).num_rows == 4


def test_export_is_safe_to_open(ws: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    assert quarantine.export(ws.lake, file, "zh", table="trade") == 4
    raw = file.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert {r["reason"] for r in rows} == set(reasons(ws, table="trade"))
    assert not [c for r in rows for c in r.values() if c.startswith(("=", "+", "-", "@"))]
    assert any("为负数" in r["words"] for r in rows)


def test_retry_after_a_fix(ws: Workspace, tmp_path: Path) -> None:
    assert quarantine.retry(ws).resolved == 0
    write_trades(tmp_path, [trade(1), trade(2, quantity=1.0), trade(4, at="soon")])
    report = quarantine.retry(ws)
    assert (report.resolved, report.still_open) == (3, 2)
    assert [r[0] for r in content(ws)] == ["1", "2"]
    assert reasons(ws) == ["cell.not-date", "cell.not-instant"]
    assert len(reasons(ws, state=None)) == 5
    # The fault comes back: the entry opens again.
    write_trades(tmp_path, [trade(1), trade(5, quantity=-1.0), *BAD[1:2]])
    ingest(ws, now=datetime.now(UTC))
    assert reasons(ws, reason="cell.below-zero") == ["cell.below-zero"] * 2
    (tmp_path / "clients.csv").write_text("client_id,opened_on\nc1,2020-01-01\nc2,2020-01-02\n")
    quarantine.retry(ws)
    assert reasons(ws, source="clients") == []


def test_every_reason_has_words_in_both_languages() -> None:
    words = catalogue()
    mine = [
        "cell.below-zero",
        "cell.control-character",
        "cell.missing",
        "cell.not-in-list",
        "cell.not-text",
        "cell.out-of-range",
        "cell.too-large",
        "cell.too-long",
        "cell.unknown-currency",
        "row.before-opening",
        "row.conflict",
        "row.in-future",
    ]
    assert [r for r in mine if REASONS[r] not in words] == []
    assert quarantine.words("row.conflict", "{}", "zh").startswith("与另一行")
    assert quarantine.words("no.such-code", "{}") == "no.such-code"
