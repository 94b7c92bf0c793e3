"""The lake: one Delta table per contract table, read by the manifest, written by one writer.

Readers open any number of connections at any time; each sees exactly the versions its manifest
pins. A writer holds a lock on the folder. Every commit carries an application transaction, and the
writer compares it before it writes, because Delta itself accepts a repeat.

Example:
    >>> import tempfile, pyarrow as pa
    >>> from datetime import date
    >>> lake = Lake(Path(tempfile.mkdtemp()) / "lake")
    >>> rows = pa.table({"series": ["VIX"], "day": [date(2021, 7, 1)], "close": [15.48]})
    >>> with lake.writer() as writer:
    ...     _ = writer.append("index_price", rows, source="vix")
    ...     _ = writer.publish()
    >>> lake.connect().sql("select series, close from index_price").fetchall()
    [('VIX', 15.48)]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from keepwell.core.errors import DataError
from keepwell.observe import lake_log
from keepwell.observe import manifest as manifests
from keepwell.observe.contract import TABLES, Column, Kind, Table
from keepwell.observe.contract_types import DELETED, SYSTEM_COLUMNS
from keepwell.observe.manifest import Manifest, TableState

if TYPE_CHECKING:
    from keepwell.observe.lake_writer import LakeWriter

SQL_TYPES: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR",
    Kind.INT: "BIGINT",
    Kind.RATIO: "DOUBLE",
    Kind.MONEY: "BIGINT",
    Kind.QUANTITY: "BIGINT",
    Kind.PRICE: "BIGINT",
    Kind.INSTANT: "TIMESTAMPTZ",
    Kind.DAY: "DATE",
    Kind.BOOL: "BOOLEAN",
    Kind.ENUM: "VARCHAR",
}
"""DuckDB type of each kind."""


class Lake:
    """A workspace's tables.

    Args:
        root: the lake's folder; made when the first writer opens it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def manifest(self, number: int | None = None) -> Manifest | None:
        """The newest manifest, or one by number; None when nothing was published yet.

        Raises:
            DataError: no such manifest, or it cannot be read.
        """
        if number is not None:
            return manifests.load(self.root, number)
        return manifests.newest(self.root) if self.root.is_dir() else None

    def path(self, table: str) -> Path:
        """Folder of a table's Delta log and files."""
        return self.root / table

    def exists(self, table: str) -> bool:
        """Whether a table has any commit, published or not."""
        return bool(DeltaTable.is_deltatable(str(self.path(table))))

    def delta(self, table: str, version: int | None = None) -> DeltaTable:
        """A table as Delta sees it, at a version (default: the newest commit, published or not).

        Raises:
            DataError: the table or the version is missing.
        """
        try:
            return DeltaTable(self.path(table), version=version)
        except Exception as error:
            raise DataError(
                "lake.table-unreadable", table=table, version=version, why=str(error)
            ) from error

    def files(self, table: str, manifest: Manifest) -> list[str]:
        """Parquet files of a table as a manifest pins it, sorted."""
        return self.files_at(table, manifest.tables[table].version)

    def files_at(self, table: str, version: int | None = None) -> list[str]:
        """Parquet files of a table at a Delta version (default: the newest commit), sorted."""
        return self._paths(table, self.delta(table, version))

    def _paths(self, table: str, delta: DeltaTable) -> list[str]:
        # file_uris() would percent-encode a folder's Chinese or its spaces.
        names = pa.table(delta.get_add_actions(flatten=True))["path"].to_pylist()
        return sorted(str(self.path(table) / name) for name in names)

    def added_files(self, table: str, old_version: int, new_version: int) -> list[str] | None:
        """Files of exactly the rows that came in between two versions of a table, sorted.

        Compaction in between brings no rows, and hides none.

        Returns:
            None when that cannot be told: rows were taken out in between, or a file is gone. Then
            the whole table has to be read.
        """
        found = lake_log.brought(self.path(table), old_version, new_version)
        return None if found is None else [str(path) for path in found]

    def connect(
        self,
        manifest: Manifest | None = None,
        threads: int | None = None,
        memory: str = "2GB",
    ) -> duckdb.DuckDBPyConnection:
        """A new in-memory DuckDB with one view per table present.

        Views carry the contract's columns, `known_at`, `revision`, `source` and `gone_at`: the
        instant from which a later revision of the same key counts instead, or takes the row back
        (NULL: none). Deletions end other rows and are not shown. Instants are TIMESTAMPTZ shown in
        UTC. An empty lake gives no views.

        Args:
            manifest: what to read; default: the newest.
            threads: DuckDB's threads; default: all cores.
            memory: DuckDB's memory limit; beyond it, it spills to the temporary folder.

        Returns:
            The connection; the caller closes it.
        """
        connection = open_duckdb(threads, memory)
        manifest = manifest or self.manifest()
        for name, state in (manifest.tables if manifest else {}).items():
            if name in TABLES:
                connection.execute(f'create view "{name}" as {self.view_sql(TABLES[name], state)}')
        return connection

    def view_sql(self, table: Table, state: TableState) -> str:
        """The select behind a table's view."""
        delta = self.delta(table.name, state.version)
        files = self._paths(table.name, delta)
        present = {field.name for field in delta.schema().fields}
        return rows_sql(table, state, parquet_sql(files, table), present)

    @contextmanager
    def writer(self, wait: float = 0.0) -> Iterator[LakeWriter]:
        """The one writer of this lake, holding its lock until the block ends.

        Args:
            wait: seconds to wait for another writer.

        Raises:
            UsageError: another writer is at work.
        """
        from keepwell.observe.lake_writer import LakeWriter, locked

        with locked(self.root, wait):
            yield LakeWriter(self)


