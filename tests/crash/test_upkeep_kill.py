"""kill -9 at any step of compaction, vacuum, backup and restore: nothing lost, no half thing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from keepwell import rooms
from keepwell.frame.migrate import newest
from keepwell.intervene.upkeep.restore import check
from keepwell.observe.ingest import ingest
from keepwell.observe.manifest import numbers
from keepwell.observe.workspace import Workspace
from tests.observe.small_workspace import trade, workspace, write_trades

from .forks import CONTEXT
from .upkeep_child import run

rooms.load_all()
KILLS = 3
ROWS = 30


def child(verb: str, root: Path, fatal: int = 0) -> int:
    process = CONTEXT.Process(target=run, args=(verb, root, fatal))
    process.start()
    process.join(300)
    assert process.exitcode is not None
    return process.exitcode


def content(root: Path) -> dict[int, list[tuple]]:
    """Rows of every manifest in use."""
    lake = Workspace.open(root).lake
    found = {}
    for number in numbers(lake.root):
        with lake.connect(lake.manifest(number)) as engine:
            asked = (
                "select trade_id, client_id, quantity, epoch_us(known_at) from trade order by all"
            )
            found[number] = engine.execute(asked).fetchall()
    return found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """A workspace of several manifests with tiles and a desk."""
    root = tmp_path_factory.mktemp("upkeep") / "ws"
    ws = workspace(root, [])
    for n in range(3):
        write_trades(root, [trade(f"{n}-{i}", client=f"c{i % 5}") for i in range(10)])
        ingest(ws)
    database = ws.state / "desk.sqlite"
    shutil.copy(sqlite_template, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table alembic_version (version_num varchar(32))")
        connection.execute("insert into alembic_version values (?)", [newest()])
    return root


def prepare(origin: Path, verb: str, folder: Path) -> Path:
    """A copy of the workspace about to do a verb."""
    folder.mkdir()
    root = folder / "ws"
    shutil.copytree(origin, root)
    if verb == "vacuum":
        assert child("compact", root) == 0
        (root / ".keepwell/lake/trade/left-by-a-killed-writer.parquet").write_bytes(b"x")
    if verb in ("backup", "restore"):
        assert child("backup", root) == 0
    if verb == "backup":  # a second one, beside the first: part of it is new, part is the same
        assert child("compact", root) == 0
    return root


def made_in(folder: Path) -> list[Path]:
    """The backups that have their name."""
    return sorted((folder / "backups").glob("keepwell-*"))


def assert_whole(root: Path, before: dict[int, list[tuple]]) -> None:
    """The newest rows are all there; no manifest in use misses any; finished things are whole."""
    now = content(root)
    assert now[max(now)] == before[max(before)]
    assert len(now[max(now)]) == ROWS
    assert all(rows == before[number] for number, rows in now.items() if number in before)
    assert 2 in now, "a pinned manifest is gone"
    for made in made_in(root.parent):
        check(made)
    restored = root.parent / "restored"
    if restored.exists():
        assert content(restored) == before


@pytest.mark.parametrize("verb", ["compact", "vacuum", "backup", "restore"])
def test_killed_at_any_step_and_done_again(origin: Path, verb: str, tmp_path: Path) -> None:
    ready = prepare(origin, verb, tmp_path / "ready")
    before = content(ready)
    trial = shutil.copytree(ready.parent, tmp_path / "trial") / "ws"
    assert child(verb, trial) == 0
    earlier = [made.name for made in made_in(ready.parent)]
    outcome, steps = content(trial), int((trial.parent / "steps").read_text())
    assert steps > KILLS
    for kill in range(KILLS):
        root = shutil.copytree(ready.parent, tmp_path / str(kill)) / "ws"
        assert child(verb, root, fatal=1 + kill * (steps - 1) // (KILLS - 1)) == -9
        assert_whole(root, before)
        assert not (root.parent / "restored").exists(), "it had its name before it was done"
        assert [made.name for made in made_in(root.parent)] == earlier
        assert child(verb, root) == 0
        assert_whole(root, before)
        if verb in ("compact", "vacuum"):
            assert content(root) == outcome
            data = [len(list(r.glob(".keepwell/lake/trade/*.parquet"))) for r in (root, trial)]
            assert verb == "compact" or data[0] == data[1], "something was not removed"
        assert not list(root.parent.rglob(".*.tmp")), "something was left behind"
        shutil.rmtree(root.parent)


def test_retention_killed_and_done_again(origin: Path, tmp_path: Path) -> None:
    """Every row is in the lake or in the record, then in one of them; nobody reads a false zero."""
    ready = shutil.copytree(origin, tmp_path / "ready" / "ws")
    with (ready / "keepwell.yaml").open("a") as file:
        file.write("    retention: {use: 12mo}\n")
    before = content(ready)
    trial = shutil.copytree(ready, tmp_path / "trial" / "ws")
    assert child("retain", trial) == 0
    steps = int((trial.parent / "steps").read_text())
    for fatal in (steps * 2 // 3, steps - 1):
        root = shutil.copytree(ready, tmp_path / str(fatal) / "ws")
        assert child("retain", root, fatal) == -9
        now = content(root)
        assert {number: now[number] for number in before} == before
        ws = Workspace.open(root)
        write_trades(root, [trade("late")])
        ingest(ws)  # publishes what was committed, and has another version
        left, record = kept(ws)
        assert left | record == {row[0] for row in before[max(before)]} | {"late"} - record
        manifest = ws.lake.manifest()
        assert manifest is not None
        state = manifest.tables["trade"]
        assert (state.kept_from is not None) == (len(left) <= 1)
        assert child("retain", root) == 0
        assert not list(root.rglob(".*.tmp"))
        left, record = kept(ws)
        assert (left, len(record - {"late"})) == (set(), ROWS)
        assert content(root)[2] == before[2]


def kept(ws: Workspace) -> tuple[set[str], set[str]]:
    """Trades of the lake, and of the record, each of them once."""
    manifest = ws.lake.manifest()
    with ws.lake.connect(manifest) as engine:
        left = [row[0] for row in engine.execute("select trade_id from trade").fetchall()]
        record = []
        for file in (ws.state / "retained" / "trade").glob("*.parquet"):
            record += [row[0] for row in engine.sql(f"select trade_id from '{file}'").fetchall()]
    assert len(record) == len(set(record))
    return set(left), set(record)
