"""Quarantine: rows kept out of the lake, with everything needed to mend them.

Entries are a Delta table that is only appended to: an entry's newest line says whether it is open
or resolved, so nothing is ever lost. An entry is named by what it says, so reading the same bad row
again does not add a second one.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from keepwell.core.errors import REASONS
from keepwell.core.files import atomic_write
from keepwell.core.text import tr
from keepwell.observe.dedupe import staged_sql
from keepwell.observe.lake import Lake, open_duckdb
from keepwell.observe.lake_writer import QUARANTINE, LakeWriter
from keepwell.observe.select import sources_of

if TYPE_CHECKING:
    from keepwell.observe.ingest import IngestReport
    from keepwell.observe.staging import Prepared, Progress
    from keepwell.observe.workspace import Workspace

SCHEMA = pa.schema(
    [
        ("reject_id", pa.string()),
        ("table", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column", pa.string()),
        ("key", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("state", pa.string()),
    ]
)
"""An entry: `table` is absent for a cell found bad before any select, `file` and `row` after one;
`detail` holds the reason's fields and `raw` the row, as JSON."""

EVENT = "event:"
"""The source of a row that came as an event begins so; the sender's name follows."""

_NAMED = ("table", "source", "file", "row", "column", "key", "reason", "raw")
_COMMIT_ROWS = 250_000


@dataclass(frozen=True)
class RetryReport:
    """What a re-try did.

    Attributes:
        resolved: entries that no longer occur.
        still_open: entries of the tables concerned that do.
        ingest: what the ingest did.
    """

    resolved: int
    still_open: int
    ingest: IngestReport | None


def entries(
    lake: Lake,
    *,
    table: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    state: str | None = "open",
    limit: int | None = None,
) -> pa.Table:
    """The quarantine's entries as the newest manifest pins them.

    Args:
        lake: the lake.
        table: only entries of this table.
        source: only entries of this source, also where it was read with others.
        reason: only entries of this reason code.
        state: 'open', 'resolved' or None for both.
        limit: at most so many.

    Returns:
        Columns of `SCHEMA`, sorted by table, source, file and row.
    """
    wanted = {"table": table, "reason": reason, "state": state}
    conditions = [f'"{name}" = ?' for name, value in wanted.items() if value is not None]
    values: list[str] = [value for value in wanted.values() if value is not None]
    if source is not None:
        conditions.append("list_contains(string_split(source, '+'), ?)")
        values.append(source)
    where = f"where {' and '.join(conditions)}" if conditions else ""
    cut = f"limit {int(limit)}" if limit is not None else ""
    with open_duckdb() as engine:
        _newest(engine, lake, _pinned(lake))
        return (
            engine.sql(
                f"select {', '.join(map(_quoted, SCHEMA.names))} from newest {where} "
                'order by "table", source, file, "row", reject_id ' + cut,
                params=values,
            )
            .to_arrow_table()
            .cast(SCHEMA)
        )


def summary(lake: Lake) -> pa.Table:
    """Open entries counted by table, source and reason; columns table, source, reason, entries."""
    with open_duckdb() as engine:
        _newest(engine, lake, _pinned(lake))
        return engine.sql(
            'select "table", source, reason, count(*) as entries from newest '
            "where state = 'open' group by all order by all"
        ).to_arrow_table()


def words(reason: str, detail: str, locale: str | None = None) -> str:
    """A reason in a language, with the value that gave it.

    Example:
        >>> words("cell.not-decimal", '{"value": "12,5"}', "en")
        "'12,5' is not a decimal number"
    """
    try:
        return tr(REASONS[reason], locale, **json.loads(detail or "{}"))
    except (KeyError, ValueError):
        return reason


def export(lake: Lake, path: Path, locale: str | None = None, **filters: str | None) -> int:
    """Write entries as CSV that spreadsheets open: UTF-8 with BOM, formulas disarmed.

    Args:
        lake: the lake.
        path: the file.
        locale: language of the reasons' words.
        **filters: as `entries`: table, source, reason, state.

    Returns:
        Number of entries written.
    """
    found = entries(lake, **filters)  # type: ignore[arg-type]
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow([*SCHEMA.names, "words"])
    for entry in found.to_pylist():
        said = words(entry["reason"], entry["detail"], locale)
        out.writerow([disarmed(value) for value in (*entry.values(), said)])
    atomic_write(path, "\ufeff" + text.getvalue())
    return int(found.num_rows)


def disarmed(value: object) -> str:
    """A cell's text that no spreadsheet takes for a formula.

    Example:
        >>> disarmed("=cmd()"), disarmed(-5), disarmed(None)
        ("'=cmd()", '-5', '')
    """
    if value is None:
        return ""
    text = str(value)
    risky = isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return "'" + text if risky else text


