"""From the spool into the lake, exactly once.

A drain takes what is complete in the spool through the same checks as files: contract, repeats and
conflicts, quarantine. Rows are known from the instant of their acknowledgement. Each table's commit
carries the last number of the spool that it holds, so that a drain that was killed and started
again adds nothing twice; the spool forgets only what a durable manifest names. What a table covers
stays what the mapping declared.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe import dedupe, quarantine
from keepwell.observe.contract import INSTANT_TYPE, TABLES, Table
from keepwell.observe.lake import Lake, open_duckdb, parquet_sql
from keepwell.observe.retain import ended_sql
from keepwell.observe.spool import Record, Spool
from keepwell.observe.spool_rows import FORMATS, check
from keepwell.observe.staging import Parts, Prepared, conflict_rejects, staging_folder
from keepwell.observe.validate import REJECT_SCHEMA, Context, Openings, as_json

if TYPE_CHECKING:
    from keepwell.observe.lake_writer import LakeWriter
    from keepwell.observe.workspace import Workspace

ROUND_ROWS: Final = 200_000
"""Most rows of one round, and so of one commit."""

APP: Final = "spool"
"""Name under which a table keeps the last number of the spool that it holds."""

_SPOOLS: dict[Path, Spool] = {}


@dataclass(frozen=True)
class DrainReport:
    """What a drain did.

    Attributes:
        batches: batches taken.
        rows: rows in them.
        added: rows new to the lake, corrections included.
        ignored: repeats of what the lake had.
        quarantined: rows set aside.
        sequence: up to which number of the spool everything is in the lake.
    """

    batches: int = 0
    rows: int = 0
    added: int = 0
    ignored: int = 0
    quarantined: int = 0
    sequence: int = 0


def spool_of(workspace: Workspace) -> Spool:
    """The workspace's spool; one object per process, since it keeps an index."""
    folder = workspace.state / "spool"
    if folder not in _SPOOLS:
        lake = workspace.lake
        _SPOOLS[folder] = Spool(folder, floor=lambda: _last_in_lake(lake))
    return _SPOOLS[folder]


def waiting(workspace: Workspace) -> bool:
    """Whether the spool holds what is not in the lake."""
    if not (workspace.state / "spool").is_dir():
        return False
    spool = spool_of(workspace)
    return spool.last > spool.drained


def drain(
    workspace: Workspace, now: datetime | None = None, wait: float = 0.0, spool: Spool | None = None
) -> DrainReport:
    """Bring all that waits in the spool into the lake, and publish it in a manifest.

    Args:
        workspace: where.
        now: the instant; default: the clock's.
        wait: seconds to wait for another writer of the lake.
        spool: default: the workspace's.

    Returns:
        What was done.

    Raises:
        UsageError: another process writes to the lake or holds the spool.
        DataError: the spool is damaged.
    """
    spool = spool or spool_of(workspace)
    instant = now or datetime.now(UTC)
    total = DrainReport(sequence=spool.drained)
    if spool.last <= total.sequence:
        return total
    with workspace.lake.writer(wait) as writer:
        for records in _rounds(spool):
            writer.now = instant
            done = _Round(workspace, writer, records, instant).run()
            writer.publish()
            spool.set_drained(records[-1].sequence)
            total = DrainReport(
                batches=total.batches + len(records),
                rows=total.rows + done.rows,
                added=total.added + done.added,
                ignored=total.ignored + done.ignored,
                quarantined=total.quarantined + done.quarantined,
                sequence=records[-1].sequence,
            )
    return total


def _last_in_lake(lake: Lake) -> int:
    if not lake.root.is_dir():
        return 0
    held = [
        lake.delta(name).transaction_version(f"{APP}/{name}") or 0
        for name in TABLES
        if lake.exists(name)
    ]
    return max(held, default=0)


def _rounds(spool: Spool) -> Iterator[list[Record]]:
    records: list[Record] = []
    rows = 0
    for record in spool.records(spool.drained):
        records.append(record)
        rows += len(record.content["rows"])
        if rows >= ROUND_ROWS:
            yield records
            records, rows = [], 0
    if records:
        yield records


