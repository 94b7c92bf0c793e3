"""Writing to the lake: one writer, sequenced commits, one manifest at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from filelock import FileLock, Timeout

from keepwell.core.errors import UsageError
from keepwell.core.files import sync_folder
from keepwell.observe import lake_log
from keepwell.observe import manifest as manifests
from keepwell.observe.contract import CONTRACT_VERSION, TABLES, Table
from keepwell.observe.contract_types import DELETED
from keepwell.observe.lake import Connect, Lake, parquet_sql, when_needed
from keepwell.observe.manifest import Manifest, TableState

QUARANTINE = "quarantine"
"""Name of the table of rows kept out."""

# Manifests name old versions for ever, so their logs must never be cleaned away.
_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
Coverage = tuple[tuple[int, int | None], ...]


@contextmanager
def locked(root: Path, wait: float) -> Iterator[None]:
    """Hold a lake's lock; the system frees it when the process dies.

    Raises:
        UsageError: another process holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".writer.lock", timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError("lake.writer-busy", folder=root.parent.parent.name) from None
    try:
        yield
    finally:
        lock.release()


class LakeWriter:
    """The writer of a lake; made by `Lake.writer`.

    Attributes:
        lake: the lake it writes to.
        now: the instant of this ingest (UTC): what becomes known now is known at it.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.now = datetime.now(UTC)

    def exists(self, table: str) -> bool:
        """Whether the table has any commit."""
        return self.lake.exists(table)

    def create(self, table: str, schema: pa.Schema) -> None:
        """Make a table without rows, if it is not there: it is known, and nothing happened."""
        if not self.exists(table):
            path = self.lake.path(table)
            path.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(str(path), schema=schema, mode="ignore", configuration=_KEEP)

    def sequence(self, table: str, source: str) -> int:
        """Last sequence of a source that a table holds; 0 before the first."""
        if not self.exists(table):
            return 0
        return self.lake.delta(table).transaction_version(f"{source}/{table}") or 0

    def append(self, table: str, rows: pa.Table, source: str, sequence: int | None = None) -> bool:
        """Commit rows to a table; a sequence that the table already holds is not written again.

        Args:
            table: a contract table's name.
            rows: contract types; columns not given are NULL. `known_at` (default: now), `revision`
                (default: 0), `source` and `row_hash` are filled in when absent.
            source: who delivered them; with the table's name it makes the application's id.
            sequence: the source's number for this batch, counting up from 1; default: the next.

        Returns:
            Whether the rows were written.
        """
        schema = TABLES[table].arrow_schema()
        defaults = {"known_at": self.now, "revision": 0, "source": source, "row_hash": ""}
        return self.commit(table, _conform(rows, schema, defaults), source, sequence)

    def commit(self, table: str, rows: pa.Table, source: str, sequence: int | None = None) -> bool:
        """Commit rows that already have the table's schema; see `append`."""
        app = f"{source}/{table}"
        self.create(table, rows.schema)
        delta = self.lake.delta(table)
        last = delta.transaction_version(app) or 0
        number = last + 1 if sequence is None else sequence
        if number <= last:
            return False
        write_deltalake(
            delta,
            rows,
            mode="append",
            schema_mode="merge",
            writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
            commit_properties=CommitProperties(app_transactions=[Transaction(app, number)]),
        )
        return True

    def publish(
        self,
        coverage: Mapping[str, Coverage] | None = None,
        full_days: Mapping[str, bool] | None = None,
        inputs: Mapping[str, str] | None = None,
        marks: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Pin the newest version of every table in a new manifest, if anything changed.

        Args:
            coverage: spans of day numbers per table; tables not named keep what they had.
            full_days: whether days of a table list all clients; likewise.
            inputs: digest of what made each table; likewise.
            marks: names of how far each table's sources were read; likewise.

        Returns:
            The new manifest, or the newest one when nothing changed.
        """
        old = self.lake.manifest()
        found = self._states(old.tables if old else {})
        tables: dict[str, TableState] = {}
        for name, state in found.items():
            changes: dict[str, Any] = {}
            if coverage is not None and name in coverage:
                changes["coverage"] = tuple(coverage[name])
            if full_days is not None and name in full_days:
                changes["full_days"] = full_days[name]
            if inputs is not None and name in inputs:
                changes["inputs"] = inputs[name]
            if marks is not None and name in marks:
                changes["marks"] = marks[name]
            tables[name] = _in_use(replace(state, **changes))
        kept = self.lake.delta(QUARANTINE).version() if self.exists(QUARANTINE) else None
        if old and dict(old.tables) == tables and old.quarantine == kept:
            return old
        if kept is not None:
            self._sync(QUARANTINE, old.quarantine if old else None, kept)
        number = old.id + 1 if old else 1
        same = old.knowledge if old and self._only_rewritten(old.tables, tables) else None
        made = Manifest(number, datetime.now(UTC), tables, kept, CONTRACT_VERSION, same)
        manifests.save(self.lake.root, made)
        return made

    def _only_rewritten(self, old: Mapping[str, TableState], new: Mapping[str, TableState]) -> bool:
        """Whether two states say the same of the same rows, whatever files hold them."""
        return old.keys() == new.keys() and all(
            replace(state, version=old[name].version) == old[name]
            and self.lake.added_files(name, old[name].version, state.version) == []
            for name, state in new.items()
        )

    def _states(self, old: Mapping[str, TableState]) -> dict[str, TableState]:
        """What the tables hold by now, by name."""
        with when_needed() as engine:
            return {
                name: self._state(TABLES[name], old.get(name), engine)
                for name in TABLES
                if self.exists(name)
            }

    def _state(self, table: Table, old: TableState | None, engine: Connect) -> TableState:
        version = self.lake.delta(table.name).version()
        if old and old.version == version:
            return old
        files = self.lake.added_files(table.name, old.version, version) if old else None
        self._sync(table.name, old.version if old else None, version)
        if files is None:  # rows were taken out: what the table holds is counted anew
            files = self.lake.files_at(table.name, version)
            since = lake_log.kept_from(
                self.lake.path(table.name), old.version if old else -1, version
            )
            old = old and TableState(
                version, coverage=old.coverage, full_days=old.full_days, inputs=old.inputs,
                marks=old.marks if since is not None else "", highest=0,
                kept_from=max((d for d in (old.kept_from, since) if d is not None), default=None),
            )  # fmt: skip
        fields = {field.name for field in self.lake.delta(table.name, version).schema().fields}
        deleted = f"bool_or({DELETED.name})" if DELETED.name in fields else "false"
        clock = f'"{table.clock}"' if table.clock else "cast(null as timestamptz)"
        query = (
            f"select count(*) as n, min({clock}) as a, max({clock}) as b, "
            f"max(known_at) as k, max(revision) as r, {deleted} as d "
            f"from {parquet_sql(files, table)}"
        )
        summary = engine().sql(query).to_arrow_table()
        rows, first, last, known, revision, gone = summary.to_pylist()[0].values()
        base = old or TableState(version, highest=0)
        # Revisions come in any order: one that came before may be above what came now.
        maybe = base.highest is None or max(base.highest, revision or 0) > 0
        corrected = (
            base.corrected or bool(gone) or (maybe and self._corrected(table, version, engine))
        )
        return replace(
            base,
            version=version,
            rows=base.rows + rows,
            first=min((m for m in (base.first, _utc(first)) if m), default=None),
            last=max((m for m in (base.last, _utc(last)) if m), default=None),
            last_known_at=max((m for m in (base.last_known_at, _utc(known)) if m), default=None),
            corrected=corrected,
            highest=None if base.highest is None else max(base.highest, revision or 0),
        )

    def _corrected(self, table: Table, version: int, engine: Connect) -> bool:
        key = ", ".join(f'"{name}"' for name in table.key)
        source = parquet_sql(self.lake.files_at(table.name, version), table)
        found = (
            engine()
            .execute(f"select 1 from {source} group by {key} having count(*) > 1 limit 1")
            .fetchall()
        )
        return bool(found)

    def _sync(self, table: str, old: int | None, new: int) -> None:
        """Force to disk what Delta wrote since a version, before a manifest names it."""
        log = self.lake.path(table) / "_delta_log"
        before = set(self.lake.files_at(table, old)) if old is not None else set()
        files = [Path(f) for f in self.lake.files_at(table, new) if f not in before]
        first = 0 if old is None else old + 1
        files += [log / f"{version:020d}.json" for version in range(first, new + 1)]
        for file in files:
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(self.lake.path(table))
        sync_folder(log)


def _conform(rows: pa.Table, schema: pa.Schema, defaults: Mapping[str, Any]) -> pa.Table:
    columns = []
    for field in schema:
        if field.name in rows.column_names:
            columns.append(rows.column(field.name).cast(field.type))
        else:
            value = pa.scalar(defaults.get(field.name), type=field.type)
            columns.append(pa.repeat(value, rows.num_rows))
    return pa.table(columns, schema=schema)


def _in_use(state: TableState) -> TableState:
    """A state whose coverage does not begin before what is kept."""
    if state.kept_from is None:
        return state
    spans = [(max(since, state.kept_from), until) for since, until in state.coverage]
    left = tuple((since, until) for since, until in spans if until is None or since < until)
    return replace(state, coverage=left)


def _utc(moment: Any) -> Any:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else moment


__all__ = ["QUARANTINE", "LakeWriter", "locked"]
