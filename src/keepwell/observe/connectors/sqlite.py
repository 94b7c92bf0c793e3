"""The SQLite connector: a table, a view or a query of a database file, opened read-only.

SQLite keeps any value in any column. A column's declared type is taken at its word, and a cell of
another type goes to quarantine; a column without a type is text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

from keepwell.core.errors import DataError
from keepwell.observe.connectors.base import Options, RawBatch, Since, files_of, options_of
from keepwell.observe.connectors.database import (
    DatabaseConnector,
    DatabaseOptions,
    quoted,
    relation,
    select,
)
from keepwell.observe.connectors.rows import BATCH_ROWS, DbColumn, batches
from keepwell.observe.mapping import Source

_VIEW = "keepwell_view"
_QUOTE = '"'
_LONGEST = 16 << 20
"""Most bytes of a row; a cell as long as a film is no value."""


class SqliteConnector(DatabaseConnector):
    """Reads SQLite files; several files of one shape are read one after the other."""

    name = "sqlite"
    suffixes: tuple[str, ...] = (".sqlite", ".sqlite3", ".db")
    options: ClassVar[type[Options]] = DatabaseOptions

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source; see `Connector.open`.

        Raises:
            DataError: `source.sqlite-broken` for a file that is not a SQLite database, or whose
                table or query fails.
        """
        options = options_of(DatabaseOptions, name, source)
        for file, path in files_of(name, source, base):
            try:
                yield from _File(source, options, file, path, since).batches()
            except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
                raise DataError(
                    "source.sqlite-broken", source=name, file=file, problem=str(error)
                ) from None


class _File:
    def __init__(
        self,
        source: Source,
        options: DatabaseOptions,
        file: str,
        path: Path,
        since: Since | None,
    ) -> None:
        self.source, self.options, self.path, self.since = source, options, path, since
        self.title = f"{file}:{options.title}"

    def batches(self) -> Iterator[RawBatch]:
        uri = f"{self.path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            connection.text_factory = bytes  # Arrow tells whether it is UTF-8, cell by cell
            connection.execute("begin")  # one state of the database, whoever writes meanwhile
            columns, key = self._columns(connection)
            sql = select(
                self.options, self.source, self.since, _QUOTE, self.options.key or key, "?"
            )
            bounds = [_bound(self.since)] if self._bounded else []
            cursor = connection.execute(sql, bounds)
            yield from batches(self.title, columns, _parts(cursor))

    @property
    def _bounded(self) -> bool:
        return bool(self.source.increment and self.since and self.since.value is not None)

    def _columns(self, connection: sqlite3.Connection) -> tuple[list[DbColumn], list[str]]:
        """Columns with their declared types, and the primary key."""
        if self.options.query:
            # A view tells the declared types behind a query, and takes nothing but one SELECT.
            behind = relation(self.options, _QUOTE)
            connection.execute(f"create temp view {_VIEW} as select * from {behind}")
            said = connection.execute(f"pragma temp.table_xinfo({_VIEW})").fetchall()
        else:
            schema, _, table = self.options.table.rpartition(".")
            prefix = quoted(schema, _QUOTE) + "." if schema else ""
            said = connection.execute(
                f"pragma {prefix}table_xinfo({quoted(table, _QUOTE)})"
            ).fetchall()
            if not said:
                raise sqlite3.OperationalError(f"no such table: {self.options.table}")
        shown = [row for row in said if row[6] != 1]
        keyed = sorted((row[5], row[1].decode()) for row in shown if row[5])
        columns = [_column(row[1].decode(), row[2].decode()) for row in shown]
        return columns, [name for _, name in keyed]


def _bound(since: Since | None) -> Any:
    value = since.value if since else None
    return (
        value.isoformat(" ")
        if isinstance(value, datetime)
        else (value.isoformat() if isinstance(value, date) else value)
    )


def _parts(cursor: sqlite3.Cursor) -> Iterator[Sequence[tuple[Any, ...]]]:
    while part := cursor.fetchmany(BATCH_ROWS):
        yield part


def _column(name: str, declared: str) -> DbColumn:
    """SQLite's own rules of affinity, and the types that people write for dates and truth."""
    said = declared.upper()
    if "BOOL" in said:
        return DbColumn(name, "text", "boolean")
    if "INT" in said:
        return DbColumn(name, "integer")
    if any(word in said for word in ("CHAR", "CLOB", "TEXT")):
        return DbColumn(name, "text")
    if any(word in said for word in ("REAL", "FLOA", "DOUB")):
        return DbColumn(name, "double")
    if any(word in said for word in ("DEC", "NUM", "MONEY")):
        return DbColumn(name, "text", "decimal")
    return DbColumn(name, "text")
