"""Compaction and vacuum: fewer files, the same rows; what is pinned stays, whatever happens."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from keepwell.core.errors import DataError
from keepwell.observe import lake_view
from keepwell.observe.compact import compact
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.lake import Lake
from keepwell.observe.lake_writer import QUARANTINE
from keepwell.observe.manifest import RETIRED
from keepwell.observe.tile_store import StoreManifest, TileStore
from keepwell.observe.vacuum import BUCKETS, NEWEST, RECENT, Pins, vacuum
from keepwell.observe.workspace import Workspace
from tests.observe.small_workspace import content, trade, workspace, write_trades
from tests.observe.test_tiles import block_of, merged

NOW = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small commits: one file of trades and one of faults an ingest."""
    root = tmp_path_factory.mktemp("upkeep") / "ws"
    ws = workspace(root, [])
    for n in range(4):
        rows = [trade(f"{n}-{i}", client=f"c{i % 5}") for i in range(20)]
        write_trades(root, [*rows, trade(f"bad{n}", quantity=-1.0)])
        ingest(ws)
    LocalEngine.open(ws)
    return root


@pytest.fixture
def ws(origin: Path, tmp_path: Path) -> Workspace:
    """A copy of it, its tiles in step."""
    return Workspace.open(shutil.copytree(origin, tmp_path / "湖 ws"))


def on_disk(lake: Lake, table: str = "trade") -> set[str]:
    return {path.name for path in lake.path(table).glob("*.parquet")}


def bits(ws: Workspace) -> bytes:
    return LocalEngine.open(ws).compute("2021-06-01").values.tobytes()


def test_compaction_changes_files_and_nothing_else(ws: Workspace) -> None:
    before, rows, values = ws.lake.manifest(), content(ws), bits(ws)
    block = merged(block_of(TileStore.open(ws.tiles, ws.lake, ws.zone)))
    report = compact(ws)
    after = ws.lake.manifest()
    assert [(c.table, c.files) for c in report.tables] == [
        ("trade", (4, 1)), (QUARANTINE, (4, 1)),
    ]  # fmt: skip
    assert before is not None
    assert after is not None
    assert after.id == before.id + 1 == report.manifest
    assert after.same_as == after.knowledge == before.id
    assert content(ws) == rows
    assert bits(ws) == values
    store = TileStore.open(ws.tiles, ws.lake, ws.zone)
    assert merged(block_of(store)) == block
    assert store.manifest.lake == after.id
    assert ws.lake.added_files("trade", before.tables["trade"].version, 10**6) is None
    version = after.tables["trade"].version
    assert ws.lake.added_files("trade", before.tables["trade"].version, version) == []
    assert len(ws.lake.added_files("trade", before.tables["trade"].version - 1, version)) == 1
    again = compact(ws)
    assert (again.manifest, again.tables, again.segments) == (after.id, (), 0)


def test_only_rows_count_as_news(ws: Workspace) -> None:
    before = ws.lake.manifest()
    assert before is not None
    told = lake_view.held(ws.lake, "trade", before.tables["trade"].version)
    compact(ws)
    after = ws.lake.manifest()
    assert after is not None
    now = lake_view.held(ws.lake, "trade", after.tables["trade"].version)
    assert now.written_at == told.written_at
    assert (told.files, now.files) == (4, 1)
    assert lake_view.since(ws.lake, after, "trade") == before.id
    assert not lake_view.history(ws.lake, after)[0].added


def test_tiles_after_a_compaction_take_only_what_came(ws: Workspace) -> None:
    compact(ws)
    write_trades(ws.root, [trade("new", client="c9")])
    ingest(ws)
    live = bits(ws)
    stored = StoreManifest.load(ws.tiles)
    assert stored is not None
    assert stored.datasets["trade"].rows[1:] == [1], "more than the new row was read"
    assert compact(ws).segments > 0
    folded = StoreManifest.load(ws.tiles)
    assert folded is not None
    assert {len(d.segments) for d in folded.datasets.values()} == {1}
    assert bits(ws) == live


def test_a_vacuum_lists_first_and_spares_what_is_pinned(ws: Workspace) -> None:
    compact(ws)
    files = on_disk(ws.lake)
    (ws.lake.path("trade") / "part-of-a-killed-writer.parquet").write_bytes(b"x")
    for name in ("000003-aa", "000005-bb"):
        (ws.state / BUCKETS / name).mkdir(parents=True)
    pins = Pins({2: ["model m"], 99: ["generation"]})
    listed = vacuum(ws.lake, pins, NOW)
    assert not listed.removed
    assert listed.retired == (1, 3, 4)
    assert listed.kept == {2: ("model m",), 5: (NEWEST,)}
    assert listed.missing == {99: ("generation",)}
    assert {due.table: len(due.files) for due in listed.tables} == {"trade": 3, QUARANTINE: 2}
    assert listed.size > 0
    assert on_disk(ws.lake) == files | {"part-of-a-killed-writer.parquet"}
    old = {n: sorted(r[0] for r in content_at(ws, n)) for n in (2, 5)}
    done = vacuum(ws.lake, pins, NOW, remove=True)
    assert done.removed
    assert done.tables == listed.tables
    assert [path.name for path in (ws.state / BUCKETS).iterdir()] == ["000005-bb"]
    assert len(on_disk(ws.lake)) == 3
    assert {n: sorted(r[0] for r in content_at(ws, n)) for n in (2, 5)} == old
    with pytest.raises(DataError) as error:
        ws.lake.manifest(3)
    assert error.value.code == "lake.manifest-retired"
    assert (ws.lake.root / RETIRED / "manifest-000003.json").is_file()
    again = vacuum(ws.lake, pins, NOW, remove=True)
    assert (again.retired, again.tables) == ((), ())
    manifest = ws.lake.manifest()
    assert manifest is not None
    assert manifest.id == 5, "a vacuum makes no new manifest"


def content_at(ws: Workspace, number: int) -> list[tuple]:
    with ws.lake.connect(ws.lake.manifest(number)) as engine:
        return engine.sql("select trade_id from trade").fetchall()


def test_recent_manifests_stay_and_so_does_what_readers_have_not_read(ws: Workspace) -> None:
    compact(ws)
    young = vacuum(ws.lake, Pins(), datetime.now(UTC))
    assert young.retired == young.tables == ()
    assert young.kept[1] == (RECENT,)
    first = ws.lake.manifest(2)
    newest = ws.lake.manifest()
    assert first is not None
    assert newest is not None
    since, now = first.tables["trade"].version, newest.tables["trade"].version
    vacuum(ws.lake, Pins(read_until={"trade": since}), NOW, remove=True)
    news = ws.lake.added_files("trade", since, now)
    assert news is not None
    assert sum(pa.parquet.read_metadata(file).num_rows for file in news) == 40
    vacuum(ws.lake, Pins(), NOW, remove=True)
    assert ws.lake.added_files("trade", since, now) is None, "it cannot be told any more"


def test_what_was_committed_and_not_published_is_spared(ws: Workspace) -> None:
    with ws.lake.writer() as writer:
        writer.commit("trade", ws.lake.delta("trade").to_pyarrow_table().slice(0, 3), "late")
    assert vacuum(ws.lake, Pins(), NOW, remove=True).tables == ()
    with ws.lake.writer() as writer:
        writer.publish()
    assert len(content(ws)) == 83


def test_an_empty_lake_has_nothing_to_keep_in_shape(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [])
    for verb in (lambda: compact(ws), lambda: vacuum(ws.lake, Pins(), NOW)):
        with pytest.raises(DataError) as error:
            verb()
        assert error.value.code == "tiles.lake-empty"
