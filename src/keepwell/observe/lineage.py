"""Lineage: from a client's indicator to the tiles that were read and the source rows behind them.

Everything is read again at one manifest, for one client, through the tile store and the kernel that
every engine uses: so the value is the one that was scored, and what is listed is what entered it.

Example:
    `lineage(workspace, "c1", "trade_count_30d", as_of)` gives the value, the tile rows of thirty
    days with the measure `count`, and the trades themselves by their keys.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from keepwell.core.days import local_day, midnight, to_date
from keepwell.core.errors import DataError, UsageError
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.engines.moment import Moment, Reader
from keepwell.observe.engines.peers import PeerGroup
from keepwell.observe.indicators.needs import Need, sources_of
from keepwell.observe.indicators.registry import INDICATORS, Indicator
from keepwell.observe.tile_build import DATASETS, POSITION, register, zone_sql
from keepwell.observe.tile_store import TileStore
from keepwell.observe.tiles import ALWAYS, BLANK, NEVER
from keepwell.observe.windows import Rows

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from keepwell.observe.lake import Lake
    from keepwell.observe.manifest import Manifest
    from keepwell.observe.workspace import Workspace

MOST: Final = 200
"""Tile rows, and source rows of each table, that are listed unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile row that was read.

    Attributes:
        dataset: whose: an event table or 'position'.
        day: its local day.
        values: measures that the indicator asks for; None where blank.
    """

    dataset: str
    day: date
    values: Mapping[str, float | int | None]


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows of one table that entered.

    Attributes:
        table: table of the contract.
        version: of its Delta table.
        key: names of the columns that name a row.
        rows: the newest of them: key, clock, when known, revision, source.
        total: how many there are.
    """

    table: str
    version: int
    key: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where one number comes from.

    Attributes:
        client: the client's number.
        indicator: its definition.
        as_of: the instant (UTC).
        manifest: number of the manifest that it was read at.
        value: the indicator's value; None where absent.
        coverage: covered share of the windows it looks at.
        needs: what it asks of the tiles.
        tiles: the newest tile rows that it read.
        tiles_total: how many it read.
        sources: the rows behind them, by table.
        peers: for an indicator that compares with peers, the client's group; what it reads, tiles
            and sources, are then the client's own part of it.
    """

    client: str
    indicator: Indicator
    as_of: datetime
    manifest: int
    value: float | None
    coverage: float
    needs: tuple[Need, ...]
    tiles: tuple[Tile, ...]
    tiles_total: int
    sources: tuple[SourceRows, ...]
    peers: tuple[PeerGroup, ...] = ()


def lineage(
    workspace: Workspace,
    client: str,
    indicator: str,
    as_of: datetime,
    manifest: int | None = None,
    limit: int = MOST,
) -> Lineage:
    """Trace one indicator of one client to the rows that entered it.

    Args:
        workspace: whose lake.
        client: the client's number.
        indicator: its id.
        as_of: the instant.
        manifest: number of the manifest to read; default: the newest.
        limit: list so many tile rows, and rows of each table, at most; all are counted.

    Raises:
        UsageError: there is no such indicator, or no such client at that manifest.
        DataError: there is no such manifest, or nothing was ingested yet.
    """
    item = INDICATORS.get_known(indicator)
    pinned = workspace.lake.manifest(manifest)
    if pinned is None:
        raise DataError("tiles.lake-empty")
    some = _tables(item) & set(pinned.tables)
    try:
        found = _trace(workspace, client, item, as_of, pinned, some, limit)
    except UsageError as error:
        if error.code != "engine.client-unknown":
            raise
        # Known by other tables than those that the indicator reads: its value is theirs to say.
        every = {name for name in pinned.tables if name in TABLES}
        found = _trace(workspace, client, item, as_of, pinned, every, limit)
    return _among_peers(workspace, found, pinned) if item.compares else found


def _tables(item: Indicator) -> set[str]:
    """Tables that decide an indicator, and whether its client exists."""
    found = {"client", *item.sources}
    for need in item.reads:
        if need.table in DATASETS:
            found.update(DATASETS[need.table].tables)
    return found


def _trace(
    workspace: Workspace, client: str, item: Indicator, as_of: datetime, pinned: Manifest,
    tables: set[str], limit: int,
) -> Lineage:  # fmt: skip
    kept = {name: state for name, state in pinned.tables.items() if name in tables}
    with tempfile.TemporaryDirectory(prefix="keepwell-lineage-") as folder:
        source = _OneClient(workspace, client, replace(pinned, tables=kept), Path(folder))
        store = TileStore.open(source.tiles, source.lake, source.zone)
        frame = LocalEngine(source, store, threads=1).compute(as_of, [client], [item])
        with source.lake.connect() as connection:
            register(connection, store.clients, store.instruments)
            sql = zone_sql(store.lake_manifest, source.zone, datetime.now(UTC))
            moment = Moment(Reader(store, connection, source.zone, sql), as_of, as_of)
            tiles = sorted(_tiles(moment, store, client, item), key=lambda t: t.day, reverse=True)
            rows = _sources(connection, workspace, source.pinned, item, as_of, limit)
    if not frame.clients:
        raise UsageError("engine.client-unknown", client=client)
    value = float(frame.values[0, 0])
    return Lineage(
        client, item, as_of, pinned.id, None if np.isnan(value) else value,
        frame.coverage[item.id], item.reads, tuple(tiles[:limit]), len(tiles), rows,
    )  # fmt: skip


def _among_peers(workspace: Workspace, found: Lineage, pinned: Manifest) -> Lineage:
    """The same with the value that everyone gives it, and the client's group."""
    newest = workspace.lake.manifest()
    if newest is not None and newest.id == pinned.id:
        return _beside(LocalEngine.open(workspace), found)
    kept = {n: s for n, s in pinned.tables.items() if n in _tables(found.indicator)}
    with tempfile.TemporaryDirectory(prefix="keepwell-lineage-") as folder:
        source = _OneClient(workspace, None, replace(pinned, tables=kept), Path(folder))
        store = TileStore.open(source.tiles, source.lake, source.zone)
        return _beside(LocalEngine(source, store), found)


