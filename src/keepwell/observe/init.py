"""`keepwell init`: a commented keepwell.yaml, proposed from the files found.

Types and encodings are inferred and then tried on every row; table selects are proposed where
column names resemble the contract's, in English or Chinese; `covers` from the days that occur.
Proposals are for a person to correct: what is guessed says so.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.errors import DataError, KeepwellError, UsageError
from keepwell.core.files import atomic_write
from keepwell.observe.cells import literal, quoted
from keepwell.observe.connectors import connectors
from keepwell.observe.contract import TABLES, Kind, Table
from keepwell.observe.guess import ColumnGuess, guess_columns, guess_csv
from keepwell.observe.init_text import mapping_text
from keepwell.observe.mapping import FILE_NAME, Mapping, Source
from keepwell.observe.scan import scan
from keepwell.observe.synonyms import column_likeness, meaning_of, normal, table_likeness

_ENOUGH = 0.6
_LONGEST = 40
"""Least share of a table's required columns found for a select to be proposed."""


@dataclass(frozen=True)
class SourceProposal:
    """A data file found.

    Attributes:
        name: proposed name of the source.
        path: relative to keepwell.yaml.
        source: how it is read.
        columns: its columns with their types.
        rows: rows in it.
        refused: rows that do not fit the types inferred.
        fault: why it cannot be read, '' when it can.
    """

    name: str
    path: str
    source: Source
    columns: tuple[ColumnGuess, ...] = ()
    rows: int = 0
    refused: int = 0
    fault: str = ""


@dataclass(frozen=True)
class TableProposal:
    """A table that a source could fill.

    Attributes:
        table: contract table.
        source: name of the source.
        found: contract column to the source's column.
        missing: required contract columns without a column that resembles them.
        words: ENUM column to {cell word: the contract's word}.
        covers: [from, until) of the days that occur; None for tables without a clock.
    """

    table: str
    source: str
    found: dict[str, str]
    missing: tuple[str, ...]
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    covers: tuple[date, date] | None = None


@dataclass(frozen=True)
class InitReport:
    """What `init` wrote.

    Attributes:
        path: the mapping file.
        sources: data files found.
        tables: selects proposed.
    """

    path: Path
    sources: tuple[SourceProposal, ...]
    tables: tuple[TableProposal, ...]


def init(
    folder: Path, data: Path | None = None, timezone: str = "Asia/Shanghai", currency: str = "CNY"
) -> InitReport:
    """Write a commented keepwell.yaml.

    Args:
        folder: the workspace, made if absent.
        data: folder of data files to propose sources and selects from.
        timezone: IANA zone of the exchange.
        currency: ISO 4217 code.

    Raises:
        UsageError: there is a keepwell.yaml already, or no folder `data`, or the zone or the
            currency is unknown.
    """
    # The zone and the currency are checked first: the finder uses them.
    Mapping.parse(mapping_text(folder.resolve().name, timezone, currency, [], []))
    target = folder / FILE_NAME
    if target.exists():
        raise UsageError("init.mapping-exists", path=target)
    if data is not None and not data.is_dir():
        raise UsageError("init.folder-missing", path=data)
    sources: list[SourceProposal] = []
    tables: list[TableProposal] = []
    if data is not None:
        with tempfile.TemporaryDirectory(prefix="keepwell-init-") as staging:
            finder = _Finder(folder, data, Path(staging), timezone)
            sources = finder.sources()
            tables = finder.tables(sources)
    text = mapping_text(folder.resolve().name, timezone, currency, sources, tables)
    Mapping.parse(text)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(target, text)
    return InitReport(target, tuple(sources), tuple(tables))


