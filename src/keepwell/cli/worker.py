"""`keepwell worker`: runs the desk's jobs beside `keepwell serve --no-worker`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from keepwell.cli.terminal import WorkspaceOption, say


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("worker")(worker)


def worker(
    workspace: WorkspaceOption = Path(),
    threads: Annotated[
        int, typer.Option(min=1, max=16, help="Threads for work inside the database.")
    ] = 1,
) -> None:
    """Run the desk's jobs: timers, deliveries, rules; until Ctrl-C, the job at hand is finished."""
    from keepwell.cli.serve import bring_up
    from keepwell.frame.context import Frame
    from keepwell.frame.logs import configure
    from keepwell.frame.settings import Settings
    from keepwell.observe.workspace import Workspace
    from keepwell.web import server

    opened = Workspace.open(workspace)
    settings = Settings.load(opened.root)
    configure(settings.log_level, settings.log_format)
    frame = Frame.open(opened, settings)
    try:
        bring_up(frame)
        say("keepwell works for {name}", name=opened.mapping.name)
        sys.stdout.flush()  # whoever started it waits for this line
        server.work(frame, threads)
    finally:
        frame.close()
