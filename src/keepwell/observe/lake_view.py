"""What the lake holds, by metadata alone: tables with size and age, and the latest manifests.

Everything read here belongs to one version of one table or to one manifest, and those never change;
so it is read once and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa

from keepwell.observe import lake_log
from keepwell.observe import manifest as manifests
from keepwell.observe.lake import Lake
from keepwell.observe.manifest import Manifest
from keepwell.observe.spool_ingest import APP

NEWEST: Final = 30
"""Manifests that the history shows."""


@dataclass(frozen=True, slots=True)
class Held:
    """How much of one version of a table is on disk.

    Attributes:
        files: Parquet files.
        size: their bytes.
        written_at: when rows of it last came or went (UTC); None when its log does not say.
        events_until: last number of the event spool that it holds; 0 for none.
    """

    files: int
    size: int
    written_at: datetime | None
    events_until: int


@dataclass(frozen=True, slots=True)
class Step:
    """One manifest, and what it brought.

    Attributes:
        id: its number.
        made_at: when it was published (UTC).
        rows: rows in all tables.
        added: table -> rows it has more than in the manifest before; tables without any are left
            out. Empty for the oldest one that is looked at, unless it is the first of all.
        contract: version of the contract.
    """

    id: int
    made_at: datetime
    rows: int
    added: Mapping[str, int]
    contract: int


def held(lake: Lake, table: str, version: int) -> Held:
    """What one version of a table has on disk.

    Raises:
        DataError: the table or the version is missing.
    """
    return _held(lake.root, table, version)


@lru_cache(maxsize=500)
def _held(root: Path, table: str, version: int) -> Held:
    delta = Lake(root).delta(table, version)
    sizes = pa.table(delta.get_add_actions(flatten=True))["size_bytes"].to_pylist()
    until = delta.transaction_version(f"{APP}/{table}") or 0
    return Held(len(sizes), sum(sizes), lake_log.changed_at(root / table, version), until)


def history(lake: Lake, newest: Manifest) -> list[Step]:
    """The latest manifests, newest first.

    Args:
        lake: the lake.
        newest: its newest manifest.
    """
    first = max(1, newest.id - NEWEST + 1)
    steps = []
    for number in range(newest.id, first - 1, -1):
        made = newest if number == newest.id else _load(lake.root, number)
        before = _load(lake.root, number - 1) if number > 1 else None
        if made is None:
            continue  # cleared away by hand
        rows = sum(state.rows for state in made.tables.values())
        steps.append(Step(number, made.made_at, rows, _added(made, before), made.contract))
    return steps


def since(lake: Lake, newest: Manifest, table: str) -> int | None:
    """The manifest that first had a table's rows as they are, if it is among the latest.

    Files that were only compacted since make no difference. None when it is older.

    Args:
        lake: the lake.
        newest: its newest manifest.
        table: a table of it.
    """
    version = newest.tables[table].version
    for number in range(newest.id, max(0, newest.id - NEWEST), -1):
        before = _load(lake.root, number - 1) if number > 1 else None
        if number > 1 and before is None:
            return None
        state = before.tables.get(table) if before else None
        if state is None:
            return number
        if state.version != version:
            if lake.added_files(table, state.version, version) != []:
                return number
            version = state.version
    return None


@lru_cache(maxsize=500)
def _load(root: Path, number: int) -> Manifest | None:
    # Not through `load`: one that is gone is no fault here.
    path = root / f"manifest-{number:06d}.json"
    return manifests.load(root, number) if path.is_file() else None


def _added(made: Manifest, before: Manifest | None) -> dict[str, int]:
    if before is None and made.id > 1:
        return {}
    old = before.tables if before else {}
    more = {
        name: state.rows - (old[name].rows if name in old else 0)
        for name, state in made.tables.items()
    }
    return {name: rows for name, rows in more.items() if rows}


__all__ = ["NEWEST", "Held", "Step", "held", "history", "since"]
