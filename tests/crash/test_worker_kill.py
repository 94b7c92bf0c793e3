"""kill -9 of the worker at any moment: each effect exactly once, each message at least once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from keepwell.frame.context import Frame
from keepwell.frame.settings import Settings
from keepwell.jobs import registry
from keepwell.jobs.worker import Worker
from tests.desk import write_workspace

from .forks import CONTEXT, hurry
from .worker_child import SCENARIOS, patience, unfinished, work

KILLS = int(os.environ.get("KEEPWELL_KILLS", "12"))
LATEST = 0.35
"""Seconds after its start within which a worker is killed."""


def killed(root: Path, url: str, names: list[str], after: float) -> None:
    (root / "up").unlink(missing_ok=True)
    process = CONTEXT.Process(target=work, args=(root, url, names))
    process.start()
    until = time.monotonic() + 60
    while not (root / "up").exists():
        assert time.monotonic() < until, "the worker does not start"
        assert process.is_alive(), "the worker ended by itself"
        time.sleep(0.005)
    time.sleep(after)
    assert process.is_alive(), "the worker ended by itself"
    os.killpg(process.pid or 0, signal.SIGKILL)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """A workspace and the address of its database."""
    root = write_workspace(tmp_path / "ws")
    if request.param == "postgresql":
        return root, request.getfixturevalue("postgres")()
    file = root / ".keepwell" / "desk.sqlite"
    file.parent.mkdir()
    shutil.copy(request.getfixturevalue("sqlite_template"), file)
    return root, f"sqlite:///{file}"


def test_killed_workers_lose_nothing_and_repeat_nothing(place, monkeypatch):
    root, url = place
    monkeypatch.setattr(registry, "_HANDLERS", dict(registry._HANDLERS))
    monkeypatch.setattr(registry, "_RECURRING", {})
    chance = random.Random(4)
    scenarios = {name: kind() for name, kind in SCENARIOS.items()}
    frame = hurry(Frame.open(root, Settings(database_url=url)))
    for turn in range(KILLS):
        for scenario in scenarios.values():
            scenario.give(frame, turn)
        killed(root, url, list(scenarios), chance.random() * LATEST)
    left = unfinished(frame)
    assert left, "no kill came while there was work"

    for scenario in scenarios.values():
        scenario.register(root)
    last = Worker(frame)
    thread = threading.Thread(target=last.run)
    thread.start()
    until = time.monotonic() + patience(KILLS).total_seconds()
    while unfinished(frame) and time.monotonic() < until:
        time.sleep(0.1)
    last.stop()
    thread.join(30)
    assert unfinished(frame) == 0
    for scenario in scenarios.values():
        scenario.check(frame, root)
    frame.close()
