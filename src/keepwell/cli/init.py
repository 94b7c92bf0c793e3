"""`keepwell init`: a commented keepwell.yaml, proposed from the files found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, say, show, write_json

if TYPE_CHECKING:
    from keepwell.observe.init import InitReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new workspace.")] = Path(),
    data: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Propose a mapping of the files in it."),
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="The exchange's zone.")
    ] = "Asia/Shanghai",
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code.")] = "CNY",
    as_json: JsonOption = False,
) -> None:
    """Write a commented keepwell.yaml; with --from, proposed from your files."""
    from keepwell.observe.init import init as run

    report = run(folder, data, timezone, currency)
    if as_json:
        write_json(_plain(report))
        return
    if report.sources:
        show(
            ["Source", "File", "Rows", "Misfits", "Encoding", "Columns"],
            [
                [
                    s.name,
                    s.path,
                    s.rows,
                    s.refused,
                    s.source.encoding if s.source.format == "csv" else "",
                    s.fault or ", ".join(f"{c.name}: {c.type}" for c in s.columns),
                ]
                for s in report.sources
            ],
            right=(2, 3),
        )
    if report.tables:
        show(
            ["Table", "Source", "Columns found", "Not found", "Days"],
            [
                [
                    t.table,
                    t.source,
                    ", ".join(f"{c} = {n}" for c, n in t.found.items()),
                    ", ".join(t.missing),
                    f"{t.covers[0]} – {t.covers[1]}" if t.covers else "",
                ]
                for t in report.tables
            ],
        )
    say("{path} is written. Read it, correct it, then try 'keepwell check'.", path=report.path)


def _plain(report: InitReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "sources": [
            {
                "name": s.name,
                "path": s.path,
                "rows": s.rows,
                "refused": s.refused,
                "encoding": s.source.encoding if s.source.format == "csv" else None,
                "columns": {c.name: c.type for c in s.columns},
                "fault": s.fault or None,
            }
            for s in report.sources
        ],
        "tables": [
            {
                "table": t.table,
                "source": t.source,
                "found": t.found,
                "missing": list(t.missing),
                "covers": [str(day) for day in t.covers] if t.covers else None,
            }
            for t in report.tables
        ],
    }
