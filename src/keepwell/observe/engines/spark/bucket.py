"""The executor's half: one bucket opened as an engine, with the same kernels as everywhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import midnight
from keepwell.core.errors import UsageError
from keepwell.observe.contract import TABLES
from keepwell.observe.engines import peers
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.engines.moment import Moment
from keepwell.observe.engines.spark.layout import STATE, WHOLE, Buckets
from keepwell.observe.existence import NEVER_SEEN, merged
from keepwell.observe.indicators.registry import Indicator
from keepwell.observe.lake import Lake, open_duckdb, parquet_sql
from keepwell.observe.manifest import Manifest
from keepwell.observe.tile_build import DATASETS, Dataset
from keepwell.observe.tile_rows import Block, Segment
from keepwell.observe.tile_store import StoreManifest, TileStore, shape

Ints = npt.NDArray[np.int64]
Asked = tuple[datetime, tuple[str, ...], float]
Existing = tuple[list[str], Ints, tuple[Ints, Ints, Ints]]
"""Ids ascending; from when each exists; brief spans: place, begin, until."""

_KEPT: Final = 2  # opened buckets that an executor's process keeps for the next job
_MEMORY: Final = "1GB"

_open: OrderedDict[tuple[str, int], BucketEngine] = OrderedDict()


@dataclass(frozen=True)
class _Source:
    """What an engine needs of a workspace, of one bucket."""

    zone: ZoneInfo
    currency: str
    lake: Any
    tiles: Path
    mapping: Any


class _Views:
    """Stands for the lake: one connection that shows a bucket's state rows and the whole tables."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def connect(self, _manifest: Manifest | None = None) -> duckdb.DuckDBPyConnection:
        return self.connection


class BucketEngine(LocalEngine):
    """The engine of one bucket's clients.

    It has no rows younger than its tiles and knows peers only as they are told, so it answers at
    midnights, and about peers where the norms of all clients were given.
    """

    given: tuple[Asked, peers.Norms] | None = None

    def _instant(self, as_of: Any) -> datetime:
        return at_midnight(super()._instant(as_of), self.zone)

    def _norms_of(
        self,
        moment: Moment,
        compared: Sequence[Indicator],
        min_coverage: float,
        everyone: dict[str, npt.NDArray[np.float64]] | None = None,  # noqa: ARG002
    ) -> peers.Norms:
        as_of, ids, coverage = norms_key(moment.as_of, compared, min_coverage)
        if self.given is not None:
            (at, known, least), norms = self.given
            if (at, least) == (as_of, coverage) and set(ids) <= set(known):
                return norms
        raise RuntimeError("the norms of all clients were not given to the bucket")


def norms_key(as_of: datetime, compared: Iterable[Indicator], min_coverage: float) -> Asked:
    """What norms belong to."""
    return as_of, tuple(item.id for item in compared), min_coverage


def at_midnight(instant: datetime, zone: ZoneInfo) -> datetime:
    """The instant, if a local day begins at it.

    Raises:
        UsageError: it lies within a day.
    """
    local = instant.astimezone(zone)
    if instant != midnight(local.date().toordinal() - _EPOCH, zone):
        raise UsageError("spark.instant-inside", instant=local.isoformat())
    return instant


_EPOCH: Final = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - a date's number


def open_bucket(buckets: Buckets, number: int) -> BucketEngine:
    """A bucket's engine; the last ones opened by this process are kept."""
    key = (str(buckets.folder), number)
    if key in _open:
        _open.move_to_end(key)
        return _open[key]
    while len(_open) >= _KEPT:
        _open.popitem(last=False)
    engine = _open[key] = _opened(buckets, number)
    return engine


def open_market(buckets: Buckets) -> BucketEngine:
    """An engine without clients: the driver's, for prices."""
    return _opened(buckets, None)


