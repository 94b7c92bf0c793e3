"""`keepwell lake compact`, `retain`, `vacuum` and `replay`: upkeep of the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json

if TYPE_CHECKING:
    from keepwell.frame.context import Frame
    from keepwell.observe.vacuum import VacuumReport
    from keepwell.observe.workspace import Workspace

RemoveOption = Annotated[
    bool, typer.Option("--remove", help="Do it; without it, what is due is only listed.")
]


def compact(
    workspace: WorkspaceOption = Path(),
    target: Annotated[
        int, typer.Option("--target", min=1, help="Size that files grow to, in MB.")
    ] = 128,
    as_json: JsonOption = False,
) -> None:
    """Make few files of many small ones, in the lake and in the tiles; no row changes."""
    from keepwell.observe.compact import compact as verb
    from keepwell.observe.workspace import Workspace

    report = verb(Workspace.open(workspace), target)
    if as_json:
        write_json(
            {
                "manifest": report.manifest,
                "tables": {
                    done.table: {"files": done.files, "bytes": done.size} for done in report.tables
                },
                "segments": report.segments,
            }
        )
        return
    if report.tables:
        show(
            ["Table", "Files before", "Files now", "MB before", "MB now"],
            [
                [done.table, *done.files, *(_megabytes(size) for size in done.size)]
                for done in report.tables
            ],
            right=(1, 2, 3, 4),
        )
    else:
        say("No table has small files to join.")
    if report.segments:
        say("Segments of the tiles: {count} fewer.", count=report.segments)


def vacuum(
    workspace: WorkspaceOption = Path(),
    keep_days: Annotated[
        float,
        typer.Option("--keep-days", min=0, help="Keep all manifests younger than so many days."),
    ] = 7.0,
    remove: RemoveOption = False,
    as_json: JsonOption = False,
) -> None:
    """List files of the lake that nothing needs any more; --remove removes them."""
    from datetime import UTC, datetime

    from keepwell.intervene.upkeep.pins import pins_of
    from keepwell.observe.vacuum import vacuum as verb
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    with desk_of(opened) as frame:
        pins = pins_of(opened, frame)
    report = verb(opened.lake, pins, datetime.now(UTC), keep_days, remove)
    if as_json:
        write_json(
            {
                "removed": report.removed,
                "retired": report.retired,
                "kept": report.kept,
                "missing": report.missing,
                "tables": {
                    due.table: {"files": due.files, "bytes": due.size} for due in report.tables
                },
            }
        )
        return
    _show_vacuum(report)


def _show_vacuum(report: VacuumReport) -> None:
    show(
        ["Manifest", "Kept for"], [[str(number), _few(why)] for number, why in report.kept.items()]
    )
    for number, why in report.missing.items():
        say("Manifest {number} is not there; it is named by: {why}.", number=number, why=_few(why))
    if report.tables:
        show(
            ["Table", "Files", "MB"],
            [[due.table, len(due.files), _megabytes(due.size)] for due in report.tables],
            right=(1, 2),
        )
    counts = {"manifests": len(report.retired), "files": report.files}
    if report.removed:
        say("Manifests retired: {manifests}; files removed: {files}.", **counts)
    elif report.retired or report.files:
        say("Manifests to retire: {manifests}; files to remove: {files}.", **counts)
        say("Nothing was removed; --remove does it.")
    else:
        say("Nothing is due.")


def retain(
    workspace: WorkspaceOption = Path(), remove: RemoveOption = False, as_json: JsonOption = False
) -> None:
    """List rows whose retention has ended; --remove takes them out of use, or removes them."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from keepwell.intervene.upkeep.pins import pins_of
    from keepwell.observe.retain import retain as verb
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    report = verb(opened, datetime.now(UTC), remove)
    with desk_of(opened) as frame:
        pinned = {n: who for n, who in pins_of(opened, frame).manifests.items()
                  if n < report.manifest or not remove}  # fmt: skip
    if as_json:
        write_json({**asdict(report), "pinned": pinned})
        return
    if not report.tables:
        say("No table of keepwell.yaml says how long its rows are kept.")
        return
    show(
        ["Table", "In use from", "On record from", "Rows out of use", "Rows removed",
         "Rows on hold", "Reasons of holds"],
        [
            [one.table, one.use_from, one.record_from or "–", one.leaving, one.removed, one.held,
             _few(one.reasons) or "–"]
            for one in report.tables
        ],
        right=(3, 4, 5),
    )  # fmt: skip
    for number, why in sorted(pinned.items()):
        say("Manifest {number} keeps its rows for: {why}.", number=number, why=_few(tuple(why)))
    if not remove:
        say("Nothing was removed; --remove does it.")
    elif any(one.leaving for one in report.tables):
        say("The files go with 'keepwell lake vacuum --remove', when no manifest needs them.")


def replay(
    name: Annotated[
        str | None,
        typer.Argument(help="Beginning of an archived ranking's name; default: all of them."),
    ] = None,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Judge archived decisions again by their vectors and model; nothing of the lake is read."""
    from keepwell.learn.archive import decisions_kept, find, replay_decisions
    from keepwell.observe.workspace import Workspace

    opened = Workspace.open(workspace)
    chosen = [find(opened, name)] if name else decisions_kept(opened)
    done = [replay_decisions(opened, kept) for kept in chosen]
    if as_json:
        write_json(
            [
                {
                    "name": one.kept.file.stem, "manifest": one.kept.manifest,
                    "model": one.kept.model, "as_of": one.kept.as_of, "clients": one.clients,
                    "differing": one.differing,
                }
                for one in done
            ]
        )  # fmt: skip
    elif done:
        show(
            ["Ranking", "Clients", "As archived", "Differing"],
            [
                [
                    one.kept.file.stem,
                    one.clients,
                    one.clients - len(one.differing),
                    len(one.differing),
                ]
                for one in done
            ],
            right=(1, 2, 3),
        )
    else:
        say("The archive holds no ranking yet; publishing one to the desk archives it.")
    if any(one.differing for one in done):
        raise typer.Exit(1)


@contextmanager
def desk_of(workspace: Workspace) -> Iterator[Frame | None]:
    """The workspace's desk, checked; None where it has none.

    Args:
        workspace: the workspace.

    Raises:
        UsageError: its database needs 'keepwell migrate'.
    """
    from keepwell.api import has_desk

    if not has_desk(workspace):
        yield None
        return
    from keepwell import rooms
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import check

    rooms.load("model")
    frame = Frame.open(workspace)
    try:
        check(frame)
        yield frame
    finally:
        frame.close()


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f}"


def _few(names: tuple[str, ...], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, … ({len(names)})"
