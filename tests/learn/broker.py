"""A small broker for tests of the whole job: trades, holdings, prices, profiles and managers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe.workspace import Workspace
from keepwell.warn.models.boosting import Boosting
from tests.warn.world import leaving_world

MAPPING = """\
version: 1
name: Small broker
timezone: Europe/Athens
currency: EUR
sources:
  trade: {path: trade.parquet}
  holding: {path: holding.parquet}
  price: {path: price.parquet}
  client: {path: client.parquet}
  service: {path: service.parquet}
tables:
  trade:
    sql: select * from trade
    covers: [["2019-01-01", "2023-01-01"]]
  holding:
    sql: select * from holding
    covers: [["2019-01-01", "2023-01-01"]]
    full_days: true
  price:
    sql: select * from price
    covers: [["2019-01-01", "2023-01-01"]]
  client:
    sql: select * from client
  service:
    sql: select * from service
label: {name: exit, by: units, horizon: 6mo, gap: 0d}
dates:
  train: ["2020-01-01", "2020-07-01", "2021-01-01", "2021-07-01"]
  prove: "2021-07-01"
  rank: "2022-01-01"
"""
RANK = date(2022, 1, 1)
PRICE = 12.5
COLUMNS = {
    "trade": {
        "trade_id": pa.string(), "client_id": pa.string(), "at": pa.date32(),
        "instrument_id": pa.string(), "side": pa.string(), "quantity": pa.float64(),
        "amount": pa.float64(), "known_at": pa.date32(),
    },
    "holding": {
        "client_id": pa.string(), "day": pa.date32(), "instrument_id": pa.string(),
        "quantity": pa.float64(),
    },
    "price": {"series": pa.string(), "day": pa.date32(), "close": pa.float64()},
    "client": {
        "client_id": pa.string(), "valid_from": pa.date32(), "opened_on": pa.date32(),
        "manager_id": pa.string(), "branch_id": pa.string(), "closed_on": pa.date32(),
        "closed_reason": pa.string(),
    },
    "service": {"client_id": pa.string(), "valid_from": pa.date32(), "manager_id": pa.string()},
}  # fmt: skip
Tables = dict[str, list[tuple[Any, ...]]]


@contextmanager
def few_trees() -> Iterator[None]:
    """Train with few trees: these tests ask what is written, not how good it is."""
    kept = Boosting.__init__.__defaults__
    assert kept is not None
    Boosting.__init__.__defaults__ = (12, *kept[1:])
    try:
        yield
    finally:
        Boosting.__init__.__defaults__ = kept


def world(clients: int = 110) -> Tables:
    """Rows by table, up to the ranking date."""
    found = leaving_world(clients)
    old = date(2019, 1, 15)
    trades = [(*row, row[2] + timedelta(days=1)) for row in found["trade"]]
    ids = sorted({row[1] for row in trades})
    tables: Tables = {
        "trade": trades,
        "holding": list(found["holding"]),
        "price": [("I1", date(2019, 1, 10), PRICE + 1), ("I1", date(2021, 12, 30), PRICE)],
        "client": [(id, old, old, "P1", f"B{i % 2}", None, None) for i, id in enumerate(ids)],
        "service": [(id, old, f"M{i % 3}") for i, id in enumerate(ids) if i >= 5],
    }
    tables["service"] += [(id, date(2021, 6, 1), "M9") for id in ids[20:30]]
    # Held, closed by its client; open without a position; opened lately.
    tables["trade"] += [
        ("x1", "closed", date(2019, 4, 1), "I1", "buy", 3.0, 30.0, date(2019, 4, 2)),
        ("x2", "new", date(2021, 12, 20), "I1", "buy", 3.0, 30.0, date(2021, 12, 21)),
    ]
    tables["holding"] += [
        (id, day, "I1", 3.0)
        for id in ("closed", "new")
        for day in sorted({row[1] for row in found["holding"]})
        if id == "closed" or day == date(2021, 12, 31)
    ]
    closing = date(2021, 10, 1)
    tables["client"] += [
        ("closed", old, old, None, "B0", None, None),
        ("closed", closing, old, None, "B0", closing, "client"),
        ("unfunded", old, old, None, "B1", None, None),
        ("new", date(2021, 12, 19), date(2021, 12, 19), None, "B1", None, None),
    ]
    return tables


def future(tables: Tables) -> Tables:
    """Rows that nobody could know at the ranking date, beside those of `world`."""
    ids = sorted({row[0] for row in tables["service"]})
    first, later = date(2022, 1, 1), date(2022, 3, 1)
    return {
        # Done before the ranking, known after it; and done after it.
        "trade": [
            (f"late{i}", id, date(2021, 11, 1), "I1", "sell", 1.0, 10.0, first + timedelta(days=1))
            for i, id in enumerate(ids)
        ]
        + [
            (f"after{i}", id, first, "I1", "sell", 1.0, 10.0, first + timedelta(days=1))
            for i, id in enumerate(ids[::2])
        ]
        + [("n1", "later", later, "I1", "buy", 1.0, 10.0, later + timedelta(days=1))],
        "holding": [(id, first, "I1", 1.0) for id in ids[::3]],
        "price": [("I1", first, 99.0)],
        "client": [(id, later, later, "P7", "B7", later, "client") for id in ids[::4]],
        "service": [(id, later, "M7") for id in ids],
    }


def write(root: Path, tables: Tables) -> Workspace:
    """The files and keepwell.yaml; nothing is ingested."""
    root.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        columns = COLUMNS[name]
        arrays = {
            column: pa.array([row[i] for row in rows], kind)
            for i, (column, kind) in enumerate(columns.items())
        }
        pq.write_table(pa.table(arrays), root / f"{name}.parquet")
    (root / "keepwell.yaml").write_text(MAPPING)
    return Workspace.open(root)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file under a folder: when it was last written, and its content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
