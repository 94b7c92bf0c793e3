"""What the killed process runs: it sends batches, or drains them."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path


def send(root: Path, sender: str, first: int, count: int) -> None:
    """Append batches, and tell each acknowledgement through a pipe that outlives us."""
    from keepwell.observe.spool_ingest import spool_of
    from keepwell.observe.workspace import Workspace

    spool = spool_of(Workspace.open(root))
    told = os.open(root / f"acknowledged-{sender}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(first, first + count):
        content = {"table": "trade", "rows": rows_of(sender, number), "faults": []}
        done = spool.append(sender, f"b{number}", content, datetime.now(UTC))
        os.write(told, (json.dumps([number, done.sequence]) + "\n").encode())


def rows_of(sender: str, number: int) -> list[dict[str, object]]:
    """Three rows; of every fifth batch one is bad, and one is the batch before's."""
    rows = [
        {
            "trade_id": f"{sender}-{number}-{n}", "client_id": f"c{number % 7}",
            "at": "2026-03-02T10:00:00+08:00", "side": "buy", "amount": number + n,
        }
        for n in range(3)
    ]  # fmt: skip
    if number % 5 == 4:
        rows[0]["amount"] = "bad"
        rows[1] = {**rows[1], "trade_id": f"{sender}-{number - 1}-1", "amount": number,
                   "client_id": f"c{(number - 1) % 7}"}  # fmt: skip
    return rows


def fill(root: Path) -> None:
    """Drain, in small rounds."""
    from keepwell.observe import spool, spool_ingest
    from keepwell.observe.workspace import Workspace

    spool.SEGMENT_BYTES = 20_000
    spool_ingest.ROUND_ROWS = 60
    workspace = Workspace.open(root)
    spool_ingest.drain(workspace, wait=20)
    store = spool_ingest.spool_of(workspace)
    store.release(store.drained)


if __name__ == "__main__":
    send(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
