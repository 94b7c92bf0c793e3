"""Many timers due within one second: how late the last effect comes, whether any comes twice."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, DateTime, MetaData, String, Table, func, insert, select

from keepwell import rooms
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.settings import Settings
from keepwell.jobs.registry import transactional
from keepwell.jobs.service import enqueue

KIND = "benchmark.timer"
LEAD = timedelta(seconds=4)
PATIENCE = 60.0

_METADATA = MetaData()
EFFECT = Table(
    "benchmark_effect",
    _METADATA,
    Column("job", String(40), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)


@transactional(KIND)
def _fire(tx: Tx, payload: dict[str, Any]) -> None:
    tx.session.execute(insert(EFFECT).values(job=payload["name"], at=datetime.now(UTC)))


def run(root: Path, url: str, count: int) -> tuple[float, int]:
    """Enqueue, let one worker process do it, and look.

    Args:
        root: folder with the workspace `ws`.
        url: of a migrated database.
        count: timers.

    Returns:
        Seconds from the last due time to the last effect; how many effects came more than once.

    Raises:
        RuntimeError: some never came.
    """
    frame = Frame.open(root / "ws", Settings(database_url=url))
    try:
        _METADATA.create_all(frame.database.engine)
        first = datetime.now(UTC) + LEAD
        due = [first + timedelta(seconds=i / count) for i in range(count)]
        with frame.write() as tx:
            for i, at in enumerate(due):
                enqueue(tx, KIND, {"name": f"timer {i}"}, key=f"benchmark:{i}", due_at=at)
        worker = _worker(root, url)
        try:
            _wait(frame, count)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(20)
        with frame.read() as tx:
            times = tx.session.execute(select(EFFECT.c.job, EFFECT.c.at)).all()
    finally:
        frame.close()
    last = max(at if at.tzinfo else at.replace(tzinfo=UTC) for _, at in times)
    twice = len(times) - len({job for job, _ in times})
    return (last - due[-1]).total_seconds(), twice


def _worker(root: Path, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, __file__, str(root)],
        env=os.environ | {"KEEPWELL_DATABASE_URL": url, "KEEPWELL_LOG_LEVEL": "error"},
    )


def _wait(frame: Frame, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with frame.read() as tx:
            done = tx.session.scalar(select(func.count()).select_from(EFFECT)) or 0
        if done >= count:
            time.sleep(1.0)  # a second firing would come now
            return
        time.sleep(0.25)
    raise RuntimeError(f"only {done} of {count} timers fired within {PATIENCE:.0f} s")


def main() -> None:
    """The worker process."""
    from keepwell.jobs.worker import Worker

    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    args = parser.parse_args()
    rooms.load_all()
    frame = Frame.open(args.root / "ws")
    worker = Worker(frame)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()
    frame.close()


if __name__ == "__main__":
    main()
