"""Publication at scale, its sweep, and how long an alert of another process waits meanwhile.

What is timed apart: clients' rows, the hold-out's draw, putting in force, the jobs of the sweep,
those of the release, and the removal of the generation afterwards. A second process raises alerts
all the time, and before all that with nobody else at work. Jobs are run one by one and each is
counted for what its kind is: those that belong to neither sweep nor release, such as the
sequencer's and what the second process caused, are a part of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from keepwell.jobs.cron import Agenda
from keepwell.jobs.run import run as run_job
from keepwell.jobs.worker import BATCH as CLAIMED
from keepwell.jobs.worker import INSIDE, OUTSIDE, claim
from keepwell.learn.holdout.service import draw
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book import service as book

BATCH = 50_000
EVERY = 0.05
"""Seconds between two alerts of the second process."""
ALONE = 10.0
"""Seconds for which the second process has the desk to itself."""
WARM_UP = 20
"""First alerts of the second process, which import modules and compile statements, not counted."""
KNOWN = 20_000
"""Clients in force before, about whom the second process raises alerts."""
WANTED_WAIT = 0.5
"""Seconds that no alert may wait longer than, on SQLite too."""


@dataclass
class Phase:
    """A part of the work.

    Attributes:
        name: what.
        count: how many clients or alerts it went through.
        seconds: how long it was at work.
        cpu: seconds of this process's CPU.
        spans: when it was at work, by the wall clock.
    """

    name: str
    count: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Time that counts for this part."""
        wall, cpu = time.time(), time.process_time()
        yield
        now = time.time()
        self.seconds += now - wall
        self.cpu += time.process_time() - cpu
        self.spans.append((wall, now))


@dataclass(frozen=True)
class Seen:
    """What one measurement found.

    Attributes:
        phases: parts of the work, in order.
        alerts: begin, waiting for the writer's turn, and all in all, in seconds; one row each.
        load: the machine's load average of a minute, before and after.
        failed: jobs that did not end well.
    """

    phases: list[Phase]
    alerts: np.ndarray
    load: tuple[float, float]
    failed: int


