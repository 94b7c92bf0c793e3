"""Rows leave when their use ends; what is pinned, held or recorded stays; nothing comes back."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from keepwell.cli import app
from keepwell.core.errors import UsageError
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.lake import open_duckdb
from keepwell.observe.mapping_retention import back
from keepwell.observe.replay import engine_at
from keepwell.observe.retain import FOLDER, retain
from keepwell.observe.workspace import Workspace
from tests.observe.small_workspace import content, trade, workspace, write_trades

NOW = datetime(2021, 7, 1, 12, tzinfo=UTC)
OLD, MIDDLE, NEW = "2020-02-01 10:00:00", "2020-12-31 23:59:59", "2021-01-01 00:00:00"
ROWS = [
    trade(1, "c1", OLD, revision=0), trade(2, "c2", OLD, revision=0),
    trade(3, "c1", MIDDLE, revision=0), trade(4, "c1", NEW, revision=0),
    trade(5, "c2", OLD, revision=0), trade(5, "c2", NEW, revision=1),
    trade(6, "gone", OLD, revision=0),
]  # fmt: skip
IDS = "trade_id || ':' || revision"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trades before and after 2021, one of them corrected over the year's end; tiles in step."""
    root = tmp_path_factory.mktemp("retain") / "ws"
    ws = workspace(root, ROWS, True)
    ingest(ws, now=NOW)
    return root


@pytest.fixture
def root(origin: Path, tmp_path: Path) -> Path:
    return shutil.copytree(origin, tmp_path / "ws")


def keep(root: Path, said: str, holds: str = "[]") -> Workspace:
    """The workspace with a retention of its trades."""
    path = root / "keepwell.yaml"
    first = path.read_text().partition("    retention:")[0].partition("holds:")[0]
    path.write_text(f"{first}    retention: {said}\nholds: {holds}\n")
    return Workspace.open(root)


def ids(ws: Workspace) -> list[str]:
    return [row[0] for row in content(ws, IDS)]


def record(ws: Workspace) -> list[str]:
    files = sorted((ws.state / FOLDER / "trade").glob("*.parquet"))
    with open_duckdb() as engine:
        found = [engine.sql(f"select {IDS} from '{file}'").fetchall() for file in files]
    return sorted(row[0] for rows in found for row in rows)


def test_rows_leave_use_then_the_record(root: Path) -> None:
    ws = keep(root, "{use: 6mo, record: 14mo}")
    listed = retain(ws, NOW)
    assert ids(ws) == ["1:0", "2:0", "3:0", "4:0", "5:0", "5:1", "6:0"]
    done = retain(ws, NOW, remove=True)
    assert done.tables == listed.tables
    (told,) = done.tables
    assert (told.use_from, told.record_from) == (date(2021, 1, 1), date(2020, 5, 1))
    assert (told.leaving, told.removed, told.held) == (4, 3, 0)
    # A row and its corrections go together, or stay.
    assert ids(ws) == ["4:0", "5:0", "5:1"]
    assert record(ws) == ["3:0"]
    assert done.manifest == 2
    assert retain(ws, NOW, remove=True).manifest == 2
    # The record ends later.
    assert retain(ws, datetime(2022, 3, 1, 12, tzinfo=UTC)).tables[0].removed == 1
    retain(ws, datetime(2022, 3, 1, 12, tzinfo=UTC), remove=True)
    assert (ids(ws), record(ws)) == ([], ["4:0", "5:0", "5:1"])


def test_older_manifests_and_indicators_stay_honest(root: Path) -> None:
    ws = keep(root, "{use: 6mo}")
    before = LocalEngine.open(ws).compute(NOW)
    retain(ws, NOW, remove=True)
    engine = LocalEngine.open(ws)
    after, early = engine.compute(NOW), engine.compute("2021-01-05")
    assert (before.clients, after.clients) == (["c1", "c2", "gone"], ["c1", "c2"])
    with engine_at(ws, 1, threads=1) as old:
        assert old.compute(NOW).values.tobytes() == before.values.tobytes()
    assert np.isnan(early.column("trade_count_30d")).all(), "what was taken out is not a zero"


def test_an_ingest_brings_nothing_back(root: Path) -> None:
    ws = keep(root, "{use: 6mo}")
    retain(ws, NOW, remove=True)
    write_trades(root, [*ROWS, trade(7, "c1", OLD, revision=0), trade(8, at=NEW, revision=0)], True)
    made = ingest(ws, now=NOW)
    (table,) = made.tables
    assert (table.added, table.quarantined) == (1, 0)
    assert ids(ws) == ["4:0", "5:0", "5:1", "8:0"]
    manifest = ws.lake.manifest()
    assert manifest is not None
    assert to_day(manifest.tables["trade"].coverage[0][0]) == date(2021, 1, 1)


def to_day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


@pytest.mark.parametrize(
    ("holds", "left", "held"),
    [
        ("[{reason: court, clients: [c1]}]", ["1:0", "3:0", "4:0", "5:0", "5:1"], 2),
        ("[{reason: court, tables: [trade]}]", 7, 4),
        ('[{reason: court, clients: [c1], until: "2021-06-30"}]', 3, 0),
    ],
)
def test_rows_on_hold_stay(root: Path, holds: str, left: list[str] | int, held: int) -> None:
    ws = keep(root, "{use: 6mo, record: 6mo}", holds)
    (told,) = retain(ws, NOW, remove=True).tables
    assert told.held == held
    assert (told.reasons == ("court",)) == (held > 0)
    assert left in (ids(ws), len(ids(ws)))


def test_a_hold_keeps_the_record_too(root: Path) -> None:
    retain(keep(root, "{use: 6mo}"), NOW, remove=True)
    ws = keep(root, "{use: 6mo, record: 6mo}", "[{reason: court, clients: [c1]}]")
    retain(ws, NOW, remove=True)
    assert record(ws) == ["1:0", "3:0"]


def test_a_record_whose_rows_never_left_is_swept(root: Path) -> None:
    """Killed after it was written: the rows are still in the lake, and something came since."""
    ws = keep(root, "{use: 6mo}")
    left = ws.state / FOLDER / "trade" / "v000001.parquet"
    left.parent.mkdir(parents=True)
    shutil.copy(ws.lake.files_at("trade")[0], left)
    write_trades(root, [*ROWS, trade(8, at=OLD, revision=0)], True)
    ingest(ws, now=NOW)
    assert retain(ws, NOW, remove=True).tables[0].leaving == 5
    assert record(ws) == ["1:0", "2:0", "3:0", "6:0", "8:0"]


def test_the_command_and_what_the_mapping_may_say(root: Path) -> None:
    with pytest.raises(UsageError, match="record"):
        keep(root, "{use: 6mo, record: 90d}")
    keep(root, "{use: 6mo}")
    words = ["--lang", "en", "lake", "retain", "-w", str(root)]
    found = CliRunner().invoke(app, [*words, "--json"])
    assert found.exit_code == 0, found.exception
    told = json.loads(found.stdout)
    assert (told["done"], told["tables"][0]["table"]) == (False, "trade")
    said = CliRunner().invoke(app, words).stdout
    assert "Nothing was removed" in said


@pytest.mark.parametrize(
    ("day", "span", "expected"),
    [
        (date(2024, 3, 31), "1mo", date(2024, 2, 29)),
        (date(2024, 1, 15), "13mo", date(2022, 12, 15)),
        (date(2024, 3, 1), "1d", date(2024, 2, 29)),
    ],
)
def test_back_on_the_calendar(day: date, span: str, expected: date) -> None:
    assert back(day, span) == expected
