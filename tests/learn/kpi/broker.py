"""A broker of five clients and one month, so small that every key figure is reckoned by hand."""

from __future__ import annotations

from datetime import date
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
label: {name: exit, by: units, horizon: 1mo, gap: 0d}
value: {commission_kept: 0.5, cash_spread_bps: 0, margin_spread_bps: 0, history_days: 365}
"""
TEXT, NUMBER, DAY, COUNT = pa.string(), pa.float64(), pa.date32(), pa.int64()
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "client": {
        "client_id": TEXT, "valid_from": DAY, "opened_on": DAY, "manager_id": TEXT,
        "adviser_id": TEXT, "known_at": DAY,
    },
    "service": {
        "client_id": TEXT, "valid_from": DAY, "manager_id": TEXT, "adviser_id": TEXT,
        "known_at": DAY,
    },
    "instrument": {"instrument_id": TEXT, "category": TEXT, "known_at": DAY},
    "price": {"series": TEXT, "day": DAY, "close": NUMBER, "known_at": DAY},
    "holding": {
        "client_id": TEXT, "day": DAY, "instrument_id": TEXT, "quantity": NUMBER, "known_at": DAY,
    },
    "trade": {
        "trade_id": TEXT, "client_id": TEXT, "at": DAY, "instrument_id": TEXT, "side": TEXT,
        "quantity": NUMBER, "amount": NUMBER, "commission": NUMBER, "known_at": DAY,
    },
    "balance": {
        "client_id": TEXT, "day": DAY, "cash": NUMBER, "securities": NUMBER, "known_at": DAY,
    },
    "cash_flow": {
        "flow_id": TEXT, "client_id": TEXT, "at": DAY, "kind": TEXT, "amount": NUMBER,
        "failure_reason": TEXT, "known_at": DAY,
    },
    "custody_transfer": {
        "transfer_id": TEXT, "client_id": TEXT, "at": DAY, "direction": TEXT,
        "instrument_id": TEXT, "quantity": NUMBER, "known_at": DAY,
    },
    "contact": {
        "contact_id": TEXT, "client_id": TEXT, "at": DAY, "resolve_s": COUNT, "csat": COUNT,
        "known_at": DAY,
    },
    "complaint": {"complaint_id": TEXT, "client_id": TEXT, "at": DAY, "known_at": DAY},
    "survey": {
        "survey_id": TEXT, "client_id": TEXT, "at": DAY, "kind": TEXT, "score": COUNT,
        "known_at": DAY,
    },
    "session": {
        "session_id": TEXT, "client_id": TEXT, "at": DAY, "errors": COUNT, "known_at": DAY,
    },
}  # fmt: skip
STATES = ("client", "service", "instrument")
Tables = dict[str, list[tuple[Any, ...]]]


def day(text: str) -> date:
    return date.fromisoformat(text)


AGO, EVE = day("2020-01-01"), day("2022-10-31")
LATE = day("2022-12-20")
"""After November's delay: what is learned then does not count for November."""


