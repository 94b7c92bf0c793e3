"""`keepwell world`: a simulated brokerage whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.cli.terminal import JsonOption, say, show, write_json
from keepwell.core.text import current_locale, number, tr

if TYPE_CHECKING:
    from keepwell.world.files.write import Written

group = typer.Typer(no_args_is_help=True, help="Simulate a brokerage whose truth is known.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(group, name="world")


@group.command("new")
def new(
    out: Annotated[Path, typer.Option("--out", help="Folder for the world.", metavar="DIR")],
    clients: Annotated[int, typer.Option("--clients", min=1, help="Number of clients.")] = 20_000,
    days: Annotated[int, typer.Option("--days", min=1, help="Number of days.")] = 600,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The luck: same seed, same world.")
    ] = 7,
    scenario: Annotated[
        str, typer.Option("--scenario", help="A scenario that comes with keepwell, or a YAML file.")
    ] = "calm-year",
    start: Annotated[
        datetime | None,
        typer.Option("--start", formats=["%Y-%m-%d"], help="First day; default: the scenario's."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a brokerage: files keepwell can read, and beside them the truth it never reads."""
    from keepwell.world.files.write import write_world
    from keepwell.world.scenario import load_scenario

    first: date | None = start.date() if start else None
    with _progress(quiet=as_json) as tell:
        made = write_world(load_scenario(scenario), clients, days, seed, out, first, tell)
    if as_json:
        write_json(_summary(made))
    else:
        _show(made)


@group.command("scenarios")
def scenarios(as_json: JsonOption = False) -> None:
    """List the scenarios that come with keepwell."""
    from keepwell.world.scenario import load_scenario, shipped

    known = {name: load_scenario(name) for name in shipped()}
    if as_json:
        write_json({name: found.title.model_dump() for name, found in known.items()})
        return
    zh = current_locale() == "zh"
    show(
        ["Name", "Scenario", "Begins", "Happenings"],
        [
            [name, s.title.zh if zh else s.title.en, s.start, len(s.happenings)]
            for name, s in known.items()
        ],
        right=(3,),
    )


def _show(made: Written) -> None:
    show(["Table", "Rows"], [[name, rows] for name, rows in _rows(made).items()], right=(1,))
    say(
        "{rows} rows of {tables} tables in {seconds} s.",
        rows=number(sum(made.rows.values())),
        tables=len(_rows(made)),
        seconds=number(made.seconds, digits=1),
    )
    say("For keepwell: {folder}", folder=made.folder / "keepwell.yaml")
    say("The truth, which keepwell never reads: {folder}", folder=made.folder / "truth")
    say("Next: run the main job on it:")
    say("  keepwell demo --workspace {folder}", folder=made.folder)


def _summary(made: Written) -> dict[str, Any]:
    return {
        "folder": str(made.folder),
        "rows": _rows(made),
        "truth": dict(sorted(made.truth.items())),
        "seconds": round(made.seconds, 3),
    }


def _rows(made: Written) -> dict[str, int]:
    """Rows of every table of the contract, in its order."""
    from keepwell.observe.contract import TABLES

    return {name: made.rows.get(name, 0) for name in TABLES}


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int, int], None] | None]:
    """Show on standard error how far a world is, when a person is watching."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("") as status:

        def tell(done: int, days: int, rows: int) -> None:
            status.update(
                tr("Day {done} of {days}, {rows} rows", done=done, days=days, rows=number(rows))
            )

        yield tell
