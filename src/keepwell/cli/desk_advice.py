"""How `keepwell desk recommend` shows an answer: what to do, what to say, why nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from keepwell.cli.terminal import say, show
from keepwell.core.text import current_locale, money, percent, tr

if TYPE_CHECKING:
    from keepwell.client import Item


def show_advice(found: Item) -> None:
    """Write a recommendation as GET /cases/{case_id}/recommendation gives it."""
    first = [*found["owed"], *([found["best"]] if found["best"] else [])]
    if not first:
        say("Nothing is recommended now.")
    for option in first:
        owed = option in found["owed"]
        words = tr("Owed to the client") if owed else tr("What to do")
        typer.echo(f"{words}: {option['title']} ({option['action_id']}@{option['version']})")
        typer.echo(f"  {_how(option)}")
        typer.echo(f"  {option['text']}")
        if not owed:
            typer.echo(f"  {_worth(found, option)}")
    if found["runner_up"]:
        after = found["runner_up"]
        typer.echo(f"{tr('Otherwise:')} {after['title']} · {_how(after)}")
    if found["script"]:
        typer.echo("")
        typer.echo(f"{tr('What to say')} ({found['script']['script_id']})")
        typer.echo(found["script"]["text"])
        if found["script"]["note"]:
            typer.echo(f"{tr('For you alone:')} {found['script']['note']}")
    if found["refusals"]:
        typer.echo("")
        say("Why nothing else")
        show(
            ["Action", "Why", "Rules"],
            [(r["title"], r["words"], ", ".join(r["rules"])) for r in found["refusals"]],
        )


def _how(option: Any) -> str:
    from keepwell.intervene.action.gate import ANSWER_TITLES, Answer
    from keepwell.intervene.contact.policy import CHANNEL_TITLES, Channel

    parts = [option["who_title"], tr("{n} minutes", n=option["minutes"])]
    if option["channel"]:
        parts.append(tr(CHANNEL_TITLES[Channel(option["channel"])]))
    if option["until"]:
        at = datetime.fromisoformat(option["until"]).astimezone()
        parts.append(tr("not before {at}", at=f"{at:%Y-%m-%d %H:%M}"))
    else:
        parts.append(tr(ANSWER_TITLES[Answer(option["answer"])]))
    return " · ".join([*parts, *([option["words"]] if option["words"] else [])])


def _worth(found: Any, option: Any) -> str:
    if option["expected"] is not None:
        amount = money(option["expected"], found["currency"], current_locale())
        worth = tr("Expected value {amount}.", amount=amount)
    elif found["basis"] == "value":
        worth = tr("Ordered by expected value.")
    else:
        worth = tr("Client value unknown: ordered by the assumed effect alone.")
    share = percent(option["reduction"], current_locale(), 0)
    if option["proven"]:
        told = "Lowers the chance of leaving by {share}, as an experiment has shown: {source}."
        return f"{worth} {tr(told, share=share, source=option['source'])}"
    told = "Taken to lower the chance of leaving by {share}; assumed, not proven."
    return f"{worth} {tr(told, share=share)}"
