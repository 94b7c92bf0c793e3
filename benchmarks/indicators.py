"""Indicators of 300,000 clients: keepwell's kernel against DuckDB, Polars and a bare scan.

    python benchmarks/indicators.py [--clients N] [--work DIR] [--markdown FILE] [--json]

Generates events (about 100 trades, 100 sessions and 20 cash flows per client in two years), builds
tiles, and runs every peer in a process of its own in one go. All compute the same indicators as of
the same day and must agree to 1e-9. Exit code 1 when they do not, or when a goal is missed with
--strict.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import indicators_data as data
import numpy as np
from indicators_peers import PEERS, REFRESHED
from indicators_spec import shapes

_ORDER = ("kernel", "duckdb", "duckdb-resident", "polars", "scan", "duckdb-refresh")
_NAMES = {
    "kernel": "keepwell kernel, mapped tiles",
    "duckdb": "DuckDB, tiles in Parquet",
    "duckdb-resident": "DuckDB, tiles resident",
    "polars": "Polars, tiles in Parquet",
    "scan": "bare scan of all events",
}
TOLERANCE = 1e-9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=300_000)
    parser.add_argument("--work", type=Path, default=Path("build/bench-indicators"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument("--json", action="store_true", help="print the measurements as JSON")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--peer", choices=("data", *PEERS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    work = args.work.resolve() / str(args.clients)
    work.mkdir(parents=True, exist_ok=True)
    if args.peer == "data":
        data.generate(work / "data", args.clients)
        print("{}")
        return 0
    if args.peer:
        print(json.dumps(asdict(PEERS[args.peer](work, args.repeats))))
        return 0
    measured = {peer: _measure(peer, args) for peer in ("data", "build", *_ORDER)}
    worst = {peer: _difference(work, peer) for peer in ("duckdb", "polars")}
    report = summarise(work, measured, worst)
    text = render(report)
    print(json.dumps(report, indent=1) if args.json else text)
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(text, encoding="utf-8")
    agreed = all(value <= TOLERANCE for value in worst.values())
    met = all(goal["met"] for goal in report["goals"])
    return 0 if agreed and (met or not args.strict) else 1


def _measure(peer: str, args: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--peer", peer, "--clients", str(args.clients),
               "--work", str(args.work), "--repeats", str(args.repeats)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"peer {peer} failed:\n{done.stderr}")
    print(f"  {peer}: measured", file=sys.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _difference(work: Path, peer: str) -> float:
    """Largest relative difference from the kernel; infinite where only one is absent."""
    ours = np.load(work / "values-kernel.npy", mmap_mode="r")
    theirs = np.load(work / f"values-{peer}.npy", mmap_mode="r")
    worst = 0.0
    for column, name in enumerate(s.name for s in shapes()):
        a, b = np.asarray(ours[:, column]), np.asarray(theirs[:, column])
        if (np.isnan(a) != np.isnan(b)).any():
            print(f"  {peer}: {name} is absent in one only", file=sys.stderr)
            return float("inf")
        gap = np.abs(a - b) / np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
        found = float(np.nanmax(gap)) if len(gap) else 0.0
        if found > TOLERANCE:
            print(f"  {peer}: {name} differs by {found:.2g}", file=sys.stderr)
        worst = max(worst, found)
    return worst


def summarise(work: Path, measured: dict[str, Any], worst: dict[str, float]) -> dict[str, Any]:
    """Measurements, ratios and goals."""

    def cpu(peer: str, step: str = "compute") -> float:
        return float(measured[peer]["steps"][step][1])

    def wall(peer: str, step: str) -> float:
        return float(measured[peer]["steps"][step][0])

    best = min(cpu("duckdb"), cpu("duckdb-resident"))
    peak = measured["kernel"]["peak"] / 1e9
    goals = [
        _goal("CPU of computing, DuckDB's best over ours", best / cpu("kernel"), 2.5, True),
        _goal("CPU of computing, ours over the bare scan", cpu("kernel") / cpu("scan"), 1.5, False),
        _goal(f"refresh of {REFRESHED} clients, DuckDB over ours (wall)",
              wall("duckdb-refresh", "refresh") / wall("kernel", "refresh"), 7.0, True),
        _goal("peak resident memory of ours, GB", peak, 3.0, False),
    ]  # fmt: skip
    rows = json.loads((work / "data" / "rows.json").read_text())
    return {
        "events": rows, "indicators": len(list(shapes())), "as_of": data.AS_OF.isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "load": round(os.getloadavg()[2], 2), "peers": measured, "difference": worst,
        "goals": goals,
    }  # fmt: skip


def _goal(name: str, value: float, bound: float, least: bool) -> dict[str, Any]:
    met = value >= bound if least else value <= bound
    return {"name": name, "value": round(value, 3), "bound": bound, "least": least, "met": met}


def render(report: dict[str, Any]) -> str:
    """The Markdown page."""
    rows = report["events"]
    made = f"--clients {rows['clients']} --markdown docs/reference/benchmarks-indicators.md"
    about = (
        f"{rows['clients']:,} clients, {rows['trade']:,} trades, {rows['session']:,} sessions, "
        f"{rows['cash_flow']:,} cash flows in two years; {report['indicators']} indicators of "
        f"every client as of {report['as_of']}; {report['machine']}; load average over the run "
        f"{report['load']}. Each peer in its own process, median of its repeats; wall and CPU in "
        "seconds. Peak is the process's resident memory while computing, mapped files included."
    )
    lines = ["# Indicator benchmark", ""]
    lines += [f"Made by `python benchmarks/indicators.py {made}`.", "", about, ""]
    lines += ["| peer | compute, CPU | compute, wall | and Parquet, CPU | wall | peak GB |"]
    lines += ["|---|---|---|---|---|---|"]
    for peer, name in _NAMES.items():
        found = report["peers"][peer]
        steps = [found["steps"].get(step) for step in ("compute", "compute and write")]
        cells = [f"{value:.2f}" for step in steps if step for value in (step[1], step[0])]
        cells += [""] * (4 - len(cells))
        lines.append(f"| {name} | {' | '.join(cells)} | {found['peak'] / 1e9:.2f} |")
    ours = report["peers"]["kernel"]["steps"]["refresh"][0] * 1000
    theirs = report["peers"]["duckdb-refresh"]["steps"]
    built = report["peers"]["build"]
    gathering = theirs["gather"][0] * 1000
    refreshed = (
        f"Refresh of {REFRESHED:,} clients, store open: {ours:.0f} ms; DuckDB on gathered rows: "
        f"{theirs['refresh'][0] * 1000:.0f} ms, of which gathering {gathering:.0f} ms."
    )
    stored = (
        f"Tile store built from the events once: {built['steps']['tile store'][0]:.0f} s, "
        f"peak {built['peak'] / 1e9:.2f} GB."
    )
    apart = ", ".join(f"{peer} {value:.1e}" for peer, value in report["difference"].items())
    lines += ["", refreshed, stored, ""]
    lines += [f"Largest relative difference from the kernel's results: {apart}.", ""]
    lines += ["| goal | wanted | measured | |", "|---|---|---|---|"]
    for goal in report["goals"]:
        sign = "≥" if goal["least"] else "≤"
        verdict = "met" if goal["met"] else "missed"
        lines.append(f"| {goal['name']} | {sign} {goal['bound']} | {goal['value']} | {verdict} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
