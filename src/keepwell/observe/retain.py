"""Retention: rows leave the lake when their use ends, and their record ends later.

A row past its table's `use` is written to the record (`retained/`, Parquet files that nothing
computes with) and taken out of the table in one commit; one manifest publishes all tables. What an
older manifest pins stays readable by it. The commit says from which day on the table is kept, so
that no ingest brings the rows back and no indicator takes their absence for a zero, whenever the
run is killed. Rows of the record past their `record` are removed from it. Rows on hold stay where
they are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, WriterProperties, write_deltalake

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.core.errors import DataError
from keepwell.core.files import sweep, sync_folder
from keepwell.observe.contract import TABLES, Table
from keepwell.observe.lake import open_duckdb, parquet_sql
from keepwell.observe.lake_log import KEPT_FROM, commit_file, kept_from
from keepwell.observe.mapping_retention import Hold, Retention, back

if TYPE_CHECKING:
    from keepwell.observe.lake_writer import LakeWriter
    from keepwell.observe.manifest import Manifest
    from keepwell.observe.workspace import Workspace

FOLDER: Final = "retained"
"""Folder of the record, in the workspace's state."""

_BATCH = 131_072


@dataclass(frozen=True)
class Retained:
    """What is due of one table.

    Attributes:
        table: its name.
        use_from: first day whose rows stay in use.
        record_from: first day whose rows stay in the record; None: for ever.
        leaving: rows that leave the lake.
        removed: rows that go for good, from the lake or from the record.
        held: rows as old that a hold keeps.
        reasons: of the holds in force for the table.
    """

    table: str
    use_from: date
    record_from: date | None
    leaving: int
    removed: int
    held: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RetainReport:
    """What a retention run did, or would do.

    Attributes:
        done: whether it was done; else only listed.
        manifest: number of the newest manifest afterwards.
        tables: those with a retention.
    """

    done: bool
    manifest: int
    tables: tuple[Retained, ...]


def retain(
    workspace: Workspace, now: datetime, remove: bool = False, wait: float = 0.0
) -> RetainReport:
    """List, or take out, the rows whose retention has ended.

    Args:
        workspace: ingested before; its mapping says how long rows are kept.
        now: the instant (UTC); its local day counts.
        remove: do it; default: list only.
        wait: seconds to wait for another writer of the lake.

    Raises:
        DataError: nothing was ingested yet.
        UsageError: another writer is at work.
    """
    lake, mapping = workspace.lake, workspace.mapping
    newest = lake.manifest()
    if newest is None:
        raise DataError("tiles.lake-empty")
    today = to_date(local_day(now, workspace.zone))
    done = []
    with lake.writer(wait) as writer:
        for name, said in mapping.tables.items():
            if said.retention is None or not lake.exists(name):
                continue
            holds = [hold for hold in mapping.holds if hold.binds(name, today)]
            with open_duckdb(memory="1GB") as engine:
                work = _Work(workspace, writer, engine, TABLES[name], said.retention, holds, today)
                done.append(work.run(remove))
        if remove:
            newest = writer.publish()
    return RetainReport(remove, newest.id, tuple(done))


def past_sql(table: Table, day: date, zone: ZoneInfo, clock: str = "") -> str:
    """SQL of whether a row of a table happened before a day.

    Args:
        table: one with the clock 'at' or 'day'.
        day: local day of the zone.
        zone: the exchange's.
        clock: SQL of the clock; default: the column.
    """
    named = clock or f'"{table.clock}"'
    if table.clock == "day":
        return f"{named} < date '{day.isoformat()}'"
    start = midnight(day_number(day), zone)
    return f"{named} < timestamptz '{start.isoformat(sep=' ')}'"


def ended_sql(manifest: Manifest | None, table: Table, zone: ZoneInfo) -> str:
    """SQL of whether a row is older than what a manifest's table is kept from.

    Args:
        manifest: the newest one; None: nothing was taken out.
        table: a contract table.
        zone: the exchange's.
    """
    state = manifest.tables.get(table.name) if manifest else None
    if state is None or state.kept_from is None:
        return "false"
    return f"coalesce({past_sql(table, to_date(state.kept_from), zone)}, false)"


