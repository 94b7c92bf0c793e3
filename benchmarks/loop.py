"""The loop's claims: do intervals cover the truth, are looks honest, read-out and advice fast?

    python benchmarks/loop.py --coverage [--draws 2000] [--clients 2500]
    python benchmarks/loop.py --speed [--units 1000000] [--metrics 6]
    python benchmarks/loop.py --recommend [--advised 100000] [--cases 20000]
    python benchmarks/loop.py --markdown

Coverage redraws assignments over stored potential outcomes of the simulated brokerage and counts;
the bounds are those that a binomial with the wanted share allows at 99 %. Speed is compared with
tea-tasting in the same run, where it is installed. Ends with 1 when a claim does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import loop_actions
from loop_experiments import Counted, Timed, alarms, covered, faults, speed, store

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks-experiments.md"
HEAD = """# Experiments: coverage, false alarms, speed

Made by `python benchmarks/loop.py --markdown`. A small simulated brokerage lives to the day of a
decision; every client's future is then lived twice, treated and left alone, and assignments are
redrawn over the two stored futures. The truth is the average effect over the very same clients.
It is a crisis on purpose, with effects doubled and without contagion, so that much happens within
the horizon. Arms: 80 % treated, 20 % hold-out, blocked by manager and quarter of assets. `left`:
the share of clients who leave within 100 days; `kept`: assets held at the end, winsorised at the
99th percentile; both with assets before as CUPED's covariate."""
FOOT = """A share fails when a binomial with the wanted share would give it in less than half a per
cent of cases. Intervals may be wider than needed: they allow for effects that differ between
clients and between managers, which stored futures show and no real experiment can subtract.
Amounts that are not winsorised carry no claim: at this size a few rich clients decide. False alarms
are of four looks at arms that do nothing, clustered by manager."""
WANTED_SECONDS = 3.0
ADVICE_PAGE = PAGE.with_name("benchmarks-loop.md")
ADVICE_HEAD = """# Recommendations: speed

Made by `python benchmarks/loop.py --recommend --markdown`. Many clients: facts of every risk level,
tier, consent and history of contacts, every rule and limit asked, values known; the best of the
rounds, on one core. One case: through the desk's own service on SQLite, from the rows of the
rooms to the script; the middle of {asked:,} cases, read only, and then stored with its refusals and
its evidence, synced to the disk. {cores} cores."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--recommend", action="store_true")
    parser.add_argument("--advised", type=int, default=100_000, help="clients recommended for")
    parser.add_argument("--cases", type=int, default=20_000, help="of the desk on SQLite")
    parser.add_argument("--asked", type=int, default=500, help="cases asked about")
    parser.add_argument("--draws", type=int, default=2_000, help="assignments to draw")
    parser.add_argument("--clients", type=int, default=2_500, help="of the simulated brokerage")
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--metrics", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--markdown", action="store_true", help=f"do both, write {PAGE.name}")
    args = parser.parse_args()
    if args.recommend:
        return recommend(args)
    counted: list[Counted] = []
    timed: list[Timed] = []
    if args.coverage or args.markdown:
        counted = count(args.clients, args.draws, args.cores)
    if args.speed or args.markdown:
        timed = speed(args.units, args.metrics, args.rounds)
    parts = []
    if counted:
        parts.append(render_counts(counted, args.clients, args.draws))
    if timed:
        parts.append(render_times(timed, args.units, args.metrics))
    if args.json:
        held = [asdict(one) | {"bounds": one.bounds, "fine": one.fine} for one in counted]
        print(json.dumps({"coverage": held, "speed": [asdict(one) for one in timed]}, indent=1))
    else:
        print("\n\n".join(parts))
    if args.markdown:
        PAGE.write_text("\n\n".join([HEAD, *parts, FOOT]) + "\n", encoding="utf-8")
    fast = all(one.seconds <= WANTED_SECONDS for one in timed if "keepwell" in one.what)
    return 0 if fast and all(one.fine for one in counted) else 1


def recommend(args: argparse.Namespace) -> int:
    """Time recommendations; 1 when one is slower than wanted."""
    found = [
        loop_actions.many(args.advised, args.rounds),
        *loop_actions.one(args.cases * 2, args.cases, args.asked),
    ]
    table = loop_actions.render(found)
    print(json.dumps([asdict(one) for one in found], indent=1) if args.json else table)
    if args.markdown:
        head = ADVICE_HEAD.format(asked=args.asked, cores=os.cpu_count())
        ADVICE_PAGE.write_text(f"{head}\n\n{table}\n", encoding="utf-8")
    return 0 if all(one.fine for one in found) else 1


def count(clients: int, draws: int, cores: int) -> list[Counted]:
    """All counts, the draws shared out among processes; of faults a tenth, they are not subtle."""
    jobs = [(clients, draws // cores + (k < draws % cores), k * draws) for k in range(cores)]
    with ProcessPoolExecutor(cores) as pool:
        shares = list(pool.map(_share, jobs))
    return [
        replace(same[0], times=sum(c.times for c in same), of=sum(c.of for c in same))
        for same in zip(*shares, strict=True)
    ]


def _share(job: tuple[int, int, int]) -> list[Counted]:
    clients, draws, first = job
    stored = store(clients)
    counted = covered(stored, draws, first) + alarms(stored, draws, first)
    return counted + faults(stored, max(draws // 10, 1), first)


def render_counts(counted: list[Counted], clients: int, draws: int) -> str:
    """The counts as a table."""
    heads = ("what", "share", "wanted", "bounds at 99 %", "")
    rows = []
    for one in counted:
        low, high = (b / one.of for b in one.bounds)
        bounds = f">= {low:.2%}" if one.least else f"<= {high:.2%}"
        sign = "at least" if one.least else "at most"
        share = f"{one.times / one.of:.2%} of {one.of:,}"
        mark = "fine" if one.fine else "WRONG"
        if not one.wanted:
            mark = "no claim"
        elif one.what.startswith("interval") and one.times > one.bounds[1]:
            mark = "fine, wider than needed"
        rows.append(f"| {one.what} | {share} | {sign} {one.wanted:.1%} | {bounds} | {mark} |")
    made = f"{draws:,} assignments redrawn over a simulated brokerage of {clients:,} clients:"
    return "\n".join([made, "", f"| {' | '.join(heads)} |", "|---|---|---|---|---|", *rows])


def render_times(timed: list[Timed], units: int, metrics: int) -> str:
    """The times as a table, with the ratio to the peer."""
    peer = next((one.seconds for one in timed if "keepwell" not in one.what), None)
    rows = [
        f"| {one.what} | {one.seconds:.2f} | {one.cpu:.2f} | "
        + (f"{one.seconds / peer:.2f} |" if peer else "tea-tasting is not installed |")
        for one in timed
    ]
    made = (
        f"Read-out of {units:,} units, {metrics} metrics; wanted: {WANTED_SECONDS:g} s. "
        f"Wall clock, least of the rounds, {os.cpu_count()} cores:"
    )
    heads = "| way | seconds | of CPU | of tea-tasting |\n|---|--:|--:|--:|"
    return "\n".join([made, "", heads, *rows])


if __name__ == "__main__":
    raise SystemExit(main())
