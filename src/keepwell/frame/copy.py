"""A whole copy of the app database, and back: rows as they were at one instant.

SQLite is copied by its online backup (https://www.sqlite.org/backup.html): writers go on. From
PostgreSQL every table is read by COPY within one transaction that sees one instant (REPEATABLE
READ), and written back by COPY within one transaction, the schema made by the same revisions: no
binaries of a server are needed, and a copy fits any version of it. What pg_dump can do more, roles
and settings of the server, is the server's and not the desk's.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table

from keepwell.core.errors import DataError
from keepwell.core.files import atomic_stream, sync_folder
from keepwell.frame.context import Frame
from keepwell.frame.database import Base, Database
from keepwell.frame.migrate import found, upgrade_within

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

FILE: Final = "desk.sqlite"
"""Name of a copy of SQLite."""

_PART: Final = 1 << 20


@dataclass(frozen=True)
class Copied:
    """What a copy holds.

    Attributes:
        kind: 'sqlite' or 'postgresql'.
        revision: of the schema.
        columns: table -> its columns, in the order of the copy.
        rows: table -> number of rows.
    """

    kind: str
    revision: str
    columns: Mapping[str, list[str]]
    rows: Mapping[str, int]


def copy_out(frame: Frame, folder: Path) -> Copied:
    """Copy a desk's database into an empty folder; its rows are those of one instant.

    Args:
        frame: the desk, its schema up to date.
        folder: where to: `desk.sqlite`, or one file per table.

    Returns:
        What the copy holds.
    """
    database = frame.database
    revision = found(database)
    assert revision is not None
    columns = {table.name: [column.name for column in table.columns] for table in _tables()}
    if database.is_sqlite:
        _copy_sqlite(_path(database), folder / FILE)
        rows = _rows_sqlite(folder / FILE)
        return Copied(SQLITE, revision, columns, {name: rows[name] for name in columns})
    with database.engine.connect().execution_options(
        isolation_level="REPEATABLE READ"
    ) as connection:
        counted = {
            table.name: _out(connection, table, columns[table.name], folder) for table in _tables()
        }
    sync_folder(folder)
    return Copied(POSTGRESQL, revision, columns, counted)


def copy_in(frame: Frame, folder: Path, copied: Copied) -> None:
    """Fill a desk's database from a copy: all of it, or nothing.

    A PostgreSQL database that holds these very rows already is left as it is.

    Args:
        frame: the desk; its database has no tables.
        folder: what `copy_out` wrote.
        copied: what it said of it.

    Raises:
        DataError: there are tables already, or what came in is not what went out.
    """
    database = frame.database
    if database.is_sqlite:
        path = _path(database)
        if path.exists():
            raise DataError("restore.database-occupied", database=path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy_sqlite(folder / FILE, path)
    elif not _filled(database):
        with database.engine.begin() as connection:
            upgrade_within(connection, copied.revision)
            for name in _ordered(copied):
                _in(connection, name, copied.columns[name], folder / f"{name}.copy")
            _count_on(connection, copied)
    seen = counts(database, copied)
    if found(database) != copied.revision or seen != dict(copied.rows):
        wrong = sorted(n for n, rows in copied.rows.items() if seen.get(n) != rows)
        raise DataError(
            "restore.database-differs", tables=", ".join(wrong) or "alembic_version",
            database=database.url.render_as_string(hide_password=True),
        )  # fmt: skip


def counts(database: Database, copied: Copied) -> dict[str, int]:
    """Rows of the tables of a copy in a database; a table that is missing is left out.

    Args:
        database: where.
        copied: which tables.

    Raises:
        DataError: SQLite finds the file damaged.
    """
    if database.is_sqlite:
        path = _path(database)
        with _sqlite(path) as connection:
            faults = [row[0] for row in connection.execute("pragma integrity_check")]
            broken = connection.execute("pragma foreign_key_check").fetchall()
        if faults != ["ok"] or broken:
            raise DataError("restore.database-damaged", database=path)
        rows = _rows_sqlite(path)
        return {name: rows[name] for name in copied.rows if name in rows}
    with database.engine.connect() as connection:
        there = set(_names(connection))
        return {
            name: int(connection.exec_driver_sql(f'select count(*) from "{name}"').scalar_one())
            for name in copied.rows
            if name in there
        }


def _tables() -> list[Table]:
    return Base.metadata.sorted_tables


def _ordered(copied: Copied) -> list[str]:
    """The copy's tables, those that others point to first."""
    known = [table.name for table in _tables() if table.name in copied.columns]
    return [*known, *(name for name in copied.columns if name not in known)]


def _path(database: Database) -> Path:
    assert database.url.database
    return Path(database.url.database)


@contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        yield connection


def _copy_sqlite(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    with _sqlite(source) as one, _sqlite(draft) as other:
        one.backup(other)
        # No file beside it: the copy is whole by itself.
        other.execute("pragma journal_mode = delete")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    sync_folder(target.parent)


def _rows_sqlite(path: Path) -> dict[str, int]:
    with _sqlite(path) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        return {
            name: int(connection.execute(f'select count(*) from "{name}"').fetchone()[0])
            for (name,) in names
        }


def _out(connection: Connection, table: Table, columns: list[str], folder: Path) -> int:
    listed = ", ".join(f'"{name}"' for name in columns)
    cursor = _driver(connection).cursor()
    with atomic_stream(folder / f"{table.name}.copy") as file, cursor.copy(
        f'copy (select {listed} from "{table.name}") to stdout'
    ) as copy:  # fmt: skip
        for part in copy:
            file.write(part)
    return int(cursor.rowcount)


def _in(connection: Connection, name: str, columns: list[str], path: Path) -> None:
    listed = ", ".join(f'"{column}"' for column in columns)
    cursor = _driver(connection).cursor()
    with path.open("rb") as file, cursor.copy(f'copy "{name}" ({listed}) from stdin') as copy:
        while part := file.read(_PART):
            copy.write(part)


def _count_on(connection: Connection, copied: Copied) -> None:
    """Let counters of keys go on after the highest key that came in."""
    for name in _ordered(copied):
        for column in copied.columns[name]:
            counter = connection.exec_driver_sql(
                "select pg_get_serial_sequence(%s, %s)", (f'"{name}"', column)
            ).scalar_one_or_none()
            if counter is not None:
                connection.exec_driver_sql(
                    f'select setval(%s, greatest(coalesce(max("{column}"), 0), 1), '
                    f'max("{column}") is not null) from "{name}"',
                    (counter,),
                )


def _filled(database: Database) -> bool:
    with database.engine.connect() as connection:
        return bool(_names(connection))


def _names(connection: Connection) -> list[str]:
    asked = "select tablename from pg_tables where schemaname = current_schema()"
    return [str(name) for name in connection.exec_driver_sql(asked).scalars()]


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
