"""The peers of the indicator benchmark; each runs in a process of its own and prints JSON."""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import indicators_data as data
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from indicators_spec import product_indicators, shapes
from indicators_sql import TABLES, polars_frame, query, scan_query, tiles_query

from keepwell.core.days import day_number
from keepwell.observe.tile_build import zone_sql
from keepwell.observe.tile_store import StoreManifest, TileStore

DAY = day_number(data.AS_OF)
REFRESHED = 5000


@dataclass
class Result:
    """What one peer measured: medians of wall and CPU seconds by step, and the peak."""

    steps: dict[str, tuple[float, float]] = field(default_factory=dict)
    peak: int = 0

    def time(self, name: str, repeats: int, task: Callable[[], Any]) -> Any:
        """Measure a task; returns its last result."""
        walls, cpus, found = [], [], None
        for _ in range(repeats):
            found = None
            begin, used = time.perf_counter(), _cpu()
            found = task()
            walls.append(time.perf_counter() - begin)
            cpus.append(_cpu() - used)
        self.steps[name] = (statistics.median(walls), statistics.median(cpus))
        self.peak = _peak()
        return found


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> int:
    """Peak resident memory of this process in bytes, mapped files included."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held when it started us
        line = status.read_text().partition("VmHWM:")[2].split()
        return int(line[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _keep(work: Path, peer: str, values: Any) -> None:
    np.save(work / f"values-{peer}.npy", np.asarray(values, np.float64))


def build(work: Path, _repeats: int) -> Result:
    """The tile store from the events, and the SQL peers' tiles from the same query."""
    result = Result()
    place = data.workspace(work)
    lake, kept = place.lake, work / "build.json"
    stored = StoreManifest.load(place.tiles)
    fresh = stored is None or not stored.follows(lake.manifest(), place.zone)
    result.time("tile store", 1, lambda: TileStore.open(place.tiles, lake, place.zone))
    if fresh or not kept.exists():
        kept.write_text(json.dumps(asdict(result)))
    else:  # it is there from an earlier run: show what that measured
        result = Result(**json.loads(kept.read_text()))
    connection = lake.connect()
    connection.execute(f"SET temp_directory = '{work / 'spill'}'")
    ids = [f"c{i:07d}" for i in range(_clients(work))]
    connection.register("ids", pa.table({"id": ids, "code": np.arange(len(ids), dtype=np.int32)}))
    connection.execute("CREATE TABLE entities AS FROM ids")
    zone = zone_sql(lake.manifest(), place.zone, datetime.now(UTC))
    for table in TABLES:
        target = work / f"tiles-{table}.parquet"
        if not target.exists():
            sql = tiles_query(table, zone)
            connection.execute(f"COPY ({sql}) TO '{work}/part.parquet' (FORMAT parquet)")
            (work / "part.parquet").rename(target)
    return result


def _clients(work: Path) -> int:
    return int(json.loads((work / "data" / "rows.json").read_text())["clients"])


def kernel(work: Path, repeats: int) -> Result:
    """Our engine on its opened store."""
    from keepwell.observe.engines.local import LocalEngine

    result = Result()
    engine = LocalEngine.open(data.workspace(work))
    items = product_indicators()
    some = engine.clients(data.AS_OF)[:10]
    engine.compute(data.AS_OF, clients=some, indicators=items)  # compiles, or loads what is
    frame = result.time("compute", repeats, lambda: engine.compute(data.AS_OF, indicators=items))
    order = [int(id[1:]) for id in frame.clients]
    values = np.full((_clients(work), len(frame.names)), np.nan)
    computed = result.peak

    def write() -> None:
        found = engine.compute(data.AS_OF, indicators=items)
        columns = {name: found.column(name) for name in found.names}
        pq.write_table(pa.table({"client_id": found.clients, **columns}),
                       work / "out.parquet", use_dictionary=False)  # fmt: skip

    values[order] = frame.values
    _keep(work, "kernel", values)
    del values, frame
    result.time("compute and write", repeats, write)
    rng = np.random.default_rng(1)
    everyone = np.array(engine.clients(data.AS_OF))
    batches = [sorted(rng.choice(everyone, min(REFRESHED, len(everyone)), replace=False).tolist())
               for _ in range(9)]  # fmt: skip
    turn = iter(batches)
    result.time(
        "refresh",
        len(batches),
        lambda: engine.compute(data.AS_OF, clients=next(turn), indicators=items),
    )
    result.peak = computed
    return result


