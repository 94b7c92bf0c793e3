"""The engine on a standalone Spark cluster of one and of two workers, beside this machine alone.

    python benchmarks/spark.py --clients 100000 --days 90 --markdown

A simulated broker; every step on clusters of one and two workers with one core each, that the
benchmark starts and ends, and locally with one and two threads. Spark SQL is a peer: the
benchmark's own indicators (`indicators_spec`) as one generated query over tiles in Parquet, on the
same cluster, beside the kernel over buckets. Wall seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from indicators_spec import product_indicators, shapes
from indicators_sql import TABLES, query, tiles_query
from scale import FIRST, SEED, _model, take_in, teach, world

from keepwell.core.days import local_day, parse_as_of
from keepwell.learn.ranking import rank
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.export import export_indicators
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.engines.spark import SparkEngine
from keepwell.observe.engines.spark.session import open_session
from keepwell.observe.indicators import INDICATORS
from keepwell.observe.tile_build import register, zone_sql
from keepwell.observe.tile_sql import translate
from keepwell.observe.workspace import Workspace
from keepwell.testing.spark_cluster import SETTINGS, standalone

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks-spark.md"
MEMORY = {"spark.executor.memory": "2g", "spark.driver.memory": "2g"}
BUCKETS = 8
Steps = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and, if asked, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument(
        "--teacher", type=int, nargs=2, metavar=("CLIENTS", "DAYS"), default=[20_000, 400]
    )
    parser.add_argument("--work", type=Path, default=Path("build/bench-spark"))
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE.name} in docs/")
    args = parser.parse_args(argv)
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    # The executors must find the benchmark's own indicators.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    teach(work, *args.teacher)
    root = work / str(args.clients)
    if not (root / ".keepwell" / "lake").exists():
        shutil.rmtree(root, ignore_errors=True)
        world(work, args.clients, args.days)
        take_in(work, args.clients, args.days)
    workspace = Workspace.open(root)
    as_of = parse_as_of((FIRST + timedelta(days=args.days)).isoformat(), workspace.zone)
    bench = Bench(workspace, as_of, work)
    bench.tiles_of_peer()
    found = {f"local, {n} thread{'s' * (n > 1)}": bench.local(n) for n in (1, 2)}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as logs, standalone(Path(logs), workers, "3g") as spark:
            found[f"Spark, {workers} worker{'s' * (workers > 1)}"] = bench.cluster(spark.master)
    text = page(found, args, bench.difference())
    print(text)
    if args.markdown:
        PAGE.write_text(text, encoding="utf-8")
    return 0


class Bench:
    """The steps, on one broker at one instant."""

    def __init__(self, workspace: Workspace, as_of: datetime, work: Path) -> None:
        self.workspace, self.as_of, self.work = workspace, as_of, work
        self.version = _model(work)
        self.items = product_indicators()

    def tiles_of_peer(self) -> None:
        """Tiles for Spark SQL: the product's own, without the second clock."""
        engine = LocalEngine.open(self.workspace)
        self.clients = engine.store.clients
        connection = self.workspace.lake.connect(engine.manifest)
        register(connection, engine.store.clients, engine.store.instruments)
        zone = zone_sql(engine.manifest, self.workspace.zone, datetime.now(UTC))
        for table in TABLES:
            target = self.work / f"peer-{table}.parquet"
            sql = tiles_query(table, zone)
            connection.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet)")

    def local(self, threads: int) -> Steps:
        """This machine alone."""
        shutil.rmtree(self.workspace.tiles)
        steps: Steps = {}
        with clocked(steps, "tiles"):
            engine = LocalEngine.open(self.workspace, threads)
        self._common(engine, steps)
        return steps

    def cluster(self, master: str) -> Steps:
        """A cluster, and Spark SQL on it."""
        steps: Steps = {}
        shutil.rmtree(self.workspace.state / "spark", ignore_errors=True)
        settings = {**SETTINGS, **MEMORY}
        with clocked(steps, "session"):
            open_session(master, settings)
        with clocked(steps, "tiles"):
            engine = SparkEngine.open(self.workspace, master, BUCKETS, settings)
        try:
            self._common(engine, steps)
            self._sql(engine.session, steps)
        finally:
            engine.close()
        return steps

    def _common(self, engine: Engine, steps: Steps) -> None:
        for name in ("indicators", "indicators again"):
            with clocked(steps, name):
                export_indicators(engine, self.as_of, self.work / "out-indicators")
        trained, definition = self.version.trained, self.version.definition
        with clocked(steps, "ranking"):
            rank(engine, trained, definition, self.as_of)
        for name in ("kernel", "kernel again"):
            folder = _fresh(self.work / "out-kernel")
            with clocked(steps, name):
                task = partial(write_part, as_of=self.as_of, items=self.items, folder=str(folder))
                list(engine.parts(task, engine.clients(self.as_of), 50_000))

    def _sql(self, session: Any, steps: Steps) -> None:
        relations = {}
        for table in TABLES:
            relations[table] = f"peer_{table}"
            rows = session.read.parquet(str(self.work / f"peer-{table}.parquet"))
            rows.createOrReplaceTempView(relations[table])
        session.range(len(self.clients)).selectExpr("CAST(id AS INT) AS code") \
            .createOrReplaceTempView("everybody")  # fmt: skip
        day = local_day(self.as_of, self.workspace.zone)
        sql = translate(query(relations, "everybody", list(shapes()), day), "spark")
        for name in ("Spark SQL", "Spark SQL again"):
            with clocked(steps, name):
                session.sql(sql).write.mode("overwrite").parquet(str(self.work / "out-sql"))

    def difference(self) -> float:
        """Largest relative difference between the kernel's and Spark SQL's answers."""
        ours = pq.read_table(self.work / "out-kernel").sort_by("client_id")
        code = {id: i for i, id in enumerate(self.clients)}
        theirs = pq.read_table(self.work / "out-sql").sort_by("code")
        rows = [code[id] for id in ours["client_id"].to_pylist()]
        worst = 0.0
        for shape in shapes():
            a = ours[shape.name].to_numpy()
            b = theirs[shape.name].to_numpy()[rows].astype(np.float64)
            if (np.isnan(a) != np.isnan(b)).any():
                return float("inf")
            gap = np.abs(a - b) / np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
            worst = max([worst, *gap[~np.isnan(gap)].tolist()])
        return worst


