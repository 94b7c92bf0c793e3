"""A broker on disk whose days are alike, and a day on which something is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe.workspace import Workspace

ZONE_HOURS = 8
FIRST = date(2026, 1, 5)
LAST = date(2026, 4, 3)
"""The last day before those that the tests add: a Friday."""
HOLIDAY = date(2026, 4, 6)
NEXT = date(2026, 4, 7)
"""The first trading day after it."""

MAPPING = """\
version: 1
name: Watched
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: "trade/*.parquet", owner: m1}
  visits: {path: "session/*.parquet"}
  people: {path: client.parquet}
  prices: {path: "price/*.parquet"}
  products: {path: instrument.parquet}
tables:
  client: {sql: select * from people}
  instrument: {sql: select * from products}
  trade: {sql: select * from trades, covers: [["2026-01-01", null]]}
  session: {sql: select * from visits, covers: [["2026-01-01", null]]}
  price: {sql: select * from prices, covers: [["2026-01-01", null]]}
monitors: {owner: data-team}
"""
CLIENTS = [f"c{n:03d}" for n in range(60)]
PRODUCTS = [f"p{n:02d}" for n in range(60)]


def at_nine(day: date) -> datetime:
    """Nine in the morning, Shanghai, of the day after: what it brought has come."""
    return datetime.combine(day + timedelta(days=1), time(1, 30), UTC)


def trades(day: date, rows: int = 0) -> dict[str, list]:
    """A day of trades: about 120, amounts over two powers of ten, some commissions missing."""
    luck = np.random.default_rng(day.toordinal())
    n = rows or int(luck.poisson(120))
    start = datetime.combine(day, time(2), UTC)
    amounts = np.round(np.exp(luck.normal(9, 1, n)), 2)
    return {
        "trade_id": [f"{day}-{i}" for i in range(n)],
        "client_id": [CLIENTS[i] for i in luck.integers(0, 60, n)],
        "at": [start + timedelta(minutes=int(m)) for m in luck.integers(0, 180, n)],
        "instrument_id": [PRODUCTS[i] for i in luck.integers(0, 60, n)],
        "side": [("buy", "sell")[i] for i in luck.integers(0, 2, n)],
        "quantity": [float(q) * 100 for q in luck.integers(1, 50, n)],
        "amount": amounts.tolist(),
        "revision": [0] * n,
        "commission": [None if luck.random() < 0.05 else round(a * 3e-4, 2) for a in amounts],
    }


def sessions(day: date) -> dict[str, list]:
    luck = np.random.default_rng(10**7 + day.toordinal())
    n = int(luck.poisson(90 if day.weekday() < 5 else 60))
    start = datetime.combine(day, time(0), UTC)
    return {
        "session_id": [f"{day}-{i}" for i in range(n)],
        "client_id": [CLIENTS[i] for i in luck.integers(0, 60, n)],
        "at": [start + timedelta(minutes=int(m)) for m in luck.integers(0, 900, n)],
        "channel": [("app", "web")[int(luck.random() < 0.3)] for _ in range(n)],
        "seconds": luck.integers(10, 900, n).tolist(),
        "pages": luck.integers(1, 20, n).tolist(),
        "errors": (luck.random(n) < 0.05).astype(int).tolist(),
        "latency_ms": np.exp(luck.normal(5.5, 0.4, n)).astype(int).tolist(),
    }


def prices(day: date) -> dict[str, list]:
    luck = np.random.default_rng(2 * 10**7 + day.toordinal())
    base = np.exp(np.linspace(1, 5, 60))
    return {
        "series": PRODUCTS, "day": [day] * 60,
        "close": np.round(base * np.exp(luck.normal(0, 0.02, 60)), 2).tolist(),
    }  # fmt: skip


def put(root: Path, table: str, name: object, rows: dict[str, list]) -> None:
    """One file of a folder of drops."""
    (root / table).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), root / table / f"{name}.parquet")


def drop(root: Path, day: date, **faulty: dict[str, list]) -> None:
    """A day's files; tables given replace the usual ones, and None leaves one out."""
    usual = {"session": sessions(day)}
    if day.weekday() < 5:
        usual |= {"trade": trades(day), "price": prices(day)}
    for table, rows in {**usual, **faulty}.items():
        if rows is not None:
            put(root, table, day, rows)


def make(root: Path) -> Workspace:
    """The broker with all days up to `LAST`."""
    root.mkdir(parents=True)
    (root / "keepwell.yaml").write_text(MAPPING, "utf-8")
    opened = date(2025, 1, 1)
    people = {"client_id": CLIENTS, "valid_from": [opened] * 60, "opened_on": [opened] * 60}
    pq.write_table(pa.table(people), root / "client.parquet")
    pq.write_table(
        pa.table({"instrument_id": PRODUCTS, "name": PRODUCTS}), root / "instrument.parquet"
    )
    by_table = {"trade": [], "session": [], "price": []}
    for n in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=n)
        by_table["session"].append(sessions(day))
        if day.weekday() < 5:
            by_table["trade"].append(trades(day))
            by_table["price"].append(prices(day))
    for table, days in by_table.items():
        put(root, table, "before", {k: [v for d in days for v in d[k]] for k in days[0]})
    return Workspace.open(root)
