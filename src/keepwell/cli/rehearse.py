"""`keepwell rehearse`: a year of the loop in a simulated broker, beside rivals and the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, say, show, write_json
from keepwell.core.text import money, number, percent, tr

if TYPE_CHECKING:
    from keepwell.frame.context import Frame
    from keepwell.rehearsal.run import Rehearsed
    from keepwell.rehearsal.verdict import Verdict
    from keepwell.web.demo import DemoUser

POLICY_TITLES = {
    "": "before the loop",
    "keepwell": "with keepwell",
    "risk": "calling by risk alone",
    "random": "calling at random",
    "nobody": "calling nobody",
}
"""Policies, in English."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("rehearse")(rehearse)


def rehearse(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the rehearsal.", metavar="DIR")
    ] = Path("build/loop"),
    scenario: Annotated[
        str, typer.Option("--scenario", help="A scenario that comes with keepwell, or a YAML file.")
    ] = "calm-year",
    clients: Annotated[int, typer.Option("--clients", help="Number of clients.")] = 100_000,
    days: Annotated[int, typer.Option("--days", help="Days of the loop.")] = 365,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The luck: same seed, same world.")
    ] = 7,
    share: Annotated[float, typer.Option("--share", help="Share of the hold-out.")] = 0.2,
    minutes: Annotated[
        int,
        typer.Option("--minutes", help="Minutes a week that staff have for a manager's clients."),
    ] = 90,
    step: Annotated[int, typer.Option("--step", help="Days between two publications.")] = 28,
    rivals: Annotated[
        bool, typer.Option("--rivals/--no-rivals", help="Also call by risk alone and at random.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Live a year of the loop in a simulated broker, and set the estimate beside the truth."""
    from keepwell.frame.logs import configure
    from keepwell.rehearsal.plan import KEEPWELL, POLICIES, Plan
    from keepwell.rehearsal.run import rehearse as live
    from keepwell.world.scenario import load_scenario

    configure("error", "console")
    plan = Plan(
        load_scenario(scenario), seed, clients, days, step=step, share=share, minutes=minutes,
        policies=POLICIES if rivals else (KEEPWELL,),
    )  # fmt: skip
    people: list[DemoUser] = []

    def prepare(frame: Frame) -> None:
        from keepwell.web.demo import seed as hire

        people.extend(hire(frame))

    with _progress() as tell:
        done = live(plan, out, tell, prepare)
    if as_json:
        write_json([verdict.as_dict() for verdict in done.verdicts])
        return
    _show(done)
    _power(done.verdicts[0])
    _replay(done)
    _where(done, people)


def _show(done: Rehearsed) -> None:
    say(
        "Kept from {begin} until {end}, against a hold-out that nobody called to keep:",
        begin=done.begin, end=done.end,
    )  # fmt: skip
    show(
        ["Policy", "Contacts", "To who refused", "Minutes", "Clients kept", "95 % interval",
         "In truth", "Assets kept", "95 % interval", "In truth, cut alike", "In truth"],
        [_row(verdict) for verdict in done.verdicts],
        right=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), width=190,
    )  # fmt: skip
    say(
        "Assets: net flow at opening prices, cut at the 99 % quantile, which a few clients cannot "
        "tip. Services that are owed, such as solving complaints, are done under every policy and "
        "count for none."
    )
    for verdict in done.verdicts:
        if verdict.held_clients:
            say(
                "{policy}: {clients} clients of the hold-out stayed because others did; the "
                "estimate cannot know of them.",
                policy=tr(POLICY_TITLES[verdict.policy]), clients=round(verdict.held_clients),
            )  # fmt: skip


def _row(verdict: Verdict) -> tuple[object, ...]:
    one, two = verdict.clients, verdict.money
    return (
        tr(POLICY_TITLES[verdict.policy]), verdict.contacts, verdict.refusing,
        verdict.minutes,
        round(one.estimate), f"{number(one.low)} – {number(one.high)}", round(one.truth),
        _cny(two.estimate), f"{_cny(two.low)} – {_cny(two.high)}", _cny(two.truth_cut),
        _cny(two.truth),
    )  # fmt: skip


def _cny(minor: float) -> str:
    return money(round(minor), "CNY", compact=True)


def _power(verdict: Verdict) -> None:
    if verdict.detectable is None:
        say("So few clients show no effect of any size.")
        return
    say(
        "{treated} clients were to be contacted, {held} were held out, of whom {left} left. With "
        "so many a fall of {fall} points ({relative} of it) is seen with 80 % power.",
        treated=number(verdict.treated), held=number(verdict.held), left=percent(verdict.left),
        fall=number(-100 * verdict.detectable, digits=2),
        relative=percent(-verdict.detectable / verdict.left) if verdict.left else "–",
    )  # fmt: skip


def _replay(done: Rehearsed) -> None:
    """Every decision, recommendation, refusal, contact and outcome of a client, verified."""
    if done.client is None:
        return
    from keepwell.cli.ledger import ledger

    say("All about a client drawn by lot, made again and verified in the evidence log:")
    say("  keepwell ledger {client} --verify --workspace {folder}",
        client=done.client, folder=done.root)  # fmt: skip
    ledger(done.client, verify=True, workspace=done.root, as_json=False)


def _where(done: Rehearsed, people: list[DemoUser]) -> None:
    say("{seconds} s. Everything is in {folder}.", seconds=number(done.seconds), folder=done.root)
    say("The same on the page /results/kept; log in as one of these:")
    say("  keepwell serve --workspace {folder}", folder=done.root)
    show(
        ["user", "password", "role"],
        [(user.login, user.password, user.role.value) for user in people if user.password],
    )


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show on standard error what is lived, and how long it will take."""
    from rich.console import Console

    console = Console(stderr=True)
    seen: dict[str, tuple[float, int]] = {}
    told = 0.0

    def tell(policy: str, done: int, days: int) -> None:
        nonlocal told
        now = time.monotonic()
        if policy not in seen:
            seen[policy] = (now, done - 1)
        if done < days and now - told < 20:
            return
        told = now
        began, first = seen[policy]
        left = (now - began) / max(done - first, 1) * (days - done)
        console.print(
            tr(
                "{policy}: day {done} of {days}, about {left} min left of it",
                policy=tr(POLICY_TITLES[policy]), done=done, days=days,
                left=number(left / 60, digits=1),
            ),
            highlight=False,
        )  # fmt: skip

    yield tell
