"""Everybody's indicators as a Delta table: parts written where they are computed, one commit."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, create_table_with_add_actions

from keepwell.core.days import parse_as_of
from keepwell.core.errors import UsageError
from keepwell.core.files import atomic_stream
from keepwell.observe.engines.base import Engine, Instant
from keepwell.observe.indicators import INDICATORS

PART: Final = 250_000
"""Clients in a file at most."""

_KNOWN: Final = "keepwell.as_of"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: of the Delta table.
        version: of the table.
        clients: rows.
        indicators: columns beside client_id.
        files: Parquet files.
    """

    folder: Path
    version: int
    clients: int
    indicators: int
    files: int


def export_indicators(
    engine: Engine,
    as_of: Instant,
    folder: Path,
    indicators: Sequence[str] | None = None,
) -> Exported:
    """Write the indicators of all clients; readers see the whole new table or the whole old one.

    Columns: client_id, then one float64 per indicator, null where absent. The commit says of which
    instant and of which manifest of the lake it is.

    Args:
        engine: computes, and writes the parts where it computes them.
        as_of: the instant.
        folder: a new folder, or one that this wrote before: its rows are replaced.
        indicators: ids; default: the catalogue.

    Raises:
        UsageError: an unknown indicator, or the folder holds something else.
    """
    at = parse_as_of(as_of, engine.zone)
    names = [INDICATORS.get_known(id).id for id in (indicators or INDICATORS)]
    folder = folder.resolve()
    table = _table(folder)
    folder.mkdir(parents=True, exist_ok=True)
    clients = engine.clients(at)
    task = partial(_write_part, as_of=at, names=names, folder=str(folder))
    written = [part for _, part in engine.parts(task, clients, PART, peers_at=at)]
    said = CommitProperties(
        custom_metadata={_KNOWN: at.isoformat(), "keepwell.manifest": str(engine.manifest.id)}
    )
    if table is None:
        create_table_with_add_actions(
            str(folder), _delta(names), written, mode="error", commit_properties=said
        )
    else:
        table.create_write_transaction(written, "overwrite", _delta(names), commit_properties=said)
    version = DeltaTable(folder).version()
    return Exported(folder, version, len(clients), len(names), len(written))


def _table(folder: Path) -> DeltaTable | None:
    """The table that was exported to the folder before; None where there is nothing."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if DeltaTable.is_deltatable(str(folder)):
        table = DeltaTable(folder)
        if any(_KNOWN in commit for commit in table.history(1)):
            return table
    raise UsageError("export.folder-taken", folder=folder)


def _schema(names: Sequence[str]) -> pa.Schema:
    return pa.schema([("client_id", pa.string()), *((name, pa.float64()) for name in names)])


def _delta(names: Sequence[str]) -> Any:
    from deltalake import Schema

    return Schema.from_arrow(_schema(names))


def _write_part(
    engine: Engine, clients: list[str], as_of: datetime, names: list[str], folder: str
) -> AddAction:
    """One file of the table; nobody reads it before the commit names it."""
    frame = engine.compute(as_of, clients=clients, indicators=names)
    columns = [pa.array(frame.clients, pa.string())]
    columns += [pa.array(frame.column(name), mask=np.isnan(frame.column(name))) for name in names]
    path = Path(folder) / f"part-{uuid.uuid4().hex}.parquet"
    with atomic_stream(path) as sink:
        pq.write_table(pa.table(columns, _schema(names)), sink, compression="zstd")
    status = path.stat()
    return AddAction(
        path.name, status.st_size, {}, int(status.st_mtime * 1000), True,
        json.dumps({"numRecords": len(frame.clients)}),
    )  # fmt: skip
