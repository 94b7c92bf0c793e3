"""A broker whose hold-out was drawn half a year ago: who was left alone left more often.

The arms come from the desk's own draw; the lake is written afterwards, so that what became of
whom is known: of the hold-out every second client sold all and withdrew, of the others every fifth.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from keepwell.learn.holdout.service import draw
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from tests.desk import Desk, Ticker, make_schema

DRAWN = datetime(2021, 7, 1, 7, 30, tzinfo=UTC)
NOW = datetime(2022, 1, 3, 9, 0, tzinfo=UTC)
CLIENTS, MANAGERS = 400, 40
BOUGHT, LEFT, END = date(2021, 1, 15), date(2021, 9, 15), date(2022, 1, 1)
PRICE, FEE = 10.0, 12.5

COLUMNS = {
    "trade": {
        "trade_id": pa.string(), "client_id": pa.string(), "at": pa.date32(),
        "instrument_id": pa.string(), "side": pa.string(), "quantity": pa.float64(),
        "amount": pa.float64(), "commission": pa.float64(),
    },
    "holding": {
        "client_id": pa.string(), "day": pa.date32(), "instrument_id": pa.string(),
        "quantity": pa.float64(),
    },
    "price": {"series": pa.string(), "day": pa.date32(), "close": pa.float64()},
    "cash_flow": {
        "flow_id": pa.string(), "client_id": pa.string(), "at": pa.date32(), "kind": pa.string(),
        "amount": pa.float64(),
    },
}  # fmt: skip


def names(clients: int = CLIENTS) -> list[str]:
    return [f"k{i:04d}" for i in range(clients)]


def tables(arms: dict[str, str]) -> dict[str, list[tuple]]:
    """Rows by table; units differ by client, so that money and clients are not the same."""
    rows: dict[str, list[tuple]] = {name: [] for name in COLUMNS}
    months = [date(2021, m, 10) for m in range(2, 13)]
    counted = {"contact": 0, "hold-out": 0}
    rows["price"] = [("I1", day, PRICE) for day in (date(2021, 1, 10), date(2021, 12, 30))]
    for i, client in enumerate(sorted(arms)):
        units = 50.0 + i % 37
        counted[arms[client]] += 1
        every = 2 if arms[client] == "hold-out" else 5
        leaves = counted[arms[client]] % every == 0
        rows["trade"].append((f"b{client}", client, BOUGHT, "I1", "buy", units, units * PRICE, FEE))
        rows["cash_flow"].append((f"d{client}", client, BOUGHT, "deposit", units * PRICE))
        for month in months:
            if not leaves or month < LEFT:
                rows["trade"].append(
                    (f"m{client}{month}", client, month, "I1", "buy", 1.0, PRICE, FEE)
                )
        kept = units + sum(month < LEFT for month in months)
        if leaves:
            rows["trade"].append(
                (f"s{client}", client, LEFT, "I1", "sell", kept, kept * PRICE, FEE)
            )
            rows["cash_flow"].append((f"w{client}", client, LEFT, "withdrawal", kept * PRICE))
        for day in (date(2021, 6, 30), date(2021, 12, 31)):
            had = units + sum(month <= day for month in months)
            if not (leaves and day > LEFT):
                rows["holding"].append((client, day, "I1", had))
    return rows


def write_yaml(root: Path, **more: object) -> Workspace:
    root.mkdir(parents=True, exist_ok=True)
    covers = [["2021-01-01", "2022-01-01"]]
    mapped = {name: {"sql": f"select * from {name}", "covers": covers} for name in COLUMNS}
    mapped["holding"]["full_days"] = True
    content = {
        "version": 1, "name": "Kept broker", "timezone": "Europe/Athens", "currency": "EUR",
        "sources": {name: {"path": f"{name}.parquet"} for name in COLUMNS}, "tables": mapped,
        "label": {"name": "exit", "by": "units", "horizon": "6mo", "gap": "0d"},
        "value": {"budget": {"minute_cost": 1.0, "contact_cost": 0.5}}, **more,
    }  # fmt: skip
    (root / "keepwell.yaml").write_text(yaml.safe_dump(content))
    return Workspace.open(root)


def drawn_desk(root: Path, url: str, clients: int = CLIENTS) -> Desk:
    """A desk with people, a book and a draw, at the moment of the draw; no lake yet."""
    write_yaml(root)
    make_schema(url)
    desk = Desk.open(root, url, Ticker(DRAWN), holdout={"share": 0.3})
    desk.staff_up()
    rows = [
        {
            "client_id": client, "manager_id": f"x{i % MANAGERS}", "branch_id": "bn",
            "probability": 0.1 + 0.001 * (i % 200),
            "tier": ("none", "mild", "moderate", "severe")[i % 4],
        }
        for i, client in enumerate(names(clients))
    ]  # fmt: skip
    draw(desk.frame, desk.publish(rows))
    return desk


def arms_of(desk: Desk) -> dict[str, str]:
    from keepwell.learn.holdout import repo

    with desk.frame.read() as tx:
        return {row.client_id: row.arm for row in repo.all_arms(tx, "2021")}


def fill_lake(desk: Desk) -> LocalEngine:
    """Half a year later: what became of everybody is in the lake."""
    root = desk.frame.workspace.root
    for name, rows in tables(arms_of(desk)).items():
        arrays = {
            column: pa.array([row[i] for row in rows], kind)
            for i, (column, kind) in enumerate(COLUMNS[name].items())
        }
        pq.write_table(pa.table(arrays), root / f"{name}.parquet")
    ingest(desk.frame.workspace)
    desk.now.set(NOW)
    return LocalEngine.open(desk.frame.workspace)


SPAN = timedelta(days=183)