def run(root: Path, url: str, clients: int, tiered: float) -> Seen:
    """Publish, sweep and remove a generation while another process raises alerts.

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
    before = os.getloadavg()[0]
    frame = Frame.open(folder, Settings(database_url=url))
    try:
        migrate(frame)
        _publish(frame, min(KNOWN, clients), 0.0)
        _work(frame, Phase("sweep"), Phase("release"), Phase("other jobs"))
        alone, rows, drawn = Phase("nothing else"), Phase("rows"), Phase("draw")
        swap, sweep, release = Phase("in force"), Phase("sweep"), Phase("release")
        other, removal = Phase("other jobs"), Phase("removal")
        log = root / "alerts.log"
        with _raiser(root, url, log):
            with alone.at_work():
                time.sleep(ALONE)
            _publish(frame, clients, tiered, rows, drawn, swap)
            failed = _work(frame, sweep, release, other)
            for _ in range(book.KEPT):
                _publish(frame, 1, 0.0)
            removal.count = clients
            with removal.at_work():
                book.sweep(frame)
        sweep.count = round(clients * tiered)
        release.count = _raised(frame)
        phases = [alone, rows, drawn, swap, sweep, release, other, removal]
        seen = np.array([[float(x) for x in line.split()] for line in log.open()])
        return Seen(phases, seen, (before, os.getloadavg()[0]), failed)
    finally:
        frame.close()


def _publish(
    frame: Frame, clients: int, tiered: float, rows: Phase | None = None,
    drawn: Phase | None = None, swap: Phase | None = None,
) -> None:  # fmt: skip
    rows, drawn, swap = rows or Phase(""), drawn or Phase(""), swap or Phase("")
    ended: list[tuple[float, float]] = []

    def before(desk: Frame, number: int) -> None:
        ended.append((time.time(), time.process_time()))
        assert drawn is not None
        with drawn.at_work():
            draw(desk, number)
        ended.append((time.time(), time.process_time()))

    begun, spent = time.time(), time.process_time()
    book.publish(
        frame, _rows(clients, tiered), as_of=datetime.now(UTC), model_version="load", manifest=1,
        before=before,
    )  # fmt: skip
    now = (time.time(), time.process_time())
    for part, first, last in ((rows, (begun, spent), ended[0]), (swap, ended[1], now)):
        part.seconds, part.cpu = last[0] - first[0], last[1] - first[1]
        part.spans = [(first[0], last[0])]
    rows.count = drawn.count = swap.count = clients


def _work(frame: Frame, sweep: Phase, release: Phase, other: Phase) -> int:
    """Do the jobs that are due until sweep and release are done; how many did not end well."""
    owner, agenda = f"bench_{secrets.token_hex(4)}", Agenda(frame)
    failed = 0
    idle = 0
    while idle < 2:
        with other.at_work():
            jobs = claim(frame, owner, INSIDE + OUTSIDE, CLAIMED, agenda)
        ours = 0
        for job in jobs:
            swept = job.kind.startswith("alert.sweep")
            released = job.kind.startswith("alert.release-")
            part = sweep if swept else release if released else other
            with part.at_work():
                failed += run_job(frame, job) != "done"
            ours += swept or released
            other.count += not (swept or released)
        idle = 0 if ours else idle + 1
    return failed


def _raised(frame: Frame) -> int:
    from sqlalchemy import func, select

    from keepwell.intervene.alert.model import Alert

    with frame.read() as tx:
        own = select(func.count()).where(Alert.reason == "risk", Alert.shown_at.is_not(None))
        return int(tx.session.scalar(own) or 0)


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
        self._process.wait(60)


def _waits(phase: Phase, alerts: np.ndarray) -> np.ndarray:
    """The alerts that were under way while a part was at work."""
    if not len(alerts):
        return alerts
    begun, ended = alerts[:, 0], alerts[:, 0] + alerts[:, 2]
    firsts = np.array([first for first, _ in phase.spans])
    lasts = np.array([last for _, last in phase.spans])
    # Spans are in order: an alert meets the first span that ends after it began, or none.
    at = np.searchsorted(lasts, begun)
    met = at < len(lasts)
    met[met] = firsts[at[met]] < ended[met]
    return alerts[met]


def report(name: str, seen: Seen) -> list[str]:
    """Lines of Markdown."""
    by_name = {phase.name: phase for phase in seen.phases}
    clients = by_name["rows"].count
    lines = [
        f"## Publication of {clients:,} clients on {name}", "",
        "| part | of | s | CPU s | CPU µs each | alerts meanwhile | p50 ms | p99 ms | longest ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    longest = 0.0
    for phase in seen.phases:
        took = _waits(phase, seen.alerts)[:, 2] * 1e3
        shown = [f"{np.quantile(took, q):.0f}" for q in (0.5, 0.99, 1)] if len(took) else ["-"] * 3
        if phase.name != "nothing else" and len(took):
            longest = max(longest, float(took.max()))
        each = f"{phase.cpu / phase.count * 1e6:.0f}" if phase.count else "-"
        lines.append(
            f"| {phase.name} | {phase.count:,} | {phase.seconds:.1f} | {phase.cpu:.1f} | {each} | "
            f"{len(took)} | {' | '.join(shown)} |"
        )
    whole = sum(by_name[part].seconds for part in ("rows", "draw", "in force"))
    met = "met" if longest < WANTED_WAIT * 1e3 else "missed"
    swept = by_name["sweep"].cpu + by_name["release"].cpu
    per_client = swept / max(by_name["sweep"].count, 1) * 1e3
    words = (
        f"In force after {whole:.0f} s. No alert took longer than {longest:.0f} ms (wanted < "
        f"{WANTED_WAIT * 1e3:.0f} ms: {met}). Sweep and release together cost {per_client:.1f} "
        f"ms of CPU for each client in a tier; {seen.failed} jobs did not end well. Load of "
        f"the machine {seen.load[0]:.1f} before, {seen.load[1]:.1f} after; this work and the "
        "second process make about 2 of it."
    )
    return [*lines, "", words, ""]


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
                tx.session.connection()  # SQLite's lock is taken here
                turn = time.perf_counter() - clock
                raise_alert(
                    tx, SYSTEM, client_id=f"C{number * 7 % KNOWN:07d}",
                    reason=AlertReason.CLOSING_QUESTION, tier="moderate", facts={},
                )  # fmt: skip
                tx.session.flush()
                said = time.perf_counter() - clock
            if number > WARM_UP:
                log.write(f"{begun} {turn} {time.perf_counter() - clock} {said}\n")
            time.sleep(EVERY)
    frame.close()


if __name__ == "__main__":
    main()
