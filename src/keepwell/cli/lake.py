"""`keepwell lake`: what the lake holds, and its upkeep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from keepwell.cli.lake_care import compact, replay, retain, vacuum
from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, spans, write_json

if TYPE_CHECKING:
    from keepwell.observe.manifest import Manifest


_app = typer.Typer(help="What the lake holds; compact it, remove what nothing needs, replay.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(_app, name="lake")
    _app.command("compact")(compact)
    _app.command("retain")(retain)
    _app.command("vacuum")(vacuum)
    _app.command("replay")(replay)


@_app.callback(invoke_without_command=True)
def lake(
    context: typer.Context, workspace: WorkspaceOption = Path(), as_json: JsonOption = False
) -> None:
    """The lake's tables; alone: version, rows, time range, coverage."""
    if context.invoked_subcommand is not None:
        return
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    manifest = opened.lake.manifest()
    if as_json:
        write_json(None if manifest is None else _plain(manifest, opened.zone))
        return
    if manifest is None:
        say("The lake is empty. Begin with 'keepwell ingest'.")
        return
    plain = _plain(manifest, opened.zone)
    say(
        "Manifest {number}, made {made}. Times are in {zone}.",
        number=manifest.id,
        made=_short(plain["made_at"]),
        zone=opened.zone.key,
    )
    show(
        ["Table", "Version", "Rows", "First", "Last", "Known until", "Complete from – until"],
        [
            [
                name,
                table["version"],
                table["rows"],
                _short(table["first"]),
                _short(table["last"]),
                _short(table["last_known_at"]),
                spans(table["coverage"]),
            ]
            for name, table in plain["tables"].items()
        ],
        right=(1, 2),
    )


def _plain(manifest: Manifest, zone: ZoneInfo) -> dict[str, Any]:
    """The manifest as plain values; instants in the exchange's zone, days as dates."""
    from keepwell.core.days import to_date

    tables = {}
    for name, state in manifest.tables.items():
        tables[name] = {
            "version": state.version,
            "rows": state.rows,
            "first": _moment(state.first, zone),
            "last": _moment(state.last, zone),
            "last_known_at": _moment(state.last_known_at, zone),
            "corrected": state.corrected,
            "full_days": state.full_days,
            "coverage": [
                (str(to_date(start)), None if end is None else str(to_date(end)))
                for start, end in state.coverage
            ],
        }
    return {
        "manifest": manifest.id,
        "made_at": _moment(manifest.made_at, zone),
        "tables": tables,
        "quarantine": manifest.quarantine,
    }


def _short(moment: str | None) -> str | None:
    """An instant to the minute; a midnight as its date."""
    return moment and moment[:16].removesuffix(" 00:00")


def _moment(value: Any, zone: ZoneInfo) -> str | None:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(sep=" ", timespec="seconds")
    return None if value is None else str(value)