def _beside(engine: LocalEngine, found: Lineage) -> Lineage:
    frame = engine.compute(found.as_of, [found.client], [found.indicator])
    value = float(frame.values[0, 0])
    groups = engine.peer_groups(found.client, found.indicator, found.as_of)
    return replace(found, value=None if np.isnan(value) else value, peers=tuple(groups))


class _OneClient:
    """A workspace as the engine wants it, of which only one client can be seen; None: everyone."""

    def __init__(
        self, workspace: Workspace, client: str | None, pinned: Manifest, tiles: Path
    ) -> None:
        self.zone: ZoneInfo = workspace.zone
        self.currency, self.mapping = workspace.currency, workspace.mapping
        self.pinned, self.tiles = pinned, tiles
        self.lake = _OneClientLake(workspace.lake, client, pinned)


class _OneClientLake:
    """The lake at one manifest, rows of other clients left out."""

    def __init__(self, lake: Lake, client: str | None, pinned: Manifest) -> None:
        self._lake, self._client, self._pinned = lake, client, pinned

    def manifest(self) -> Manifest | None:
        return self._pinned

    def added_files(self, table: str, old_version: int, new_version: int) -> list[str] | None:
        del table, old_version, new_version
        return None  # a new store is built from whole tables

    def connect(self, manifest: Manifest | None = None) -> duckdb.DuckDBPyConnection:
        connection = self._lake.connect(manifest or self._pinned, memory="1GB")
        if self._client is None:
            return connection
        named = "'" + self._client.replace("'", "''") + "'"
        for name, state in self._pinned.tables.items():
            if name in TABLES and "client_id" in TABLES[name].by_name:
                rows = self._lake.view_sql(TABLES[name], state)
                connection.execute(
                    f'create or replace view "{name}" as '
                    f"select * from ({rows}) where client_id = {named}"
                )
        return connection


def _spans(needs: Iterable[Need]) -> list[tuple[int, int]]:
    """Ages of the days, youngest and oldest, that some needs of one table look at."""
    ages = []
    for need in needs:
        if need.window and need.table != POSITION:
            ages.append((need.window + 1, 2 * need.window) if need.prev else (0, need.window))
        else:
            ages.append((need.ago, NEVER))
    return ages


