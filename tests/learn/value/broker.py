"""A broker so small that its margins can be reckoned by hand; nothing is trained on it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace

HEAD = """\
version: 1
name: By hand
timezone: Asia/Shanghai
currency: CNY
"""
COLUMNS = {
    "trade": {
        "trade_id": pa.string(), "client_id": pa.string(), "at": pa.date32(),
        "instrument_id": pa.string(), "side": pa.string(), "quantity": pa.float64(),
        "amount": pa.float64(), "commission": pa.float64(), "currency": pa.string(),
        "known_at": pa.date32(),
    },
    "holding": {
        "client_id": pa.string(), "day": pa.date32(), "instrument_id": pa.string(),
        "quantity": pa.float64(), "known_at": pa.date32(),
    },
    "instrument": {"instrument_id": pa.string(), "category": pa.string()},
    "price": {
        "series": pa.string(), "day": pa.date32(), "close": pa.float64(), "known_at": pa.date32()
    },
    "client": {
        "client_id": pa.string(), "valid_from": pa.date32(), "opened_on": pa.date32(),
        "segment_hint": pa.string(), "known_at": pa.date32(),
    },
    "balance": {
        "client_id": pa.string(), "day": pa.date32(), "cash": pa.float64(),
        "securities": pa.float64(), "known_at": pa.date32(),
    },
    "margin": {
        "client_id": pa.string(), "day": pa.date32(), "debt": pa.float64(), "known_at": pa.date32(),
    },
    "cash_flow": {
        "flow_id": pa.string(), "client_id": pa.string(), "at": pa.date32(), "kind": pa.string(),
        "amount": pa.float64(), "failure_reason": pa.string(), "known_at": pa.date32(),
    },
    "session": {"session_id": pa.string(), "client_id": pa.string(), "at": pa.date32()},
    "custody_transfer": {
        "transfer_id": pa.string(), "client_id": pa.string(), "at": pa.date32(),
        "direction": pa.string(), "instrument_id": pa.string(), "quantity": pa.float64(),
        "known_at": pa.date32(),
    },
}  # fmt: skip
AS_OF = datetime(2022, 12, 31, 16, tzinfo=UTC)  # midnight of 1 January 2023 in Shanghai
Tables = dict[str, list[tuple[Any, ...]]]


def day(text: str) -> date:
    return date.fromisoformat(text)


def rows() -> Tables:
    """Client A has everything; B holds a stock and owes; C came in October; D only exists."""
    long_ago, opened = day("2020-01-01"), day("2022-10-03")

    def trade(number, client, on, amount, commission, currency=None):
        return (number, client, day(on), "S", "buy", 1.0, amount, commission, currency, day(on))

    return {
        "trade": [
            trade("1", "A", "2022-02-01", 50_000.0, 25.0),
            trade("2", "A", "2022-11-01", 30_000.0, 15.0),
            trade("3", "A", "2021-12-31", 10_000.0, 5.0),  # before the year looked back on
            trade("4", "C", "2022-12-01", 10_000.0, 9.0),
            trade("5", "A", "2022-06-01", 10_000.0, 7.0, "USD"),
        ],
        "holding": [
            (client, day("2022-12-31"), name, quantity, day("2023-01-01"))
            for client, name, quantity in (("A", "F", 1_000.0), ("A", "S", 5.0), ("B", "S", 10.0))
        ],
        "instrument": [("F", "fund_equity"), ("S", "stock")],
        "price": [
            ("F", day("2022-12-30"), 20.0, day("2022-12-31")),
            ("S", day("2022-12-30"), 100.0, day("2022-12-31")),
        ],
        "client": [
            ("A", long_ago, long_ago, "gold", long_ago),
            ("B", long_ago, long_ago, "basic", long_ago),
            ("C", opened, opened, None, opened),
            ("D", long_ago, long_ago, None, long_ago),
        ],
        "balance": [
            # 45 days at 10,000, then 45 at 30,000: on average 20,000.
            ("A", day("2022-06-30"), 10_000.0, 0.0, day("2022-07-01")),
            ("A", day("2022-11-17"), 30_000.0, 0.0, day("2022-11-18")),
            ("B", day("2022-12-01"), -500.0, 1_000.0, day("2022-12-02")),
        ],
        "margin": [("B", day("2022-10-01"), 2_000.0, day("2022-10-02"))],
        "cash_flow": [("0", "D", day("2022-01-05"), "deposit", 1.0, None, day("2022-01-05"))],
        "custody_transfer": [],
    }


def unknown_at_the_time() -> Tables:
    """What happened later, and what happened before but was known later."""
    first, later = day("2023-01-01"), day("2023-02-01")
    return {
        "trade": [
            ("6", "A", first, "S", "buy", 1.0, 9e4, 900.0, None, first),
            ("7", "B", day("2022-05-05"), "S", "buy", 1.0, 9e4, 900.0, None, later),
        ],
        "holding": [("B", first, "F", 1e4, day("2023-01-02"))],
        "price": [("F", first, 99.0, day("2023-01-02")), ("F", day("2022-12-31"), 77.0, later)],
        "client": [
            ("A", later, day("2020-01-01"), "basic", later),
            ("B", day("2022-01-01"), day("2020-01-01"), "gold", later),
        ],
        "balance": [("A", day("2022-12-31"), 9e6, 0.0, later), ("B", first, 9e6, 0.0, later)],
        "margin": [("A", day("2022-12-01"), 9e6, later), ("B", first, 0.0, later)],
        "cash_flow": [("late", "A", day("2022-12-31"), "deposit", 9e6, None, later)],
    }


def broker(root: Path, tables: Tables, settings: str = "") -> Workspace:
    """Write the files of the tables that have rows, and ingest them."""
    root.mkdir(parents=True)
    tables = {name: found for name, found in tables.items() if found}
    sources, selects = ["sources:"], ["tables:"]
    for name, found in tables.items():
        arrays = {
            column: pa.array([row[i] for row in found], kind)
            for i, (column, kind) in enumerate(COLUMNS[name].items())
        }
        pq.write_table(pa.table(arrays), root / f"{name}.parquet")
        sources.append(f"  {name}: {{path: {name}.parquet}}")
        selects.append(f"  {name}:\n    sql: select * from {name}")
        if name not in ("client", "instrument"):
            selects.append('    covers: [["2021-01-01", "2024-01-01"]]')
    text = HEAD + "\n".join([*sources, *selects]) + "\n" + settings
    (root / "keepwell.yaml").write_text(text)
    workspace = Workspace.open(root)
    report = ingest(workspace, backfill=True)
    assert not report.quarantined
    return workspace


def merged(*many: Tables) -> Tables:
    return {name: [row for one in many for row in one.get(name, [])] for name in COLUMNS}
