"""The selects: one SELECT per table, run in a DuckDB that can read only what was staged.

The engine is locked before the first select: no file, network, extension, setting or Python
variable is in reach, and each text must be exactly one SELECT. Its time zone is the exchange's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from keepwell.core.errors import KeepwellError, UsageError, nearest
from keepwell.observe.contract import SELECT_EXTRAS, TABLES
from keepwell.observe.contract import Table as ContractTable
from keepwell.observe.mapping import NONE, Mapping

BATCH_ROWS = 131_072

_COLUMN = re.compile(r'(?:Referenced column|column named|Column) "([^"]+)"(?! must| already)')
_TABLE = re.compile(r"Table with name (\S+) does not exist")


@lru_cache(maxsize=1)
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1})


def _parser() -> duckdb.DuckDBPyConnection:
    """A connection that only takes texts apart: a new engine costs a thousand times as much."""
    return _engine().cursor()


def statement_of(table: str, sql: str) -> duckdb.Statement:
    """The one SELECT in a table's text.

    Raises:
        UsageError: `select.syntax-wrong`, `select.count-wrong`, `select.kind-wrong`.
    """
    try:
        statements = _parser().extract_statements(sql)
    except duckdb.Error as error:
        # 'at' is a keyword of DuckDB's and a column of the contract.
        bare = re.search(r"(?<!\bas )(?<![.\"\w])at\b(?!\")", sql, re.IGNORECASE)
        code = "select.syntax-at" if bare else "select.syntax-wrong"
        raise UsageError(code, table=table, problem=_brief(error)) from None
    if len(statements) != 1:
        raise UsageError("select.count-wrong", table=table, found=len(statements))
    statement = statements[0]
    # DuckDB also counts DESCRIBE, SHOW and SUMMARIZE as SELECT; the first word tells them apart.
    first = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL).split(maxsplit=1)[0].upper()
    is_query = first.startswith(("SELECT", "WITH", "FROM", "VALUES", "("))
    if statement.type != duckdb.StatementType.SELECT or not is_query:
        raise UsageError("select.kind-wrong", table=table, kind=first)
    return statement


def sources_of(mapping: Mapping, tables: list[str]) -> list[str]:
    """The sources that some tables' selects read, in the mapping's order.

    Args:
        mapping: the mapping.
        tables: contract tables, all mapped.

    Raises:
        UsageError: as `statement_of`, `select.source-unknown`.
    """
    read: set[str] = set()
    for table in tables:
        names = _read_by(table, mapping.tables[table].sql)
        read.update(_source(mapping, table, name) for name in names)
    return [name for name in mapping.sources if name in read]


@lru_cache(maxsize=256)
def _read_by(table: str, sql: str) -> frozenset[str]:
    """The names that a table's text reads; kept, for to open an engine costs more than to read."""
    statement_of(table, sql)
    # An engine without the views: in one that has them the names of their readers come too. Locked
    # as well: to name what a text reads, DuckDB binds its table functions.
    connection = duckdb.connect(":memory:")
    try:
        _shut(connection)
        return frozenset(connection.get_table_names(sql))
    except (duckdb.PermissionException, duckdb.IOException) as error:
        raise _outside(table, error) from None
    except duckdb.Error as error:
        raise UsageError("select.failed", table=table, problem=_brief(error)) from None
    finally:
        connection.close()


def _source(mapping: Mapping, table: str, name: str) -> str:
    known = list(mapping.sources)
    found = next((s for s in known if s.lower() == name.lower().strip('"')), None)
    if found is None:
        raise _unknown_source(mapping, table, name)
    return found


def _unknown_source(mapping: Mapping, table: str, name: str) -> KeepwellError:
    known = list(mapping.sources)
    if re.search(r"[./\\:*]", name):
        return UsageError("select.reach-outside", table=table, problem=name)
    return UsageError(
        "select.source-unknown",
        table=table,
        source=name,
        nearest=nearest(name, known) or NONE,
        known=", ".join(known),
    )


