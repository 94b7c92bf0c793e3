"""Tile SQL and the tile store, against real lakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import sqlglot

from keepwell.core.days import local_day, midnight
from keepwell.core.errors import DataError
from keepwell.observe import tile_build
from keepwell.observe.lake import Lake
from keepwell.observe.tile_build import DATASETS
from keepwell.observe.tile_rows import Block, Segment, TooWideError, write_segment
from keepwell.observe.tile_sql import ZoneSql, micros, position_sql, tile_sql, translate
from keepwell.observe.tile_store import StoreManifest, TileStore, fold
from keepwell.observe.tiles import NEVER, PRICE, TILES

ATHENS = ZoneInfo("Europe/Athens")
START = datetime(2023, 3, 20, tzinfo=UTC)


def trades(count: int, seed: int = 0, first: int = 0, amount: int = 10**6) -> pa.Table:
    rng = np.random.default_rng(seed)
    at = [START + timedelta(seconds=int(s)) for s in rng.integers(0, 86400 * 60, count)]
    return pa.table(
        {
            "trade_id": [f"t{first + i}" for i in range(count)],
            "client_id": [f"c{i:03d}" for i in rng.integers(0, 40, count)],
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "instrument_id": [f"i{i}" for i in rng.integers(0, 9, count)],
            "side": np.where(rng.random(count) < 0.5, "buy", "sell"),
            "quantity": rng.integers(1, 9, count) * 10**8,
            "amount": rng.integers(1, amount, count),
            "known_at": pa.array([a + timedelta(hours=30) for a in at], pa.timestamp("us", "UTC")),
        }
    )


def put(lake: Lake, rows: pa.Table, table: str = "trade") -> None:
    with lake.writer() as writer:
        writer.append(table, rows, source=table)
        writer.publish(coverage={table: [(19_000, None)]})


def block_of(store: TileStore, name: str = "trade") -> Block:
    """All rows of a dataset, with client ids in place of codes, in a fixed order."""
    layout = DATASETS[name].layout
    block = Block.join([store.base[name].block(layout), store.delta[name]], layout)
    order = np.argsort(np.array(store.clients))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return Block.join([Block(rank[block.code], block.day, block.known, block.gone, block.values)],
                      layout)  # fmt: skip


def merged(block: Block) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Sums of the first measures by (client, day, known)."""
    found: dict[tuple[int, ...], np.ndarray] = {}
    for i in range(len(block.code)):
        key = (int(block.code[i]), int(block.day[i]), int(block.known[i]))
        found[key] = found.get(key, 0) + block.values[i, :8]
    return {key: tuple(map(int, value)) for key, value in found.items()}


def test_tile_sql_translates_to_spark() -> None:
    zone = ZoneSql(ATHENS, 19_000, 19_800)
    queries = [tile_sql(spec, zone, spec.table) for spec in (*TILES.values(), PRICE)]
    for sql in [*queries, position_sql(zone, "holding", "trade")]:
        spark = translate(sql, "spark")
        assert sqlglot.parse_one(spark, read="spark")
        assert "epoch_us" not in spark.lower()
        assert "UNIX_MICROS" in spark


@pytest.mark.parametrize("zone", ["Europe/Athens", "Asia/Shanghai", "America/New_York",
                                  "America/Sao_Paulo", "Australia/Lord_Howe"])  # fmt: skip
def test_local_days_follow_the_zone(zone: str) -> None:
    """Around every change of the clock, to the microsecond, as zoneinfo says."""
    info = ZoneInfo(zone)
    first, last = 17_500, 18_700
    sql = ZoneSql(info, first, last)
    instants = [midnight(day, info) + timedelta(microseconds=shift)
                for day in range(first, last, 7) for shift in (-1, 0, 1)]  # fmt: skip
    for change, _ in sql.changes:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=change)
        instants += [moment + timedelta(microseconds=s) for s in (-1, 0, 1, 3_600_000_000)]
    rows = pa.table({"us": [micros(t) for t in instants]})
    assert rows.num_rows
    found = duckdb.sql(f"SELECT {sql.day('us')} FROM rows").fetchall()
    assert [day for (day,) in found] == [local_day(t, info) for t in instants]


