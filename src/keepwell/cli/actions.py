"""`keepwell actions`: the catalogue of actions in force, or the check of a file of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json

if TYPE_CHECKING:
    from keepwell.intervene.action.catalogue import Action


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("actions")(actions)


def actions(
    workspace: WorkspaceOption = Path(),
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Check a file of actions, and nothing else."),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="The day; default: today.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the actions in force: the shipped ones and those of the workspace's actions.yaml."""
    from keepwell.core.days import parse_as_of
    from keepwell.intervene.action.catalogue import Catalogue

    if check is not None:
        before = Catalogue.shipped()
        added = len(before.with_file(check).versions) - len(before.versions)
        if as_json:
            write_json({"file": str(check), "actions": added})
        else:
            say("{file} is in order: {count} actions.", file=check, count=added)
        return
    day = (parse_as_of(on, ZoneInfo("UTC")) if on else datetime.now(UTC)).date()
    found = list(Catalogue.of_workspace(workspace).on(day))
    if as_json:
        write_json([_plain(action) for action in found])
        return
    heads = (
        "Action", "Name", "Who does it", "Minutes", "Ways", "Tiers it fits", "Suitability need",
        "Cut in leaving",
    )  # fmt: skip
    show(heads, [_row(action) for action in found], right=(3,))
    say(
        "{count} actions in force on {day}. Minutes, costs and effects are assumptions until you "
        "set your own or prove them.",
        count=len(found),
        day=day,
    )


def _plain(action: Action) -> dict[str, Any]:
    return action.model_dump(mode="json", by_alias=True) | {"digest": action.digest()}


def _row(action: Action) -> tuple[object, ...]:
    from keepwell.intervene.action.page import channels, effect, need, tiers

    return (
        action.name, action.title.say(), action.who.title(), action.minutes, channels(action),
        tiers(action), need(action), effect(action),
    )  # fmt: skip
