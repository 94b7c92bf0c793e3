"""Ingest: from the broker's files into the lake, exactly once.

Everything is read, checked and compared first; an error leaves the lake as it was. Then the rows
set aside are committed, then the good ones table by table, then one manifest publishes all of it.
Killed at any moment and started again, it goes on: what Delta already holds is recognised as a
repeat, and readers see the old manifest until the new one is there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from keepwell.core.errors import KeepwellError
from keepwell.observe import attempts, marks, quarantine, rhythm
from keepwell.observe.contract import TABLES
from keepwell.observe.lake import Lake
from keepwell.observe.monitors.finding import Finding, finding_to
from keepwell.observe.monitors.watch import watch
from keepwell.observe.staging import Prepared, Progress, SourceReport, TableReport, prepare

if TYPE_CHECKING:
    from keepwell.observe.lake_writer import LakeWriter
    from keepwell.observe.workspace import Workspace


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        manifest: number of the manifest that holds its result.
        published: whether that manifest is new.
        tables: what became of each table's rows.
        sources: what the scans found.
        clients_without_profile: clients who act but have no client row; they are kept. None when
            no client table is mapped.
        findings: what the monitors say of the lake as it is now.
    """

    manifest: int
    published: bool
    tables: tuple[TableReport, ...]
    sources: tuple[SourceReport, ...]
    clients_without_profile: int | None
    findings: tuple[Finding, ...] = ()

    @property
    def quarantined(self) -> int:
        """Rows set aside, by scans and by checks."""
        return sum(t.quarantined for t in self.tables) + sum(s.rejected for s in self.sources)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return {**asdict(self), "findings": [finding_to(found) for found in self.findings]}


def ingest(
    workspace: Workspace,
    tables: list[str] | None = None,
    backfill: bool = False,
    progress: Progress | None = None,
    *,
    force: bool = False,
    now: datetime | None = None,
    accept: bool = False,
) -> IngestReport:
    """Bring what the mapping names into the lake.

    Tables whose files and mapping have not changed since the last manifest are skipped. The first
    ingest of a table is a backfill: its rows count as known when they happened plus the mapping's
    delay; later rows as known now, unless the select says when. Events that wait in the spool come
    first.

    Args:
        workspace: the workspace.
        tables: contract tables; default: all that are mapped.
        backfill: treat rows as a backfill although the table is in the lake already.
        progress: told (stage, name, rows).
        force: read everything again, although nothing changed or only what is new would do.
        now: the instant of the ingest; default: the clock's.
        accept: take the columns of the sources as they are now, whatever they were.

    Returns:
        What was done, and what the monitors say of it.

    Raises:
        KeepwellError: a source or a select cannot be read; the lake is unchanged.
        UsageError: another ingest is at work.
    """
    from keepwell.observe.spool_ingest import drain, waiting

    begun = datetime.now(UTC)
    try:
        if waiting(workspace):
            drain(workspace)
        report = run(
            workspace,
            tables,
            backfill,
            progress,
            force=force,
            now=now,
            resolve=False,
            accept=accept,
        )
    except KeepwellError as error:
        if error.code not in ("lake.writer-busy", "spool.busy"):  # somebody else's is under way
            attempts.note(workspace, begun, tables, error)
        raise
    attempts.note(workspace, begun, tables)
    rhythm.learn(workspace)
    return replace(report, findings=watch(workspace, now).findings)


def run(
    workspace: Workspace,
    tables: list[str] | None,
    backfill: bool,
    progress: Progress | None,
    *,
    force: bool,
    now: datetime | None,
    resolve: bool,
    accept: bool = False,
) -> IngestReport:
    """The same, and if wanted close the quarantine's entries that no longer occur."""
    lake = workspace.lake
    with (
        lake.writer() as writer,
        prepare(
            workspace,
            tables,
            backfill=backfill,
            force=force,
            progress=progress,
            now=now,
            purpose="ingest",
            whole=force,
            accept=accept,
        ) as ready,
    ):
        writer.now = ready.now
        before = lake.manifest()
        quarantine.record(writer, ready, resolve)
        _append(writer, ready, progress)
        mapped = workspace.mapping.tables
        manifest = writer.publish(
            coverage={t: tuple(mapped[t].coverage) for t in ready.inputs},
            full_days={t: mapped[t].full_days for t in ready.inputs},
            inputs=ready.inputs,
            marks={t: marks.save(lake.root, kept) for t, kept in ready.marks.items()},
        )
        return IngestReport(
            manifest.id,
            before is None or manifest.id != before.id,
            tuple(ready.tables),
            tuple(ready.sources),
            without_profile(lake) if "client" in mapped else None,
        )


def _append(writer: LakeWriter, ready: Prepared, progress: Progress | None) -> None:
    for name in ready.parts:
        schema = TABLES[name].arrow_schema()
        writer.create(name, schema)
        done = 0
        for rows in ready.rows(name):
            writer.commit(name, rows, ready.read_from[name])
            done += rows.num_rows
            if progress:
                progress("append", name, done)


def without_profile(lake: Lake) -> int:
    """How many clients of the newest manifest act but have no client row."""
    manifest = lake.manifest()
    if manifest is None:
        return 0
    current = 'select client_id from "{}" where gone_at is null'
    acting = [
        current.format(name)
        for name in manifest.tables
        if name != "client" and "client_id" in TABLES[name].by_name
    ]
    if not acting:
        return 0
    known = current.format("client") if "client" in manifest.tables else "select '' where false"
    with lake.connect(manifest) as engine:
        found = engine.execute(
            f"select count(distinct client_id) from ({' union all '.join(acting)}) "
            f"where client_id not in ({known})"
        ).fetchall()
    return int(found[0][0])
