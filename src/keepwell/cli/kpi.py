"""`keepwell kpi`: key figures and the two-weekly report, straight on the workspace's desk.

Whoever may run this on the machine of the database is trusted; what it writes is in the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json

if TYPE_CHECKING:
    from keepwell.frame.context import Frame

WIDTH = 120
"""Columns that the table needs; narrower, or piped, values would be broken."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    kpi = typer.Typer(no_args_is_help=True, help="Key figures, reviews, the two-weekly report.")
    kpi.command("list")(list_kpis)
    kpi.command("compute")(compute)
    kpi.command("report")(report)
    app.add_typer(kpi, name="kpi")


@contextmanager
def _desk(workspace: Path) -> Iterator[Frame]:
    from keepwell import rooms
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import check

    rooms.load_all()
    frame = Frame.open(workspace)
    try:
        check(frame)
        yield frame
    finally:
        frame.close()


def list_kpis(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List every key figure with its newest complete month, target and review."""
    from keepwell.intervene.kpi import service
    from keepwell.trust.access.policy import LOCAL

    with _desk(workspace) as frame, frame.read() as tx:
        found = service.list_kpis(tx, LOCAL).items
        currency = frame.currency
    if as_json:
        write_json([item.model_dump(mode="json") for item in found])
        return
    from keepwell.core.text import current_locale, tr
    from keepwell.intervene.kpi.report_page import month_words
    from keepwell.learn.kpi.words import absent_words, interval_words, value_words

    rows = []
    for item in found:
        newest, locale = item.newest, current_locale()
        why = absent_words(newest.absent, locale) if newest and newest.absent else ""
        rows.append(
            (
                item.kpi_id, service.kpi_of(item.kpi_id).title.say(),
                month_words(newest.month, locale) if newest else None,
                why or value_words(item.unit, newest.value if newest else None, currency),
                interval_words(item.unit, newest.low, newest.high, currency) if newest else None,
                tr("not set") if item.target is None
                else value_words(item.unit, item.target, currency),
                item.review_id,
            )
        )  # fmt: skip
    heads = ("Key figure", "Name", "Month", "Figure", "95 % interval", "Target", "review open")
    show(heads, rows, width=WIDTH)


def compute(
    workspace: WorkspaceOption = Path(),
    again: Annotated[
        bool,
        typer.Option("--again", help="Also what was computed; what differs becomes a revision."),
    ] = False,
    months: Annotated[
        int, typer.Option("--months", min=1, max=60, help="Complete months looked at.")
    ] = 12,
    as_json: JsonOption = False,
) -> None:
    """Compute complete months that have no figure, and open reviews that are due."""
    from keepwell.intervene.kpi import making

    with _desk(workspace) as frame:
        stored = making.compute(frame, again=again, months=months)
    if as_json:
        write_json({"stored": stored})
    else:
        say("{count} values stored.", count=stored)


def report(
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="Days told of.")] = 14,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a report of the days before today, in both languages, as one HTML file."""
    from keepwell.core.days import local_day, to_date
    from keepwell.core.digest import digest_of
    from keepwell.core.files import atomic_write
    from keepwell.intervene.kpi import reports
    from keepwell.intervene.kpi.report_page import render
    from keepwell.trust.access.policy import LOCAL

    with _desk(workspace) as frame, frame.write() as tx:
        until = to_date(local_day(tx.at, frame.zone))
        figures = reports.gather(tx, until - timedelta(days=days), until)
        digest = digest_of(figures)
        reports.told(tx, LOCAL, "file", figures, digest)
    atomic_write(out, render(figures, digest))
    if as_json:
        write_json({"file": str(out), "digest": digest})
    else:
        say("Written: {file}", file=out)
