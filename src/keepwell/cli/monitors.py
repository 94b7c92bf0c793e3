"""`keepwell monitors`: whether what comes from the sources is as it always was."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import tr

if TYPE_CHECKING:
    from keepwell.observe.monitors.watch import Finding, Watched


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("monitors")(monitors)


def monitors(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Look at every source: late, too few or many rows, missing or strange values, changed units.

    Exit code 1 when anything is unusual.
    """
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


def plain(found: Watched) -> dict[str, object]:
    """A watch as plain values, for JSON."""
    from dataclasses import asdict

    from keepwell.observe.monitors.watch import finding_to

    return {
        "manifest": found.manifest, "today": found.today.day.isoformat(), "by": found.today.by,
        "tables": [asdict(one) for one in found.tables],
        "findings": [finding_to(one) for one in found.findings],
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