def retry(
    workspace: Workspace, progress: Progress | None = None, *, backfill: bool = False
) -> RetryReport:
    """Read the tables that have open entries again, with today's files and mapping.

    Rows that now pass go to the lake; entries that no longer occur become resolved.

    Args:
        workspace: the workspace.
        progress: told (stage, name, rows).
        backfill: rows that now pass count as known when they happened plus the usual delay, as
            they would have at the first ingest; default: known now.

    Raises:
        KeepwellError: as `ingest`.
    """
    from keepwell.observe.ingest import run

    before = entries(workspace.lake)
    mapped = workspace.mapping.tables
    sources = set(before["source"].to_pylist())
    tables = [
        name
        for name in mapped
        if name in set(before["table"].to_pylist())
        or sources & set(sources_of(workspace.mapping, [name]))
    ]
    if not tables:
        return RetryReport(0, before.num_rows, None)
    report = run(workspace, tables, backfill, progress, force=True, now=None, resolve=True)
    left = set(entries(workspace.lake)["reject_id"].to_pylist())
    met = set(before["reject_id"].to_pylist())
    return RetryReport(len(met - left), len(met & left), report)


def record(writer: LakeWriter, ready: Prepared, resolve: bool) -> None:
    """Commit a preparation's faults to the quarantine, each once; close what no longer occurs.

    Args:
        writer: the lake's writer.
        ready: what was prepared.
        resolve: close the open entries of the tables and sources read that were not met again.
    """
    exists = writer.exists(QUARANTINE)
    if not ready.rejects and not (resolve and exists):
        return
    with open_duckdb() as engine:
        version = writer.lake.delta(QUARANTINE).version() if exists else None
        _newest(engine, writer.lake, version)
        _found(engine, ready.rejects)
        stamp = f"make_timestamptz({int(ready.now.timestamp() * 1_000_000)})"
        names = ", ".join(_quoted(n) for n in SCHEMA.names[:-2])
        _commit(
            writer,
            engine,
            (
                f"select {names}, {stamp} as \"at\", 'open' as state from found "
                "where reject_id not in "
                "(select reject_id from newest where state = 'open')"
            ),
        )
        if resolve:
            _commit(
                writer,
                engine,
                (
                    f"select {names}, {stamp} as \"at\", 'resolved' as state from newest "
                    f"where state = 'open' and reject_id not in (select reject_id from found) "
                    f"and {_concerned(ready)}"
                ),
            )


def _concerned(ready: Prepared) -> str:
    """SQL: the entry is of a table or of a source that was read."""
    tables = ", ".join(f"'{name}'" for name in ready.parts) or "''"
    sources = ", ".join(f"'{report.source}'" for report in ready.sources) or "''"
    # Rows that came as events are in no file: reading the files again says nothing about them.
    return (
        f"((\"table\" in ({tables}) and source not like '{EVENT}%') "
        f'or ("table" is null and source in ({sources})))'
    )


def _commit(writer: LakeWriter, engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    reader = engine.sql(sql).to_arrow_reader(_COMMIT_ROWS)
    for batch in reader:
        if batch.num_rows:
            rows = pa.Table.from_batches([batch]).cast(SCHEMA)
            writer.commit(QUARANTINE, rows, QUARANTINE)


def _found(engine: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """Table `found`: the faults, named by what they say; alike ones are numbered."""
    if not files:
        engine.execute("create temp table found as select * from newest where false")
        return
    said = ", ".join(f"coalesce(cast({_quoted(name)} as varchar), '')" for name in _NAMED)
    engine.execute(
        f"create temp table found as select * exclude (said, nth), "
        "case when nth = 1 then said else said || '-' || nth end as reject_id from ("
        "select *, row_number() over (partition by said) as nth from ("
        f"select *, left(md5(concat_ws(chr(31), {said})), 24) as said "
        f"from {staged_sql(files)}))"
    )


def _newest(engine: duckdb.DuckDBPyConnection, lake: Lake, version: int | None) -> None:
    """Table `newest`: the newest line of each entry."""
    # A process killed between making the table and its first commit leaves it without files.
    files = lake.files_at(QUARANTINE, version) if version is not None else []
    if not files:
        engine.register("nothing", SCHEMA.empty_table())
        engine.execute("create temp table newest as select * from nothing")
        return
    # Within one instant an entry cannot be both; a resolved line always comes later.
    engine.execute(
        f"create temp table newest as select * from {staged_sql([Path(f) for f in files])} "
        'qualify row_number() over (partition by reject_id order by "at" desc, state desc) = 1'
    )


def _pinned(lake: Lake) -> int | None:
    manifest = lake.manifest()
    return manifest.quarantine if manifest else None


def _quoted(name: str) -> str:
    return f'"{name}"'
