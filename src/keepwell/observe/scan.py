"""The scan: a source's cells checked against the types the mapping declares, and staged.

Good rows land in Parquet files that the selects may read; bad cells become rejects that name
file, row, column, value and reason. All checks are DuckDB expressions over whole batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keepwell.core.errors import DataError, nearest
from keepwell.observe import drift
from keepwell.observe.cells import WITH_OFFSET, CellCheck, check_of, quoted
from keepwell.observe.connectors import RawBatch, Since, connector_for
from keepwell.observe.connectors.base import TYPE_KEY
from keepwell.observe.contract_time import DAY_US, first_of_two
from keepwell.observe.drift import type_name
from keepwell.observe.mapping import NONE, ColumnSpec, Source
from keepwell.observe.raw_rows import cut, rows_of, short

REJECT_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("fields", pa.string()),
        ("raw", pa.string()),
    ]
)
"""A rejected cell: `reason` is a code of `core.errors.REASONS`, `fields` its values as JSON,
`raw` the whole row as JSON (a ragged row: its text). `column` is null for a whole row."""

_PART_ROWS = 1_000_000
_GROUP_ROWS = 131_072
_LIFETIME_US = 150 * 366 * DAY_US
"""Further from 1970 no instant is taken, and Python's calendar ends."""


@dataclass(frozen=True)
class Scan:
    """What a scan of one source found.

    Attributes:
        source: its name.
        files: staged Parquet files, in the order of the source.
        rows: rows read, the rejected ones included.
        rejected: rows (not cells) left out.
        rejects: the bad cells, `REJECT_SCHEMA`.
        columns: the source's column names.
        types: the type of each, as `drift.type_name` calls it.
        newest: greatest value of the column `increment.by` among all rows read; None without.
        encodings: file to the encoding that its text was found to have.
    """

    source: str
    files: list[Path]
    rows: int
    rejected: int
    rejects: pa.Table
    columns: list[str]
    types: dict[str, str] = field(default_factory=dict)
    newest: Any = None
    encodings: dict[str, str] = field(default_factory=dict)


def scan(name: str, source: Source, base: Path, staging: Path, since: Since | None = None) -> Scan:
    """Check a source cell by cell and stage its good rows.

    Args:
        name: the source's name.
        source: its mapping.
        base: folder that relative paths start from.
        staging: folder for the staged files; made if absent, files of the same name replaced.
        since: read only what came after; nothing new is then no fault.

    Raises:
        DataError: a file is missing, empty, cut off, in another encoding, or lacks a column that
            the mapping types (`source.*`).
    """
    staging.mkdir(parents=True, exist_ok=True)
    connector = connector_for(name, source)
    job = _Job(name, source, staging, connector.text_cells, connector.rows_stay, since is not None)
    for batch in connector.open(name, source, base, since):
        job.add(batch)
    if since is not None and since.value is not None and job.rows == 0:
        # Not even the newest row known is there: is anything?
        first = next(iter(connector.open(name, source, base)), None)
        if first is not None and first.columns.num_rows:
            raise DataError("source.mark-ahead", source=name, mark=since.value)
    return job.finish()