@dataclass
class _Finder:
    folder: Path
    data: Path
    staging: Path
    timezone: str
    staged: dict[str, list[Path]] = field(default_factory=dict)

    def sources(self) -> list[SourceProposal]:
        # A database's file does not say which of its tables is meant.
        whole = [c for c in connectors().values() if not c.increments]
        suffixes = {suffix for c in whole for suffix in c.suffixes}
        files = sorted(
            p for p in self.data.rglob("*") if p.is_file() and p.suffix.lower() in suffixes
        )
        found: list[SourceProposal] = []
        for path in files:
            name = _identifier(path.stem, {s.name for s in found})
            found.append(self._source(name, path))
        return found

    def _source(self, name: str, path: Path) -> SourceProposal:
        shown = Path(os.path.relpath(path.resolve(), self.folder.resolve())).as_posix()
        plain = Source(path=str(path.resolve()))
        try:
            if path.suffix.lower() in (".parquet", ".pq"):
                source, columns = plain, _parquet_columns(name, path)
            else:
                excel = path.suffix.lower() in (".xlsx", ".xlsm")
                source = plain if excel else guess_csv(path)
                columns = guess_columns(name, source, path.parent, self.timezone)
                typed = {c.name: c.spec for c in columns if c.spec}
                source = source.model_copy(update={"columns": typed})
            done = scan(name, source, path.parent, self.staging)
        except KeepwellError as error:
            return SourceProposal(
                name, shown, plain.model_copy(update={"path": shown}), fault=error.words()
            )
        self.staged[name] = done.files
        source = source.model_copy(update={"path": shown})
        return SourceProposal(name, shown, source, columns, done.rows, done.rejected)

    def tables(self, sources: list[SourceProposal]) -> list[TableProposal]:
        """The best source for each table, each source used for the table it fits best."""
        scored = [
            (score, proposal)
            for source in sources
            if not source.fault
            for table in TABLES.values()
            for score, proposal in _fit(table, source)
        ]
        scored.sort(key=lambda pair: -pair[0])
        taken_sources: set[str] = set()
        chosen: dict[str, TableProposal] = {}
        for _, proposal in scored:
            if proposal.table in chosen or proposal.source in taken_sources:
                continue
            taken_sources.add(proposal.source)
            chosen[proposal.table] = self._filled(proposal)
        return [chosen[name] for name in TABLES if name in chosen]

    def _filled(self, proposal: TableProposal) -> TableProposal:
        """Add the days and the words that occur."""
        table = TABLES[proposal.table]
        files = ", ".join(literal(str(file)) for file in self.staged[proposal.source])
        rows = f"read_parquet([{files}])"
        words: dict[str, dict[str, str]] = {}
        covers = None
        with duckdb.connect(":memory:") as engine:
            engine.execute(f"set TimeZone = '{self.timezone}'")
            for name, column in proposal.found.items():
                if table.by_name[name].kind is Kind.ENUM:
                    cells = engine.execute(
                        f"select distinct cast({quoted(column)} as varchar) from {rows} "
                        f"where {quoted(column)} is not null limit 50"
                    ).fetchall()
                    words[name] = {
                        cell: meaning_of(cell, table.by_name[name].values) for (cell,) in cells
                    }
            if table.clock in proposal.found:
                day = f"cast({quoted(proposal.found[table.clock])} as date)"
                low, high = engine.execute(
                    f"select cast(min({day}) as varchar), cast(max({day}) as varchar) from {rows}"
                ).fetchall()[0]
                if low:
                    covers = (date.fromisoformat(low), date.fromisoformat(high) + timedelta(days=1))
        return replace(proposal, words=words, covers=covers)


def _fit(table: Table, source: SourceProposal) -> list[tuple[float, TableProposal]]:
    """How well a source could fill a table; nothing when too little is found."""
    found: dict[str, str] = {}
    total = 0.0
    for column in table.columns:
        likely = [
            (column_likeness(column.name, c.name), c.name)
            for c in source.columns
            if _suits(column.kind, c)
        ]
        best, name = max(likely, default=(0.0, ""))
        if best and name not in found.values():
            found[column.name] = name
            total += best
    required = table.required
    missing = tuple(name for name in required if name not in found)
    share = 1 - len(missing) / len(required)
    if share < _ENOUGH or ("client_id" in required and "client_id" in missing):
        return []
    named = table_likeness(table.name, source.name)
    score = share * 2 + named * 2 + total / len(table.columns)
    return [(score, TableProposal(table.name, source.name, found, missing))]


def _suits(kind: Kind, column: ColumnGuess) -> bool:
    times = {"date", "instant"}
    numbers = {"integer", "decimal", "double"}
    if kind in (Kind.INSTANT, Kind.DAY):
        return column.type in times
    if kind in (Kind.MONEY, Kind.QUANTITY, Kind.PRICE, Kind.INT, Kind.RATIO):
        return column.type in numbers
    return column.type not in times


def _parquet_columns(name: str, path: Path) -> tuple[ColumnGuess, ...]:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        problem = str(error).splitlines()[0]
        raise DataError(
            "source.parquet-broken", source=name, file=path.name, problem=problem
        ) from None
    return tuple(ColumnGuess(f.name, _type_name(f.type)) for f in schema)


def _type_name(type: pa.DataType) -> str:
    checks = {
        "integer": pa.types.is_integer,
        "double": pa.types.is_floating,
        "decimal": pa.types.is_decimal,
        "boolean": pa.types.is_boolean,
        "date": pa.types.is_date,
        "instant": pa.types.is_timestamp,
    }
    return next((name for name, is_type in checks.items() if is_type(type)), "text")


def _identifier(stem: str, taken: set[str]) -> str:
    """A source's name that needs no quotes in SQL, not taken yet."""
    words = (
        "".join(c if c.isalnum() else "_" for c in stem.lower()).strip("_")[:_LONGEST] or "source"
    )
    name = words if not words[0].isdigit() else f"file_{words}"
    if normal(name) in {"table", "select", "order", "group", "from", "index", "user"}:
        name += "_file"
    number = 2
    base = name
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name
