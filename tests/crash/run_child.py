"""What the killed process runs: the command `keepwell run`, as a process group of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def run(root: Path) -> None:
    os.setsid()
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    from keepwell.cli import main
    from tests.learn.broker import few_trees

    sys.argv = ["keepwell", "run", "--workspace", str(root)]
    with few_trees():
        main()