@dataclass
class _Job:
    name: str
    source: Source
    staging: Path
    text_cells: bool
    rows_stay: bool = True
    partial: bool = False
    rows: int = 0
    rejected: int = 0
    header_only: list[str] = field(default_factory=list)
    rejects: list[pa.Table] = field(default_factory=list)
    checks: dict[str, list[CellCheck]] = field(default_factory=dict)
    schemas: dict[str, pa.Schema] = field(default_factory=dict)
    encodings: dict[str, str] = field(default_factory=dict)
    newest: Any = None
    files: list[Path] = field(default_factory=list)
    writer: pq.ParquetWriter | None = None
    written: int = 0
    waiting: list[pa.Table] = field(default_factory=list)
    waiting_rows: int = 0

    @cached_property
    def engine(self) -> duckdb.DuckDBPyConnection:
        engine = duckdb.connect(":memory:", config={"threads": 1})
        engine.execute("set TimeZone = 'UTC'")
        engine.execute("set python_enable_replacements = false")
        engine.execute("set enable_progress_bar = false")
        return engine

    def add(self, batch: RawBatch) -> None:
        checks = self._checks_of(batch)
        self.rows += batch.columns.num_rows + len(batch.ragged)
        if batch.ragged:
            self.rejected += len(batch.ragged)
            self.rejects.append(self._ragged(batch))
        if batch.bad:
            left_out = len({cell.row for cell in batch.bad})
            self.rows += left_out
            self.rejected += left_out
            self.rejects.append(self._bad(batch))
        if batch.encoding:
            self.encodings[batch.file] = batch.encoding
        self._write(self._checked(batch, checks))

    def finish(self) -> Scan:
        self._flush()
        if self.writer is not None:
            self.writer.close()
        if "engine" in vars(self):  # where no cell was to be checked, none was opened
            self.engine.close()
        if self.rows == 0 and not self.source.allow_empty and not self.partial:
            raise DataError("source.no-rows", source=self.name, file=next(iter(self.schemas)))
        schema = next(iter(self.schemas.values()))
        rejects = pa.concat_tables(self.rejects) if self.rejects else REJECT_SCHEMA.empty_table()
        return Scan(
            self.name,
            self.files,
            self.rows,
            self.rejected,
            rejects,
            schema.names,
            {column.name: type_name(column) for column in schema},
            self.newest,
            self.encodings,
        )

    def _checks_of(self, batch: RawBatch) -> list[CellCheck]:
        """The checks for this file's columns, made when its first batch comes."""
        if batch.file not in self.checks:
            names = batch.columns.schema.names
            self._check_names(batch.file, names)
            for wanted in self.source.columns:
                self._require(batch.file, wanted, names)
            for first in list(self.schemas.values())[:1]:
                for wanted in first.names:
                    self._require(batch.file, wanted, names)
            self._alike(batch)
            self.schemas[batch.file] = batch.columns.schema
            self.checks[batch.file] = [
                check_of(column.name, column.type, self.source, self.text_cells, _wanted(column))
                for column in batch.columns.schema
            ]
        return self.checks[batch.file]

    def _check_names(self, file: str, names: list[str]) -> None:
        """Names that SQL can tell apart: it takes `Amount` and `amount` for one."""
        seen: dict[str, str] = {}
        for number, name in enumerate(names, 1):
            if not name.strip() or "\0" in name:
                raise DataError(
                    "source.header-invalid",
                    source=self.name, file=file, number=number, column=name,
                )  # fmt: skip
            other = seen.setdefault(_folded(name), name)
            if other == name and names.count(name) > 1:
                raise DataError("source.header-twice", source=self.name, file=file, column=name)
            if other != name:
                raise DataError(
                    "source.header-alike",
                    source=self.name, file=file, column=other, other=name,
                )  # fmt: skip

    def _alike(self, batch: RawBatch) -> None:
        """Files of one source have columns of one type: another one would be cast, or lost."""
        for first in list(self.schemas.values())[:1]:
            before = {column.name: type_name(column) for column in first}
            now = {column.name: type_name(column) for column in batch.columns.schema}
            found = [c for c in drift.changes(before, now) if c.kind == "retyped"]
            drift.refuse(f"{self.name}, {batch.file}", found, now)

    def _require(self, file: str, column: str, names: list[str]) -> None:
        if column not in names:
            raise DataError(
                "source.column-missing",
                source=self.name,
                file=file,
                column=column,
                nearest=nearest(column, names) or NONE,
                columns=", ".join(names),
            )

    def _checked(self, batch: RawBatch, checks: list[CellCheck]) -> pa.Table:
        """The batch's good rows, typed; bad cells go to the rejects."""
        raw = pa.Table.from_batches([batch.columns])
        if all(check.plain for check in checks):
            self._grow(raw, raw)
            return raw
        faults = [c for c in checks if c.fault]
        marked = "fault_"
        while any(_folded(name).startswith(marked) for name in raw.column_names):
            marked = f"_{marked}"  # the file has such columns of its own
        # Cells are trimmed once, in the inner select; DuckDB would repeat the expression otherwise.
        cells = ", ".join(f"{c.cell} as {quoted(c.column)}" for c in checks)
        typed = ", ".join(f"{c.value} as {quoted(c.column)}" for c in checks)
        flags = "".join(
            f", {quoted(c.column)} is not null and {c.value} is null as {quoted(f'{marked}{i}')}"
            for i, c in enumerate(faults)
        )
        table = self._run(f"select {typed}{flags} from (select {cells} from raw)", batch.file, raw)
        for check in checks:
            if check.zone:
                table = _first_times(table, raw, check)
        self._grow(raw, table)
        bad = np.zeros(raw.num_rows, bool)
        for index, check in enumerate(faults):
            wrong = table[f"{marked}{index}"].to_numpy()
            if wrong.any():
                self.rejects.append(self._cells(batch, raw, check, np.flatnonzero(wrong)))
                bad |= wrong
        self.rejected += int(bad.sum())
        good = table.select(range(len(checks)))
        return good.filter(pa.array(~bad)) if bad.any() else good

    def _grow(self, raw: pa.Table, typed: pa.Table) -> None:
        """Note the newest value of the column that makes rows new, refused rows included."""
        by = self.source.increment.by if self.source.increment else None
        if by is None:
            return
        self._require(next(iter(self.schemas)), by, raw.column_names)
        # The database compares what it has itself, so a type given by the mapping does not count.
        table = typed if _wanted(raw.schema.field(by)) else raw
        try:
            found = pc.max(table[by]).as_py()
        except (OverflowError, ValueError):
            return  # beyond any calendar: what came with it is read again, and known then
        if found is not None and (self.newest is None or found > self.newest):
            self.newest = found

    def _run(self, sql: str, file: str, raw: pa.Table) -> pa.Table:
        try:
            self.engine.register("raw", raw)
            try:
                return self.engine.sql(sql).to_arrow_table()
            finally:
                self.engine.unregister("raw")
        except (duckdb.Error, pa.ArrowException) as error:
            # No cell known to us does this; a type that DuckDB has not, perhaps.
            problem = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                "source.cells-unreadable", source=self.name, file=file, problem=problem
            ) from None

    def _cells(
        self, batch: RawBatch, raw: pa.Table, check: CellCheck, where: npt.NDArray[np.int64]
    ) -> pa.Table:
        wrong = raw.take(pa.array(where))
        rows = rows_of(wrong)
        inner = f"select {check.cell} as {quoted(check.column)} from raw"
        reasons = self._run(f"select {check.fault} as reason from ({inner})", batch.file, wrong)
        return pa.table(
            {
                "source": [self.name] * len(where),
                "file": [batch.file] * len(where),
                "row": batch.rows[where] if self.rows_stay else pa.nulls(len(where), pa.int64()),
                "column": [check.column] * len(where),
                "reason": reasons["reason"].combine_chunks(),
                "fields": [
                    _json({"value": row[check.column], "format": check.format}) for row in rows
                ],
                "raw": [_json(row) for row in rows],
            },
            schema=REJECT_SCHEMA,
        )

    def _bad(self, batch: RawBatch) -> pa.Table:
        found = batch.bad
        return pa.table(
            {
                "source": [self.name] * len(found),
                "file": [batch.file] * len(found),
                "row": [cell.row if self.rows_stay else None for cell in found],
                "column": [cell.column for cell in found],
                "reason": [cell.reason for cell in found],
                "fields": [_json({"value": cell.value, "format": ""}) for cell in found],
                "raw": [_json(dict(cell.raw)) for cell in found],
            },
            schema=REJECT_SCHEMA,
        )

    def _ragged(self, batch: RawBatch) -> pa.Table:
        found = batch.ragged
        return pa.table(
            {
                "source": [self.name] * len(found),
                "file": [batch.file] * len(found),
                "row": [r.row for r in found],
                "column": pa.nulls(len(found), pa.string()),
                "reason": ["row.ragged"] * len(found),
                "fields": [_json({"found": r.found, "expected": r.expected}) for r in found],
                "raw": [cut(r.text) for r in found],
            },
            schema=REJECT_SCHEMA,
        )

    def _write(self, table: pa.Table) -> None:
        """Keep rows until a row group is worth while: each one costs every reader a batch."""
        if self.waiting and not self.waiting[0].schema.equals(table.schema):
            self._flush()
        self.waiting.append(table)
        self.waiting_rows += table.num_rows
        if self.waiting_rows >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Append what waits to the staged part; a new one begins when it is full or types change.

        Without rows a part is staged all the same, so that the selects know the columns.
        """
        if not self.waiting:
            return
        table = pa.concat_tables(self.waiting)
        self.waiting, self.waiting_rows = [], 0
        if self.writer is not None and (
            self.written >= _PART_ROWS or not self.writer.schema.equals(table.schema)
        ):
            self.writer.close()
            self.writer = None
        if self.writer is None:
            path = self.staging / f"{self.name}-{len(self.files):05d}.parquet"
            self.writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            self.files.append(path)
            self.written = 0
        self.writer.write_table(table)
        self.written += table.num_rows


def _wanted(column: pa.Field) -> ColumnSpec | None:
    """The type that the connector wants checked."""
    said = (column.metadata or {}).get(TYPE_KEY)
    return ColumnSpec.model_validate({"type": said.decode()}) if said else None


def _json(value: dict[str, Any]) -> str:
    return json.dumps(short(value), ensure_ascii=False, default=str)


def _first_times(table: pa.Table, raw: pa.Table, check: CellCheck) -> pa.Table:
    """Local times that occur twice mean the first of the two, here as after a select.

    DuckDB takes the second. A cell that says its offset means what it says.
    """
    place = table.column_names.index(check.column)
    column = table.column(place)
    numbers = pc.fill_null(column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), 0)
    given = numbers.combine_chunks().to_numpy(zero_copy_only=False).astype(np.int64)
    sane = np.abs(given) < _LIFETIME_US
    first = first_of_two(np.where(sane, given, 0), ZoneInfo(check.zone))
    moved = [
        int(row)
        for row in np.flatnonzero(sane & (first != given))
        if column[int(row)].is_valid
        and not WITH_OFFSET.search(str(raw[check.column][int(row)]).strip())
    ]
    if not moved:
        return table
    given[moved] = first[moved]
    there = column.is_valid().combine_chunks()
    renewed = pa.array(given, mask=~there.to_numpy(zero_copy_only=False)).cast(
        pa.timestamp("us", "UTC")
    )
    return table.set_column(place, check.column, renewed.cast(column.type))


def _folded(name: str) -> str:
    """A name as DuckDB compares it: letters of ASCII lose their case, others keep it."""
    return name.encode("utf-8", "replace").lower().decode("utf-8", "replace")


def scan_all(
    sources: dict[str, Source],
    base: Path,
    staging: Path,
    names: list[str] | None = None,
    since: dict[str, Since] | None = None,
) -> Iterator[Scan]:
    """Scan several sources in the mapping's order.

    Args:
        sources: the mapping's sources.
        base: folder that relative paths start from.
        staging: folder for the staged files.
        names: which sources; default all.
        since: where the last read of a source ended, for those read in increments.

    Raises:
        DataError: as `scan`.
    """
    for name, source in sources.items():
        if names is None or name in names:
            yield scan(name, source, base, staging, (since or {}).get(name))
