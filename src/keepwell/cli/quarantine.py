"""`keepwell quarantine`: the rows kept out of the lake, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keepwell.cli.terminal import (
    BackfillOption,
    JsonOption,
    WorkspaceOption,
    progress,
    say,
    show,
    write_json,
)

TableOption = Annotated[str | None, typer.Option("--table", "-t", help="Only this table.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only this source.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only this reason's code.")]

_app = typer.Typer(help="Rows kept out of the lake, and why: list, export, retry.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(_app, name="quarantine")


@_app.callback(invoke_without_command=True)
def quarantine(
    context: typer.Context, workspace: WorkspaceOption = Path(), as_json: JsonOption = False
) -> None:
    """Rows kept out of the lake, and why; alone: their number by table, source and reason."""
    if context.invoked_subcommand is not None:
        return
    from keepwell.observe.quarantine import summary
    from keepwell.observe.workspace import Workspace

    counts = summary(Workspace.open(workspace).lake).to_pylist()
    if as_json:
        write_json(counts)
    elif not counts:
        say("The quarantine is empty.")
    else:
        show(
            ["Table", "Source", "Reason", "Faults"],
            [[c["table"], c["source"], c["reason"], c["entries"]] for c in counts],
            right=(3,),
        )


@_app.command("list")
def list_entries(
    workspace: WorkspaceOption = Path(),
    table: TableOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    state: Annotated[str, typer.Option("--state", help="open, resolved or all.")] = "open",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List entries: where each stands, and what is wrong with it."""
    from keepwell.observe.quarantine import entries, words
    from keepwell.observe.workspace import Workspace

    wanted = _state(state)
    found = entries(
        Workspace.open(workspace).lake,
        table=table,
        source=source,
        reason=reason,
        state=wanted,
        limit=limit,
    ).to_pylist()
    for entry in found:
        entry["words"] = words(entry["reason"], entry["detail"])
    if as_json:
        write_json(found)
    elif not found:
        say("The quarantine has no such entry.")
    else:
        show(
            ["Table", "Source or file", "Row", "Key", "Column", "What is wrong"],
            [
                [e["table"], e["file"] or e["source"], e["row"], e["key"], e["column"], e["words"]]
                for e in found
            ],
            right=(2,),
        )


@_app.command("export")
def export_entries(
    path: Annotated[
        Path | None, typer.Argument(help="The file; default: out/quarantine.csv.")
    ] = None,
    workspace: WorkspaceOption = Path(),
    table: TableOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    state: Annotated[str, typer.Option("--state", help="open, resolved or all.")] = "open",
    as_json: JsonOption = False,
) -> None:
    """Write entries as CSV for a spreadsheet (UTF-8 with BOM, formulas disarmed)."""
    from keepwell.observe.quarantine import export
    from keepwell.observe.workspace import Workspace

    wanted = _state(state)
    opened = Workspace.open(workspace)
    target = path or opened.out / "quarantine.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    count = export(opened.lake, target, table=table, source=source, reason=reason, state=wanted)
    if as_json:
        write_json({"file": str(target), "entries": count})
    else:
        say("Entries: {count}; written to {path}.", count=count, path=target)


@_app.command("retry")
def retry_entries(
    workspace: WorkspaceOption = Path(),
    backfill: BackfillOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read the tables concerned again, with today's files and mapping."""
    from keepwell.cli.ingest import show_ingest
    from keepwell.observe.quarantine import retry
    from keepwell.observe.workspace import Workspace

    with progress(quiet=as_json) as tell:
        report = retry(Workspace.open(workspace), tell, backfill=backfill)
    if as_json:
        ingested = report.ingest.as_dict() if report.ingest else None
        write_json(
            {"resolved": report.resolved, "still_open": report.still_open, "ingest": ingested}
        )
        return
    if report.ingest:
        show_ingest(report.ingest)
    say(
        "{resolved} entries resolved, {left} still open.",
        resolved=report.resolved,
        left=report.still_open,
    )


def _state(word: str) -> str | None:
    if word not in ("open", "resolved", "all"):
        raise typer.BadParameter(f"{word!r}; expected open, resolved or all")
    return None if word == "all" else word
