"""`keepwell lineage CLIENT INDICATOR`: where one number of one client comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import number, percent, tr

if TYPE_CHECKING:
    from keepwell.observe.engines.peers import PeerGroup
    from keepwell.observe.lineage import Lineage


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("lineage")(lineage)


def lineage(
    client: Annotated[str, typer.Argument(help="The client's id.")],
    indicator: Annotated[str, typer.Argument(help="The indicator's id.")],
    workspace: WorkspaceOption = Path(),
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", help="Instant or YYYY-MM-DD; default: today, or the end of data of the past."
        ),
    ] = None,
    manifest: Annotated[
        int | None, typer.Option("--manifest", min=1, help="Read this manifest, not the newest.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Rows listed of each table; all are counted.")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Trace an indicator to its tiles and to the source rows that entered it, at one manifest."""
    from datetime import UTC, datetime

    from keepwell.core.days import parse_as_of
    from keepwell.observe.lineage import lineage as trace
    from keepwell.observe.today import today_of
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    asked = as_of or today_of(opened, datetime.now(UTC)).day
    found = trace(opened, client, indicator, parse_as_of(asked, opened.zone), manifest, limit)
    if as_json:
        write_json(plain(found))
    else:
        _show(found, opened.zone)


def plain(found: Lineage) -> dict[str, Any]:
    """A lineage as plain values, for JSON."""
    from dataclasses import asdict

    return {
        "client": found.client, "indicator": found.indicator.describe(),
        "as_of": found.as_of.isoformat(), "manifest": found.manifest, "value": found.value,
        "coverage": found.coverage, "needs": [asdict(need) for need in found.needs],
        "tiles": [asdict(tile) | {"day": tile.day.isoformat()} for tile in found.tiles],
        "tiles_total": found.tiles_total,
        "peers": [asdict(group) for group in found.peers],
        "sources": [
            asdict(one) | {"rows": [{k: _text(v) for k, v in row.items()} for row in one.rows]}
            for one in found.sources
        ],
    }  # fmt: skip


def _text(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _show(found: Lineage, zone: ZoneInfo) -> None:
    item = found.indicator
    say("{name} of client {client}", name=item.title(), client=found.client)
    typer.echo(tr(item.definition))
    value = "–" if found.value is None else number(found.value, digits=4)
    say(
        "Value {value} ({unit}), as of {as_of}, manifest {manifest}; covered {share}",
        value=value, unit=item.unit_name(), manifest=found.manifest,
        as_of=found.as_of.astimezone(zone).isoformat(timespec="minutes"),
        share=percent(found.coverage),
    )  # fmt: skip
    for group in found.peers:
        _show_peers(group)
    say("Tile rows read: {count}", count=found.tiles_total)
    show(
        ["Tile", "Day", "Measures"],
        [
            [t.dataset, t.day.isoformat(), ", ".join(f"{k} {v}" for k, v in t.values.items())]
            for t in found.tiles
        ],
    )
    for source in found.sources:
        say(
            "Rows of {table} (version {version}): {count}",
            table=source.table, version=source.version, count=source.total,
        )  # fmt: skip
        if source.rows:
            names = list(source.rows[0])
            show(names, [[str(_text(row[n])) for n in names] for row in source.rows])


def _show_peers(group: PeerGroup) -> None:
    from keepwell.observe.indicators import get

    say(
        "Peers for {name}: fifth {fifth} of 5 by total assets (minor units above {low}, up to "
        "{high}), risk level C{level}",
        name=get(group.indicator).title(), fifth=group.fifth, level=group.level,
        low="0" if group.low is None else number(group.low),
        high="–" if group.high is None else number(group.high),
    )  # fmt: skip
    median = "–" if group.median is None else number(group.median, digits=4)
    say(
        "Peers with a number at the beginning of the day: {members} (at least {least} are needed); "
        "median {median}",
        members=group.members, least=group.least, median=median,
    )  # fmt: skip


__all__ = ["lineage", "plain", "register"]
