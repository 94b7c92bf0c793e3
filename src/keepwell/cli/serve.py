"""`keepwell serve`: the desk's web server, with a worker."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import WorkspaceOption, say

if TYPE_CHECKING:
    from keepwell.frame.context import Frame


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("serve")(serve)


def serve(
    workspace: WorkspaceOption = Path(),
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only the web; 'keepwell worker' runs the jobs.")
    ] = False,
) -> None:
    """Serve the desk: API, health and metrics, and a worker for jobs, until Ctrl-C."""
    from keepwell.frame.context import Frame
    from keepwell.frame.logs import configure
    from keepwell.frame.settings import Settings
    from keepwell.observe.workspace import Workspace
    from keepwell.web import server

    opened = Workspace.open(workspace)
    settings = Settings.load(opened.root)
    given = {"host": host, "port": port}
    settings = settings.model_copy(update={k: v for k, v in given.items() if v is not None})
    server.check_address(settings)
    configure(settings.log_level, settings.log_format)
    frame = Frame.open(opened, settings)
    try:
        bring_up(frame)
        warn_of_calendar(frame)
        listening = server.listen(settings.host, settings.port)
        address = server.address_of(listening)
        say("keepwell serves {name} on {address}", name=opened.mapping.name, address=address)
        sys.stdout.flush()  # whoever started it waits for this line
        server.serve(frame, listening, with_worker=not no_worker)
    finally:
        frame.close()


def warn_of_calendar(frame: Frame) -> None:
    """Say when the exchange's days cannot be read: clocks then count every weekday."""
    from keepwell.core.calendars import load_fault
    from keepwell.intervene.clock.calendars import exchange_of

    code = exchange_of(frame)
    fault = load_fault(code)
    if fault is not None:
        say(
            "The calendar of {code} cannot be read ({fault}): clocks count Monday to Friday."
            " List its holidays under calendar.holidays.",
            code=code, fault=fault,
        )  # fmt: skip


def bring_up(frame: Frame) -> None:
    """See that the database is there and its schema current; wait for one that does not answer."""
    from keepwell.web import server

    told = ""

    def wait(problem: str) -> bool:
        nonlocal told
        if told != problem:
            say("Waiting for the database: {problem}.", problem=problem)
            sys.stdout.flush()
            told = problem
        time.sleep(1)
        return True

    server.bring_up(frame, wait)
