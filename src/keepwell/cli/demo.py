"""`keepwell demo`: the whole path in one command, as `make demo` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from keepwell.cli.ingest import show_ingest
from keepwell.cli.run import show_run, steps
from keepwell.cli.terminal import WorkspaceOption, progress, say, show
from keepwell.core.text import current_locale, tr

if TYPE_CHECKING:
    from keepwell.learn.run import RunResult
    from keepwell.observe.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo")(demo)


def demo(workspace: WorkspaceOption = Path()) -> None:
    """Ingest, prove, rank and report a workspace, open its desk, and say what to try next."""
    from keepwell.api import open, run
    from keepwell.frame.settings import Settings
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
    say("3. Open the desk: draw the hold-out, raise alerts, open cases, start clocks")
    open_desk(opened, result)
    say("Next: open the report in a browser; ask why about one client:")
    first = result.data.top[0].client if result.data.top else "CLIENT"
    say("  keepwell explain {client} --workspace {folder}", client=first, folder=workspace)
    say("Look at the desk from the shell:")
    say("  keepwell desk cases --as demo-manager --workspace {folder}", folder=workspace)
    address = "http://{0.host}:{0.port}".format(Settings.load(opened.root))
    say(
        "Or start the workbench, open {address} in a browser and log in as one of the users above:",
        address=address,
    )
    say("  keepwell serve --workspace {folder}", folder=workspace)


def open_desk(workspace: Workspace, result: RunResult) -> None:
    """Publish a run, let the jobs do their work, make a user per role, and show both.

    Args:
        workspace: where.
        result: of its main job.
    """
    from keepwell.api import publish
    from keepwell.frame.context import Frame
    from keepwell.frame.logs import configure
    from keepwell.web.demo import seed, settle, standing

    configure("error", "console")
    publish(workspace, result)
    frame = Frame.open(workspace)
    try:
        settle(frame)
        users = seed(frame)
        seen = standing(frame)
    finally:
        frame.close()
    show(
        ["tier", "alerts shown", "held back by the ceiling", "held out", "open cases"],
        [(tr(row.title), row.shown, row.held_back, row.held_out, row.cases) for row in seen],
        right=(1, 2, 3, 4),
    )
    show(
        ["user", "password", "role", "whose clients"],
        [(user.login, user.password or tr("by token only"), user.role.value, user.scope)
         for user in users],
    )  # fmt: skip
