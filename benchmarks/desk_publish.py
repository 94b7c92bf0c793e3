"""Publication at scale: rows per second, and how long an alert waits meanwhile for the database."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from desk_fill import BOOK, YAML

from keepwell import rooms
from keepwell.frame.context import Frame
from keepwell.frame.migrate import migrate
from keepwell.frame.settings import Settings
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.jobs.worker import run_due
from keepwell.learn.holdout.service import draw
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.service import publish

BATCH = 50_000
EVERY = 0.05
"""Seconds between two alerts of the parallel process."""


@dataclass(frozen=True)
class Phase:
    """A part of the publication.

    Attributes:
        name: what.
        clients: how many it went through.
        seconds: how long it lasted.
        alerts: raised by another process meanwhile.
        p99: of their transactions, seconds.
        longest: of their transactions, seconds.
    """

    name: str
    clients: int
    seconds: float
    alerts: int
    p99: float
    longest: float


def run(root: Path, url: str, clients: int, tiered: float) -> list[Phase]:
    """Publish, draw and sweep a generation while another process raises alerts.

    Args:
        root: folder for the workspace `ws`.
        url: of an empty database.
        clients: in the generation.
        tiered: share of them whose score reaches a tier.
    """
    folder = root / "ws"
    folder.mkdir()
    (folder / "keepwell.yaml").write_text(YAML, "utf-8")
    (folder / "trades.csv").write_text("trade_id,client_id,at\n", "utf-8")
    rooms.load_all()
    frame = Frame.open(folder, Settings(database_url=url))
    try:
        migrate(frame)
        _publish(frame, 1_000, 0.0)
        run_due(frame)
        log = root / "alerts.log"
        marks = [("", time.time())]
        with _raiser(root, url, log):
            _publish(frame, clients, tiered, marks)
            marks.append(("sweep", time.time()))
            run_due(frame, rounds=10_000_000)
            marks.append(("end", time.time()))
        return _phases(marks, log, {"rows": clients, "draw": clients,
                                    "sweep": int(clients * tiered)})  # fmt: skip
    finally:
        frame.close()


def _publish(
    frame: Frame, clients: int, tiered: float, marks: list[tuple[str, float]] | None = None
) -> None:
    times = [] if marks is None else marks

    def before(desk: Frame, number: int) -> None:
        times.append(("draw", time.time()))
        draw(desk, number)

    times.append(("rows", time.time()))
    publish(
        frame, _rows(clients, tiered), as_of=datetime.now(UTC), model_version="load", manifest=1,
        before=before,
    )  # fmt: skip


def _rows(clients: int, tiered: float) -> Iterator[pa.RecordBatch]:
    """Batches of clients whose highest scores reach a tier, in the order of their numbers."""
    luck = np.random.default_rng(1)
    reasons = json.dumps([{"code": "trading.less", "cause": "behaviour", "points": 0.8}])
    for first in range(0, clients, BATCH):
        n = min(BATCH, clients - first)
        numbers = np.arange(first, first + n)
        high = luck.random(n) < tiered
        score = np.where(high, 61 + 38 * luck.random(n), 55 * luck.random(n))
        tier = np.where(score >= 90, "severe", np.where(score >= 76, "moderate", "mild"))
        yield pa.RecordBatch.from_pydict(
            {
                "client_id": [f"C{i:07d}" for i in numbers],
                "manager_id": [f"M{i // BOOK:05d}" for i in numbers],
                "branch_id": [f"B{i // BOOK % 300}" for i in numbers],
                "status": ["open"] * n,
                "assets": (luck.lognormal(12, 1.5, n) * 100).astype(np.int64),
                "score": score,
                "probability": score / 200,
                "coverage": np.full(n, 0.9),
                "tier": np.where(high, tier, "none"),
                "reasons": np.where(high, reasons, "[]"),
            }
        )


class _raiser:  # noqa: N801 (a context manager)
    """Another process that raises alerts all the time."""

    def __init__(self, root: Path, url: str, log: Path) -> None:
        self._command = [sys.executable, __file__, str(root), str(log)]
        self._environment = os.environ | {"KEEPWELL_DATABASE_URL": url}

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environment)
        time.sleep(4)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


def _phases(marks: list[tuple[str, float]], log: Path, clients: dict[str, int]) -> list[Phase]:
    seen = np.array([[float(x) for x in line.split()] for line in log.read_text().splitlines()])
    found = []
    named = [(name, at) for name, at in marks if name]
    for (name, begun), (_, ended) in pairwise(named):
        took = seen[(seen[:, 0] + seen[:, 1] > begun) & (seen[:, 0] < ended), 1]
        p99, longest = (float(np.quantile(took, 0.99)), float(took.max())) if len(took) else (0, 0)
        found.append(Phase(name, clients[name], ended - begun, len(took), p99, longest))
    return found


def report(name: str, phases: list[Phase]) -> list[str]:
    """Lines of Markdown."""
    whole = sum(p.seconds for p in phases if p.name != "sweep")
    rows = next(p.clients for p in phases if p.name == "rows")
    lines = [
        f"## Publication of {rows:,} clients on {name}", "",
        "| part | clients | s | clients/s | alerts meanwhile | p99 ms | longest ms |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {p.name} | {p.clients:,} | {p.seconds:.1f} | {p.clients / max(p.seconds, 1e-9):.0f} | "
        f"{p.alerts} | {p.p99 * 1e3:.0f} | {p.longest * 1e3:.0f} |"
        for p in phases
    ]
    more = 3_000_000 / rows * whole
    lines += ["", f"At this rate 3,000,000 clients are in force after {more / 60:.1f} min.", ""]
    return lines


def main() -> None:
    """The process that raises alerts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("log", type=Path)
    args = parser.parse_args()
    rooms.load_all()
    frame = Frame.open(args.root / "ws")
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    number = 0
    with args.log.open("w", buffering=1) as log:
        while going:
            number += 1
            begun, clock = time.time(), time.perf_counter()
            with frame.write() as tx:
                raise_alert(
                    tx, SYSTEM, client_id=f"C{number % 1_000:07d}",
                    reason=AlertReason.CLOSING_QUESTION, tier="moderate", facts={},
                )  # fmt: skip
            log.write(f"{begun} {time.perf_counter() - clock}\n")
            time.sleep(EVERY)
    frame.close()


if __name__ == "__main__":
    main()
