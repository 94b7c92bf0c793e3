"""`keepwell explain CLIENT`: why one client has its score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import current_locale, number, percent, tr

if TYPE_CHECKING:
    from keepwell.learn.explain import ClientExplanation


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("explain")(explain)


def explain(
    client: Annotated[str, typer.Argument(help="The client's id.")],
    workspace: WorkspaceOption = Path(),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Instant or YYYY-MM-DD; default: the ranking date."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a client has its score, with the client's own numbers and what changed in a week."""
    from keepwell.api import explain, open

    opened = open(workspace)
    found = explain(opened, client, as_of)
    if as_json:
        write_json(found.to_json(current_locale(), opened.currency))
    else:
        show_explanation(found, opened.currency, opened.zone)


def show_explanation(found: ClientExplanation, currency: str, zone: ZoneInfo) -> None:
    """Write an explanation for people."""
    from keepwell.warn.risk import NOTES, Note
    from keepwell.warn.tier import TITLES, Tier

    as_of = found.as_of.astimezone(zone).isoformat(timespec="minutes")
    say(
        "Client {client} at {as_of}, model {model}",
        client=found.client, as_of=as_of, model=found.version,
    )  # fmt: skip
    say("Coverage: {share} of the indicators", share=percent(found.coverage))
    if found.score is None or found.explanation is None or found.tier is None:
        say(NOTES[Note(found.note)])
        return
    say(
        "Score {score} ({tier}), probability {probability}",
        score=number(found.score, digits=1),
        tier=tr(TITLES[Tier[found.tier.upper()]]),
        probability=percent(found.probability or 0.0),
    )
    if found.week_ago is not None:
        say("A week ago: {score}", score=number(found.week_ago, digits=1))
    rows = [
        [
            r.words(None, currency),
            tr(r.cause.title()),
            number(r.push, digits=2),
            number(found.changed[str(r.code)], digits=2) if str(r.code) in found.changed else "",
        ]
        for r in found.explanation.reasons
    ]
    show(["Reason", "Cause", "Push (log-odds)", "Change in a week"], rows, right=(2, 3))
    if not rows:
        say("Nothing pushes this score up.")
    say(
        "Client part {client}, market part {market}, base {base} (log-odds)",
        client=number(found.explanation.client_part, digits=2),
        market=number(found.explanation.market_part, digits=2),
        base=number(found.explanation.base, digits=2),
    )
