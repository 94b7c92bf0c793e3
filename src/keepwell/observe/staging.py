"""From sources to rows ready for the lake: scan, select, validate, compare.

Nothing is written to the lake. `ingest` commits what is prepared here; `check` only reports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keepwell.core.money import minor_exponent
from keepwell.observe import dedupe
from keepwell.observe.connectors import connector_for
from keepwell.observe.contract import CONTRACT_VERSION, TABLES, Kind, Table
from keepwell.observe.lake import Lake, open_duckdb, parquet_sql
from keepwell.observe.scan import scan_all
from keepwell.observe.select import Selects, sources_of
from keepwell.observe.validate import REJECT_SCHEMA, Context, Openings, as_json, validate

if TYPE_CHECKING:
    from keepwell.observe.manifest import Manifest
    from keepwell.observe.workspace import Workspace

PART_ROWS = 1_000_000
"""Most rows of one commit."""

Progress = Callable[[str, str, int], None]
"""Told (stage, name of the source or table, rows so far): 'scan', 'select', 'compare', 'append'."""


@dataclass(frozen=True)
class SourceReport:
    """What a scan found in one source.

    Attributes:
        source: its name.
        read: rows read.
        rejected: rows set aside for a bad cell.
        reasons: faults by reason code.
    """

    source: str
    read: int
    rejected: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class TableReport:
    """What became of one table's rows: read = added + corrected + ignored + quarantined.

    Attributes:
        table: its name.
        read: rows its select gave.
        added: rows of new keys.
        corrected: further revisions of known keys.
        ignored: repeats of what the lake or the same ingest has.
        quarantined: rows set aside.
        reasons: faults by reason code; a row may have several.
        unchanged: neither the files nor the mapping changed; the table was not read.
    """

    table: str
    read: int = 0
    added: int = 0
    corrected: int = 0
    ignored: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    unchanged: bool = False


@dataclass
class Prepared:
    """Rows ready for the lake, in a staging folder that lives as long as the `prepare` block.

    Attributes:
        now: the instant of the ingest.
        tables: reports per table, in the contract's order.
        sources: reports per source scanned.
        inputs: digest of files and mapping per table.
        parts: staged rows of each table that was read.
        rejects: staged faults, `REJECT_SCHEMA`.
        engine: DuckDB with the verdicts.
        read_from: names of the sources each table reads, joined with '+'.
    """

    now: datetime
    engine: duckdb.DuckDBPyConnection
    tables: list[TableReport] = field(default_factory=list)
    sources: list[SourceReport] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[Path]] = field(default_factory=dict)
    rejects: list[Path] = field(default_factory=list)
    read_from: dict[str, str] = field(default_factory=dict)

    def rows(self, table: str) -> Iterator[pa.Table]:
        """The rows to append to a table, in commits of at most `PART_ROWS`."""
        yield from dedupe.rows(self.engine, TABLES[table], self.parts.get(table, []))


@contextmanager
def prepare(
    workspace: Workspace,
    tables: list[str] | None = None,
    *,
    backfill: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    now: datetime | None = None,
    purpose: str = "check",
) -> Iterator[Prepared]:
    """Read, check and compare what the mapping names, without touching the lake.

    Args:
        workspace: the workspace.
        tables: contract tables to read; default: all that are mapped.
        backfill: take rows as known when they happened plus the usual delay, not now. A table that
            no manifest names yet is always taken so.
        force: read tables even if neither files nor mapping changed.
        progress: told how far it is.
        now: the instant of the ingest; default: the clock's.
        purpose: names the staging folder.

    Yields:
        What was prepared; its files vanish when the block ends.

    Raises:
        KeepwellError: a source or a select cannot be read.
    """
    folder = staging_folder(workspace.scan, purpose)
    with open_duckdb(memory="1GB") as engine:
        job = _Job(
            workspace,
            folder,
            Prepared(now or datetime.now(UTC), engine),
            workspace.lake.manifest(),
            backfill,
            progress or _silent,
        )
        try:
            job.run(tables, force)
            yield job.done
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _silent(stage: str, name: str, rows: int) -> None:
    del stage, name, rows


def staging_folder(root: Path, purpose: str) -> Path:
    """A staging folder of this process's own; those that killed processes left are removed."""
    for left in root.glob("*-*"):
        pid = left.name.rpartition("-")[2]
        if left.is_dir() and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{purpose}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass
class _Job:
    workspace: Workspace
    folder: Path
    done: Prepared
    manifest: Manifest | None
    backfill: bool
    progress: Progress
    openings: Openings | None = None
    asked: set[str] = field(default_factory=set)

    @property
    def lake(self) -> Lake:
        return self.workspace.lake

    def run(self, tables: list[str] | None, force: bool) -> None:
        mapping = self.workspace.mapping
        wanted = [t for t in TABLES if t in mapping.tables and (tables is None or t in tables)]
        prints: dict[str, dict[str, str]] = {}
        for name in wanted:
            sources = sources_of(mapping, [name])
            self.done.read_from[name] = "+".join(sources)
            self.done.inputs[name] = self._inputs(name, sources, prints)
        old = self.manifest.tables if self.manifest else {}
        changed = [
            t
            for t in wanted
            if force
            or t not in old
            or old[t].inputs != self.done.inputs[t]
            or self.asked & set(self.done.read_from[t].split("+"))
        ]
        read = {source for t in changed for source in self.done.read_from[t].split("+")}
        staged = self._scan([source for source in mapping.sources if source in read])
        self.openings = self._openings([])
        with Selects(mapping, staged, self.folder / "spill", "1GB") as selects:
            for name in wanted:
                if name in changed:
                    self._table(TABLES[name], selects)
                else:
                    self.done.tables.append(TableReport(name, unchanged=True))

    def _inputs(self, table: str, sources: list[str], prints: dict[str, dict[str, str]]) -> str:
        """Digest of everything that decides a table's rows."""
        mapping = self.workspace.mapping
        for source in sources:
            if source not in prints:
                said = mapping.sources[source]
                reader = connector_for(source, said)
                found = reader.fingerprint(source, said, self.workspace.root)
                if found is None:  # a database: what it holds only reading tells
                    self.asked.add(source)
                prints[source] = dict(found or {})
        filled = mapping.tables[table]
        content = {
            "contract": CONTRACT_VERSION,
            "sql": filled.sql,
            "delay": filled.delay,
            "zone": mapping.timezone,
            "currency": mapping.currency,
            "sources": {
                s: [mapping.sources[s].model_dump(mode="json", exclude={"owner"}), prints[s]]
                for s in sources
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _scan(self, names: list[str]) -> dict[str, list[Path]]:
        staged: dict[str, list[Path]] = {}
        mapping = self.workspace.mapping
        for name in names:
            self.progress("scan", name, 0)
            folder = self.folder / "cells"
            for found in scan_all(mapping.sources, self.workspace.root, folder, [name]):
                staged[name] = found.files
                self._reject(_from_scan(found.rejects))
                self.done.sources.append(
                    SourceReport(name, found.rows, found.rejected, _count(found.rejects["reason"]))
                )
                self.progress("scan", name, found.rows)
        return staged

    def _table(self, table: Table, selects: Selects) -> None:
        said = self.workspace.mapping.tables[table.name]
        known = self.manifest.tables if self.manifest else {}
        context = Context(
            self.workspace.zone,
            self.workspace.currency,
            self.done.now,
            self.done.read_from[table.name],
            # A table that only events have written was never brought in from files.
            self.backfill or table.name not in known or not known[table.name].inputs,
            said.delay_days,
            self.openings,
        )
        reader = selects.batches(table.name)
        parts = Parts(self.folder / "rows", table, self.done.engine)
        report = TableReport(table.name)
        reasons: Counter[str] = Counter()
        read = bad = 0
        for batch in reader:
            checked = validate(table, batch, context)
            parts.add(checked.good)
            self._reject(checked.rejects)
            reasons.update(_count(checked.rejects["reason"]))
            read, bad = read + batch.num_rows, bad + checked.rejected
            self.progress("select", table.name, read)
        self.done.parts[table.name] = parts.close()
        if parts.files:
            self.progress("compare", table.name, read)
            staged = dedupe.staged_sql(parts.files)
            verdict = dedupe.judge(
                self.done.engine,
                table,
                staged,
                self._in_lake(table),
                "revision" in reader.schema.names,
            )
            for conflict in dedupe.conflicts(self.done.engine, table, staged):
                self._reject(conflict_rejects(table, conflict))
            if verdict.conflicts:
                reasons["row.conflict"] += verdict.conflicts
            report = replace(
                report,
                added=verdict.added,
                corrected=verdict.corrected,
                ignored=verdict.ignored,
                quarantined=verdict.conflicts,
            )
        self.done.tables.append(
            replace(report, read=read, quarantined=report.quarantined + bad, reasons=dict(reasons))
        )
        if table.name == "client":
            self.openings = self._openings(parts.files)

    def _in_lake(self, table: Table) -> str:
        files = self.lake.files_at(table.name) if self.lake.exists(table.name) else []
        return parquet_sql(files, table)

    def _openings(self, parts: list[Path]) -> Openings:
        table = TABLES["client"]
        sql = f"select client_id, opened_on from {self._in_lake(table)}"
        if parts:
            sql += (
                f" union all select client_id, opened_on from {dedupe.staged_sql(parts)} "
                "where seq not in (select seq from dropped_client)"
            )
        return Openings.of(self.done.engine.sql(sql).to_arrow_table())

    def _reject(self, rejects: pa.Table) -> None:
        if rejects.num_rows:
            folder = self.folder / "rejects"
            folder.mkdir(exist_ok=True)
            path = folder / f"{len(self.done.rejects):06d}.parquet"
            pq.write_table(rejects, path)
            self.done.rejects.append(path)


@dataclass
class Parts:
    """Good rows on disk, numbered and with their digests, in parts of at most `PART_ROWS`."""

    folder: Path
    table: Table
    engine: duckdb.DuckDBPyConnection
    files: list[Path] = field(default_factory=list)
    waiting: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    written: int = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows as `validate` gives them."""
        if not rows.num_rows:
            return
        if self.rows + rows.num_rows > PART_ROWS:
            self._write()
        self.waiting.append(rows)
        self.rows += rows.num_rows

    def close(self) -> list[Path]:
        """The files, all written."""
        self._write()
        return self.files

    def _write(self) -> None:
        if not self.waiting:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        batch = pa.concat_tables(self.waiting)
        self.engine.register("batch", batch)
        hashes = self.engine.sql(
            f"select {dedupe.hash_sql(self.table)} as h from batch"
        ).to_arrow_table()
        self.engine.unregister("batch")
        numbers = pa.array(np.arange(self.written, self.written + batch.num_rows))
        batch = batch.append_column("row_hash", hashes["h"]).append_column("seq", numbers)
        path = self.folder / f"{self.table.name}-{len(self.files):05d}.parquet"
        pq.write_table(batch, path, compression="zstd", compression_level=1)
        self.files.append(path)
        self.written += batch.num_rows
        self.waiting, self.rows = [], 0


def _count(reasons: pa.ChunkedArray) -> dict[str, int]:
    return {str(c["values"]): int(c["counts"]) for c in pc.value_counts(reasons).to_pylist()}


def _from_scan(found: pa.Table) -> pa.Table:
    absent = pa.nulls(found.num_rows, pa.string())
    columns = {
        "table": absent,
        "source": found["source"],
        "file": found["file"],
        "row": found["row"],
        "column": found["column"],
        "key": absent,
        "reason": found["reason"],
        "detail": found["fields"],
        "raw": found["raw"],
    }
    return pa.table(columns, schema=REJECT_SCHEMA)


def conflict_rejects(table: Table, batch: pa.RecordBatch) -> pa.Table:
    """Rows set aside for their conflict, as faults."""
    rows = [_major(table, row) for row in batch.to_pylist()]
    count = len(rows)
    return pa.table(
        {
            "table": [table.name] * count,
            "source": batch.column("source"),
            "file": pa.nulls(count, pa.string()),
            "row": pa.nulls(count, pa.int64()),
            "column": pa.nulls(count, pa.string()),
            "key": [as_json({name: row[name] for name in table.key}) for row in rows],
            "reason": ["row.conflict"] * count,
            "detail": ["{}"] * count,
            "raw": [as_json(row) for row in rows],
        },
        schema=REJECT_SCHEMA,
    )


def _major(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the lake as a select would give it, without what is absent."""
    result: dict[str, Any] = {}
    for name, value in row.items():
        kind = table.by_name[name].kind if name in table.by_name else Kind.TEXT
        if value is None or name == "source":
            continue
        if kind is Kind.MONEY:
            value = Decimal(value).scaleb(-minor_exponent(row["currency"]))
        elif kind in (Kind.QUANTITY, Kind.PRICE):
            value = Decimal(value).scaleb(-8).normalize()
        result[name] = value
    return result