@dataclass(frozen=True)
class _Work:
    workspace: Workspace
    writer: LakeWriter
    engine: duckdb.DuckDBPyConnection
    table: Table
    said: Retention
    holds: Sequence[Hold]
    today: date

    @property
    def folder(self) -> Path:
        return self.workspace.state / FOLDER / self.table.name

    def run(self, remove: bool) -> Retained:
        table, lake = self.table, self.workspace.lake
        use_from = back(self.today, self.said.use)
        record_from = back(self.today, self.said.record) if self.said.record else None
        clients = sorted({client for hold in self.holds for client in hold.clients})
        self.engine.register("on_hold", pa.table({"id": pa.array(clients, pa.string())}))
        delta = lake.delta(table.name)
        files = lake.files_at(table.name, delta.version())
        use, held = self._past(use_from)
        ended = self._past(record_from)[0] if record_from else "false"
        ended = f"({use}) and ({ended})"
        leaving, removed, kept = self._count(files, use, ended, held)
        if remove:
            self._sweep()
        if remove and leaving:
            self._record(files, f"({use}) and not ({ended})", delta.version())
            self._take_out(files, use, use_from)
        if record_from:
            removed += self._prune(record_from, remove)
        reasons = tuple(hold.reason for hold in self.holds)
        return Retained(table.name, use_from, record_from, leaving, removed, kept, reasons)

    def _past(self, day: date) -> tuple[str, str]:
        """SQL over `_rows` of whether a row is due, and of whether a hold alone keeps it."""
        past = past_sql(self.table, day, self.workspace.zone, "newest_of_key")
        if any(not hold.clients for hold in self.holds):
            return "false", past
        if "client_id" not in self.table.by_name or not self.holds:
            return past, "false"
        return f"{past} and not key_held", f"{past} and key_held"

    def _rows(self, files: list[str]) -> str:
        """All rows, each with what its key's revisions say together: they go together, or stay."""
        newest = self.workspace.lake.manifest()
        state = newest.tables.get(self.table.name) if newest else None
        if state and not state.corrected and files == self._published(state.version):
            alone = "client_id in (select id from on_hold)"
            held = alone if "client_id" in self.table.by_name else "false"
            return (
                f'(select *, "{self.table.clock}" as newest_of_key, {held} as key_held '
                f"from {parquet_sql(files, self.table)})"
            )
        key = ", ".join(f'"{name}"' for name in self.table.key)
        known = "cast(known_at as date)" if self.table.clock == "day" else "known_at"
        held = "false"
        if "client_id" in self.table.by_name:
            held = "coalesce(bool_or(client_id in (select id from on_hold)) over k, false)"
        return (
            f'(select *, coalesce(max("{self.table.clock}") over k, max({known}) over k) '
            f"as newest_of_key, {held} as key_held from {parquet_sql(files, self.table)} "
            f"window k as (partition by {key}))"
        )

    def _published(self, version: int) -> list[str]:
        return self.workspace.lake.files_at(self.table.name, version)

    def _sweep(self) -> None:
        """Remove files of the record whose rows never left, because the run was killed."""
        for path in self.folder.glob("v*.parquet"):
            folder = self.workspace.lake.path(self.table.name)
            version = int(path.stem[1:])
            made = kept_from(folder, version, version + 1)
            if made is None and commit_file(folder, version).is_file():
                path.unlink()

    def _count(self, files: list[str], use: str, ended: str, held: str) -> tuple[int, int, int]:
        found = self.engine.execute(
            f"select count(*) filter ({use}), count(*) filter ({ended}), count(*) filter ({held}) "
            f"from {self._rows(files)}"
        ).fetchall()
        return int(found[0][0]), int(found[0][1]), int(found[0][2])

    def _record(self, files: list[str], which: str, version: int) -> None:
        """Write the leaving rows to the record; named by the version, so that a repeat is one."""
        target = self.folder / f"v{version:06d}.parquet"
        self._write(target, f"from {self._rows(files)} where {which}")

    def _write(self, target: Path, source: str) -> None:
        """A file of the record from rows, whole or not at all; none without rows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        named = str(draft).replace("'", "''")
        self.engine.execute(
            f"copy (select * exclude (newest_of_key, key_held) {source}) to '{named}' "
            "(format parquet, compression zstd)"
        )
        handle = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(target)
        sync_folder(self.folder)

    def _take_out(self, files: list[str], use: str, use_from: date) -> None:
        reader = self.engine.sql(
            f"select * exclude (newest_of_key, key_held) from {self._rows(files)} where not ({use})"
        ).to_arrow_reader(_BATCH)
        schema = self.table.arrow_schema()
        names = [name for name in schema.names if name in reader.schema.names]
        batches = (
            pa.RecordBatch.from_arrays(
                [batch.column(name).cast(schema.field(name).type) for name in names], names
            )
            for batch in reader
        )
        kept = pa.schema([schema.field(name) for name in names])
        write_deltalake(
            self.workspace.lake.delta(self.table.name),
            pa.RecordBatchReader.from_batches(kept, batches),
            mode="overwrite",
            writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
            commit_properties=CommitProperties(
                custom_metadata={KEPT_FROM: str(day_number(use_from))}
            ),
        )

    def _prune(self, day: date, remove: bool) -> int:
        """Rows of the record that are past it; they are removed file by file."""
        gone = 0
        for path in sorted(self.folder.glob("v*.parquet")):
            past, _ = self._past(day)
            rows = self._rows([str(path)])
            found = self.engine.execute(
                f"select count(*), count(*) filter ({past}) from {rows}"
            ).fetchall()
            total, due = int(found[0][0]), int(found[0][1])
            gone += due
            if remove and due == total:
                path.unlink()
                sync_folder(self.folder)
            elif remove and due:
                self._write(path, f"from {rows} where not ({past})")
        return gone


__all__ = ["FOLDER", "RetainReport", "Retained", "ended_sql", "past_sql", "retain"]
