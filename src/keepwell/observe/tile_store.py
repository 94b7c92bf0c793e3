"""The tile store: mapped segments under one manifest, kept in step with the lake.

Each dataset is a base segment and small deltas, one per lake version since. New rows of the lake
only ever add tile rows (the kernel merges those of one client and day), so a delta holds just the
tiles of the files that were added. A dataset whose table was corrected is rebuilt, as is one with
many deltas. A refresh writes new folders, then swaps `manifest.json` by rename, then removes what
no manifest names: a kill at any moment leaves the old state or the new one. Readers keep the files
they mapped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from keepwell.core.errors import DataError
from keepwell.core.files import atomic_write, sync_folder
from keepwell.observe.contract import TABLES
from keepwell.observe.existence import NEVER_SEEN, existence
from keepwell.observe.lake import parquet_sql
from keepwell.observe.manifest import Manifest
from keepwell.observe.tile_build import (
    DATASETS,
    Dataset,
    blocks,
    codes_of,
    instrument_ids,
    query,
    register_ids,
    zone_sql,
)
from keepwell.observe.tile_rows import Block, Segment, TooWideError, write_segment
from keepwell.observe.tile_sql import ZoneSql

Ints = npt.NDArray[np.int64]

FORMAT = 4
_MOST_DELTAS = 8
_MOST_DELTA_SHARE = 0.2
_NAME = "manifest.json"


class LakeReader(Protocol):
    """What the store needs of a lake."""

    def manifest(self) -> Manifest | None:
        """The newest manifest."""
        ...

    def added_files(self, table: str, old_version: int, new_version: int) -> list[str] | None:
        """Files of the rows that came between two versions; None when that cannot be told."""
        ...

    def connect(self, manifest: Manifest | None = None) -> duckdb.DuckDBPyConnection:
        """DuckDB with one view per table."""
        ...


@dataclass(frozen=True)
class StoredDataset:
    """What the store's manifest says of a dataset.

    Attributes:
        versions: lake version of each of its tables.
        segments: folders, the base first.
        rows: rows of each.
        wide: measures that once did not fit 32 bits.
    """

    versions: dict[str, int]
    segments: list[str]
    rows: list[int]
    wide: list[str]


@dataclass(frozen=True)
class StoreManifest:
    """One consistent state of the store.

    Attributes:
        shape: digest of what the datasets keep and how; another one means another program.
        generation: counts refreshes.
        lake: id of the lake's manifest it follows.
        zone: name of the zone whose days it has.
        clients, instruments: dictionary files.
        brief: file of the spans in which clients existed that ended.
        versions: lake version of every table whose clients are in the dictionary.
        datasets: by name.
    """

    shape: str
    generation: int
    lake: int
    zone: str
    clients: str
    instruments: str
    brief: str
    versions: dict[str, int]
    datasets: dict[str, StoredDataset]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps({"format": FORMAT, **self.__dict__}, default=vars, indent=1) + "\n"

    @classmethod
    def load(cls, folder: Path) -> StoreManifest | None:
        """The folder's manifest; None when there is none, or of another format."""
        try:
            raw: dict[str, Any] = json.loads((folder / _NAME).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if raw.pop("format", None) != FORMAT:
            return None
        datasets = {name: StoredDataset(**value) for name, value in raw.pop("datasets").items()}
        return cls(**raw, datasets=datasets)

    def follows(self, newest: Manifest, zone: ZoneInfo) -> bool:
        """Whether the store has all of a lake's manifest, in the days of a zone."""
        return self.lake == newest.id and self.reusable(zone)

    def reusable(self, zone: ZoneInfo) -> bool:
        """Whether what is stored is of this program's shape and of a zone."""
        return self.zone == zone.key and self.shape == shape()

    def names(self) -> set[str]:
        """Everything in the folder that this state needs."""
        found = {self.clients, self.instruments, self.brief}
        return found.union(*(d.segments for d in self.datasets.values()))


@dataclass(frozen=True)
class TileStore:
    """An opened state of the store; stays readable while newer ones replace it.

    Attributes:
        manifest: what was opened.
        lake_manifest: the lake's manifest it follows.
        clients: ids by code.
        seen: microseconds since 1970 from which each client exists to this day, `NEVER_SEEN` if it
            does not; int64.
        brief: spans in which clients existed and that ended, for what was taken back: their code,
            begin and end; int64 each.
        instruments: ids by code.
        base: mapped base segment per dataset.
        delta: rows of the newer segments per dataset, in memory and in order.
    """

    manifest: StoreManifest
    lake_manifest: Manifest
    clients: list[str]
    seen: Ints
    brief: tuple[Ints, Ints, Ints]
    instruments: list[str]
    base: dict[str, Segment]
    delta: dict[str, Block]

    @staticmethod
    def open(folder: Path, lake: LakeReader, zone: ZoneInfo) -> TileStore:
        """Bring the store in step with the lake and map it.

        Args:
            folder: the store's folder; made when missing.
            lake: the workspace's lake.
            zone: the exchange's zone.

        Raises:
            DataError: nothing was ingested yet.
        """
        newest = lake.manifest()
        if newest is None:
            raise DataError("tiles.lake-empty")
        while True:
            manifest = refresh(folder, lake, newest, zone)
            try:
                return _open(folder, manifest, newest)
            except FileNotFoundError:  # a newer refresh removed it between reading and mapping
                newest = lake.manifest() or newest


def _open(folder: Path, manifest: StoreManifest, lake_manifest: Manifest) -> TileStore:
    clients = pq.read_table(folder / manifest.clients)
    instruments = pq.read_table(folder / manifest.instruments)
    spans = pq.read_table(folder / manifest.brief)
    code, begin, until = (spans[name].to_numpy() for name in ("code", "begin", "until"))
    base, delta = {}, {}
    for name, stored in manifest.datasets.items():
        base[name] = Segment.open(folder / stored.segments[0])
        layout = DATASETS[name].layout
        newer = [Segment.open(folder / segment).block(layout) for segment in stored.segments[1:]]
        # One segment is in order already.
        delta[name] = newer[0] if len(newer) == 1 else Block.join(newer, layout)
    return TileStore(
        manifest, lake_manifest, clients["id"].to_pylist(), clients["seen"].to_numpy(),
        (code, begin, until), instruments["id"].to_pylist(), base, delta,
    )  # fmt: skip


def refresh(folder: Path, lake: LakeReader, newest: Manifest, zone: ZoneInfo) -> StoreManifest:
    """Bring a store's folder in step with a lake's manifest.

    Args:
        folder: the store's folder; made when missing.
        lake: where the rows are.
        newest: the lake's manifest to follow.
        zone: the exchange's zone.

    Returns:
        The store's manifest, which follows `newest`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = StoreManifest.load(folder)
    if stored and stored.follows(newest, zone):
        return stored
    with FileLock(folder / "lock"):
        stored = StoreManifest.load(folder)  # another process may have done it meanwhile
        if stored and stored.follows(newest, zone):
            return stored
        if stored and not stored.reusable(zone):
            stored = None
        return _Refresh(folder, lake, newest, zone, stored).run()


def fold(folder: Path, lake: LakeReader, newest: Manifest, zone: ZoneInfo) -> int:
    """Bring a store's folder in step with a lake's manifest, every dataset in one segment.

    Args:
        folder: the store's folder.
        lake: where the rows are.
        newest: the lake's manifest to follow.
        zone: the exchange's zone.

    Returns:
        How many segments there are fewer than before; 0 where nothing is stored yet.
    """
    stored = StoreManifest.load(folder)
    if stored is None:
        return 0
    with FileLock(folder / "lock"):
        stored = StoreManifest.load(folder)
        if stored is None or not stored.reusable(zone) or stored.lake > newest.id:
            return 0
        most = max((len(d.segments) for d in stored.datasets.values()), default=0)
        if most < 2 and stored.follows(newest, zone):
            return 0
        made = _Refresh(folder, lake, newest, zone, stored, fold=True).run()
        return sum(len(d.segments) for d in stored.datasets.values()) - len(made.datasets)


@lru_cache
def shape() -> str:
    """Digest of the datasets' columns and of the SQL behind them."""
    fixed = ZoneSql(ZoneInfo("UTC"), 0, 1)
    parts = []
    for dataset in DATASETS.values():
        layout = dataset.layout
        sources = {table: table for table in dataset.tables}
        parts.append((dataset.name, layout.names, sorted(layout.narrow), layout.order,
                      query(dataset, fixed, sources, "")))  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class _Refresh:
    """One refresh, under the store's lock."""

    def __init__(
        self, folder: Path, lake: LakeReader, newest: Manifest, zone: ZoneInfo,
        stored: StoreManifest | None, fold: bool = False,
    ) -> None:  # fmt: skip
        self.folder, self.lake, self.newest, self.zone = folder, lake, newest, zone
        self.stored, self.fold = stored, fold
        self.generation = (stored.generation if stored else _highest(folder)) + 1
        self.sql = zone_sql(newest, zone, datetime.now(UTC))
        self.connection = lake.connect(newest)

    def run(self) -> StoreManifest:
        try:
            self.connection.execute("SET preserve_insertion_order = false")
            sources = self._new_sources()
            clients, seen, brief, instruments = self._dictionaries(sources)
            self._register_lately(sources)
            self.entities = {"clients": len(clients), "instruments": len(instruments)}
            datasets = {}
            for dataset in DATASETS.values():
                if any(table in self.newest.tables for table in dataset.tables):
                    datasets[dataset.name] = self._dataset(dataset)
        finally:
            self.connection.close()
        names = self._write_dictionaries(clients, seen, brief, instruments)
        manifest = StoreManifest(
            shape(), self.generation, self.newest.id, self.zone.key, *names,
            {table: state.version for table, state in self.newest.tables.items()}, datasets,
        )  # fmt: skip
        atomic_write(self.folder / _NAME, manifest.to_json())
        _remove_others(self.folder, manifest)
        return manifest

    def _added(self, table: str, old: Mapping[str, int]) -> str | None:
        """A relation of the rows that came since an old version; None: all must be read."""
        state = self.newest.tables[table]
        if table not in old or state.version < old[table]:
            return None
        files = self.lake.added_files(table, old[table], state.version)
        if files is None or (files and state.corrected):
            return None
        added = parquet_sql(files, TABLES[table])
        return f"(SELECT *, CAST(NULL AS TIMESTAMPTZ) AS gone_at FROM {added})"

    def _new_sources(self) -> dict[str, str]:
        """For every table that has changed, the relation of what may name new clients."""
        old = self.stored.versions if self.stored else {}
        found = {}
        for table, state in self.newest.tables.items():
            if table in TABLES and old.get(table) != state.version:
                found[table] = self._added(table, old) or f'"{table}"'
        return found

    def _register_lately(self, sources: Mapping[str, str]) -> None:
        """The clients whom the new rows name: to look all others up would cost more than these."""
        named = [
            f"SELECT client_id FROM {relation}"
            for table, relation in sources.items()
            if relation != f'"{table}"' and "client_id" in TABLES[table].by_name
        ]
        ids = " UNION ALL ".join(named) or "SELECT NULL"
        self.connection.execute(
            f"CREATE TABLE lately AS SELECT * FROM entities WHERE id IN ({ids})"
        )

    def _dictionaries(
        self, sources: Mapping[str, str]
    ) -> tuple[pa.Array, Ints, pa.Table, pa.Array]:
        clients, instruments = pa.array([], pa.string()), pa.array([], pa.string())
        seen = np.empty(0, np.int64)
        brief = None
        if self.stored:
            table = pq.read_table(self.folder / self.stored.clients)
            clients, seen = table["id"].combine_chunks(), table["seen"].to_numpy().copy()
            instruments = pq.read_table(self.folder / self.stored.instruments)["id"]
            instruments = instruments.combine_chunks()
            brief = pq.read_table(self.folder / self.stored.brief)
        every = {t: f'"{t}"' for t in self.newest.tables if t in TABLES}
        corrected = {t for t, state in self.newest.tables.items() if state.corrected}
        asked = sources
        if self._lost_rows():
            asked, brief = every, None
            seen[:] = NEVER_SEEN
        register_ids(self.connection, "entities", clients)
        found = existence(self.connection, asked, self.zone, corrected)
        place = codes_of(self.connection, found.names)
        fresh = found.names.filter(pa.array(place < 0))
        if len(fresh):
            register_ids(self.connection, "entities", fresh, len(clients))
            place[place < 0] = np.arange(len(clients), len(clients) + len(fresh))
            clients = pa.concat_arrays([clients, fresh])
        seen = np.concatenate([seen, np.full(len(fresh), NEVER_SEEN, np.int64)])
        np.minimum.at(seen, place, found.seen)
        spans = [] if brief is None else [brief]
        if found.doubtful and brief is not None:
            # Other tables may keep them: what is stored does not tell which of them did.
            found = existence(self.connection, every, self.zone, corrected, found.doubtful)
            again = codes_of(self.connection, found.names)
            seen[again] = found.seen
            spans = [brief.filter(~np.isin(brief["code"].to_numpy(), again))]
        of = codes_of(self.connection, found.brief["id"].combine_chunks())
        spans.append(found.brief.drop_columns("id").add_column(0, "code", pa.array(of)))
        have = set(instruments.to_pylist())
        more = [id for id in instrument_ids(self.connection, sources) if id not in have]
        instruments = pa.concat_arrays([instruments, pa.array(more, pa.string())])
        register_ids(self.connection, "instruments", instruments)
        return clients, seen, pa.concat_tables(spans), instruments

    def _lost_rows(self) -> bool:
        """Whether rows were taken out of a table since the last refresh, or a table is older."""
        if self.stored is None:
            return True
        tables = {t: s.version for t, s in self.newest.tables.items() if t in TABLES}
        return any(
            (
                version < tables[table]
                and self.lake.added_files(table, version, tables[table]) is None
            )
            or version > tables[table]
            for table, version in self.stored.versions.items()
            if table in tables and version != tables[table]
        )

    def _dataset(self, dataset: Dataset) -> StoredDataset:
        present = {t: self.newest.tables[t] for t in dataset.tables if t in self.newest.tables}
        versions = {table: state.version for table, state in present.items()}
        old = self.stored.datasets.get(dataset.name) if self.stored else None
        if old and self.fold and len(old.segments) > 1:
            old = replace(old, versions={})
        if old and self._unchanged(old, versions):
            return replace(old, versions=versions)
        if old and set(old.versions) == set(versions) and len(old.segments) <= _MOST_DELTAS:
            sources = {}
            for table, state in present.items():
                if old.versions[table] != state.version:
                    relation = self._added(table, old.versions)
                    if relation is None:
                        break
                    sources[table] = relation
            else:
                found = self._delta(dataset, old, sources, versions)
                if found:
                    return found
        rows = sum(state.rows for state in present.values())
        sources = {table: f'"{table}"' for table in present}
        wide = old.wide if old else []
        return self._segment(dataset, sources, rows, StoredDataset(versions, [], [], wide))

    def _unchanged(self, old: StoredDataset, versions: dict[str, int]) -> bool:
        """Whether no row came or went since; files of the lake may have been rewritten."""
        return old.versions.keys() == versions.keys() and all(
            old.versions[table] == version
            or (
                old.versions[table] < version
                and self.lake.added_files(table, old.versions[table], version) == []
            )
            for table, version in versions.items()
        )

    def _delta(
        self, dataset: Dataset, old: StoredDataset, sources: Mapping[str, str],
        versions: dict[str, int],
    ) -> StoredDataset | None:  # fmt: skip
        """The dataset with one more delta; None when it is time to rebuild it."""
        found = self._segment(dataset, sources, 0, replace(old, versions=versions), "lately")
        if sum(found.rows[1:]) > max(100_000, _MOST_DELTA_SHARE * found.rows[0]):
            return None
        return found

    def _segment(
        self, dataset: Dataset, sources: Mapping[str, str], rows: int, old: StoredDataset,
        clients: str = "entities",
    ) -> StoredDataset:  # fmt: skip
        """Write rows as one more segment."""
        name = f"{dataset.name}-{self.generation:06d}"
        wide, size = set(old.wide), (rows, self.entities[dataset.entity])
        while True:
            for folder in (self.folder / name, self.folder / f"{name}.part"):
                shutil.rmtree(folder, ignore_errors=True)
            layout = replace(dataset.layout, narrow=dataset.layout.narrow - wide)
            stream = blocks(self.connection, dataset, self.sql, sources, size, clients)
            try:
                count = write_segment(self.folder / f"{name}.part", stream, layout)
                break
            except TooWideError as overflow:
                wide |= overflow.names
        (self.folder / f"{name}.part").rename(self.folder / name)
        sync_folder(self.folder)
        return StoredDataset(old.versions, [*old.segments, name], [*old.rows, count], sorted(wide))

    def _write_dictionaries(
        self, clients: pa.Array, seen: Ints, brief: pa.Table, instruments: pa.Array
    ) -> tuple[str, str, str]:
        names = (f"clients-{self.generation:06d}.parquet",
                 f"instruments-{self.generation:06d}.parquet",
                 f"brief-{self.generation:06d}.parquet")  # fmt: skip
        tables = (
            pa.table({"id": clients, "seen": seen}),
            pa.table({"id": instruments}),
            brief,
        )
        for name, table in zip(names, tables, strict=True):
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, use_dictionary=False)  # every id is another one
            atomic_write(self.folder / name, sink.getvalue().to_pybytes())
        return names


def _highest(folder: Path) -> int:
    """The highest generation that any leftover names."""
    numbers = [path.stem.partition("-")[2].partition(".")[0] for path in folder.glob("*-*")]
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def _remove_others(folder: Path, manifest: StoreManifest) -> None:
    keep = manifest.names() | {_NAME, "lock"}
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
