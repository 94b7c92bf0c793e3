"""`keepwell monitors`: whether what comes from the sources is as it always was."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import tr

if TYPE_CHECKING:
    from keepwell.observe.monitors.finding import Finding
    from keepwell.observe.monitors.watch import Watched


_app = typer.Typer(help="Whether what comes from the sources is as it always was.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(_app, name="monitors")


@_app.callback(invoke_without_command=True)
def monitors(
    context: typer.Context, workspace: WorkspaceOption = Path(), as_json: JsonOption = False
) -> None:
    """Look at every source: late, too few or many rows, missing or strange values, changed units.

    Exit code 1 when anything is unusual.
    """
    if context.invoked_subcommand is not None:
        return
    from keepwell.observe.monitors.watch import watch
    from keepwell.observe.workspace import Workspace

    found = watch(Workspace.open(workspace))
    if as_json:
        write_json(plain(found))
    elif not found.manifest:
        say("The lake is empty. Begin with 'keepwell ingest'.")
    else:
        _show(found)
    if found.findings:
        raise typer.Exit(1)


@_app.command("incidents")
def list_incidents(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List incidents, those that last first: one per source and monitor."""
    from keepwell.observe.monitors import incidents
    from keepwell.observe.monitors.words import TITLES
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    found = sorted(
        incidents.incidents_of(opened), key=lambda one: (one.closed_at is not None, -one.number)
    )
    if as_json:
        write_json([incidents.plain(one) for one in found])
        return
    show(
        ["No.", "Source", "Monitor", "Owner", "Since", "Closed", "Reason"],
        [
            [
                one.number, one.source, tr(TITLES[one.kind]), one.owner,
                one.opened_at.astimezone(opened.zone).isoformat(" ", "minutes")[:16],
                one.closed_at
                and one.closed_at.astimezone(opened.zone).isoformat(" ", "minutes")[:16],
                ": ".join(filter(None, (one.closed_by, one.reason))) or None,
            ]
            for one in found
        ],
    )  # fmt: skip


@_app.command("close")
def close_incident(
    number: Annotated[int, typer.Argument(help="The incident's number.")],
    by: Annotated[str, typer.Option("--by", help="Who says so.")],
    reason: Annotated[str, typer.Option("--reason", help="Why what was found is right.")],
    workspace: WorkspaceOption = Path(),
) -> None:
    """Call right what an incident found: it is the usual from now on.

    Wrong data are not called right: they are corrected, and the incident closes by itself.
    """
    from keepwell.observe.monitors.incidents import close
    from keepwell.observe.workspace import Workspace

    ended = close(Workspace.open(workspace), number, by, reason)
    say("Incident {number} of {source} is closed.", number=ended.number, source=ended.source)


def plain(found: Watched) -> dict[str, object]:
    """A watch as plain values, for JSON."""
    from dataclasses import asdict

    from keepwell.observe.monitors.finding import finding_to

    return {
        "manifest": found.manifest, "today": found.today.day.isoformat(), "by": found.today.by,
        "tables": [asdict(one) for one in found.tables],
        "findings": [finding_to(one) for one in found.findings],
        "incidents": [one.number for one in found.incidents],
    }  # fmt: skip


def show_findings(findings: Iterable[Finding]) -> None:
    """Write what is unusual, for people; nothing where nothing is."""
    from keepwell.observe.monitors.words import TITLES, told

    rows = [[f.table, f.source, f.owner, tr(TITLES[f.kind]), told(f)] for f in findings]
    if rows:
        say("Unusual, for somebody to look at:")
        show(["Table", "Source", "Owner", "Monitor", "What is unusual"], rows)


def _show(found: Watched) -> None:
    spans = {0: "too few rows or days", 1: "by day", 5: "by week", 20: "by month"}
    say(
        "Manifest {number}, judged as of {day}.",
        number=found.manifest, day=found.today.day.isoformat(),
    )  # fmt: skip
    show(
        ["Table", "Source", "Owner", "Judged"],
        [[one.table, one.source, one.owner, tr(spans[one.length])] for one in found.tables],
    )
    if not found.findings:
        say("Nothing unusual.")
    show_findings(found.findings)


__all__ = ["monitors", "plain", "register", "show_findings"]
