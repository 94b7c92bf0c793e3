"""A workbench in full: a small simulated broker, its desk, a server, and a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.desk import SECRET

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
STORE = bool(os.environ.get("KEEPWELL_PICTURES"))
PICTURES = Path(__file__).parents[2] / "docs" / "images" / "workbench"
KEEPWELL = [str(Path(sys.executable).with_name("keepwell"))]


@dataclass(frozen=True)
class Bench:
    """A workbench that is served.

    Attributes:
        address: of its pages.
        workspace: its folder.
        passwords: by log-in name.
    """

    address: str
    workspace: Path
    passwords: dict[str, str]


FEW_TREES = """
from keepwell.cli import app
from tests.learn.broker import few_trees
with few_trees():
    app()
"""


def run(*arguments: object) -> str:
    # How good the model is matters for the pictures only.
    command = KEEPWELL if STORE else [sys.executable, "-c", FEW_TREES]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"KEEPWELL_LANG": "en", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """A simulated broker with its desk open, made once for all processes of the tests."""
    place = tmp_path_factory.getbasetemp().parent / "broker"
    with FileLock(f"{place}.lock"):
        if not (place / "told").exists():
            run("world", "new", "--clients", 600, "--days", 320, "--seed", 7, "--out", place)
            (place / ".keepwell").mkdir()
            (place / ".keepwell" / "desk.secret").write_bytes(SECRET)
            (place / "told").write_text(run("demo", "--workspace", place))
    return place


@contextmanager
def served(workspace: Path):
    """A server of its own over a copy of a workspace."""
    process = subprocess.Popen(
        [*KEEPWELL, "serve", "--workspace", str(workspace), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"KEEPWELL_SESSION__SECURE": "false", "KEEPWELL_LANG": "en"},
    )  # fmt: skip
    try:
        address = ""
        for line in process.stdout:
            found = re.search(r"http://\S+", line)
            if found:
                address = found.group().rstrip(".")
                break
        assert address, "the server did not start"
        yield address
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def bench(broker, tmp_path_factory):
    """A workbench for the tests of a module."""
    place = tmp_path_factory.mktemp("workbench") / "bench"
    shutil.copytree(broker, place)
    told = (broker / "told").read_text()
    passwords = dict(re.findall(r"(demo-\w+)\s+([a-z2-7]{16})\b", told))
    with served(place) as address:
        yield Bench(address, place, passwords)
