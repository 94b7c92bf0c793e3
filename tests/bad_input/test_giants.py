"""Inputs as large as one likes are refused in little memory: a process of its own is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.bad_input.broken import HEADER, Desk, good

MEGABYTES = 1024 if int(os.environ.get("KEEPWELL_BROKEN", "200")) >= 2_000 else 48
"""Size of a line: a gigabyte at a release, here enough to tell a bound from none."""
MORE_MEGABYTES = 40
"""What refusing it may need beyond what a good ingest of the same process needed."""

CHILD = """
import json, resource, sys
from pathlib import Path
from keepwell.core.errors import KeepwellError
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from tests.bad_input.broken import NOW, write_mapping

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

folder = Path(sys.argv[1])
ingest(Workspace.open(folder), now=NOW, force=True)
told = {"": ["", peak()]}
for file in sys.argv[2:]:
    write_mapping(folder, file)
    try:
        ingest(Workspace.open(folder), now=NOW)
        code = "taken"
    except KeepwellError as error:
        code = error.code
    told[file] = [code, peak()]
print(json.dumps(told))
"""


def test_a_line_without_end_needs_no_memory(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "ws")
    before = desk.state()
    beginnings = {
        "line.csv": (f"{HEADER}\n{good('g1')}g2,", "x", "source.record-long"),
        "header.csv": ("", "trade_id", "source.record-long"),
        "quote.csv": (f'{HEADER}\n{good("g1")}g2,"', "x,\n", "source.quote-open"),
        "nul.csv": (f"{HEADER}\n{good('g1')}g2,", "\0", "source.encoding-unsure"),
    }
    for file, (head, piece, _) in beginnings.items():
        write_long(desk.folder / file, head, piece)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(desk.folder), *beginnings],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    _, usual = told.pop("")
    assert {file: code for file, (code, _) in told.items()} == {
        file: code for file, (_, _, code) in beginnings.items()
    }
    assert max(peak for _, peak in told.values()) < usual + MORE_MEGABYTES
    assert desk.state() == before


def write_long(path: Path, head: str, piece: str) -> None:
    block = (piece * (1 << 20))[: 1 << 20].encode()
    with path.open("wb") as file:
        file.write(head.encode())
        for _ in range(MEGABYTES):
            file.write(block)