def test_known_day_is_the_first_midnight_that_knows() -> None:
    sql = ZoneSql(ATHENS, 19_000, 19_800)
    begin = midnight(19_500, ATHENS)
    rows = pa.table({"k": pa.array([begin + timedelta(microseconds=s) for s in (-1, 0, 1)])})
    assert rows.num_rows
    found = duckdb.sql(f"SELECT {sql.known('k')} FROM rows").fetchall()
    assert found == [(19_500,), (19_500,), (19_501,)]


def test_deltas_hold_what_a_rebuild_holds(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for batch in range(3):
        put(lake, trades(200, batch, first=batch * 200))
        store = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    assert len(store.manifest.datasets["trade"].segments) == 3
    fresh = TileStore.open(tmp_path / "other", lake, ATHENS)
    assert len(fresh.manifest.datasets["trade"].segments) == 1
    assert merged(block_of(store)) == merged(block_of(fresh))
    assert sum(v[0] for v in merged(block_of(store)).values()) == 600
    assert dict(zip(store.clients, store.seen, strict=True)) == dict(
        zip(fresh.clients, fresh.seen, strict=True)
    )


def test_passes_over_ranges_of_clients_hold_what_one_pass_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where ids have quotes and newcomers stand behind clients with later ids."""
    lake = Lake(tmp_path / "lake")
    odd = trades(300)
    ids = odd["client_id"].to_pylist()
    names = [f"{'kim' if i % 3 else 'zoë'}'{id}" for i, id in enumerate(ids)]
    put(lake, odd.set_column(odd.schema.get_field_index("client_id"), "client_id", [names]))
    TileStore.open(tmp_path / "tiles", lake, ATHENS)
    put(lake, trades(500, seed=1, first=300))
    whole = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    monkeypatch.setattr(tile_build, "_ROWS_PER_PASS", 90)
    fold(tmp_path / "tiles", lake, lake.manifest(), ATHENS)
    parts = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    assert parts.clients == whole.clients
    assert len(parts.manifest.datasets["trade"].segments) == 1
    assert merged(block_of(parts)) == merged(block_of(whole))


def test_many_deltas_are_compacted_and_old_files_go(tmp_path: Path) -> None:
    lake, tiles = Lake(tmp_path / "lake"), tmp_path / "tiles"
    most = 0
    for batch in range(11):
        put(lake, trades(20, batch, first=batch * 20))
        store = TileStore.open(tiles, lake, ATHENS)
        most = max(most, len(store.manifest.datasets["trade"].segments))
    assert most == 9
    assert len(store.manifest.datasets["trade"].segments) < 5
    assert {p.name for p in tiles.iterdir()} == store.manifest.names() | {"manifest.json", "lock"}
    assert sum(v[0] for v in merged(block_of(store)).values()) == 220


def test_a_correction_rebuilds_the_table(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    put(lake, trades(50))
    old = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    change = trades(1).append_column("revision", pa.array([1], pa.int64()))
    later = datetime(2023, 9, 1, 12, tzinfo=UTC)
    known = pa.array([later], pa.timestamp("us", "UTC"))
    change = change.set_column(change.schema.get_field_index("known_at"), "known_at", known)
    put(lake, change)
    store = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    block = block_of(store)
    gone = block.gone[block.gone != NEVER]
    assert gone.tolist() == [local_day(later, ATHENS) + 1]
    assert len(block_of(old).gone) == len(block.gone) - 1  # the reader keeps what it opened


def test_values_beyond_32_bits_widen_their_measure(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = pa.table({
        "session_id": ["a", "b"], "client_id": ["c", "c"],
        "at": pa.array([START, START], pa.timestamp("us", "UTC")),
        "seconds": [2**31 - 1, 5], "pages": [1, 1],
        "known_at": pa.array([START, START], pa.timestamp("us", "UTC")),
    })  # fmt: skip
    put(lake, rows, "session")
    store = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    assert store.manifest.datasets["session"].wide == ["seconds"]
    names = DATASETS["session"].layout.names
    assert block_of(store, "session").values[0, names.index("seconds")] == 2**31 + 4


def test_a_segment_is_read_back_as_written(tmp_path: Path) -> None:
    layout = DATASETS["trade"].layout
    rng = np.random.default_rng(3)
    code = np.sort(rng.integers(0, 30, 100)).astype(np.int32)
    keys = [rng.integers(0, 9, 100).astype(np.int32) for _ in range(3)]
    block = Block.join([Block(code, *keys, rng.integers(0, 99, (100, len(layout.names))))], layout)
    pieces = [block.take(np.arange(a, b)) for a, b in ((0, 37), (37, 37), (37, 100))]
    assert write_segment(tmp_path / "s", pieces, layout) == 100
    again = Segment.open(tmp_path / "s")
    back = again.block(layout)
    assert all(np.array_equal(getattr(back, k), getattr(block, k))
               for k in ("code", "day", "known", "gone", "values"))  # fmt: skip
    offsets = again.offsets(30)
    assert offsets.tolist() == np.searchsorted(block.code, np.arange(31)).tolist()
    block.values[5, layout.names.index("count")] = 2**40
    with pytest.raises(TooWideError, match="count"):
        write_segment(tmp_path / "t", [block], layout)


def test_an_empty_lake_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError) as found:
        TileStore.open(tmp_path / "tiles", Lake(tmp_path / "lake"), ATHENS)
    assert found.value.code == "tiles.lake-empty"


def test_another_zone_makes_other_days(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    put(lake, trades(300))
    athens = block_of(TileStore.open(tmp_path / "tiles", lake, ATHENS))
    york = block_of(TileStore.open(tmp_path / "tiles", lake, ZoneInfo("America/New_York")))
    assert merged(athens) != merged(york)


def test_a_store_of_another_shape_is_made_again(tmp_path: Path) -> None:
    """As after an upgrade that keeps one more measure."""
    lake, file = Lake(tmp_path / "lake"), tmp_path / "tiles" / "manifest.json"
    put(lake, trades(30))
    first = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    assert TileStore.open(tmp_path / "tiles", lake, ATHENS).manifest == first.manifest
    file.write_text(file.read_text().replace(first.manifest.shape, "0" * 64))
    again = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    assert again.manifest.generation == first.manifest.generation + 1
    assert merged(block_of(again)) == merged(block_of(first))


@pytest.mark.parametrize("broken", ["", "{", '{"format": 0}'])
def test_a_broken_manifest_is_made_again(tmp_path: Path, broken: str) -> None:
    lake = Lake(tmp_path / "lake")
    put(lake, trades(30))
    TileStore.open(tmp_path / "tiles", lake, ATHENS)
    (tmp_path / "tiles" / "manifest.json").write_text(broken)
    store = TileStore.open(tmp_path / "tiles", lake, ATHENS)
    assert store.manifest.generation == 2
    assert sum(v[0] for v in merged(block_of(store)).values()) == 30


_CHILD = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from keepwell.observe.lake import Lake
from keepwell.observe.tile_store import TileStore
print("ready", flush=True)
root = Path(sys.argv[1])
TileStore.open(root / "tiles", Lake(root / "lake"), ZoneInfo("Europe/Athens"))
"""


def test_a_kill_leaves_a_usable_store(tmp_path: Path) -> None:
    lake, tiles = Lake(tmp_path / "lake"), tmp_path / "tiles"
    rng = np.random.default_rng(11)
    for batch in range(6):
        put(lake, trades(100, batch, first=batch * 100))
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(tmp_path)],
                                 stdout=subprocess.PIPE)  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(rng.random() * 0.25))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        before = StoreManifest.load(tiles) if tiles.exists() else None
        if before:
            assert all((tiles / name).exists() for name in before.names())
        store = TileStore.open(tiles, lake, ATHENS)
        assert sum(v[0] for v in merged(block_of(store)).values()) == 100 * (batch + 1)
        kept = json.loads((tiles / "manifest.json").read_text())
        assert kept["lake"] == lake.manifest().id