@dataclass
class _Group:
    """Rows of one table and source."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)
    batch: list[str] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    told: list[tuple[int, str, str]] = field(default_factory=list)

    def take(self, record: Record) -> None:
        first, rows = len(self.rows), record.content["rows"]
        self.rows += rows
        self.at += [record.at] * len(rows)
        self.batch += [record.batch] * len(rows)
        self.row += range(1, len(rows) + 1)
        self.told += [(first + row, column, why) for row, column, why in record.content["faults"]]


@dataclass
class _Round:
    workspace: Workspace
    writer: LakeWriter
    records: Sequence[Record]
    now: datetime
    rows: int = 0
    added: int = 0
    ignored: int = 0
    quarantined: int = 0

    def run(self) -> _Round:
        folder = staging_folder(self.workspace.scan, "drain")
        try:
            with open_duckdb(memory="1GB") as engine:
                self._work(Prepared(self.now, engine), folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self

    def _work(self, ready: Prepared, folder: Path) -> None:
        groups = self._groups()
        for name in [t for t in TABLES if any(table == t for table, _ in groups)]:
            mine = {source: g for (table, source), g in groups.items() if table == name}
            self._table(TABLES[name], mine, ready, folder)
        quarantine.record(self.writer, ready, resolve=False)
        for name in ready.parts:
            for rows in ready.rows(name):
                self.writer.commit(name, rows, APP, self.records[-1].sequence)

    def _groups(self) -> dict[tuple[str, str], _Group]:
        """Rows by table and source, without those that a drain before this one committed."""
        groups: dict[tuple[str, str], _Group] = {}
        held: dict[str, int] = {}
        for record in self.records:
            table = record.content["table"]
            if table not in held:
                held[table] = self.writer.sequence(table, APP)
            if record.sequence > held[table]:
                groups.setdefault((table, record.source), _Group()).take(record)
        return groups

    def _table(
        self, table: Table, groups: dict[str, _Group], ready: Prepared, folder: Path
    ) -> None:
        parts = Parts(folder / "rows", table, ready.engine)
        for source, group in sorted(groups.items()):
            name = quarantine.EVENT + source
            context = Context(
                self.workspace.zone, self.workspace.currency, self.now, name,
                openings=self._openings(table, group, ready),
            )  # fmt: skip
            known_at = pa.array(group.at, INSTANT_TYPE)
            found = check(table, group.rows, context, known_at, [row for row, _, _ in group.told])
            parts.add(found.good)
            told = {row for row, _, _ in group.told}
            faults = group.told + [fault for fault in found.faults if fault[0] not in told]
            self._reject(ready, folder, _rejects(table, name, group, faults))
            self.rows += len(group.rows)
            self.quarantined += len({row for row, _, _ in faults})
        ready.parts[table.name] = parts.close()
        if parts.files:
            self._compare(table, ready, folder, parts.files)

    def _compare(self, table: Table, ready: Prepared, folder: Path, files: list[Path]) -> None:
        lake, staged = self.workspace.lake, dedupe.staged_sql(files)
        known = lake.files_at(table.name) if lake.exists(table.name) else []
        ended = ended_sql(lake.manifest(), table, self.workspace.zone)
        verdict = dedupe.judge(
            ready.engine, table, staged, parquet_sql(known, table), revised=True, ended=ended
        )
        for conflict in dedupe.conflicts(ready.engine, table, staged):
            self._reject(ready, folder, conflict_rejects(table, conflict))
        self.added += verdict.added + verdict.corrected
        self.ignored += verdict.ignored
        self.quarantined += verdict.conflicts

    def _openings(self, table: Table, group: _Group, ready: Prepared) -> Openings | None:
        """When the clients of these rows were opened, by the lake and by this round."""
        if "client_id" not in table.by_name:
            return None
        lake, clients = self.workspace.lake, TABLES["client"]
        files = lake.files_at("client") if lake.exists("client") else []
        sources = [f"select client_id, opened_on from {parquet_sql(files, clients)}"]
        if ready.parts.get("client"):
            sources.append(
                f"select client_id, opened_on from {dedupe.staged_sql(ready.parts['client'])} "
                "where seq not in (select seq from dropped_client)"
            )
        ids = {row.get("client_id") for row in group.rows}
        wanted = [i for i in ids if isinstance(i, str) and _encodable(i)]
        ready.engine.register("wanted", pa.table({"id": pa.array(wanted, pa.string())}))
        found = ready.engine.sql(
            f"select * from ({' union all '.join(sources)}) "
            "where client_id in (select id from wanted)"
        ).to_arrow_table()
        ready.engine.unregister("wanted")
        return Openings.of(found)

    def _reject(self, ready: Prepared, folder: Path, rejects: pa.Table) -> None:
        if rejects.num_rows:
            path = folder / f"rejects-{len(ready.rejects):06d}.parquet"
            pq.write_table(rejects, path)
            ready.rejects.append(path)


def _rejects(
    table: Table, source: str, group: _Group, faults: list[tuple[int, str, str]]
) -> pa.Table:
    rows = []
    for row, column, reason in faults:
        cells = group.rows[row]
        detail = {"value": cells.get(column), "format": FORMATS.get(reason, "")}
        rows.append(
            {
                "table": table.name, "source": source, "file": group.batch[row],
                "row": group.row[row], "column": column,
                "key": _json({name: cells.get(name) for name in table.key}), "reason": reason,
                "detail": _json(detail), "raw": _json(cells),
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=REJECT_SCHEMA)


def _json(value: dict[str, Any]) -> str:
    text = as_json(value)
    # Half a surrogate pair is no character; shown escaped, as it came.
    return text if text.isascii() or _encodable(text) else json.dumps(value, default=str)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
