"""`keepwell demo`: the whole path in one command, as `make demo` runs it."""

from __future__ import annotations

from pathlib import Path

import typer

from keepwell.cli.ingest import show_ingest
from keepwell.cli.run import show_run, steps
from keepwell.cli.terminal import WorkspaceOption, progress, say
from keepwell.core.text import current_locale


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo")(demo)


def demo(workspace: WorkspaceOption = Path()) -> None:
    """Ingest, prove, rank and report a workspace, and say what to try next."""
    from keepwell.api import open, run
    from keepwell.observe.ingest import ingest

    opened = open(workspace)
    say("1. Read the files into the lake")
    with progress() as tell:
        report = ingest(opened, progress=tell)
    show_ingest(report)
    say("2. Prove the model on a past date, then rank today's clients")
    with steps() as step:
        result = run(opened, progress=step)
    show_run(result)
    for note in opened.mapping.notes:
        typer.echo(note.words(current_locale()))
    say("Next: open the report in a browser; ask why about one client:")
    first = result.data.top[0].client if result.data.top else "CLIENT"
    say("  keepwell explain {client} --workspace {folder}", client=first, folder=workspace)
