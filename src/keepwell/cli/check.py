"""`keepwell check`: the dry run of an ingest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.ingest import show_sources
from keepwell.cli.terminal import (
    JsonOption,
    WorkspaceOption,
    progress,
    say,
    show,
    spans,
    write_json,
)

if TYPE_CHECKING:
    from keepwell.observe.check import CheckReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check")(check)


def check(
    workspace: WorkspaceOption = Path(),
    table: Annotated[
        list[str] | None, typer.Option("--table", "-t", help="Only this table; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try keepwell.yaml on the files without writing: counts, refused rows, ranges, coverage."""
    from keepwell.observe.check import check as run
    from keepwell.observe.mapping import mapped_tables
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    with progress(quiet=as_json) as tell:
        report = run(opened, mapped_tables(opened.mapping, table), tell)
    if as_json:
        write_json(report.as_dict())
    else:
        _print(report)
    raise typer.Exit(report.exit_code)


def _print(report: CheckReport) -> None:
    show(
        ["Table", "Rows", "Good", "Refused", "First", "Last", "Complete from – until"],
        [
            [t.table, t.rows.read, t.passed, t.rows.quarantined, t.first, t.last, spans(t.coverage)]
            for t in report.tables
        ],
        right=(1, 2, 3),
    )
    show_sources(report.sources)
    refused = [(t.table, t.rows.reasons) for t in report.tables]
    refused += [(s.source, s.reasons) for s in report.sources]
    faults = [[name, code, count] for name, codes in refused for code, count in codes.items()]
    if faults:
        say("\nRefused, by reason (sources are checked cell by cell before the selects):")
        show(["Table or source", "Reason", "Faults"], faults, right=(2,))
    for t in report.tables:
        if t.uncovered:
            say(
                "\n{table}: {count} rows lie outside the days for which it is called complete.",
                table=t.table,
                count=t.uncovered,
            )
    absent = [[t.table, ", ".join(t.not_given)] for t in report.tables if t.not_given]
    if absent:
        say("\nColumns of the contract without any value (what needs them will be absent):")
        show(["Table", "Columns"], absent)
    if report.clients_without_profile:
        say(
            "\n{count} clients act but have no client row; they are kept.",
            count=report.clients_without_profile,
        )
    for problem in report.problems:
        say("\n{code}: {words}", code=problem.error.code, words=problem.error.words())
    if report.exit_code == 0:
        say("\nReady: 'keepwell ingest' would write this.")