def _opened(buckets: Buckets, number: int | None) -> BucketEngine:
    connection = open_duckdb(threads=1, memory=_MEMORY)
    tables = {t: s for t, s in buckets.manifest.tables.items() if t in TABLES}
    lake = Lake(buckets.lake)
    for table, state in tables.items():
        if table in WHOLE:
            view = lake.view_sql(TABLES[table], state)
        elif table in STATE:
            files = buckets.files(table, number) if number is not None else []
            view = _rows(files, table)
        else:
            continue
        connection.execute(f'CREATE VIEW "{table}" AS {view}')
    if tables.get("holding") and tables["holding"].full_days:
        days = sorted(str(file) for file in (buckets.folder / "full_days").glob("*.parquet"))
        connection.execute(f"CREATE VIEW holding AS SELECT * FROM {_read(days)}")
    clients, seen, brief = existing(buckets, number, connection)
    clients, seen = _with_ties(connection, clients, seen, "relation" in tables)
    instruments = pq.read_table(buckets.folder / "instruments.parquet")["id"].to_pylist()
    base, delta = {}, {}
    entities = pa.table({"id": pa.array(clients, pa.string()),
                         "code": np.arange(len(clients), dtype=np.int32)})  # fmt: skip
    connection.register("coded", entities)
    for name, dataset in DATASETS.items():
        if not any(table in tables for table in dataset.tables):
            continue
        if dataset.entity == "instruments":
            base[name] = Segment.open(buckets.folder / name)
        else:
            files = buckets.files(f"tiles/{name}", number) if number is not None else []
            base[name] = _segment(connection, dataset, files)
        delta[name] = Block.join([], dataset.layout)
    connection.unregister("coded")
    store = TileStore(
        StoreManifest(shape(), 0, buckets.manifest.id, buckets.zone, "", "", "", {}, {}),
        buckets.manifest, clients, seen, brief, instruments, base, delta,
    )  # fmt: skip
    market = SimpleNamespace(index=buckets.index) if buckets.index else None
    source = _Source(
        buckets.info, buckets.currency, _Views(connection), buckets.folder,
        SimpleNamespace(market=market),
    )  # fmt: skip
    return BucketEngine(source, store, threads=1)


def _read(files: list[str]) -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _rows(files: list[str], table: str) -> str:
    if files:
        return f"SELECT * FROM {_read(files)}"
    nothing = parquet_sql([], TABLES[table])
    return f"SELECT *, CAST(NULL AS TIMESTAMPTZ) AS gone_at FROM {nothing}"


def existing(
    buckets: Buckets, number: int | None, connection: duckdb.DuckDBPyConnection | None = None
) -> Existing:
    """Who exists in a bucket, and when; in none for None."""
    none = np.empty(0, np.int64)
    files = buckets.files("lived", number) if number is not None else []
    if not files:
        return [], none, (none, none, none)
    used = connection or open_duckdb(threads=1, memory=_MEMORY)
    used.execute(f"CREATE TEMP TABLE lived AS SELECT * FROM {_read(files)}")
    found = merged(used)
    for table in ("lived", "lives"):
        used.execute(f"DROP TABLE {table}")
    ids, brief = found.ids, found.brief
    code = {id: i for i, id in enumerate(ids)}
    spans = (
        np.array([code[id] for id in brief["id"].to_pylist()], np.int64),
        np.asarray(brief["begin"].to_numpy(), np.int64),
        np.asarray(brief["until"].to_numpy(), np.int64),
    )
    return ids, found.seen, spans


def _with_ties(
    connection: duckdb.DuckDBPyConnection, clients: list[str], seen: Ints, tied: bool
) -> tuple[list[str], Ints]:
    """The bucket's clients and, after them, those across ties: they exist in other buckets."""
    if not tied:
        return clients, seen
    own = set(clients)
    rows = connection.execute(
        "SELECT client_id AS id FROM relation UNION SELECT other_id FROM relation ORDER BY id"
    ).fetchall()
    across = [id for (id,) in rows if id is not None and id not in own]
    return [*clients, *across], np.concatenate([seen, np.full(len(across), NEVER_SEEN, np.int64)])


def _segment(connection: duckdb.DuckDBPyConnection, dataset: Dataset, files: list[str]) -> Segment:
    layout = dataset.layout
    if files:
        order = ", ".join(
            name if name in ("day", "known", "gone") else f"m_{name}" for name in layout.order
        )
        columns = ", ".join(f"m_{name}" for name in layout.names)
        rows = connection.sql(
            f"SELECT e.code, day, known, gone, {columns} FROM {_read(files)} AS t "
            f"JOIN coded AS e ON e.id = t.code ORDER BY e.code, {order}"
        ).to_arrow_table()
        block = Block.of(rows, layout)
    else:
        block = Block.join([], layout)
    fresh = np.flatnonzero(np.diff(block.code, prepend=-1))
    start = np.append(fresh, len(block.code)).astype(np.int64)
    return Segment(block.rows(layout), block.code[fresh], start)
