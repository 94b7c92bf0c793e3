"""A small broker on disk, for tests of the lake's way in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe.workspace import Workspace

MAPPING = """\
version: 1
name: small
timezone: Europe/Athens
currency: EUR
sources:
  trades: {path: trades.parquet, allow_empty: true}
tables:
  trade:
    sql: select * from trades
    delay: 1d
    covers: [["2020-01-01", null]]
"""

CLIENTS = """\
  clients: {path: clients.csv, columns: {opened_on: date}}
tables:
  client:
    sql: select client_id, opened_on as valid_from, opened_on from clients
"""

TRADE_SCHEMA = pa.schema(
    [
        ("trade_id", pa.string()),
        ("client_id", pa.string()),
        ("at", pa.string()),
        ("side", pa.string()),
        ("quantity", pa.float64()),
        ("amount", pa.decimal128(18, 2)),
    ]
)


def trade(number: Any, client: str = "c1", at: str = "2021-03-01 10:00:00", **other: Any) -> dict:
    row = {
        "trade_id": str(number),
        "client_id": client,
        "at": at,
        "side": "buy",
        "quantity": 1.5,
        "amount": None,
    }
    return {**row, **other}


def write_trades(root: Path, rows: list[dict], revisions: bool = False) -> None:
    schema = TRADE_SCHEMA
    for name, kind in (("deleted", pa.bool_()), ("known_at", pa.string())):
        if any(name in row for row in rows):
            schema = schema.append(pa.field(name, kind))
    if revisions:
        schema = schema.append(pa.field("revision", pa.int64()))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), root / "trades.parquet")


def workspace(
    root: Path, rows: list[dict], revisions: bool = False, clients: str | None = None
) -> Workspace:
    root.mkdir(parents=True, exist_ok=True)
    text = MAPPING
    if clients is not None:
        text = text.replace("tables:\n", CLIENTS, 1)
        (root / "clients.csv").write_text(clients)
    (root / "keepwell.yaml").write_text(text)
    write_trades(root, rows, revisions)
    return Workspace.open(root)


def content(ws: Workspace, columns: str = "* exclude (known_at, gone_at)") -> list[tuple]:
    """All rows of table trade in the newest manifest, in a fixed order."""
    manifest = ws.lake.manifest()
    if manifest is None or "trade" not in manifest.tables:
        return []
    with ws.lake.connect(manifest) as engine:
        rows = engine.sql(f"select {columns} from trade order by all").to_arrow_table()
    return [tuple(row.values()) for row in rows.to_pylist()]
