"""What a table's values look like, day by day: counts of rows, and of values by size or by word.

Numbers are counted in steps of an eighth of a power of ten, so that counts of several deliveries
add up, and medians, ranges and shifts by a factor can be read from them. A profile is kept beside
the lake and grows with the files that an ingest adds; corrections make it anew. It is a cache:
removed, it is made again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import day_number
from keepwell.core.files import atomic_write
from keepwell.observe.contract import TABLES, Kind, Table
from keepwell.observe.lake import parquet_sql

if TYPE_CHECKING:
    from keepwell.observe.lake import Lake
    from keepwell.observe.manifest import TableState
    from keepwell.observe.workspace import Workspace

STEPS: Final = 8
"""Steps per power of ten."""
LOOK_BACK: Final = 300
"""Days before the newest fact that a profile holds."""
FORMAT: Final = 1

_ROWS: Final = ""
"""Stands for a column: the rows themselves."""
_NUMBERS: Final = (Kind.INT, Kind.RATIO, Kind.MONEY, Kind.QUANTITY, Kind.PRICE)
_WORDS: Final = (Kind.ENUM, Kind.BOOL)
_HIGH: Final = 1000  # keeps steps of numbers below one apart from those of negative numbers
_SCHEMA: Final = pa.schema(
    [("day", pa.int32()), ("column", pa.string()), ("bin", pa.string()), ("n", pa.int64())]
)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """One column by day.

    Attributes:
        days: day numbers with rows, ascending; int64 [d].
        empty: rows without a value; int64 [d].
        bins: steps of numbers, or words; ascending.
        counts: rows by day and bin; int64 [d, bins].
        numeric: whether the bins are steps of numbers.
    """

    days: Ints
    empty: Ints
    bins: tuple[str, ...]
    counts: Ints
    numeric: bool

    @property
    def rows(self) -> Ints:
        """Rows by day, int64 [d]."""
        return np.asarray(self.empty + self.counts.sum(axis=1), np.int64)


@dataclass(frozen=True)
class Profile:
    """One table by day.

    Attributes:
        table: its name.
        days: day numbers with rows, ascending; int64 [d].
        rows: rows by day; int64 [d].
        columns: column to its counts.
    """

    table: str
    days: Ints
    rows: Ints
    columns: dict[str, Counts]


def step_of(value: float) -> int:
    """The step that a number is counted in.

    Example:
        >>> step_of(100.0) - step_of(1.0)
        16
        >>> step_of(0.0), step_of(-100.0) == -step_of(100.0)
        (0, True)
    """
    if value == 0:
        return 0
    size = _HIGH + int(np.floor(np.log10(abs(value)) * STEPS))
    return size if value > 0 else -size


def watched(table: Table) -> list[str]:
    """Columns whose emptiness or values are counted: neither keys nor the clock."""
    return [
        c.name
        for c in table.columns
        if c.name not in table.key and c.name != table.clock and not c.name.endswith("client_id")
    ]


def profile_of(
    workspace: Workspace,
    table: str,
    state: TableState,
    today: date,
    engine: duckdb.DuckDBPyConnection,
) -> Profile:
    """The profile of a table as a manifest pins it.

    Args:
        workspace: whose lake; the profile is kept in its state.
        table: name of a contract table.
        state: what the manifest says of it.
        today: the profile reaches `LOOK_BACK` days before it.
        engine: counts.
    """
    path = workspace.state / "monitors" / f"profile-{table}.parquet"
    since = day_number(today) - LOOK_BACK
    found = _read(path, workspace, since)
    version, rows = found or (-1, _SCHEMA.empty_table())
    if version != state.version or found is None:
        lake = workspace.lake
        added = None
        if found and version < state.version and not state.corrected:
            added = lake.added_files(table, version, state.version)
        if added is not None:
            relation = parquet_sql(added, TABLES[table])
            rows = _sum([rows, _count(engine, workspace, table, relation, since)])
        else:
            relation = current_sql(lake, table, state)
            rows = _count(engine, workspace, table, relation, since)
        _write(path, rows, workspace, state.version, since)
    return _profile(TABLES[table], rows)


def current_sql(lake: Lake, table: str, state: TableState) -> str:
    """A FROM item of the rows of a table that no correction has replaced."""
    return f"(select * from ({lake.view_sql(TABLES[table], state)}) where gone_at is null)"


def _count(
    engine: duckdb.DuckDBPyConnection, workspace: Workspace, table: str, relation: str, since: int
) -> pa.Table:
    contract = TABLES[table]
    day = day_sql(contract, str(workspace.zone))
    start = f"date '1970-01-01' + {since}"
    present = {row[0] for row in engine.execute(f"describe select * from {relation}").fetchall()}
    columns = [c for c in watched(contract) if c in present]
    picked = ", ".join([f"{day} as d", *(f'"{c}"' for c in columns)])
    engine.execute(
        f"create or replace temp view picked as select {picked} from {relation} "
        f"where {day} >= {start}"
    )
    parts = [f"select d, '{_ROWS}' as c, null as b, count(*) as n from picked group by d"]
    parts += [
        f"select d, '{c}', {_bin(contract, c)} as b, count(*) from picked group by d, b"
        for c in columns
    ]
    found = engine.sql(
        "select cast(d - date '1970-01-01' as integer) as day, c as \"column\", "
        f"cast(b as varchar) as bin, n from ({' union all '.join(parts)}) order by all"
    ).to_arrow_table()
    return found.cast(_SCHEMA)


def day_sql(contract: Table, zone: str) -> str:
    """SQL of the local day on which a row counts: of its clock, else when it became known."""
    clock = contract.clock or "known_at"
    if clock in contract.by_name and contract.by_name[clock].kind is Kind.DAY:
        return f'"{clock}"'
    named = zone.replace("'", "''")
    return f"cast(timezone('{named}', \"{clock}\") as date)"


def _bin(contract: Table, column: str) -> str:
    kind, name = contract.by_name[column].kind, f'"{column}"'
    if kind in _NUMBERS:
        size = f"cast(floor(log10(abs(cast({name} as double))) * {STEPS}) as integer)"
        return (
            f"case when {name} is null then null when {name} = 0 then '0' "
            f"else cast(cast(sign({name}) as integer) * ({_HIGH} + {size}) as varchar) end"
        )
    return (
        f"cast({name} as varchar)"
        if kind in _WORDS
        else f"case when {name} is not null then '' end"
    )


def _sum(tables: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(tables).group_by(["day", "column", "bin"]).aggregate([("n", "sum")])
    return whole.rename_columns(["day", "column", "bin", "n"]).cast(_SCHEMA)


def _profile(contract: Table, found: pa.Table) -> Profile:
    rows = found.to_pydict()
    by_column: dict[str, dict[tuple[int, str | None], int]] = {}
    for day, column, bin_, n in zip(*rows.values(), strict=True):
        by_column.setdefault(column, {})[day, bin_] = n
    total = by_column.pop(_ROWS, {})
    days = np.array(sorted({day for day, _ in total}), np.int64)
    at = {int(day): i for i, day in enumerate(days)}
    counted = np.array([total[int(day), None] for day in days], np.int64)
    columns = {
        name: _counts(days, at, cells, contract.by_name[name].kind in _NUMBERS)
        for name, cells in by_column.items()
        if name in contract.by_name
    }
    return Profile(contract.name, days, counted, columns)


def _counts(
    days: Ints, at: dict[int, int], cells: dict[tuple[int, str | None], int], numeric: bool
) -> Counts:
    names = {bin_ for _, bin_ in cells if bin_ is not None}
    bins = tuple(sorted(names, key=int) if numeric else sorted(names))
    place = {bin_: i for i, bin_ in enumerate(bins)}
    empty = np.zeros(len(days), np.int64)
    counts = np.zeros((len(days), len(bins)), np.int64)
    for (day, bin_), n in cells.items():
        if bin_ is None:
            empty[at[day]] = n
        else:
            counts[at[day], place[bin_]] = n
    return Counts(days, empty, bins, counts, numeric)


def _read(path: Path, workspace: Workspace, since: int) -> tuple[int, pa.Table] | None:
    """The kept profile and the table's version it is of; None when it does not do."""
    try:
        kept = pq.read_table(path)
        said: dict[str, Any] = json.loads(kept.schema.metadata[b"keepwell"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None
    fits = said.get("format") == FORMAT and said.get("zone") == str(workspace.zone)
    if not fits or said["since"] > since:
        return None
    # Its days may reach back farther than asked: the same days are asked for at every look.
    newer = kept.filter(pa.compute.greater_equal(kept["day"], since))
    return int(said["version"]), newer.replace_schema_metadata(None)


def _write(path: Path, rows: pa.Table, workspace: Workspace, version: int, since: int) -> None:
    said = {"format": FORMAT, "zone": str(workspace.zone), "version": version, "since": since}
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata({"keepwell": json.dumps(said)}), sink)
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        atomic_write(path, sink.getvalue().to_pybytes())


__all__ = [
    "LOOK_BACK",
    "STEPS",
    "Counts",
    "Profile",
    "current_sql",
    "day_sql",
    "profile_of",
    "step_of",
    "watched",
]
