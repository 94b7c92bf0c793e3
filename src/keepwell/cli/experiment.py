"""`keepwell experiment`: list experiments, show one, ask the calculator, look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import current_locale, number, percent, tr

if TYPE_CHECKING:
    from keepwell.frame.context import Frame
    from keepwell.learn.experiment.schema import ExperimentOut

_app = typer.Typer(no_args_is_help=True, help="Experiments of the desk.")

IdArgument = Annotated[str, typer.Argument(help="Number of the experiment.", metavar="EXPERIMENT")]
_PERCENT = "in per cent."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(_app, name="experiment")


@contextmanager
def _opened(workspace: Path) -> Iterator[Frame]:
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


@_app.command("list")
def list_all(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List experiments, newest first."""
    from keepwell.learn.experiment import service
    from keepwell.learn.experiment import show as words

    with _opened(workspace) as frame, frame.read() as tx:
        rows, _ = service.list_experiments(tx, None, 500, None)
        found = words.shorts(tx, rows)
    if as_json:
        write_json([one.model_dump(mode="json") for one in found])
    elif not found:
        say("No experiment has been set up yet.")
    else:
        show(
            ["Experiment", "Title", "State", "Drawn", "Planned"],
            [
                (one.experiment_id, one.title, one.state, number(one.units),
                 number(one.planned_units))
                for one in found
            ],
        )  # fmt: skip


@_app.command("show")
def show_one(
    experiment_id: IdArgument, workspace: WorkspaceOption = Path(), as_json: JsonOption = False
) -> None:
    """Show one experiment with its draws and looks."""
    from keepwell.learn.experiment import service
    from keepwell.learn.experiment import show as words

    with _opened(workspace) as frame, frame.read() as tx:
        found = words.whole(tx, service.read(tx, experiment_id), current_locale())
    _told(found, as_json)


@_app.command("look")
def look(
    experiment_id: IdArgument,
    guardrails: Annotated[
        bool, typer.Option("--guardrails", help="Read harm alone, which may be done at any time.")
    ] = False,
    final: Annotated[
        bool, typer.Option("--final", help="The last look: nobody more will be drawn.")
    ] = False,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Look at an experiment, and keep what was found."""
    from keepwell.learn.experiment import reading, service
    from keepwell.learn.experiment import show as words
    from keepwell.learn.experiment.schema import LookIn
    from keepwell.trust.access.policy import LOCAL

    asked = LookIn(kind="guardrails" if guardrails else "planned", final=final)
    with _opened(workspace) as frame:
        with frame.read() as tx:
            material = reading.gather(tx, experiment_id, asked)
        seen = reading.examine(frame, material)
        with frame.write() as tx:
            reading.conclude(tx, LOCAL, material, seen)
            found = words.whole(tx, service.read(tx, experiment_id), current_locale())
    _told(found, as_json)


@_app.command("power")
def power(
    base: Annotated[
        float | None,
        typer.Option("--base", help=f"Who leave without help, {_PERCENT} Default: the book's."),
    ] = None,
    effect: Annotated[
        float, typer.Option("--effect", help=f"Smallest relative reduction wanted, {_PERCENT}")
    ] = 20.0,
    treated: Annotated[int, typer.Option("--treated", help="Treated arms.")] = 1,
    control: Annotated[
        float, typer.Option("--control", help=f"Share of the control, {_PERCENT}")
    ] = 50.0,
    looks: Annotated[int, typer.Option("--looks", help="Looks, equally spaced.")] = 4,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Calculate how many clients a test needs, and what those there are can show."""
    from pydantic import ValidationError

    from keepwell.core.errors import UsageError
    from keepwell.learn.experiment import service
    from keepwell.learn.experiment.schema import PowerIn
    from keepwell.trust.access.policy import LOCAL

    try:
        asked = PowerIn(
            base=None if base is None else base / 100, effect=effect / 100, treated=treated,
            control_share=control / 100, looks=looks,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            "experiment.value-wrong", name=first["loc"][0], expected=first["msg"],
            value=first["input"],
        ) from None  # fmt: skip
    with _opened(workspace) as frame, frame.read() as tx:
        found = service.power(tx, LOCAL, asked)
    if as_json:
        write_json(found.model_dump(mode="json"))
        return
    if found.needed is None:
        say("Nobody in the book has a chance to leave yet; say how many leave without help.")
        return
    least = tr("None") if found.detectable is None else percent(found.detectable)
    for name, value in (
        ("Clients needed", number(found.needed)),
        ("Clients in question in the book", number(found.clients)),
        ("Smallest effect shown with the clients there are", least),
    ):
        say("{name}: {value}", name=tr(name), value=value)


def _told(found: ExperimentOut, as_json: bool) -> None:
    if as_json:
        write_json(found.model_dump(mode="json"))
        return
    for name, value in (
        ("Title", found.title), ("State", found.state),
        ("Planned", number(found.planned_units)), ("Drawn", number(found.units)),
    ):  # fmt: skip
        say("{name}: {value}", name=tr(name), value=value)
    for one in found.looks:
        typer.echo(f"{one.number}. {one.words}")
        for arm in one.arms:
            typer.echo(f"   {arm.gate_words}")