class Selects:
    """The locked engine with one view per staged source.

    Args:
        mapping: the mapping whose selects are run.
        staged: source name to its staged Parquet files (`scan.Scan.files`).
        spill: folder for what does not fit in memory; default: none, memory only.
        memory: DuckDB memory limit, such as '1GB'; default DuckDB's own.

    Use as a context manager, or call `close`.
    """

    def __init__(
        self,
        mapping: Mapping,
        staged: dict[str, list[Path]],
        spill: Path | None = None,
        memory: str | None = None,
    ) -> None:
        self._mapping = mapping
        self._connection = duckdb.connect(":memory:")
        try:
            self._lock(staged, spill, memory)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Selects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the engine; readers still open end."""
        self._connection.close()

    def columns(self, table: str) -> list[str]:
        """The columns a table's select gives, checked against the contract.

        Raises:
            UsageError: the select is not one SELECT over the sources (`select.*`), or it names
                columns the contract does not have, or lacks required ones.
        """
        sql = self._text(table)
        self._read_by(table)
        try:
            given = self._connection.sql(sql).columns
        except duckdb.IOException as error:
            # Nothing staged is opened yet: the select names a file of its own.
            raise _outside(table, error) from None
        except duckdb.Error as error:
            raise self._fault(table, error) from None
        _check_outputs(TABLES[table], given)
        return list(given)

    def batches(self, table: str) -> pa.RecordBatchReader:
        """Run a table's select.

        Columns have the select's own types (major units, naive local times); instants come in
        UTC. `observe.validate` brings them to the contract's types.

        Args:
            table: a contract table that the mapping fills.

        Raises:
            UsageError: as `columns`, and `select.failed` when it fails while it runs, then or
                while the reader is read.
        """
        self.columns(table)
        try:
            reader = self._connection.sql(self._text(table)).to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise self._fault(table, error) from None
        schema = pa.schema([_utc(field) for field in reader.schema])
        return pa.RecordBatchReader.from_batches(schema, self._stream(table, reader, schema))

    def _stream(
        self, table: str, reader: pa.RecordBatchReader, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise self._fault(table, error) from None
            yield batch.cast(schema, safe=False)  # nanoseconds end at microseconds

    def _lock(self, staged: dict[str, list[Path]], spill: Path | None, memory: str | None) -> None:
        run = self._connection.execute
        files = [str(path) for paths in staged.values() for path in paths]
        try:
            run(f"set TimeZone = {_literal(self._mapping.timezone)}")
        except duckdb.Error:  # a name that means the machine's own zone, such as localtime
            raise UsageError(
                "mapping.value-invalid",
                file=self._mapping.file,
                line=self._mapping.line("timezone"),
                key="timezone",
                value=self._mapping.timezone,
                expected="an IANA time zone such as Asia/Shanghai",
            ) from None
        run(f"set temp_directory = {_literal(str(spill) if spill else '')}")
        if memory:
            run(f"set memory_limit = {_literal(memory)}")
        run(f"set allowed_paths = {_list(files)}")
        for source, paths in staged.items():
            listed = _list([str(path) for path in paths])
            run(
                f'create view "{source}" as '
                f"select * from read_parquet({listed}, union_by_name = true)"
            )
        _shut(self._connection)

    def _read_by(self, table: str) -> list[str]:
        return sources_of(self._mapping, [table])

    def _text(self, table: str) -> str:
        query: str = statement_of(table, self._mapping.tables[table].sql).query
        return query.strip().rstrip(";")

    def _fault(self, table: str, error: BaseException) -> KeepwellError:
        text = str(error)
        if isinstance(error, duckdb.PermissionException):
            return _outside(table, error)
        if found := _TABLE.search(text):
            return _unknown_source(self._mapping, table, found[1])
        if found := _COLUMN.search(text):
            return self._unknown_column(table, found[1])
        return UsageError("select.failed", table=table, problem=_brief(error))

    def _unknown_column(self, table: str, column: str) -> KeepwellError:
        """Name the source's column that looks most like it, over all sources that are read."""
        best, where, columns = "", "", list[str]()
        for source in self._read_by(table):
            known = self._connection.sql(f'select * from "{source}" limit 0').columns
            close = nearest(column, known)
            if not where or (close and not best):
                best, where, columns = close, source, known
        return UsageError(
            "select.column-unknown",
            table=table,
            column=column,
            source=repr(where),
            nearest=best or NONE,
            columns=", ".join(columns),
        )


def _shut(connection: duckdb.DuckDBPyConnection) -> None:
    """Close every way out of an engine but the paths allowed before."""
    for setting in (
        "allow_community_extensions = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "python_enable_replacements = false",
        # Where Python is interactive DuckDB would draw one among our output.
        "enable_progress_bar = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


def _outside(table: str, error: BaseException) -> UsageError:
    return UsageError("select.reach-outside", table=table, problem=_brief(error))


def _check_outputs(contract: ContractTable, given: list[str]) -> None:
    for name in given:
        if given.count(name) > 1:
            raise UsageError("select.output-twice", table=contract.name, column=name)
    known = [*contract.names, *SELECT_EXTRAS]
    for name in given:
        if name not in known:
            raise UsageError(
                "select.output-unknown",
                table=contract.name,
                column=name,
                nearest=nearest(name, known) or NONE,
                columns=", ".join(known),
            )
    if "deleted" in given and "revision" not in given:
        raise UsageError("select.deleted-alone", table=contract.name)
    for name in contract.required:
        if name not in given:
            raise UsageError(
                "select.output-missing",
                table=contract.name,
                column=name,
                nearest=nearest(name, given) or NONE,
                columns=", ".join(given),
            )


def _utc(field: pa.Field) -> pa.Field:
    if pa.types.is_timestamp(field.type) and field.type.tz:
        return field.with_type(pa.timestamp("us", "UTC"))
    return field


def _brief(error: BaseException) -> str:
    """DuckDB's message on one line, without its kind and its picture of the statement."""
    text = str(error).split("\n\nLINE", 1)[0]
    text = re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", text)
    return " ".join(text.split()).rstrip(".")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(texts: list[str]) -> str:
    return "[" + ", ".join(_literal(text) for text in texts) + "]"
