"""What a night costs as the book grows: from a broker's files to indicators, scores and reasons.

    python benchmarks/scale.py --clients 300000 1000000 3000000 --days 90 --markdown

Every size is a simulated broker of its own. Every step runs in a process of its own, after a small
broker has compiled the kernels and trained the model that all sizes are scored with. The tiles'
peer is DuckDB: the same group-by of the same rows, unordered, written to Parquet, in the same run.

With `--resume`, steps that an earlier run measured on kept brokers are not done again; the load of
the machine stands beside every figure.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import parse_as_of
from keepwell.learn.ranking import PART, rank
from keepwell.learn.report.build import risk_table
from keepwell.learn.report.risk_files import write_risk_parquet
from keepwell.learn.run import plan, train_version
from keepwell.observe.engines.frame import IndicatorFrame
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators import INDICATORS
from keepwell.observe.ingest import ingest
from keepwell.observe.tile_build import DATASETS, query, register, zone_sql
from keepwell.observe.tile_store import TileStore
from keepwell.observe.workspace import Workspace
from keepwell.warn.reason import explain
from keepwell.warn.registry import ModelStore, ModelVersion
from keepwell.world.files.write import write_world
from keepwell.world.scenario import load_scenario

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks-scale.md"
FIRST = date(2024, 1, 2)
SEED, SHARD = 7, 300_000
SHOWN = 0.05
Steps = dict[str, dict[str, float]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every size, print the table and, if asked, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[300_000, 1_000_000, 3_000_000])
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument(
        "--teacher", type=int, nargs=2, metavar=("CLIENTS", "DAYS"), default=[20_000, 400]
    )
    parser.add_argument("--work", type=Path, default=Path("build/bench-scale"))
    parser.add_argument("--resume", action="store_true", help="keep what was measured before")
    parser.add_argument(
        "--without",
        nargs="+",
        choices=STEPS,
        default=[],
        help="leave steps out at the largest size",
    )
    parser.add_argument("--keep", action="store_true", help="leave the brokers on the disk")
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE.name} in docs/")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    work = args.work.resolve()
    if args.step:
        found = STEPS[args.step](work, args.clients[0], args.days)
        for one in found.values():
            one["load"] = os.getloadavg()[0]
        kept = work / str(args.clients[0]) / f"{args.step}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
        return 0
    work.mkdir(parents=True, exist_ok=True)
    _child("teach", args, *args.teacher)
    sizes = []
    for clients in args.clients:
        if not args.resume:
            shutil.rmtree(work / str(clients), ignore_errors=True)
        steps: Steps = {}
        for step in ("world", "ingest", "tiles", "peer", "day", "night"):
            if step not in args.without or clients < max(args.clients):
                steps |= _child(step, args, clients)
        sizes.append({"clients": clients, **steps})
        if not args.keep:
            shutil.rmtree(work / str(clients))
    text = page(sizes, args)
    print(text)
    if args.markdown:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def _child(step: str, args: argparse.Namespace, clients: int, days: int | None = None) -> Steps:
    kept = args.work.resolve() / str(clients) / f"{step}.json"
    if not (args.resume and kept.exists()):
        command = [sys.executable, __file__, "--step", step, "--clients", str(clients),
                   "--days", str(days or args.days), "--work", str(args.work)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{step} of {clients} clients failed:\n{done.stderr}")
        print(f"  {clients:,} clients: {step} done", file=sys.stderr, flush=True)
    found: Steps = json.loads(kept.read_text())
    return found


@contextmanager
def measured(into: Steps, name: str) -> Iterator[dict[str, float]]:
    """Wall and CPU seconds of a block, the process's peak of memory by its end, and of its own."""
    into[name] = {}
    own, ended = [_memory("RssAnon")], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            own.append(_memory("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin, used = time.perf_counter(), _cpu()
    try:
        yield into[name]
    finally:
        wall, cpu = time.perf_counter() - begin, _cpu() - used
        ended.set()
        watcher.join()
    peak = float(_memory("VmHWM"))
    into[name] |= {"wall": wall, "cpu": cpu, "peak": peak, "own": float(max(own))}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory(line: str) -> int:
    found = Path("/proc/self/status").read_text().partition(f"{line}:")[2].split()
    return int(found[0]) * 1024


def teach(work: Path, clients: int, days: int) -> Steps:
    """A small broker's model, as `keepwell run` trains it."""
    root = work / "teacher"
    if not (root / ".keepwell" / "models").exists():
        shutil.rmtree(root, ignore_errors=True)
        write_world(load_scenario("calm-year"), clients, days, SEED, root, start=FIRST)
        workspace = Workspace.open(root)
        ingest(workspace)
        engine = LocalEngine.open(workspace)
        train_version(workspace, engine, plan(workspace, engine))
    return {}


def world(work: Path, clients: int, days: int) -> Steps:
    """The broker's files; those of the last day are held back."""
    found: Steps = {}
    root = work / str(clients)
    with measured(found, "world") as told:
        scenario = load_scenario("calm-year")
        made = write_world(scenario, clients, days + 1, SEED, root, start=FIRST, shard_size=SHARD)
        told["rows"] = float(sum(made.rows.values()))
    _move(root, "data", "later", FIRST + timedelta(days=days))
    return found


def _move(root: Path, of: str, to: str, day: date) -> None:
    for file in sorted((root / of).glob(f"*/{day}*.parquet")):
        target = root / to / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)


def take_in(work: Path, clients: int, _days: int) -> Steps:
    """The files into the lake."""
    found: Steps = {}
    with measured(found, "ingest"):
        ingest(Workspace.open(work / str(clients)))
    return found


def tiles(work: Path, clients: int, _days: int) -> Steps:
    """The tile store from the whole lake."""
    found: Steps = {}
    place = Workspace.open(work / str(clients))
    with measured(found, "tiles"):
        store = TileStore.open(place.tiles, place.lake, place.zone)
    found["tiles"]["tiles"] = float(sum(len(s.rows.day) for s in store.base.values()))
    return found


def peer(work: Path, clients: int, _days: int) -> Steps:
    """DuckDB: the same group-by of the same rows, in one pass, without order."""
    found: Steps = {}
    place = Workspace.open(work / str(clients))
    store = TileStore.open(place.tiles, place.lake, place.zone)
    connection = place.lake.connect(store.lake_manifest)
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET temp_directory = '{work / 'spill'}'")
    register(connection, store.clients, store.instruments)
    zone = zone_sql(store.lake_manifest, place.zone, datetime.now(UTC))
    out = work / "peer.parquet"
    with measured(found, "duckdb tiles"):
        for dataset in DATASETS.values():
            sources = {t: f'"{t}"' for t in dataset.tables if t in store.lake_manifest.tables}
            if sources:
                plain = query(dataset, zone, sources, "")
                inside, _, after = plain.rpartition(" ORDER BY ")
                sql = inside + (")" if after.endswith(")") else "")
                connection.execute(f"COPY ({sql}) TO '{out}' (FORMAT parquet)")
    out.unlink()
    return found


def day(work: Path, clients: int, days: int) -> Steps:
    """One more day: its files into the lake, then the tile store in step with it."""
    found: Steps = {}
    root = work / str(clients)
    _move(root, "later", "data", FIRST + timedelta(days=days))
    place = Workspace.open(root)
    with measured(found, "day ingest"):
        ingest(place)
    with measured(found, "day tiles"):
        TileStore.open(place.tiles, place.lake, place.zone)
    return found


def night(work: Path, clients: int, days: int) -> Steps:
    """Tiles ready: indicators of everybody written; scores with reasons of those in a tier written.

    The same reasons once more, alone.
    """
    found: Steps = {}
    place = Workspace.open(work / str(clients))
    version = _model(work)
    as_of = parse_as_of((FIRST + timedelta(days=days + 1)).isoformat(), place.zone)
    warm = LocalEngine.open(Workspace.open(work / "teacher"))
    warm.compute(as_of, clients=warm.clients(as_of)[:10])  # kernels are loaded
    with measured(found, "indicators"):
        engine = LocalEngine.open(place)
        written = _write_indicators(engine, as_of, work / "indicators.parquet")
    trained, shown = version.trained, round(SHOWN * clients)
    with measured(found, "scores"):
        ranking = rank(engine, trained, version.definition, as_of, explained=0)
        write_risk_parquet(work / "risk.parquet", risk_table(ranking, place.currency, version))
    found["scores"]["scored"] = float(ranking.scored.sum())
    found["indicators"] |= {"written": float(written), "indicators": float(len(INDICATORS))}
    judged = ranking.vectors
    assert judged is not None
    first = judged.score.argsort(kind="stable")[::-1][:shown]
    X, ids = judged.X[first], [judged.clients[i] for i in first]
    with measured(found, "reasons"):
        parts = trained.contributions(X, judged.names)
        told = explain(parts, X, judged.names, ids, typical=judged.typical)
    found["reasons"]["clients"] = float(len(told))
    return found


def _model(work: Path) -> ModelVersion:
    version = ModelStore(Workspace.open(work / "teacher").models).latest()
    assert version is not None
    return version


def _indicators(engine: LocalEngine, clients: list[str], as_of: datetime) -> IndicatorFrame:
    return engine.compute(as_of, clients=clients, dtype="float32")


def _write_indicators(engine: LocalEngine, as_of: datetime, path: Path) -> int:
    """Everybody's indicators as Parquet, part by part; the number of clients."""
    clients = engine.clients(as_of)
    writer: pq.ParquetWriter | None = None
    for _, frame in engine.parts(partial(_indicators, as_of=as_of), clients, PART):
        columns = {name: frame.column(name) for name in frame.names}
        table = pa.table({"client_id": pa.array(frame.clients, pa.string()), **columns})
        if writer is None:
            writer = pq.ParquetWriter(
                path, table.schema, use_dictionary=False, compression="zstd",
                compression_level=1, write_statistics=["client_id"],
            )  # fmt: skip
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return len(clients)


STEPS: dict[str, Callable[[Path, int, int], Steps]] = {
    "teach": teach, "world": world, "ingest": take_in, "tiles": tiles, "peer": peer, "day": day,
    "night": night,
}  # fmt: skip

_ROWS = (
    ("world", "simulating and writing the broker"), ("ingest", "ingest of all"),
    ("tiles", "tile store, from nothing"), ("duckdb tiles", "DuckDB, the same group-by"),
    ("day ingest", "one more day: ingest"), ("day tiles", "one more day: tile store"),
    ("indicators", "indicators of everybody, written"),
    ("scores", "scores of everybody and reasons, written"),
    ("reasons", "of that, the reasons of those in a tier"),
)  # fmt: skip


def page(found: list[dict[str, Any]], args: argparse.Namespace) -> str:
    """The reference page."""
    sizes = " ".join(str(one["clients"]) for one in found)
    count = int(found[0]["indicators"]["indicators"])
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    lines = [
        "# What a night costs as the book grows", "",
        (
            f"Made by `python benchmarks/scale.py --clients {sizes} --days {args.days}"
            f"{' --without ' + ' '.join(args.without) if args.without else ''} --markdown`."
        ),
        "",
        (
            f"Simulated brokers (scenario calm-year, seed {SEED}) of {args.days} days and one "
            f"more; {count} indicators, float32; {machine}. Wall and CPU in seconds, each step in "
            "a process of its own but for the last three, which share one. Load is the machine's "
            "load average of a minute when a step ended: above 2, others worked beside it (shared: "
            "it was not noted, but they did). "
            "Peak is resident memory, mapped files included; own is without these, which the "
            "system takes back when it needs room. The model is of a broker of "
            f"{args.teacher[0]:,} clients and {args.teacher[1]} days."
        ), "",
        (
            "| clients | rows | tile rows | step | wall | CPU | CPU per client, µs | peak, GB "
            "| own, GB | load |"
        ),
        "|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for one in found:
        sized = (
            f"| {one['clients']:,} | {one['world']['rows']:,.0f} | {one['tiles']['tiles']:,.0f} "
        )
        lines += [
            f"{sized}| {title} | {one[step]['wall']:.1f} | {one[step]['cpu']:.1f} "
            f"| {one[step]['cpu'] / one['clients'] * 1e6:.1f} | {one[step]['peak'] / 1e9:.2f} "
            f"| {one[step].get('own', math.nan) / 1e9:.2f} ".replace("nan", "")
            + f"| {one[step].get('load', math.nan):.1f} |".replace("nan", "shared")
            for step, title in _ROWS
            if step in one
        ]
    return "\n".join([*lines, "", *goals(found), ""])


def goals(found: list[dict[str, Any]]) -> list[str]:
    """What was wanted, and what was measured."""
    lines = ["| wanted | measured | |", "|---|---|---|"]

    def tell(what: str, value: float, most: float, unit: str) -> None:
        met = "met" if value <= most else "missed"
        lines.append(f"| {what}, at most {most:g}{unit} | {value:.2f}{unit} | {met} |")

    for one in found:
        each, size = f"{one['clients']:,} clients: ", one["clients"]
        if size == 3_000_000:
            wall = one["indicators"]["wall"] + one["scores"]["wall"]
            tell(f"{each}tiles ready to indicators and scores written", wall, 60, " s")
            tell(f"{each}peak of it", one["scores"]["peak"] / 1e9, 12, " GB")
            if "own" in one["scores"]:
                own = max(one["indicators"]["own"], one["scores"]["own"])
                tell(f"{each}peak without mapped files", own / 1e9, 12, " GB")
            told = one["reasons"]["clients"]
            reasons = one["reasons"]["wall"] / told * SHOWN * size
            tell(f"{each}reasons of 5 %, at the pace of the {told:,.0f} told", reasons, 30, " s")
        if "duckdb tiles" in one:
            ratio = one["tiles"]["cpu"] / one["duckdb tiles"]["cpu"]
            tell(f"{each}CPU of tiles over DuckDB's", ratio, 1.2, "")
        if "day tiles" in one:
            per = one["day tiles"]["wall"] / size * 300_000
            tell(f"{each}one more day's tiles, per 300,000 clients", per, 0.2, " s")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