@contextmanager
def clocked(into: Steps, name: str) -> Iterator[None]:
    """Wall seconds of a block."""
    begin = time.perf_counter()
    yield
    into[name] = time.perf_counter() - begin


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_part(
    engine: Engine, clients: list[str], as_of: datetime, items: Sequence[Any], folder: str
) -> int:
    """The benchmark's indicators of some clients as one Parquet file."""
    frame = engine.compute(as_of, clients=clients, indicators=items, min_coverage=0.0)
    columns = {name: frame.column(name) for name in frame.names}
    table = pa.table({"client_id": pa.array(frame.clients, pa.string()), **columns})
    pq.write_table(table, Path(folder) / f"{uuid.uuid4().hex}.parquet", compression="zstd")
    return len(frame.clients)


_ROWS = (
    ("session", "session and executors"), ("tiles", "tiles of all, from the lake"),
    ("indicators", "catalogue of all, written; first"),
    ("indicators again", "catalogue of all, written; again"),
    ("ranking", "everybody ranked, scores and reasons"),
    ("kernel again", "the benchmark's own indicators, written"),
    ("Spark SQL again", "the same as generated Spark SQL"),
)  # fmt: skip


def page(found: dict[str, Steps], args: argparse.Namespace, difference: float) -> str:
    """The reference page."""
    count = len(list(shapes()))
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    lines = [
        "# The engine on Spark", "",
        (f"Made by `python benchmarks/spark.py --clients {args.clients} --days {args.days} "
        "--markdown`."), "",
        (f"A simulated broker of {args.clients:,} clients and {args.days} days (scenario "
        f"calm-year, seed {SEED}); {len(INDICATORS)} indicators of the catalogue, {count} of the "
        f"benchmark's own; {BUCKETS} buckets; {machine}, on which driver, master and workers live "
        f"together, one core a worker; load average at the end {os.getloadavg()[1]:.1f}. Wall "
        f"seconds. Kernel and Spark SQL differ by {difference:.1e} at most (relative)."), "",
        f"| step | {' | '.join(found)} |", f"|---|{'---:|' * len(found)}",
    ]  # fmt: skip
    for step, title in _ROWS:
        cells = [f"{steps[step]:.1f}" if step in steps else "" for steps in found.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    one, two = found["Spark, 1 worker"], found["Spark, 2 workers"]
    sql, local = two["Spark SQL again"], found["local, 2 threads"]["kernel again"]
    per = two["indicators again"] / args.clients * 1e6
    lines += [
        "", "| | measured |", "|---|---|",
        f"| 1 to 2 workers, tiles | {one['tiles'] / two['tiles']:.2f} times |",
        (f"| 1 to 2 workers, catalogue | {one['indicators again'] / two['indicators again']:.2f} "
        "times |"),
        ("| Spark SQL over the kernel on Spark, two workers (wanted: above 1) | "
        f"{sql / two['kernel again']:.2f} |"),
        ("| Spark SQL, two workers, over the kernel on the same two cores without Spark (wanted: "
        f"15) | {sql / local:.1f} |"),
        f"| catalogue, two workers | {per:.0f} µs per client |", "",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
