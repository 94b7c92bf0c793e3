"""`keepwell migrate`: bring the app database to the schema that this keepwell needs."""

from __future__ import annotations

from pathlib import Path

import typer

from keepwell.cli.terminal import WorkspaceOption, say


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("migrate")(migrate)


def migrate(workspace: WorkspaceOption = Path()) -> None:
    """Make or update the tables of the desk's database, SQLite or PostgreSQL."""
    from keepwell import rooms
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import found
    from keepwell.frame.migrate import migrate as verb

    rooms.load("model")
    frame = Frame.open(workspace)
    try:
        before = found(frame.database)
        verb(frame)
        after = found(frame.database)
    finally:
        frame.close()
    if before == after:
        say("The database is up to date: revision {revision}.", revision=after)
    else:
        say("The database is now at revision {revision}.", revision=after)
