"""Rows that name a client or an instrument which nobody has told of, by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import numpy.typing as npt

from keepwell.core.days import day_number
from keepwell.observe.contract import TABLES
from keepwell.observe.monitors.profile import LOOK_BACK, current_sql, day_sql

if TYPE_CHECKING:
    from keepwell.observe.manifest import Manifest
    from keepwell.observe.workspace import Workspace

Ints = npt.NDArray[np.int64]

REFERENCES: Final = {"client_id": "client", "instrument_id": "instrument"}
"""Column to the table that must know its values."""


def references(table: str, manifest: Manifest) -> list[str]:
    """Columns of a table whose values another table of the manifest must know."""
    return [
        column for column, other in REFERENCES.items()
        if column in TABLES[table].by_name and other != table and other in manifest.tables
    ]  # fmt: skip


def unknown_by_day(
    workspace: Workspace,
    manifest: Manifest,
    table: str,
    column: str,
    today: date,
    engine: duckdb.DuckDBPyConnection,
) -> dict[int, int]:
    """Rows by day number that name what nobody knows, whatever the day on which it was told of.

    Args:
        workspace: whose lake.
        manifest: what to read.
        table: of whose rows.
        column: a key of `REFERENCES`.
        today: as the profile's.
        engine: counts.
    """
    lake, other = workspace.lake, REFERENCES[column]
    day = day_sql(TABLES[table], str(workspace.zone))
    rows = current_sql(lake, table, manifest.tables[table])
    ids = current_sql(lake, other, manifest.tables[other])
    since = today - timedelta(days=LOOK_BACK)
    found = engine.execute(
        f'select {day} as d, count(*) from {rows} where {day} >= ? and "{column}" is not null '
        f'and "{column}" not in (select "{column}" from {ids} where "{column}" is not null) '
        "group by d order by d",
        [since],
    ).fetchall()
    return {day_number(d): int(n) for d, n in found}


__all__ = ["REFERENCES", "references", "unknown_by_day"]
