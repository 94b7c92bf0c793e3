"""kill -9 at any moment of `keepwell run`, then the same command: complete, equal, no litter."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.api import ingest
from keepwell.observe.workspace import Workspace
from keepwell.warn.registry import ModelStore
from tests.learn.broker import world, write

from .forks import CONTEXT, ready
from .run_child import run

MADE = {  # what is there already when the killed runs begin, and how many they are
    "nothing": ("proofs", "models", "tiles", "archive/training"),
    "proof": ("models", "archive/training"),
    "model": (),
}
KILLS = {"nothing": 6, "proof": 5, "model": 7}  # and two of the console script: 20
CLIENTS = 40


def whole_run(root: Path) -> float:
    """Run to the end; seconds."""
    before = time.monotonic()
    process = CONTEXT.Process(target=run, args=(root,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    return time.monotonic() - before


def killed_run(root: Path, after: float) -> bool:
    """Run and kill with all that it started; whether the kill came before the end."""
    process = CONTEXT.Process(target=run, args=(root,))
    process.start()
    process.join(after)
    try:
        os.killpg(process.pid or 0, signal.SIGKILL)
    except ProcessLookupError:  # not a group yet, or gone
        process.kill()
    process.join(60)
    return process.exitcode != 0


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(root: Path) -> set[str]:
    """All that a run leaves behind, generations and lake files aside."""
    state = root / ".keepwell"
    found = [*(root / "out").rglob("*"), *(p for p in state.rglob("*") if "lake" not in p.parts)]
    return {re.sub(r"-\d{6}", "", str(path.relative_to(root))) for path in found}


def ranking(root: Path) -> pa.Table:
    return pq.read_table(root / "out" / "risk.parquet")


def forget(root: Path, stage: str) -> None:
    """Back to what the stage begins with."""
    for name in MADE[stage]:
        shutil.rmtree(root / ".keepwell" / name, ignore_errors=True)
    shutil.rmtree(root / "out", ignore_errors=True)


def step_back(root: Path, stage: str) -> None:
    """Take away what a killed run finished, so that the next has all to do; its litter stays."""
    for name in MADE[stage]:
        folder = root / ".keepwell" / name
        for path in folder.iterdir() if folder.exists() and name != "tiles" else ():
            if path.is_dir() and not path.name.startswith("."):
                shutil.rmtree(path)
            elif not path.name.startswith("."):
                path.unlink()


def assert_whole(root: Path, expected: Path) -> None:
    """What a reader finds is the old or the new, never a part."""
    out = root / "out"
    if (out / "risk.csv").exists():
        assert (out / "risk.csv").read_bytes() == (expected / "out" / "risk.csv").read_bytes()
    if (out / "risk.parquet").exists():
        assert ranking(root).equals(ranking(expected), check_metadata=True)
    if (out / "report.html").exists():
        assert (out / "report.html").read_text().rstrip().endswith("</html>")
    for proof in (root / ".keepwell" / "proofs").glob("*.json"):
        assert json.loads(proof.read_text())
    store = ModelStore(root / ".keepwell" / "models")
    assert [store.load(id).id for id in store.ids()] == store.ids()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A workspace in which nothing was disturbed, and how long a run takes from each stage."""
    ready()
    root = tmp_path_factory.mktemp("run") / "whole"
    write(root, world(CLIENTS))
    mapping = root / "keepwell.yaml"
    mapping.write_text(mapping.read_text().replace('"2020-01-01", ', ""))
    ingest(Workspace.open(root))
    seconds = {}
    for stage in MADE:
        forget(root, stage)
        seconds[stage] = whole_run(root)
    return root, seconds


@pytest.mark.parametrize("stage", list(MADE))
def test_killed_at_any_moment_and_run_again(
    stages: tuple[Path, dict[str, float]], stage: str, tmp_path: Path
) -> None:
    expected, seconds = stages
    root = tmp_path / "ws"
    shutil.copytree(expected, root)
    lake = content(root / ".keepwell" / "lake")
    dice, kills, hits = random.Random(f"run {stage}"), KILLS[stage], 0
    forget(root, stage)
    for moment in range(kills):
        hits += killed_run(root, seconds[stage] * (moment + dice.random()) / kills)
        assert_whole(root, expected)
        step_back(root, stage)
    whole_run(root)
    assert_whole(root, expected)
    assert names(root) == names(expected), "something was left behind"
    assert (root / "out" / "risk.csv").read_bytes() == (expected / "out/risk.csv").read_bytes()
    assert content(root / ".keepwell" / "lake") == lake
    assert hits >= kills // 2


def test_the_command_itself_killed_and_run_again(
    stages: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    expected, _ = stages
    root = tmp_path / "ws"
    shutil.copytree(expected, root)
    shutil.rmtree(root / "out")
    command = [str(Path(sys.executable).with_name("keepwell")), "run", "-w", str(root)]
    for after in (1.0, 2.0):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        assert_whole(root, expected)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    assert names(root) == names(expected)
    assert ranking(root).equals(ranking(expected))