def _tiles(moment: Moment, store: TileStore, client: str, item: Indicator) -> Iterable[Tile]:
    code = np.array([store.clients.index(client)], np.int64)
    for dataset in sorted({n.table for n in item.reads} & set(store.base)):
        needs = [need for need in item.reads if need.table == dataset]
        wanted = sorted({need.measure for need in needs if need.measure})
        names = list(DATASETS[dataset].layout.names) if dataset == POSITION else wanted or ["count"]
        for rows, low, high, _ in moment.visible(dataset).parts(code):
            for i in range(int(low[0]), int(high[0])):
                if _seen(rows, i, moment.day) and _looked_at(needs, moment.day - int(rows.day[i])):
                    values = {name: _value(rows, i, name, dataset) for name in names}
                    yield Tile(dataset, to_date(int(rows.day[i])), values)


def _seen(rows: Rows, i: int, today: int) -> bool:
    """The kernel's own rule: over by today, or of today's open tail, known and not replaced."""
    day, known = int(rows.day[i]), int(rows.known[i])
    if day > today or (day == today and known != ALWAYS):
        return False
    return known <= today and not (len(rows.gone) and int(rows.gone[i]) <= today)


def _looked_at(needs: Iterable[Need], age: int) -> bool:
    return any(low <= age <= high for low, high in _spans(needs))


def _value(rows: Rows, i: int, name: str, dataset: str) -> float | int | None:
    real = name in DATASETS[dataset].layout.real
    if name in rows.wide_index:
        whole = rows.wide[i, rows.wide_index[name]]
        if int(whole) == BLANK:
            return None
        return float(whole.view(np.float64)) if real else int(whole)
    return int(rows.narrow[i, rows.narrow_index[name]])


def _sources(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, pinned: Manifest,
    item: Indicator, as_of: datetime, limit: int,
) -> tuple[SourceRows, ...]:  # fmt: skip
    found: dict[str, SourceRows] = {}
    by_table: dict[str, list[Need]] = {}
    for need in item.reads:
        tables = DATASETS[need.table].tables if need.table in DATASETS else sources_of([need])
        for table in {*tables, *sources_of([need])}:
            by_table.setdefault(table, []).append(need)
    held = [name for name in by_table if name in pinned.tables]
    for table in sorted(held):
        spans = _spans(by_table[table])
        oldest = max(high for _, high in spans)
        first = None if oldest >= NEVER else local_day(as_of, workspace.zone) - oldest
        found[table] = _rows(connection, workspace, pinned, table, as_of, first, limit)
    return tuple(found.values())


_OF_INSTRUMENTS: Final = {"price": "series", "instrument": "instrument_id"}


def _instruments(pinned: Manifest) -> str:
    """SQL of the instruments that the client was ever seen with."""
    tables = [name for name in DATASETS[POSITION].tables if name in pinned.tables]
    return " union ".join(f'select instrument_id from "{name}"' for name in tables) or "null"


def _rows(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, pinned: Manifest, table: str,
    as_of: datetime, first: int | None, limit: int,
) -> SourceRows:  # fmt: skip
    contract = TABLES[table]
    where = ["known_at <= $t", "(gone_at is null or gone_at > $t)"]
    given: dict[str, Any] = {"t": as_of}
    if contract.clock == "day":
        where.append('"day" < $today')
        given["today"] = to_date(local_day(as_of, workspace.zone))
    elif contract.clock:
        where.append(f'"{contract.clock}" < $t')
    if first is not None and contract.clock:
        given["first"] = (
            to_date(first) if contract.clock == "day" else midnight(first, workspace.zone)
        )
        where.append(f'"{contract.clock}" >= $first')
    if table == "index_price":
        where.append("series = $series")
        given["series"] = workspace.mapping.market.index
    if table in _OF_INSTRUMENTS:
        where.append(f'"{_OF_INSTRUMENTS[table]}" in ({_instruments(pinned)})')
    clock = [contract.clock] if contract.clock and contract.clock not in contract.key else []
    names = [*contract.key, *clock, "known_at", "revision", "source"]
    condition = " and ".join(where)
    listed = ", ".join(f'"{name}"' for name in names)
    count = connection.execute(f'select count(*) from "{table}" where {condition}', given)
    total = int(count.fetchall()[0][0])
    order = ", ".join([f'"{contract.clock or "known_at"}" desc', *(f'"{k}"' for k in contract.key)])
    rows = connection.sql(
        f'select {listed} from "{table}" where {condition} order by {order} limit {limit}',
        params=given,
    ).to_arrow_table()
    return SourceRows(
        table, pinned.tables[table].version, contract.key, tuple(rows.to_pylist()), total
    )


__all__ = ["MOST", "Lineage", "SourceRows", "Tile", "lineage"]
