"""What it costs to simulate and write a broker: seconds, memory, at growing sizes.

Every size runs in a process of its own. The peer is the least that any writer must do: reading the
same files and writing them again with pyarrow, in the same run.

    python benchmarks/world_speed.py --clients 30000 100000 300000 --days 365
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from keepwell.world.files.write import write_world
from keepwell.world.scenario import load_scenario

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks-world.md"
WANTED_SECONDS, WANTED_BYTES = 480.0, 6e9
FIRST = date(2024, 1, 2)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and, if asked, write the reference page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[30_000, 100_000, 300_000])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--shorter", type=int, nargs="*", default=[90])
    parser.add_argument("--shard", type=int, default=300_000, help="most clients at a time")
    parser.add_argument(
        "--sharded", type=int, nargs=2, metavar=("CLIENTS", "DAYS"), default=[3_000_000, 10]
    )
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE.name} in docs/")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        clients, days, shard = (int(number) for number in args.one[:3])
        print(json.dumps(one(clients, days, shard, Path(args.one[3]))))
        return 0
    middle = sorted(args.clients)[len(args.clients) // 2]
    sizes = [(middle, days, args.shard) for days in args.shorter]
    sizes += [(clients, args.days, args.shard) for clients in args.clients]
    sizes.append((args.sharded[0], args.sharded[1], args.sharded[0] // 10))
    one_process((1000, 5, args.shard))  # compiles the kernels
    found = [one_process(size) for size in sizes]
    lines = report(found)
    print("\n".join(lines))
    if args.markdown:
        PAGE.write_text(page(lines), encoding="utf-8")
    return 0


def one_process(size: tuple[int, int, int]) -> dict[str, Any]:
    """Measure a size in a process of its own, so that its peak of memory is its own."""
    with tempfile.TemporaryDirectory(prefix="keepwell-world-") as folder:
        command = [sys.executable, __file__, "--one", *map(str, size), str(Path(folder) / "world")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    told = f"{found['wall']:.0f} s, {found['peak'] / 1e9:.1f} GB"
    print(f"{size[0]} clients, {size[1]} days: {told}", file=sys.stderr, flush=True)
    return found


def one(clients: int, days: int, shard: int, out: Path) -> dict[str, Any]:
    """Write one world and, after it, its files again."""
    begun, cpu = time.perf_counter(), time.process_time()
    scenario = load_scenario("calm-year")
    written = write_world(scenario, clients, days, 7, out, start=FIRST, shard_size=shard)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    begun = time.perf_counter()
    files = sorted((out / "data").rglob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    for file in files:
        pq.write_table(pq.read_table(file), file)
    return {
        "clients": clients, "days": days, "shards": -(-clients // shard), "wall": wall, "cpu": cpu,
        "peak": peak, "rows": sum(written.rows.values()), "bytes": size,
        "rewrite": time.perf_counter() - begun,
    }  # fmt: skip


def report(found: list[dict[str, Any]]) -> list[str]:
    """Markdown lines."""
    lines = [
        (
            "| clients | days | shards | rows | GB on disk | wall, s | CPU, s | peak, GB "
            "| CPU per client-day, ns | rewriting the files, s | ratio |"
        ),
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        each = one["cpu"] / (one["clients"] * one["days"]) * 1e9
        lines.append(
            f"| {one['clients']:,} | {one['days']} | {one['shards']} | {one['rows']:,} "
            f"| {one['bytes'] / 1e9:.2f} | {one['wall']:.0f} | {one['cpu']:.0f} "
            f"| {one['peak'] / 1e9:.2f} | {each:.0f} | {one['rewrite']:.0f} "
            f"| {one['wall'] / one['rewrite']:.1f} |"
        )
    big = [one for one in found if one["clients"] == 300_000 and one["days"] == 365]
    for one in big:
        for name, value, wanted, unit in (
            ("wall", one["wall"], WANTED_SECONDS, "s"), ("peak", one["peak"], WANTED_BYTES, "B")
        ):  # fmt: skip
            met = "met" if value <= wanted else "missed"
            lines += ["", (f"Wanted for 300,000 clients and 365 days, {name} at most "
                      f"{wanted:,.0f} {unit}: {value:,.0f} {unit}, {met}.")]  # fmt: skip
    return lines


def page(lines: list[str]) -> str:
    """The reference page."""
    machine = (
        f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
    )
    return "\n".join(
        [
            "# Simulating a broker: time and memory",
            "",
            f"Made by `python benchmarks/world_speed.py --markdown` on two cores ({machine}).",
            "",
            (
                "Wall and CPU are of simulating, making all 25 tables and the truth, and writing "
                "them; the kernels are compiled before. Rewriting is the peer: the same files "
                "read and written again by pyarrow in the same process. Beside what grows with "
                "clients and days, each day has its files and each shard, every half year, the "
                "potential outcomes of up to 20,000 clients: small worlds pay more a client-day. "
                "The last row is ten shards one after the other: memory is that of one."
            ),
            "",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
