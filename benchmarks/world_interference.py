"""How wrong is an experiment when clients who leave draw others after them?

    python benchmarks/world_interference.py [--clients N] [--trials N] [--markdown FILE] [--json]

Lives a small simulated brokerage on from one day, many times, with half of it treated: half of the
clients, half of the households, or half of the advisers' books. The difference between the two
halves is held against the truth: all treated against none, lived likewise.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keepwell.world.outcomes import Potential, live_on, potential
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.terms import ACTIONS, NEVER, OPEN

ACTION = "complaint_fast"
BEFORE, HORIZON, SEED = 45, 100, 5
DESIGNS = ("client", "household", "adviser")
_NONE = {"household": 0.0, "referrer": 0.0, "adviser": 0.0}
CASES: dict[str, dict[str, float]] = {
    "none": _NONE,
    "household": _NONE | {"household": 8.0, "resolve": 0.8},
    "referrer": _NONE | {"referrer": 8.0, "resolve": 0.8},
    "adviser": _NONE | {"adviser": 6.0, "resolve": 0.4},
    "all three": {"household": 8.0, "referrer": 8.0, "adviser": 6.0, "resolve": 0.4},
    "all three, default": {},
}
"""Who draws whom after her, and what that sets under `contagion`."""

# A crisis of trust at a broker whose clients decide quickly: much happens within the horizon.
HAZARD, STAGE_DAYS = 0.012, (30.0, 14.0, 9.0, 5.0)
CRISIS = {
    "hazard": HAZARD, "days": STAGE_DAYS, "at_peace": 1.0, "go_on": (0.62, 0.82, 0.90, 0.85),
}  # fmt: skip
BOOKS = {"per_adviser": 60.0, "per_manager": 60.0, "per_branch": 600.0}


@dataclass(frozen=True)
class Found:
    """One design under one contagion; effects are changes of the share who leave.

    Attributes:
        contagion: key of `CASES`.
        design: what is randomised.
        units: how many of them.
        total: the truth, all treated against none.
        mean: of the trials' differences.
        error: Monte-Carlo standard error of `mean`.
        spread: standard deviation of a single trial's difference.
    """

    contagion: str
    design: str
    units: int
    total: float
    mean: float
    error: float
    spread: float

    @property
    def bias(self) -> float:
        """Of the mean, against the truth."""
        return self.mean - self.total

    @property
    def lost(self) -> float:
        """Share of the true effect that the design does not see."""
        return 1 - self.mean / self.total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=6_000)
    parser.add_argument("--trials", type=int, default=60, help="randomisations of each design")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()
    begun = time.monotonic()
    with ProcessPoolExecutor(args.cores) as pool:
        jobs = [pool.submit(measure, case, args.clients, args.trials) for case in CASES]
        found = [one for job in jobs for one in job.result()]
    text = render(found, args.clients, args.trials, time.monotonic() - begun)
    if args.json:
        more = [asdict(one) | {"bias": one.bias, "lost": one.lost} for one in found]
        print(json.dumps(more, indent=1))
    else:
        print(text)
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(text, encoding="utf-8")
    # Whoever shares a contagion is randomised together: the truth must come out.
    whole = [one for one in found if one.contagion in ("none", one.design)]
    return int(any(abs(one.bias) > 4 * one.error + 1e-9 for one in whole))


def scenario_of(case: str) -> Scenario:
    """The crisis, with one kind of contagion."""
    return Scenario().with_(
        contagion=CASES[case], leaving=CRISIS, help={"effects": 2.0}, people={"staff": BOOKS}
    )


def measure(case: str, clients: int, trials: int) -> list[Found]:
    """All designs under one contagion."""
    world = World(scenario_of(case), SEED, clients, BEFORE + HORIZON, cores=1)
    for _ in range(BEFORE):
        world.pass_day()
    here = np.flatnonzero(world.state["status"] == OPEN)
    alone = potential(world, HORIZON, ("leave_alone", ACTION))
    total = float(leaving(world, here, here).mean() - alone.leaves("leave_alone").mean())
    units = {
        "client": np.arange(len(here)),
        "household": world.people.person["household"][here],
        "adviser": world.state["adviser"][here],
    }
    return [trial(world, case, design, units[design], alone, total, trials) for design in DESIGNS]


def leaving(world: World, here: Any, treated: Any) -> Any:
    """Who of the clients `here` leaves within the horizon; `treated` are places."""
    codes = np.full(len(treated), ACTIONS.index(ACTION))
    return live_on(world, treated, codes, HORIZON).left_day[here] != NEVER


def trial(
    world: World, case: str, design: str, unit: Any, alone: Potential, total: float, trials: int
) -> Found:
    """Randomise one kind of unit many times.

    The mean over trials is taken with a control variate: the same assignment's difference on the
    stored outcomes of each client alone, whose true mean is known. It takes away most of the luck
    of the draw and none of the bias.
    """
    here = alone.clients
    group = np.unique(unit, return_inverse=True)[1].reshape(-1)
    count = int(group.max()) + 1
    rng = np.random.default_rng([SEED, *design.encode()])
    y1, y0 = alone.leaves(ACTION), alone.leaves("leave_alone")
    direct = y1.mean() - y0.mean()
    raw, steady = np.empty(trials), np.empty(trials)
    for k in range(trials):
        chosen = rng.permutation(count) < count // 2
        treated = chosen[group]
        y = leaving(world, here, here[treated])
        raw[k] = y[treated].mean() - y[~treated].mean()
        steady[k] = raw[k] - (y1[treated].mean() - y0[~treated].mean()) + direct
    error = float(steady.std(ddof=1) / np.sqrt(trials))
    return Found(case, design, count, total, float(steady.mean()), error, float(raw.std(ddof=1)))


def render(found: list[Found], clients: int, trials: int, seconds: float) -> str:
    """The page."""
    made = (
        f"{clients:,} clients, {trials} randomisations of each design, {seconds / 60:.0f} minutes"
    )
    rows = [
        f"| {one.contagion} | {one.design} | {one.units:,} | {one.total * 100:.2f} | "
        f"{one.mean * 100:.2f} | {one.bias * 100:+.2f} | {one.error * 100:.2f} | "
        f"{one.lost * 100:.1f} % | {one.spread * 100:.2f} |"
        for one in found
    ]
    heads = (
        "leaving spreads by", "randomised by", "units", "true effect", "found, mean", "bias",
        "Monte-Carlo error", "share of the effect lost", "one experiment's standard error",
    )  # fmt: skip
    parts = [
        "# When clients draw others after them",
        f"Made by `python benchmarks/world_interference.py --markdown {PAGE}` ({made}).",
        _flow(INTRODUCTION.format(days=HORIZON, action=ACTION)),
        "\n".join([f"| {' | '.join(heads)} |", "|---|---|" + "--:|" * 7, *rows]),
        "What follows from it (in brackets, 95 % Monte-Carlo):",
        "\n".join(f"- {_flow(line)}" for line in _reading(found)),
        _flow(ADVICE),
        _flow(_conditions()),
        _flow(LUCK),
    ]
    return "\n\n".join(parts) + "\n"


PAGE = "docs/reference/world-interference.md"
INTRODUCTION = """
An experiment compares treated clients with others left alone. When leaving spreads, the treatment
reaches those left alone, too: a client who stays keeps her husband, those she referred, and the
mood among her adviser's clients. The difference between the two groups is then not what treating
everybody would bring. The table says by how much, in a simulated brokerage where the truth can be
lived: once with everybody treated, once with nobody. Effects are changes of the share of clients
who leave within {days} days, in points; the action is `{action}`; below 0 keeps clients.
"""
ADVICE = """
So randomise households, and read the effect as a lower bound where clients refer others or follow
an adviser. How the tests hold the household case, with intervals:
`tests/world/test_known_truth.py`.
"""
LUCK = """
The Monte-Carlo error is that of the mean over randomisations. It is small because each
randomisation is compared with the same assignment in the future where nobody reaches anybody else,
whose mean is known exactly; the last column is an experiment's own.
"""


def _reading(found: list[Found]) -> list[str]:
    by = {(one.contagion, one.design): one for one in found}

    def lost(case: str, design: str) -> str:
        one = by[case, design]
        return f"{one.lost * 100:.1f} % (± {abs(196 * one.error / one.total):.1f})"

    wider = by["adviser", "adviser"].spread / by["adviser", "client"].spread
    return [
        f"""Leaving that spreads within households: randomising clients loses
        {lost("household", "client")} of the effect, randomising whole households
        {lost("household", "household")}.""",
        f"""Along referrals: clients lose {lost("referrer", "client")}, households
        {lost("referrer", "household")}, advisers' books {lost("referrer", "adviser")}. None of the
        three keeps a referrer and those she referred together, so no design mends it, and a report
        has to say so.""",
        f"""Among an adviser's clients: clients lose {lost("adviser", "client")}, households
        {lost("adviser", "household")}, whole books {lost("adviser", "adviser")}. Books keep
        together who is touched, but they are few: one experiment's standard error is {wider:.1f}
        times that of randomised clients.""",
        f"""All three at once: clients lose {lost("all three", "client")}, households
        {lost("all three", "household")}, books {lost("all three", "adviser")}.""",
    ]


def _conditions() -> str:
    def told(values: dict[str, float]) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in values.items())

    cases = "; ".join(f"{case}: {told(values) or 'unchanged'}" for case, values in CASES.items())
    stages = ", ".join(f"{days:g}" for days in STAGE_DAYS)
    return f"""
    The world is a crisis on purpose, so that much happens within the horizon: the hazard of
    beginning to leave is {HAZARD:g} a day, the stages last {stages} days on average, effects are
    doubled, and an adviser has {BOOKS["per_adviser"]:g} clients. Parameters under `contagion`:
    {cases}. In quieter worlds all figures are smaller; the rows named default have the strengths
    that a scenario has when its file says nothing."""


def _flow(text: str) -> str:
    """A paragraph on one line."""
    return " ".join(text.split())


if __name__ == "__main__":
    raise SystemExit(main())
