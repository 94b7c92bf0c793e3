"""Small real workspaces: rows in, Parquet and keepwell.yaml on disk, ingested, engine open."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace

SQL = {
    "trade": 'select trade_id, client_id, "at", instrument_id, side, quantity, amount from trade',
    "holding": "select client_id, day, instrument_id, quantity from holding",
    "price": "select series, day, close from price",
    "client": "select client_id, valid_from, opened_on, closed_on, closed_reason from client",
    "custody_transfer": (
        'select transfer_id, client_id, "at", direction, instrument_id, quantity '
        "from custody_transfer"
    ),
    "exit_request": 'select request_id, client_id, "at", kind, completed_at from exit_request',
    "balance": "select client_id, day, cash, securities from balance",
    "cash_flow": 'select flow_id, client_id, "at", kind, amount, failure_reason from cash_flow',
}
COVERS = [["2019-01-01", "2023-01-01"]]
TYPES = {
    "quantity": pa.float64(), "amount": pa.float64(), "close": pa.float64(),
    "cash": pa.float64(), "securities": pa.float64(),
    "at": pa.date32(), "day": pa.date32(), "valid_from": pa.date32(), "opened_on": pa.date32(),
    "closed_on": pa.date32(), "completed_at": pa.date32(),
}  # fmt: skip


def columns_of(table):
    listed = SQL[table].split("select ")[1].split(" from ")[0]
    return [name.strip().strip('"') for name in listed.split(",")]


def build(folder, full_days=True, trade_covers=None, delay="0d", **tables):
    """A workspace of tables given as lists of tuples, in the order of the selects' columns."""
    folder.mkdir(parents=True, exist_ok=True)
    sources, mapped = {}, {}
    for name, rows in tables.items():
        columns = columns_of(name)
        arrays = {
            c: pa.array([row[i] for row in rows], TYPES.get(c, pa.string()))
            for i, c in enumerate(columns)
        }
        pq.write_table(pa.table(arrays), folder / f"{name}.parquet")
        sources[name] = {"path": f"{name}.parquet", "allow_empty": True}
        mapped[name] = {"sql": SQL[name]}
        if name != "client":
            mapped[name]["covers"] = COVERS
    mapped["trade"] |= {"covers": trade_covers or COVERS, "delay": delay}
    if "holding" in mapped:
        mapped["holding"]["full_days"] = full_days
    content = {
        "version": 1, "name": "test", "timezone": "Europe/Athens", "currency": "EUR",
        "sources": sources, "tables": mapped,
        "label": {"name": "exit", "by": "units", "horizon": "6mo", "gap": "0d"},
    }  # fmt: skip
    (folder / "keepwell.yaml").write_text(yaml.safe_dump(content))
    workspace = Workspace.open(folder)
    ingest(workspace)
    return workspace, LocalEngine.open(workspace)


SNAPSHOTS = [date(2019, 12, 31), date(2020, 6, 30), date(2020, 12, 31), date(2021, 6, 30),
             date(2021, 12, 31)]  # fmt: skip


def leaving_world(clients=360, seed=0, until=None):
    """Trades and snapshots of clients who trade less before they leave; rows up to `until`."""
    rng = np.random.default_rng(seed)
    trades, holdings = [], []
    for c in range(clients):
        id = f"c{c:04d}"
        gone = SNAPSHOTS[rng.integers(1, 5)] if rng.random() < 0.6 else None
        leave = gone - timedelta(days=int(rng.integers(5, 170))) if gone else None
        day = date(2019, 3, 1) + timedelta(days=int(rng.integers(0, 200)))
        trades.append((id, day, "buy", 10.0))
        while day < date(2021, 12, 31):
            # The last trade before leaving lies long before: silence is the signal.
            day += timedelta(days=int(rng.exponential(25)) + 1)
            if day >= date(2021, 12, 31) or (leave and day > leave - timedelta(days=150)):
                break
            trades.append((id, day, "buy", float(rng.integers(1, 5))))
        held = sum(q for i, d, s, q in trades if i == id)
        if leave and leave > day - timedelta(days=150):
            trades.append((id, leave, "sell", held))
        for snapshot in SNAPSHOTS:
            units = sum(
                q if s == "buy" else -q for i, d, s, q in trades if i == id and d <= snapshot
            )
            if units > 0:
                holdings.append((id, snapshot, "I1", units))
    rows = [(f"t{n}", id, d, "I1", side, q, 100.0 * q) for n, (id, d, side, q) in enumerate(trades)]
    limit = until or date(2100, 1, 1)
    return {
        "trade": [row for row in rows if row[2] < limit],
        "holding": [row for row in holdings if row[1] < limit],
    }
