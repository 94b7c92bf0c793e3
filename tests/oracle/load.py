"""Carries a random world into a real workspace: through ingest, or straight into the lake.

Money, quantities and prices leave as decimals in major units, the way a broker's export has them;
the mapping's select takes them as they are, so the edge's conversion to integers is exercised too.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace

from .views import CLOSES, EVENTS
from .world import World, date_of

MONEY = {
    "trade": ("amount", "commission"),
    "cash_flow": ("amount",),
    "balance": ("cash", "securities", "margin_debt"),
    "holding": ("cost", "value"),
    "margin": ("debt", "credit_limit"),
}
EIGHTHS = {
    "trade": ("quantity",),
    "holding": ("quantity",),
    "price": ("close",),
    "custody_transfer": ("quantity",),
}
CLOCKED = frozenset({*EVENTS, *CLOSES})
_DECIMAL = pa.decimal128(28, 8)


def ingest_world(world: World, folder: Path) -> Workspace:
    """Writes a world and ingests it, as a broker would.

    Returns:
        The workspace; nothing of the world was quarantined.
    """
    workspace = Workspace.open(write_world(world, folder))
    report = ingest(workspace)
    refused = {t.table: t.reasons for t in report.tables if t.quarantined}
    assert not refused, f"world {world.seed}: the contract refuses what the world holds: {refused}"
    return workspace


def lake_world(world: World, folder: Path, parts: int = 1) -> Workspace:
    """Writes a world's tables straight into the lake, which is quicker than ingest.

    Args:
        world: The world.
        folder: An existing folder.
        parts: Over how many manifests the rows arrive, in their random order of arrival.

    Returns:
        The workspace.
    """
    workspace = Workspace.open(write_world(world, folder))
    tables = {name: _without_repeats(table) for name, table in world.tables.items()}
    for part in range(parts):
        with workspace.lake.writer() as writer:
            for name, table in tables.items():
                start, end = (table.num_rows * k // parts for k in (part, part + 1))
                writer.append(name, table.slice(start, end - start), source=f"{name}_file")
            writer.publish(coverage=world.covers, full_days={"holding": world.full_days})
    return workspace


def _without_repeats(table: pa.Table) -> pa.Table:
    kept = table.group_by(table.column_names, use_threads=False).aggregate([])
    return kept.cast(table.schema)


def write_world(world: World, folder: Path) -> Path:
    """Writes keepwell.yaml and one Parquet file per table.

    Args:
        world: The world to write.
        folder: An existing folder; files of an earlier write are replaced.

    Returns:
        The folder, now a workspace that has ingested nothing yet.
    """
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name, table in world.tables.items():
        pq.write_table(_major(name, table), data / f"{name}.parquet")
    (folder / "keepwell.yaml").write_text(json.dumps(mapping(world), indent=1), encoding="utf-8")
    return folder


def mapping(world: World) -> dict[str, object]:
    """The keepwell.yaml of a world, as plain values."""
    tables: dict[str, dict[str, object]] = {}
    for name, table in world.tables.items():
        columns = ", ".join(f'"{column}"' for column in table.column_names)
        entry: dict[str, object] = {"sql": f"select {columns} from {name}_file"}
        if name in CLOCKED:
            entry["covers"] = [
                [date_of(start).isoformat(), None if until is None else date_of(until).isoformat()]
                for start, until in world.covers[name]
            ]
        if name == "holding" and world.full_days:
            entry["full_days"] = True
        tables[name] = entry
    content: dict[str, object] = {
        "version": 1,
        "name": f"world {world.seed}",
        "timezone": world.zone.key,
        "currency": world.currency,
        "sources": {f"{name}_file": {"path": f"data/{name}.parquet"} for name in world.tables},
        "tables": tables,
    }
    if world.index is not None:
        content["market"] = {"index": world.index}
    return content


def _major(name: str, table: pa.Table) -> pa.Table:
    """The table with integers of money (cents) and 1e-8 units as decimals of whole units."""
    for columns, places in ((MONEY.get(name, ()), 2), (EIGHTHS.get(name, ()), 8)):
        for column in columns:
            values = [
                None if v is None else Decimal(v).scaleb(-places)
                for v in table.column(column).to_pylist()
            ]
            index = table.schema.get_field_index(column)
            table = table.set_column(index, column, pa.array(values, _DECIMAL))
    return table
