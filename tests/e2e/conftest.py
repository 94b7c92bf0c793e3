"""A workbench in full: a small simulated broker, its desk, a server, and a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from .broker import KEEPWELL, make

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PICTURES = Path(__file__).parents[2] / "docs" / "images" / "workbench"


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


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """A simulated broker with its desk open, made once for all processes of the tests."""
    if "KEEPWELL_BROKER" in os.environ:  # `make test` made it while it checked the types
        return Path(os.environ["KEEPWELL_BROKER"])
    place = tmp_path_factory.getbasetemp().parent / "broker"
    with FileLock(f"{place}.lock"):
        return place if (place / "told").exists() else make(place)


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