def _duckdb(work: Path, resident: bool) -> tuple[Any, dict[str, str]]:
    import duckdb

    connection = duckdb.connect(config={"memory_limit": "3GB"})
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET temp_directory = '{work / 'spill'}'")
    codes = f"SELECT range::INT AS code FROM range({_clients(work)})"
    connection.execute(f"CREATE TABLE clients AS {codes}")
    relations = {}
    for table in TABLES:
        relations[table] = f"read_parquet('{work}/tiles-{table}.parquet')"
        if resident:
            connection.execute(f"CREATE TABLE {table} AS FROM {relations[table]}")
            relations[table] = table
    return connection, relations


def duckdb_tiles(work: Path, repeats: int, resident: bool = False) -> Result:
    """One query over tiles in Parquet, or resident in DuckDB's own format."""
    result = Result()
    connection, relations = _duckdb(work, resident)
    sql = query(relations, "clients", list(shapes()), DAY)
    found = result.time("compute", repeats, lambda: connection.sql(sql).to_arrow_table())
    computed = result.peak
    if not resident:
        table = found.sort_by("code")
        _keep(work, "duckdb", np.stack([table[s.name].to_numpy() for s in shapes()], 1))
        del table
    del found
    target = work / "out.parquet"
    copy = f"COPY ({sql}) TO '{target}' (FORMAT parquet)"
    result.time("compute and write", repeats, lambda: connection.execute(copy))
    result.peak = computed
    return result


def duckdb_resident(work: Path, repeats: int) -> Result:
    """See `duckdb_tiles`."""
    return duckdb_tiles(work, repeats, resident=True)


def duckdb_refresh(work: Path, _repeats: int) -> Result:
    """The same query over the rows of 5,000 clients, gathered by offsets from memory."""
    result = Result()
    connection, _ = _duckdb(work, False)
    held = {}
    for table in TABLES:
        tiles = pq.read_table(work / f"tiles-{table}.parquet").combine_chunks()
        codes = np.arange(_clients(work) + 1)
        held[table] = (tiles, np.searchsorted(tiles["code"].to_numpy(), codes))
    sql = query({t: f"g_{t}" for t in TABLES}, "hot", list(shapes()), DAY)
    rng = np.random.default_rng(1)
    gathered = []

    def refresh() -> None:
        begin = time.perf_counter()
        hot = np.sort(rng.choice(_clients(work), min(REFRESHED, _clients(work)), replace=False))
        connection.register("hot", pa.table({"code": hot.astype(np.int32)}))
        for table, (tiles, offsets) in held.items():
            low, count = offsets[hot], offsets[hot + 1] - offsets[hot]
            shift = low - np.concatenate([[0], np.cumsum(count)[:-1]])
            rows = np.repeat(shift, count) + np.arange(count.sum())
            connection.register(f"g_{table}", tiles.take(pa.array(rows)))
        gathered.append(time.perf_counter() - begin)
        connection.sql(sql).to_arrow_table()

    result.time("refresh", 9, refresh)
    result.steps["gather"] = (statistics.median(gathered), 0.0)
    return result


def polars_tiles(work: Path, repeats: int) -> Result:
    """Polars' lazy plan over tiles in Parquet, its streaming engine."""
    import polars as pl

    result = Result()
    scans = {t: pl.scan_parquet(work / f"tiles-{t}.parquet") for t in TABLES}
    clients = pl.LazyFrame({"code": np.arange(_clients(work), dtype=np.int32)})
    plan = polars_frame(scans, clients, list(shapes()), DAY)
    found = result.time("compute", repeats, lambda: plan.collect(engine="streaming"))
    computed = result.peak
    _keep(work, "polars", found.drop("code").to_numpy())
    del found
    target = work / "out.parquet"
    result.time("compute and write", repeats,
                lambda: plan.collect(engine="streaming").write_parquet(target))  # fmt: skip
    result.peak = computed
    return result


def scan(work: Path, repeats: int) -> Result:
    """Reads every column of every event that the tiles need, once, and adds it up."""
    result = Result()
    connection = data.workspace(work).lake.connect()

    def read() -> None:
        for table in TABLES:
            connection.execute(scan_query(table)).fetchall()

    result.time("compute", repeats, read)
    return result


PEERS: dict[str, Callable[[Path, int], Result]] = {
    "build": build, "kernel": kernel, "duckdb": duckdb_tiles, "duckdb-resident": duckdb_resident,
    "duckdb-refresh": duckdb_refresh, "polars": polars_tiles, "scan": scan,
}  # fmt: skip
