"""The simulated broker of the browser's tests: `python -m tests.e2e.broker FOLDER` makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.desk import SECRET

KEEPWELL = [str(Path(sys.executable).with_name("keepwell"))]
STORE = bool(os.environ.get("KEEPWELL_PICTURES"))
FEW_TREES = """
from keepwell.cli import app
from tests.learn.broker import few_trees
with few_trees():
    app()
"""


def run(*arguments: object) -> str:
    """What a command says."""
    # How good the model is matters for the pictures only.
    command = KEEPWELL if STORE else [sys.executable, "-c", FEW_TREES]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"KEEPWELL_LANG": "en", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(place: Path) -> Path:
    """A simulated broker with its desk open; what the demo said, passwords too, is in `told`."""
    run("world", "new", "--clients", 600, "--days", 320, "--seed", 7, "--out", place)
    (place / ".keepwell").mkdir()
    (place / ".keepwell" / "desk.secret").write_bytes(SECRET)
    (place / "told").write_text(run("demo", "--workspace", place))
    return place


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    make(folder)