def rows_sql(table: Table, state: TableState, rows: str, present: Collection[str]) -> str:
    """The rows of a table as views show them: with `gone_at`, and without deletions.

    Args:
        table: which.
        state: what the manifest says of it.
        rows: a FROM item of all that is stored.
        present: the columns that it has.
    """
    shown = [*table.columns, *SYSTEM_COLUMNS[:3]]
    columns = ", ".join(_column_sql(column, present) for column in shown)
    if not state.corrected:
        return f"select {columns}, cast(null as timestamptz) as gone_at from {rows}"
    # A correction may become known before an earlier one does: any higher revision counts.
    key = ", ".join(f'"{name}"' for name in table.key)
    gone = (
        f"min(known_at) over (partition by {key} order by revision "
        "rows between 1 following and unbounded following)"
    )
    if DELETED.name not in present:
        return f"select {columns}, {gone} as gone_at from {rows}"
    return (
        f"select * exclude (deleted) from (select {columns}, {gone} as gone_at, deleted "
        f"from {rows}) where deleted is not true"
    )


def open_duckdb(threads: int | None = None, memory: str = "2GB") -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB in UTC that spills beside the system's other temporary files."""
    folder = Path(tempfile.gettempdir()) / "keepwell-duckdb"
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(folder),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(config=config)
    connection.execute("set TimeZone = 'UTC'")
    return connection


Connect = Callable[[], duckdb.DuckDBPyConnection]
"""Gives a connection."""


@contextmanager
def when_needed(threads: int | None = None, memory: str = "2GB") -> Iterator[Connect]:
    """One DuckDB for many short questions, opened at the first: to open it costs more than they do.

    It keeps nothing of the files it read.
    """
    opened: list[duckdb.DuckDBPyConnection] = []

    def engine() -> duckdb.DuckDBPyConnection:
        if not opened:
            opened.append(open_duckdb(threads, memory))
            opened[0].execute("set enable_external_file_cache = false")
        return opened[0]

    try:
        yield engine
    finally:
        for connection in opened:
            connection.close()


def parquet_sql(files: list[str], table: Table) -> str:
    """A FROM item over files of a table; an empty relation of its columns without files."""
    if not files:
        nothing = ", ".join(
            f'cast(null as {SQL_TYPES[c.kind]}) as "{c.name}"'
            for c in (*table.columns, *SYSTEM_COLUMNS)
        )
        return f"(select {nothing} where false)"
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in sorted(files))
    return f"read_parquet([{listed}], union_by_name = true)"


def _column_sql(column: Column, present: Collection[str]) -> str:
    if column.name in present:
        return f'"{column.name}"'
    # The table was written under an older contract: nothing is known of this column.
    return f'cast(null as {SQL_TYPES[column.kind]}) as "{column.name}"'
