"""init, check, ingest, lake and quarantine as a person and a script call them."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from keepwell.core.errors import KeepwellError
from keepwell.core.text import set_locale

COMMANDS = ("init", "check", "ingest", "lake", "quarantine")
TRADES = """\
id,client,time,side,amount
T1,C1,2024-01-01 10:00:00,buy,10.50
T2,C1,2024-01-02 10:00:00,sell,20.00
T3,C2,2024-01-03 10:00:00,buy,-5.00
T4,C2,2024-01-04 10:00:00,buy,x
"""
MAPPING = """\
version: 1
name: x
timezone: Asia/Shanghai
currency: CNY
sources:
  trades:
    path: trades.csv
    columns: {time: {type: instant, timezone: Asia/Shanghai}, amount: decimal}
tables:
  trade:
    sql: select id as trade_id, client as client_id, time as at, side, amount from trades
    covers: [["2024-01-01", null]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keepwell.yaml").write_text(MAPPING, "utf-8")
    (tmp_path / "trades.csv").write_text(TRADES, "utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def english():
    set_locale("en")
    yield
    set_locale("en")


def call(*arguments: object) -> Result:
    app = typer.Typer(no_args_is_help=True)
    for command in COMMANDS:
        import_module(f"keepwell.cli.{command}").register(app)
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160"})


def as_json(*arguments: object) -> object:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_whole_way(folder: Path) -> None:
    checked = as_json("check", "-w", folder)
    assert checked["tables"][0]["reasons"] == {"cell.below-zero": 1}
    assert as_json("lake", "-w", folder) is None
    ingested = as_json("ingest", "-w", folder)
    assert (ingested["tables"][0]["added"], ingested["quarantined"]) == (2, 2)
    lake = as_json("lake", "-w", folder)
    assert lake["tables"]["trade"]["rows"] == 2
    assert lake["tables"]["trade"]["first"] == "2024-01-01 10:00:00+08:00"
    assert lake["tables"]["trade"]["coverage"] == [["2024-01-01", None]]
    listed = as_json("quarantine", "list", "-w", folder)
    assert {(e["reason"], e["row"]) for e in listed} == {
        ("cell.below-zero", None),
        ("cell.not-decimal", 5),
    }
    (folder / "trades.csv").write_text(TRADES.replace("-5.00", "5.00").replace(",x", ",6.00"))
    retried = as_json("quarantine", "retry", "-w", folder)
    assert (retried["resolved"], retried["still_open"]) == (2, 0)
    assert as_json("lake", "-w", folder)["tables"]["trade"]["rows"] == 4
    assert as_json("quarantine", "-w", folder) == []
    resolved = as_json("quarantine", "list", "-w", folder, "--state", "resolved")
    assert len(resolved) == 2


def test_words_for_people(folder: Path) -> None:
    assert "cell.below-zero" in call("check", "-w", folder).output
    assert "The lake is empty" in call("lake", "-w", folder).output
    assert "manifest 1" in call("ingest", "-w", folder).output
    assert "Nothing changed" in call("ingest", "-w", folder).output
    assert "2024-01-01 10:00" in call("lake", "-w", folder).output
    assert "is negative" in call("quarantine", "list", "-w", folder).output
    assert "cell.not-decimal" in call("quarantine", "-w", folder).output
    set_locale("zh")
    assert "湖" in call("ingest", "-w", folder).output
    assert "负数" in call("quarantine", "list", "-w", folder).output


def test_export_opens_in_a_spreadsheet_and_carries_no_formula(folder: Path) -> None:
    (folder / "trades.csv").write_text(TRADES.replace("T3,C2", "T3,=cmd()"))
    call("ingest", "-w", folder)
    result = call("quarantine", "export", "-w", folder)
    assert result.exit_code == 0
    content = (folder / "out" / "quarantine.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert b"\n=" not in content
    assert b",=" not in content


def test_init_then_check(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "trades.csv").write_text(TRADES)
    result = call("init", tmp_path / "ws", "--from", data)
    assert result.exit_code == 0
    assert "trade_id = id" in result.output or "trade" in result.output
    assert (tmp_path / "ws" / "keepwell.yaml").is_file()
    proposed = as_json("init", tmp_path / "other", "--from", data)
    assert proposed["tables"][0]["table"] == "trade"


def test_exit_codes(folder: Path, tmp_path: Path) -> None:
    def code(*arguments: object) -> tuple[str, int]:
        error = call(*arguments).exception
        assert isinstance(error, KeepwellError), error
        return error.code, error.exit_code

    assert code("check", "-w", tmp_path / "nowhere") == ("workspace.mapping-missing", 2)
    assert code("ingest", "-w", folder, "--table", "trad") == ("mapping.table-unmapped", 2)
    (folder / "trades.csv").write_bytes(b"")
    assert code("ingest", "-w", folder) == ("source.file-empty", 1)
    assert call("check", "-w", folder).exit_code == 1
    assert "source.file-empty" in call("check", "-w", folder).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingst"], "ingest"),
        (["ingest", "--backfil"], "--backfill"),
        (["quarantine", "lst"], "list"),
        (["quarantine", "list", "--state", "closed"], "resolved"),
    ],
)
def test_a_typo_names_what_was_meant(arguments: list[str], said: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert said in result.output
