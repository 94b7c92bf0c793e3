"""`keepwell ingest`: from the broker's files into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.monitors import show_findings
from keepwell.cli.terminal import (
    BackfillOption,
    JsonOption,
    WorkspaceOption,
    progress,
    say,
    show,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keepwell.observe.ingest import IngestReport
    from keepwell.observe.staging import SourceReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ingest")(ingest)


def ingest(
    workspace: WorkspaceOption = Path(),
    table: Annotated[
        list[str] | None, typer.Option("--table", "-t", help="Only this table; may be repeated.")
    ] = None,
    backfill: BackfillOption = False,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Read all of every source, not only what is new or changed."),
    ] = False,
    accept_schema: Annotated[
        bool,
        typer.Option("--accept-schema", help="Take the columns of the sources as they are now."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the files into the lake, exactly once; rows that are refused go to quarantine."""
    from keepwell.observe.ingest import ingest as run
    from keepwell.observe.mapping import mapped_tables
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    with progress(quiet=as_json) as tell:
        report = run(
            opened,
            mapped_tables(opened.mapping, table),
            backfill,
            tell,
            force=whole,
            accept=accept_schema,
        )
    if as_json:
        write_json({**report.as_dict(), "quarantined": report.quarantined})
    else:
        show_ingest(report)


def show_sources(sources: Sequence[SourceReport]) -> None:
    """Write what is worth knowing of the sources: parts, encodings, changed columns."""
    kinds = {
        "added": "Source {source}: new column {column} ({found}); no select names it yet.",
        "removed": "Source {source}: column {column} ({expected}) is gone.",
        "renamed": (
            "Source {source}: column {column} ({expected}) is gone; in its place stands {found}."
        ),
        "retyped": "Source {source}: column {column} was {expected} and is now {found}.",
    }
    for source in sources:
        if source.part:
            say(
                "Source {source}: only what is new was read, {count} rows.",
                source=source.source,
                count=source.read,
            )
        for encoding in sorted(set(source.encodings.values()) - {"utf-8"}):
            count = list(source.encodings.values()).count(encoding)
            say(
                "Source {source}: {count} files are in {encoding}.",
                source=source.source,
                count=count,
                encoding=encoding,
            )
        for change in source.drift:
            say(
                kinds[change.kind],
                source=source.source,
                column=change.column,
                expected=change.expected,
                found=change.found,
            )


def show_ingest(report: IngestReport) -> None:
    """Write what an ingest did, for people."""
    show(
        ["Table", "Rows", "New", "Corrected", "Known before", "Quarantined"],
        [
            [
                t.table,
                *(("", "", "", "") if t.unchanged else (t.read, t.added, t.corrected, t.ignored)),
                "" if t.unchanged else t.quarantined,
            ]
            for t in report.tables
        ],
        right=(1, 2, 3, 4, 5),
    )
    show_sources(report.sources)
    cells = sum(source.rejected for source in report.sources)
    if cells:
        say("{count} rows were set aside for a bad cell before the selects.", count=cells)
    if report.quarantined:
        say("See 'keepwell quarantine'.")
    if report.clients_without_profile:
        say(
            "{count} clients act but have no client row; they are kept.",
            count=report.clients_without_profile,
        )
    show_findings(report.findings)
    if report.published:
        say("The lake is at manifest {number}.", number=report.manifest)
    else:
        say("Nothing changed; the lake stays at manifest {number}.", number=report.manifest)
