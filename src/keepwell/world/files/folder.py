"""The files of a world: a day of a table each, and the streams of the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import to_date
from keepwell.observe.contract import SYSTEM_COLUMNS, TABLES, Kind
from keepwell.world.files.columns import INSTANT, MONEY, QUANTITY

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.ENUM: pa.string(),
    Kind.INT: pa.int32(),
    Kind.RATIO: pa.float64(),
    Kind.MONEY: MONEY,
    Kind.QUANTITY: QUANTITY,
    Kind.PRICE: QUANTITY,
    Kind.INSTANT: INSTANT,
    Kind.DAY: pa.date32(),
    Kind.BOOL: pa.bool_(),
}
_KNOWN_AT = SYSTEM_COLUMNS[0].name

_CORRECTED = frozenset({"account", "complaint", "exit_request"})
"""Tables whose rows come again with a later `revision`."""

_UNTOLD = frozenset({"currency", "phone", "settled_at"})
"""Columns of the contract that a world has nothing to say in."""


@dataclass
class WorldFolder:
    """A world's folder while it is written.

    Attributes:
        root: the folder.
        many: there are several shards, so that files name theirs.
        rows: rows per table of the contract.
        truths: rows per table of the truth.
        streams: open tables of the truth.
        total: rows of all tables of the contract.
    """

    root: Path
    many: bool
    rows: Counter[str] = field(default_factory=Counter)
    truths: Counter[str] = field(default_factory=Counter)
    streams: dict[str, _Stream] = field(default_factory=dict)
    total: int = 0

    def __post_init__(self) -> None:
        for name in TABLES:
            (self.root / "data" / name).mkdir(parents=True)

    def add(self, name: str, table: pa.Table, day: int, shard: int | None) -> None:
        """Write a day of a table.

        Args:
            name: table of the contract.
            table: its rows.
            day: day number.
            shard: whose rows they are; None: everybody's.
        """
        suffix = f"-{shard:02d}" if self.many and shard is not None else ""
        write_file(table, self.root / "data" / name / f"{to_date(day)}{suffix}.parquet")
        self.rows[name] += table.num_rows
        self.total += table.num_rows

    def tell(self, name: str, table: pa.Table) -> None:
        """Append to a table of the truth."""
        if table.num_rows:
            if name not in self.streams:
                self.streams[name] = _Stream(self.root / "truth" / f"{name}.parquet")
            self.streams[name].add(table)
            self.truths[name] += table.num_rows

    def close(self, start: date) -> None:
        """End the truth's files; tables without any row get a file that says so."""
        for stream in self.streams.values():
            stream.close()
        for name in TABLES:
            if not self.rows[name]:
                write_file(
                    file_schema(name).empty_table(), self.root / "data" / name / f"{start}.parquet"
                )


@dataclass
class _Stream:
    """One Parquet file that grows; small tables wait until a row group is worth while."""

    path: Path
    waiting: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    writer: pq.ParquetWriter | None = None

    def add(self, table: pa.Table) -> None:
        self.waiting.append(table)
        self.rows += table.num_rows
        if self.rows >= 100_000:
            self._write()

    def close(self) -> None:
        self._write()
        if self.writer is not None:
            self.writer.close()

    def _write(self) -> None:
        if self.waiting:
            table = pa.concat_tables(self.waiting)
            if self.writer is None:
                self.writer = pq.ParquetWriter(self.path, table.schema, **_options(table.schema))
            self.writer.write_table(table)
            self.waiting, self.rows = [], 0


def write_file(table: pa.Table, path: Path) -> None:
    """Write a day of a table.

    Args:
        table: columns as in the contract, `known_at`, perhaps `revision`; dictionary columns are
            read back as plain ones.
        path: the file; its folder must exist.
    """
    pq.write_table(table, path, **_options(table.schema))


def _options(schema: pa.Schema) -> dict[str, Any]:
    # Only what repeats gets a dictionary: looking for one in ids and amounts costs most of the
    # time. Without the Arrow schema words come back as text, whatever dictionary they had.
    repeated = [f.name for f in schema if pa.types.is_dictionary(f.type) or f.name == "day"]
    if "day" in schema.names:
        repeated.append(_KNOWN_AT)
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [name for name in repeated if name in schema.names],
        "write_statistics": False,
        "store_schema": False,
        "store_decimal_as_integer": True,
    }


def file_schema(name: str) -> pa.Schema:
    """The columns of a table's files; one without rows has no others, or they would seem to go.

    Args:
        name: a table of the contract.

    Example:
        >>> file_schema("index_price").names
        ['series', 'day', 'close', 'known_at']
    """
    columns = [
        pa.field(c.name, _TYPES[c.kind]) for c in TABLES[name].columns if c.name not in _UNTOLD
    ]
    columns.append(pa.field(_KNOWN_AT, INSTANT))
    if name in _CORRECTED:
        columns.append(pa.field("revision", pa.int32()))
    return pa.schema(columns)
