"""The MySQL and MariaDB connector: one unbuffered SELECT in one read-only snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from keepwell.observe.connectors.base import RawBatch, Since
from keepwell.observe.connectors.database import (
    Address,
    ServerConnector,
    ServerOptions,
    select,
)
from keepwell.observe.connectors.rows import BATCH_ROWS, DbColumn, batches
from keepwell.observe.mapping import Source

if TYPE_CHECKING:
    import pymysql

_PORT: Final = 3306
_WAIT: Final = 20
_DIGITS: Final = 38
_KEY: Final = """
select column_name from information_schema.key_column_usage
where constraint_name = 'PRIMARY' and table_name = %s and table_schema = coalesce(%s, database())
order by ordinal_position
"""


class MysqlConnector(ServerConnector):
    """Reads a table, a view or a query of a MySQL or MariaDB server."""

    name, driver, extra = "mysql", "pymysql", "mysql"
    schemes = ("mysql", "mariadb")

    def read(
        self, address: Address, source: Source, options: ServerOptions, since: Since | None
    ) -> Iterator[RawBatch]:
        """Connect, read and close."""
        with closing(_connected(address)) as connection:
            yield from _Read(connection, source, options, since).batches()


def _connected(address: Address) -> pymysql.Connection[Any]:
    import pymysql
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions
    from pymysql.cursors import SSCursor

    parts = address.parts
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    # Days such as 0000-00-00 are no days: they stay text, and the scan sets them aside.
    kept = {key: how for key, how in conversions.items() if key != FIELD_TYPE.DATE}
    return pymysql.connect(
        host=parts.hostname or "localhost",
        port=parts.port or _PORT,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or None,
        unix_socket=asked.get("unix_socket"),
        ssl_ca=asked.get("ssl_ca"),
        ssl_verify_identity="ssl_ca" in asked,
        charset="utf8mb4",
        connect_timeout=_WAIT,
        cursorclass=SSCursor,
        conv=kept,
        autocommit=False,
    )


@dataclass(frozen=True)
class _Read:
    connection: pymysql.Connection[Any]
    source: Source
    options: ServerOptions
    since: Since | None

    def batches(self) -> Iterator[RawBatch]:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute("set session transaction isolation level repeatable read")
            cursor.execute("set time_zone = '+00:00'")
            cursor.execute("start transaction with consistent snapshot, read only")
            key = self._key(cursor)
            bounded = bool(self.source.increment and self.since and self.since.value is not None)
            text = select(self.options, self.source, self.since, "`", key, _MARK, _BINARY)
            # Only a bound makes the driver look at percent signs, which a query may hold.
            if bounded:
                text = text.replace("%", "%%").replace(_MARK, "%s")
            cursor.execute(text, [_utc(self.since)] if bounded else None)
            columns = [_column(field) for field in _fields(cursor)]
            yield from batches(self.options.title, columns, _parts(cursor))

    def _key(self, cursor: Any) -> Sequence[str]:
        if self.options.key or not self.options.table:
            return self.options.key
        schema, _, table = self.options.table.rpartition(".")
        cursor.execute(_KEY, [table, schema or None])
        return [str(row[0]) for row in cursor.fetchall()]


_MARK: Final = "{keepwell_bound}"
_BINARY: Final = "convert({column} using utf8mb4) collate utf8mb4_bin"


def _utc(since: Since | None) -> Any:
    """The bound; the session's zone is UTC, and the driver writes times without one."""
    value = since.value if since else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _fields(cursor: Any) -> Sequence[Any]:
    return list(cursor._result.fields)


def _parts(cursor: Any) -> Iterator[Sequence[tuple[Any, ...]]]:
    while part := cursor.fetchmany(BATCH_ROWS):
        yield part


def _column(field: Any) -> DbColumn:
    from pymysql.constants import FIELD_TYPE as KIND

    whole = {KIND.TINY, KIND.SHORT, KIND.INT24, KIND.LONG, KIND.LONGLONG, KIND.YEAR}
    if field.type_code in whole:
        return DbColumn(field.name, "integer")
    if field.type_code in (KIND.FLOAT, KIND.DOUBLE):
        return DbColumn(field.name, "double")
    if field.type_code in (KIND.DECIMAL, KIND.NEWDECIMAL):
        # The length on the wire may count the sign and the point too: enough, then.
        digits = min(max(field.length, field.scale + 1), _DIGITS)
        return DbColumn(field.name, "decimal", precision=digits, scale=field.scale)
    if field.type_code in (KIND.DATE, KIND.NEWDATE):
        return DbColumn(field.name, "text", "date")
    if field.type_code == KIND.TIMESTAMP:
        return DbColumn(field.name, "instant")
    if field.type_code == KIND.DATETIME:
        return DbColumn(field.name, "local")
    return DbColumn(field.name, "text")
