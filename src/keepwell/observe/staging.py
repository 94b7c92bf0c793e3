"""From sources to rows ready for the lake: scan, select, validate, compare.

Nothing is written to the lake. `ingest` commits what is prepared here; `check` only reports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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

from keepwell.core.errors import UsageError
from keepwell.core.money import minor_exponent
from keepwell.observe import dedupe, drift, marks
from keepwell.observe.connectors import Since, connector_for
from keepwell.observe.contract import CONTRACT_VERSION, TABLES, Kind, Table
from keepwell.observe.drift import Change
from keepwell.observe.lake import Lake, open_duckdb, parquet_sql
from keepwell.observe.marks import SourceMark, TableMarks
from keepwell.observe.retain import ended_sql
from keepwell.observe.scan import Scan, scan
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
        drift: columns that are not as they were at the last ingest.
        part: only what is new since the last ingest was read.
        encodings: file to the encoding found out for its text.
    """

    source: str
    read: int
    rejected: int
    reasons: dict[str, int]
    drift: tuple[Change, ...] = ()
    part: bool = False
    encodings: dict[str, str] = field(default_factory=dict)


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
        marks: how far the sources of each table that was read are read now.
    """

    now: datetime
    engine: duckdb.DuckDBPyConnection
    tables: list[TableReport] = field(default_factory=list)
    sources: list[SourceReport] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[Path]] = field(default_factory=dict)
    rejects: list[Path] = field(default_factory=list)
    read_from: dict[str, str] = field(default_factory=dict)
    marks: dict[str, TableMarks] = field(default_factory=dict)

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
    whole: bool = False,
    accept: bool = False,
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
        whole: read sources from their beginning, also those read in increments.
        accept: take the columns of the sources as they are now, whatever they were.

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
            job.whole, job.accept = whole, accept
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
    whole: bool = False
    accept: bool = False
    prints: dict[str, dict[str, str]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    scans: dict[str, Scan] = field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        return self.workspace.lake

    def run(self, tables: list[str] | None, force: bool) -> None:
        mapping = self.workspace.mapping
        wanted = [t for t in TABLES if t in mapping.tables and (tables is None or t in tables)]
        for name in wanted:
            sources = sources_of(mapping, [name])
            self.done.read_from[name] = "+".join(sources)
            self.done.inputs[name] = self._inputs(name, sources)
        old = self.manifest.tables if self.manifest else {}
        changed = [
            t
            for t in wanted
            if force
            or t not in old
            or old[t].inputs != self.done.inputs[t]
            or self.asked & set(self.done.read_from[t].split("+"))
        ]
        kept = {t: marks.load(self.lake.root, old[t].marks) for t in changed if t in old}
        read = {source for t in changed for source in self.done.read_from[t].split("+")}
        staged = self._scan([s for s in mapping.sources if s in read], changed, kept)
        self._mark(changed, kept)
        self.openings = self._openings([])
        with Selects(mapping, staged, self.folder / "spill", "1GB") as selects:
            for name in wanted:
                if name in changed:
                    self._table(TABLES[name], selects)
                else:
                    self.done.tables.append(TableReport(name, unchanged=True))

    def _inputs(self, table: str, sources: list[str]) -> str:
        """Digest of everything that decides a table's rows."""
        mapping, prints = self.workspace.mapping, self.prints
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
            "skew": filled.skew,
            "zone": mapping.timezone,
            "currency": mapping.currency,
        }
        said_of = {
            s: mapping.sources[s].model_dump(mode="json", exclude={"owner"}) for s in sources
        }
        self.said[table] = _digest({**content, "sources": said_of})
        there = {s: [said_of[s], prints[s]] for s in sources}
        return _digest({**content, "sources": there})

    def _since(
        self, source: str, tables: list[str], kept: Mapping[str, TableMarks | None]
    ) -> Since | None:
        """Where to begin with a source; None: everything of it is to be read."""
        mapping = self.workspace.mapping
        said, reader = mapping.sources[source], connector_for(source, mapping.sources[source])
        if said.increment and reader.increments != "column":
            raise UsageError("source.increment-unsupported", source=source, format=reader.name)
        if self.whole or not (said.increment or reader.increments == "file"):
            return None
        found: list[SourceMark] = []
        for table in tables:
            names = self.done.read_from[table].split("+")
            if source not in names:
                continue
            there = kept.get(table)
            parts = [n for n in names if self._in_parts(n)]
            if there is None or there.mapping != self.said[table] or source not in there.sources:
                return None
            if len(parts) > 1 or not marks.row_by_row(mapping.tables[table].sql):
                return None  # a sum, or a match, of what is new alone would be wrong
            found.append(there.sources[source])
        return marks.since(said, found, self.done.now, self.workspace.zone)

    def _in_parts(self, source: str) -> bool:
        said = self.workspace.mapping.sources[source]
        return bool(said.increment) or connector_for(source, said).increments == "file"

    def _mark(self, tables: list[str], kept: Mapping[str, TableMarks | None]) -> None:
        """How far the sources are read now, for the manifest."""
        for table in tables:
            there = kept.get(table)
            before = there.sources if there and there.mapping == self.said[table] else {}
            sources = {}
            for source in self.done.read_from[table].split("+"):
                found = self.scans[source]
                old = before.get(source, SourceMark()).newest
                by = self.workspace.mapping.sources[source].increment
                top = marks.newest(found.newest, source, by.by if by else "")
                if top is None or (old is not None and type(old) is type(top) and old > top):
                    top = old if not self.whole else top
                files = self.prints[source] if self._in_parts(source) else {}
                sources[source] = SourceMark(found.types, top, files)
            self.done.marks[table] = TableMarks(self.said[table], sources)

    def _drift(
        self, found: Scan, tables: list[str], kept: Mapping[str, TableMarks | None]
    ) -> tuple[Change, ...]:
        """What changed in a source's columns since the manifest; refused unless it was said."""
        for table in tables:
            there = kept.get(table)
            if there and found.source in there.sources:
                changes = drift.changes(there.sources[found.source].types, found.types)
                if not self.accept and there.mapping == self.said[table]:
                    drift.refuse(found.source, changes, found.types)
                return changes
        return ()

    def _scan(
        self, names: list[str], tables: list[str], kept: Mapping[str, TableMarks | None]
    ) -> dict[str, list[Path]]:
        staged: dict[str, list[Path]] = {}
        mapping = self.workspace.mapping
        for name in names:
            self.progress("scan", name, 0)
            folder = self.folder / "cells"
            since = self._since(name, tables, kept)
            said = mapping.sources[name]
            for found in [scan(name, said, self.workspace.root, folder, since)]:
                staged[name] = found.files
                self.scans[name] = found
                changes = self._drift(found, tables, kept)
                self._reject(_from_scan(found.rejects))
                self.done.sources.append(
                    SourceReport(
                        name,
                        found.rows,
                        found.rejected,
                        _count(found.rejects["reason"]),
                        changes,
                        since is not None,
                        found.encodings,
                    )
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
            said.skew_us,
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
                ended_sql(self.manifest, table, self.workspace.zone),
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


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
