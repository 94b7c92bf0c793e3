"""`keepwell compute`: everybody's indicators as a Delta table, for those who model elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keepwell.cli.engine import BucketsOption, EngineName, EngineOption, MasterOption, chosen
from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compute")(compute)


def compute(
    as_of: Annotated[str, typer.Option("--as-of", help="Date, YYYY-MM-DD, or an ISO instant.")],
    workspace: WorkspaceOption = Path(),
    indicator: Annotated[
        list[str] | None,
        typer.Option("--indicator", help="Only this one; may be repeated.", metavar="ID"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the table; default: out/indicators.", metavar="DIR"),
    ] = None,
    engine: EngineOption = EngineName.LOCAL,
    master: MasterOption = None,
    buckets: BucketsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the indicators of all clients at an instant and write them as a Delta table."""
    from keepwell.api import export, open

    with chosen(engine, master, buckets) as opener:
        found = export(open(workspace), as_of, out, indicator, opener)
    if as_json:
        write_json(
            {"folder": str(found.folder), "version": found.version, "clients": found.clients,
             "indicators": found.indicators, "files": found.files}
        )  # fmt: skip
        return
    say(
        "{clients} clients, {indicators} indicators as of {as_of}, in {files} files: version "
        "{version} of the Delta table",
        clients=found.clients, indicators=found.indicators, as_of=as_of, files=found.files,
        version=found.version,
    )  # fmt: skip
    typer.echo(f"  {found.folder}")
