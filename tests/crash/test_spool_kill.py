"""kill -9 while events are stored and while they are drained: acknowledged is stored, once."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from keepwell.observe import quarantine, spool_ingest
from keepwell.observe.spool import Spool
from keepwell.observe.spool_ingest import drain
from keepwell.observe.workspace import Workspace

from .forks import CONTEXT
from .spool_child import fill, rows_of, send

KILLS = int(os.environ.get("KEEPWELL_KILLS", "20"))
MAPPING = """\
version: 1
name: crash
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: trades.csv}
tables:
  trade:
    sql: select * from trades
    covers: [["2021-01-01", null]]
"""


def start(work, *arguments):
    process = CONTEXT.Process(target=work, args=arguments)
    process.start()
    return process


def acknowledged(root: Path) -> dict[tuple[str, int], int]:
    found = {}
    for file in root.glob("acknowledged-*"):
        sender = file.name.partition("-")[2]
        whole, _, _ = file.read_text().rpartition("\n")  # the rest is being written
        for line in whole.splitlines():
            number, sequence = json.loads(line)
            assert found.setdefault((sender, number), sequence) == sequence
    return found


def until_more(root: Path, number: int) -> None:
    """Wait for so many further acknowledgements, however slow the machine is."""
    begun = len(acknowledged(root))
    last = time.monotonic() + 60
    while len(acknowledged(root)) < begun + number:
        assert time.monotonic() < last, "nothing is stored any more"
        time.sleep(0.01)


def stored(root: Path) -> dict[tuple[str, int], int]:
    return {
        (r.source, int(r.batch[1:])): r.sequence for r in Spool(root / ".keepwell/spool").records(0)
    }


@pytest.fixture
def root(tmp_path):
    (tmp_path / "keepwell.yaml").write_text(MAPPING)
    (tmp_path / "trades.csv").write_text("trade_id,client_id,at,side\n")
    return tmp_path


def test_killed_while_storing(root):
    """Two senders at once, killed and started again where they think they were."""
    dice = random.Random("spool append")
    for _ in range(KILLS // 2):
        senders = []
        for name in ("left", "right"):
            mine = [n for (sender, n) in acknowledged(root) if sender == name]
            senders.append(start(send, root, name, max(mine, default=-1) + 1, 10_000))
        until_more(root, 20)
        time.sleep(0.25 * dice.random())
        for process in senders:
            process.kill()
            process.join(20)
        told, found = acknowledged(root), stored(root)
        assert told.items() <= found.items()
        assert sorted(found.values()) == list(range(1, len(found) + 1))
    assert len(acknowledged(root)) > 10 * KILLS


def test_killed_while_draining(root):
    """And while another process sends; then once more, and everything is there, once."""
    dice = random.Random("spool drain")
    hits = 0
    sender = start(send, root, "crm", 0, 40)
    sender.join(60)
    for attempt in range(KILLS // 2):
        first = 40 + 20 * attempt
        sender = start(send, root, "crm", first, 20)
        drainer = start(fill, root)
        drainer.join(0.02 + 0.6 * dice.random())
        hits += drainer.is_alive()
        drainer.kill()
        drainer.join(20)
        sender.join(60)
        assert sender.exitcode == 0
    last = start(fill, root)
    last.join(120)
    assert last.exitcode == 0
    spool_ingest._SPOOLS.clear()
    workspace = Workspace.open(root)
    assert drain(workspace).batches == 0
    with workspace.lake.connect() as engine:
        rows = engine.sql("select trade_id from trade").fetchall()
    kept = [
        json.loads(e["raw"])["trade_id"] for e in quarantine.entries(workspace.lake).to_pylist()
    ]
    told = acknowledged(root)
    assert len(told) == 40 + 20 * (KILLS // 2)
    sent = {row["trade_id"] for _, n in told for row in rows_of("crm", n)}
    assert len(rows) == len(set(rows)), "a row came twice"
    assert {r[0] for r in rows} | set(kept) == sent
    assert len(kept) == len(set(kept)), "a refused row was kept twice"
    assert hits >= KILLS // 5
