"""The dry run: everything an ingest does but the commit, reported for people.

A table that cannot be read does not hide the others: each is tried, and each fault is named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from keepwell.core.days import local_day, midnight, to_date
from keepwell.core.errors import KeepwellError
from keepwell.observe.contract import TABLES, Kind, Table
from keepwell.observe.dedupe import staged_sql
from keepwell.observe.mapping import TableMap
from keepwell.observe.staging import Prepared, Progress, SourceReport, TableReport, prepare

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace


@dataclass(frozen=True)
class TableCheck:
    """What an ingest would find in one table.

    Attributes:
        rows: how its rows would fare.
        first: earliest local day of the rows that pass; None without rows or clock.
        last: latest local day.
        coverage: [from, until) local days for which the mapping calls the table complete; an open
            end is None.
        uncovered: rows that pass but lie outside the coverage.
        not_given: columns of the contract that the select does not give.
    """

    rows: TableReport
    first: date | None
    last: date | None
    coverage: tuple[tuple[date, date | None], ...]
    uncovered: int
    not_given: tuple[str, ...]

    @property
    def table(self) -> str:
        """The table's name."""
        return self.rows.table

    @property
    def passed(self) -> int:
        """Rows that would be in the lake afterwards."""
        return self.rows.read - self.rows.quarantined


@dataclass(frozen=True)
class Problem:
    """Why a table cannot be ingested.

    Attributes:
        table: its name.
        error: the fault, with its words.
    """

    table: str
    error: KeepwellError


@dataclass(frozen=True)
class CheckReport:
    """What an ingest would do.

    Attributes:
        tables: those that can be read.
        sources: what the scans found.
        problems: those that cannot.
        clients_without_profile: clients who act but have no client row; they are kept. None when
            client is not mapped or cannot be read.
    """

    tables: tuple[TableCheck, ...]
    sources: tuple[SourceReport, ...]
    problems: tuple[Problem, ...]
    clients_without_profile: int | None

    @property
    def exit_code(self) -> int:
        """0: all tables can be ingested with some rows; 1 or 2: as the gravest problem says.

        A table all of whose rows are refused counts as data that is not acceptable.
        """
        codes = [problem.error.exit_code for problem in self.problems]
        codes += [1 for t in self.tables if t.rows.read and not t.passed]
        return max(codes, default=0)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON; dates as text."""
        return {
            "tables": [_plain(table) for table in self.tables],
            "sources": [asdict(source) for source in self.sources],
            "problems": [
                {"table": p.table, "code": p.error.code, "message": p.error.words("en")}
                for p in self.problems
            ],
            "clients_without_profile": self.clients_without_profile,
        }


def check(
    workspace: Workspace, tables: list[str] | None = None, progress: Progress | None = None
) -> CheckReport:
    """Try what the mapping names, without touching the lake.

    Args:
        workspace: the workspace.
        tables: contract tables; default: all that are mapped.
        progress: told (stage, name, rows).

    Returns:
        Counts, refused rows by reason, time range and coverage per table, and what cannot be read.
    """
    wanted = [t for t in TABLES if t in workspace.mapping.tables and (not tables or t in tables)]
    try:
        return _try(workspace, wanted, progress)
    except KeepwellError:
        return _one_by_one(workspace, wanted, progress)


def _one_by_one(workspace: Workspace, wanted: list[str], progress: Progress | None) -> CheckReport:
    done: list[TableCheck] = []
    sources: dict[str, SourceReport] = {}
    problems: list[Problem] = []
    for name in wanted:
        try:
            report = _try(workspace, [name], progress)
        except KeepwellError as error:
            problems.append(Problem(name, error))
            continue
        done.extend(report.tables)
        sources |= {source.source: source for source in report.sources}
    return CheckReport(tuple(done), tuple(sources.values()), tuple(problems), None)


def _try(workspace: Workspace, wanted: list[str], progress: Progress | None) -> CheckReport:
    with prepare(workspace, wanted, force=True, progress=progress) as ready:
        checked = tuple(_table(workspace, ready, report) for report in ready.tables)
        profile = _without_profile(ready) if "client" in wanted else None
        return CheckReport(checked, tuple(ready.sources), (), profile)


def _table(workspace: Workspace, ready: Prepared, report: TableReport) -> TableCheck:
    table = TABLES[report.table]
    said = workspace.mapping.tables[table.name]
    parts = ready.parts.get(table.name, [])
    low = high = None
    uncovered = 0
    missing: tuple[str, ...] = ()
    if parts:
        rows = staged_sql(parts)
        if table.clock:
            low, high, uncovered = _range(ready, table, rows, said, workspace.zone)
        missing = _not_given(ready, table, rows)
    coverage = tuple(
        (to_date(start), None if end is None else to_date(end)) for start, end in said.coverage
    )
    return TableCheck(report, low, high, coverage, uncovered, missing)


def _range(
    ready: Prepared, table: Table, rows: str, said: TableMap, zone: ZoneInfo
) -> tuple[date | None, date | None, int]:
    day_grain = table.by_name[table.clock].kind is Kind.DAY
    cell = f'"{table.clock}"'
    clock = f"({cell} - date '1970-01-01')" if day_grain else f"epoch_us({cell})"

    def edge(number: int) -> int:
        return number if day_grain else _micros(midnight(number, zone))

    inside = " or ".join(
        f"({clock} >= {edge(start)}" + (")" if end is None else f" and {clock} < {edge(end)})")
        for start, end in said.coverage
    )
    low, high, outside = ready.engine.execute(
        f"select min({clock}), max({clock}), count(*) filter (not ({inside or 'true'})) from {rows}"
    ).fetchall()[0]
    if low is None:
        return None, None, 0
    days = [int(n) if day_grain else local_day(_instant(int(n)), zone) for n in (low, high)]
    return to_date(days[0]), to_date(days[1]), int(outside)


def _not_given(ready: Prepared, table: Table, rows: str) -> tuple[str, ...]:
    """Columns without a single value: not given, or given as NULL throughout."""
    counts = ", ".join(f'count("{name}")' for name in table.names)
    found = ready.engine.execute(f"select {counts} from {rows}").fetchall()[0]
    return tuple(name for name, count in zip(table.names, found, strict=True) if not count)


def _without_profile(ready: Prepared) -> int | None:
    known = ready.parts.get("client", [])
    acting = [
        f"select client_id from {staged_sql(parts)}"
        for name, parts in ready.parts.items()
        if name != "client" and parts and "client_id" in TABLES[name].by_name
    ]
    if not known or not acting:
        return None
    found = ready.engine.execute(
        f"select count(distinct client_id) from ({' union all '.join(acting)}) "
        f"where client_id not in (select client_id from {staged_sql(known)})"
    ).fetchall()
    return int(found[0][0])


def _micros(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _instant(micros: int) -> datetime:
    return datetime.fromtimestamp(micros // 1_000_000, UTC)


def _plain(table: TableCheck) -> dict[str, Any]:
    return {
        **asdict(table.rows),
        "passed": table.passed,
        "first": table.first and table.first.isoformat(),
        "last": table.last and table.last.isoformat(),
        "coverage": [[start.isoformat(), end and end.isoformat()] for start, end in table.coverage],
        "uncovered": table.uncovered,
        "not_given": list(table.not_given),
    }