def november() -> Tables:
    """Clients A to E in November 2022; C sells all, D brings shares, E holds nothing."""

    def on(number: int) -> date:
        return date(2022, 11, number)

    def held(client: str, name: str, quantity: float) -> tuple[Any, ...]:
        return (client, EVE, name, quantity, EVE)

    return {
        "client": [(c, AGO, AGO, "m1" if c in "ABE" else None, None, AGO) for c in "ABCDE"],
        "service": [
            ("A", AGO, "m1", "a1", AGO), ("B", AGO, "m1", None, AGO),
            ("E", day("2022-12-02"), "m1", "a1", day("2022-12-02")),
            ("B", on(3), "m1", "a1", LATE),
        ],
        "instrument": [("F", "fund_equity", AGO), ("S", "stock", AGO)],
        "price": [
            (name, when, close, when)
            for name, close in (("F", 20.0), ("S", 100.0))
            for when in (day("2022-10-28"), on(30))
        ],
        "holding": [
            held("A", "F", 1000.0), held("A", "S", 5.0), held("B", "S", 10.0),
            held("C", "S", 5.0), held("D", "S", 2.0),
        ],
        "trade": [
            ("1", "A", day("2022-02-01"), "S", "buy", 1.0, 100.0, 30.0, day("2022-02-01")),
            ("2", "C", on(10), "S", "sell", 5.0, 500.0, 20.0, on(10)),
        ],
        "balance": [
            ("A", EVE, 10_000.0, 20_000.0, EVE), ("B", EVE, 0.0, 10_000.0, EVE),
            ("C", EVE, 3_500.0, 500.0, EVE), ("D", EVE, 800.0, 200.0, EVE),
        ],
        "cash_flow": [
            ("1", "A", on(2), "deposit", 1_000.0, None, on(2)),
            ("2", "B", on(3), "withdrawal", 400.0, None, on(3)),
            ("3", "B", on(4), "withdrawal", 999.0, "limit", on(4)),
            ("4", "A", on(5), "dividend", 77.0, None, on(5)),
            ("5", "A", on(6), "deposit", 5_000.0, None, LATE),
        ],
        "custody_transfer": [("1", "D", on(15), "in", "S", 3.0, on(15))],
        **_voice(),
    }  # fmt: skip


def _voice() -> Tables:
    """What clients say, and their sessions."""

    def on(number: int) -> date:
        return date(2022, 11, number)

    return {
        "contact": [
            ("1", "A", on(2), 3_600, 5, on(2)), ("2", "A", on(3), 40_000, 2, on(3)),
            ("3", "B", on(4), 28_800, 4, on(4)), ("4", "C", on(5), None, None, on(5)),
            ("5", "B", on(15), 100, 1, LATE), ("6", "A", day("2022-12-01"), 1, 1, LATE),
            ("7", "A", EVE, 1, 1, EVE),
        ],
        "complaint": [
            ("1", "A", on(2), on(2)), ("2", "A", on(3), on(3)), ("3", "E", on(4), on(4)),
            ("4", "B", on(5), LATE), ("5", "B", day("2022-12-01"), day("2022-12-01")),
        ],
        "survey": [
            ("1", "D", on(2), "csat", 6, on(2)), ("2", "B", on(2), "csat", 5, on(2)),
            ("3", "A", on(2), "nps", 10, on(2)), ("4", "B", on(2), "nps", 9, on(2)),
            ("5", "C", on(2), "nps", 7, on(2)), ("6", "D", on(2), "nps", 3, on(2)),
            ("7", "E", on(2), "nps", 0, LATE), ("8", "E", on(2), "ces", 1, on(2)),
        ],
        "session": [
            ("1", "A", on(2), 2, on(2)), ("2", "A", on(3), 0, on(3)), ("3", "B", on(4), 1, on(4)),
            ("4", "C", on(5), None, on(5)), ("5", "D", on(6), 9, LATE),
        ],
    }  # fmt: skip


def broker(root: Path, tables: Tables, covers: str = '[["2021-01-01", "2024-01-01"]]') -> Workspace:
    """Write the files of the tables that are given, and ingest them."""
    root.mkdir(parents=True)
    sources, selects = ["sources:"], ["tables:"]
    for name, rows in tables.items():
        arrays = {
            column: pa.array([row[i] for row in rows], kind)
            for i, (column, kind) in enumerate(COLUMNS[name].items())
        }
        pq.write_table(pa.table(arrays), root / f"{name}.parquet")
        sources.append(f"  {name}: {{path: {name}.parquet}}")
        selects.append(f"  {name}:\n    sql: select * from {name}")
        if name not in STATES:
            selects.append(f"    covers: {covers}")
    (root / "keepwell.yaml").write_text(HEAD + "\n".join([*sources, *selects]) + "\n")
    workspace = Workspace.open(root)
    assert not ingest(workspace, backfill=True).quarantined
    return workspace
