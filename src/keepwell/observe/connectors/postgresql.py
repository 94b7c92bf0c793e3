"""The PostgreSQL connector: one COPY in one read-only snapshot.

COPY hands over text several times faster than rows of Python values; the scan then types it cell by
cell, so that an infinite date or a NaN is one bad cell and not a failed read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from keepwell.observe.connectors.base import TYPE_KEY, RawBatch, Since
from keepwell.observe.connectors.database import (
    Address,
    ServerConnector,
    ServerOptions,
    relation,
    select,
)
from keepwell.observe.mapping import Source

if TYPE_CHECKING:
    import psycopg

BLOCK: Final = 2 << 20
"""Bytes parsed at a time; a single row must be shorter."""

_TYPES: Final = {
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "oid": "integer",
    "float4": "double",
    "float8": "double",
    "numeric": "decimal",
    "bool": "boolean",
    "date": "date",
    "timestamptz": "instant",
}
"""Types that the scan checks; all others stay text, a time without zone among them."""

_BOUND: Final = "%(keepwell_bound)s"

_KEY: Final = """
select a.attname from pg_index i
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
where i.indrelid = to_regclass(%s) and i.indisprimary
order by array_position(i.indkey::int2[], a.attnum)
"""


class PostgresConnector(ServerConnector):
    """Reads a table, a view or a query of a PostgreSQL server."""

    name, driver, extra = "postgresql", "psycopg", "postgres"
    schemes = ("postgresql", "postgres")

    def read(
        self, address: Address, source: Source, options: ServerOptions, since: Since | None
    ) -> Iterator[RawBatch]:
        """Connect, read and close."""
        import psycopg

        # Closed, not rolled back: that would wait for the rest of a COPY nobody reads.
        with closing(psycopg.connect(address.url, connect_timeout=20)) as connection:
            yield from _Read(connection, source, options, since).batches()


@dataclass(frozen=True)
class _Read:
    connection: psycopg.Connection[tuple[Any, ...]]
    source: Source
    options: ServerOptions
    since: Since | None

    def batches(self) -> Iterator[RawBatch]:
        import psycopg

        connection = self.connection
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.cursor() as cursor:
            for setting in ("timezone = 'UTC'", "datestyle = 'ISO'", "extra_float_digits = 3"):
                cursor.execute(f"set {setting}")
            fields = self._fields(cursor)
            copy = cursor.copy(self._copy(cursor))
            with copy as data:
                yield from self._numbered(_Stream(data), fields)

    def _fields(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[pa.Field]:
        what = relation(self.options, '"')
        cursor.execute(f"select * from {what} limit 0")
        fields: list[pa.Field] = []
        for column in cursor.description or ():
            info = self.connection.adapters.types.get(column.type_code)
            wanted = _TYPES.get(info.name, "") if info else ""
            metadata = {TYPE_KEY: wanted.encode()} if wanted else None
            fields.append(pa.field(column.name, pa.string(), metadata=metadata))
        return fields

    def _copy(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
        from psycopg import sql

        key = list(self.options.key)
        if self.options.table and not key:
            cursor.execute(_KEY, [relation(self.options, '"')])
            key = [str(row[0]) for row in cursor.fetchall()]
        text = select(
            self.options, self.source, self.since, '"', key, _BOUND, '{column} collate "C"'
        )
        head, found, tail = text.partition(_BOUND)
        bound = sql.Literal(self.since.value) if found and self.since else sql.SQL("")
        parts = ("copy (", head, bound, tail, ") to stdout (format csv, header, force_quote *)")
        return sql.Composed([sql.SQL(p) if isinstance(p, str) else p for p in parts])

    def _numbered(self, stream: _Stream, fields: list[pa.Field]) -> Iterator[RawBatch]:
        names = [field.name for field in fields]
        schema = pa.schema(fields)
        reader = pacsv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=names, skip_rows=1
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
        first = 1
        for batch in reader:
            if batch.num_rows:
                rows = np.arange(first, first + batch.num_rows, dtype=np.int64)
                first += batch.num_rows
                typed = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
                yield RawBatch(self.options.title, rows, typed)
        if first == 1:
            none = pa.RecordBatch.from_pylist([], schema=schema)
            yield RawBatch(self.options.title, np.empty(0, np.int64), none)


class _Stream(io.RawIOBase):
    """A COPY's data as a stream of bytes."""

    def __init__(self, data: psycopg.Copy) -> None:
        super().__init__()
        self._data = iter(data)
        self._rest = bytearray()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else 1 << 62
        while len(self._rest) < wanted:
            more = next(self._data, None)
            if more is None:
                break
            self._rest += more
        out = bytes(self._rest[:wanted])
        del self._rest[:wanted]
        return out


__all__ = ["PostgresConnector"]
