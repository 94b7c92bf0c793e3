"""Small words of SQL from which the oracle's expressions are put together.

Each gives a scalar SQL expression for one client ``c`` (columns ``client_id``, ``t``, ``d``) and
his row ``m`` of windowed aggregates, over the views of :mod:`tests.oracle.views`; NULL stands for
"absent". The aggregates that the expressions name are collected in ``MEASURES``, so that each
window of a table is read once per instant.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from .views import AGOS

Window = tuple[str, int, bool]
MEASURES: dict[Window, dict[str, str]] = {}
"""(table, window, previous?) to {aggregate: name of its column in ``m``}."""


CLOSEST: dict[tuple[str, str, int], dict[str, str]] = {}
"""(kind of look back, table, ago) to {expression: name of its column in ``m``}."""
_ROWS = {
    # the rows x of a client c that an expression is about, and whether it is an aggregate
    "latest": (
        (
            "left join (select * from {table} where day < (select d from now) - {ago} "
            "qualify row_number() over (partition by client_id order by day desc) = 1) as x "
            "on x.client_id = c.client_id"
        ),
        False,
    ),
    "day": (
        (
            "left join (select *, max(day) over (partition by client_id) as newest from {table} "
            "where day < (select d from now) - {ago}) as x "
            "on x.client_id = c.client_id and x.day = x.newest"
        ),
        True,
    ),
    "ever": ("left join {table} as x on x.client_id = c.client_id", True),
    "mean": (
        (
            "left join {table} as x on x.client_id = c.client_id "
            "and x.day < c.d - {ago} and x.day >= c.d - {ago} - 60"
        ),
        True,
    ),
}


def closest(kind: str, table: str, what: str, ago: int = 0) -> str:
    """An expression on what lies closest before the start of day D - ago, as ``_ROWS`` says.

    Absent when no declared span of the table begins before that day.
    """
    columns = CLOSEST.setdefault((kind, table, ago), {})
    name = f"{kind}_{table}_{ago}_{len(columns)}"
    return f"m.{columns.setdefault(what, name)}"


def over(table: str, what: str, window: int, *, prev: bool = False) -> str:
    """An aggregate over a client's rows ``x`` of a table in a window; absent when not told.

    ``x`` is one row of NULLs for a client without a row in the window.
    """
    columns = MEASURES.setdefault((table, window, prev), {})
    name = f"{table}_{window}{'_before' if prev else ''}_{len(columns)}"
    return f"m.{columns.setdefault(what, name)}"


def gather(con: duckdb.DuckDBPyConnection, used: str | None = None) -> None:
    """(Re)creates ``measures``: one row per client with his portfolio and all of ``MEASURES``.

    With ``used`` only the measures that this SQL names.

    The window of w days: the whole days [D - w, D) and the open tail of today; the previous one:
    [D - 2w, D - w). A column is NULL when the table's declared coverage does not hold half of it.
    """
    portfolio = ", ".join(
        f"max({column}) filter (where ago = {ago}) as {column}_{ago}"
        for column in ("positions", "priced", "value", "largest", "concentration")
        for ago in AGOS
    )
    parts = [f"select client_id, {portfolio} from portfolio group by client_id"]
    for (table, window, prev), every in MEASURES.items():
        columns = {what: name for what, name in every.items() if used is None or name in used}
        if not columns and used is not None and f"m.days_{table}_{window}_{prev}" not in used:
            continue
        told = con.execute(
            "select days, told from cover where name = ? and w = ? and prev = ?",
            [table, window, prev],
        ).fetchall() or [(None, False)]
        low, high = ("d - 2 * {0}", "d - {0} - 1") if prev else ("d - {0}", "d")
        inside = f"x.day between {low.format(window)} and {high.format(window)}"
        wanted = ", ".join(
            [f"{told[0][0] or 'null'} as days_{table}_{window}_{prev}"]
            + [
                f"case when {told[0][1]} then {what} end as {name}"
                for what, name in columns.items()
            ]
        )
        parts.append(
            f"select {wanted} from people as c left join {table} as x "
            f"on x.client_id = c.client_id and {inside} group by c.client_id"
        )
    for (kind, table, ago), every in CLOSEST.items():
        columns = {what: name for what, name in every.items() if used is None or name in used}
        if not columns:
            continue
        begun = con.execute(
            f"select min(start) < (select d from now) - {ago} from covers where name = ?", [table]
        ).fetchall()
        rows, grouped = _ROWS[kind]
        wanted = ", ".join(
            f"case when {bool(begun[0][0])} then {what} end as {name}"
            for what, name in columns.items()
        )
        parts.append(
            f"select {wanted} from people as c {rows.format(table=table, ago=ago)}"
            f"{' group by c.client_id, c.d' if grouped else ''}"
        )
    # Every part has one row per client in the same order, so that columns can stand side by side.
    side = [con.sql(f"{part} order by {'' if n == 0 else 'c.'}client_id").to_arrow_table()
            for n, part in enumerate(parts)]  # fmt: skip
    columns = {name: part[name] for part in side for name in part.column_names}
    con.register("measured", pa.table(columns))
    con.execute("create or replace temp table measures as select * from measured")
    con.unregister("measured")


def held(column: str, ago: int = 0) -> str:
    """A column of the client's portfolio at t (ago 0) or at the start of day D - ago."""
    return f"m.{column}_{ago}"


def count(table: str, window: int, *, prev: bool = False, where: str = "true") -> str:
    """Number of rows in a window."""
    return over(table, f"count(x.client_id) filter (where {where})", window, prev=prev)


def total(table: str, column: str, window: int, *, where: str = "true") -> str:
    """Sum of a column over a window; rows without it add nothing, no rows give 0."""
    return over(table, f"coalesce(sum(x.{column}) filter (where {where}), 0)", window)


def active_days(table: str, window: int) -> str:
    """Number of different local days with a row in a window."""
    return over(table, "count(distinct x.day)", window)


def covered(table: str, window: int) -> str:
    """Whole days of the window inside the table's declared coverage."""
    return f"m.days_{table}_{window}_False"


def since(table: str, which: str = "max") -> str:
    """Days since the local day of the latest (``max``) or earliest (``min``) row known."""
    return closest("ever", table, f"c.d - {which}(x.day)")


def latest(table: str, what: str, ago: int = 0) -> str:
    """An expression on the client's latest close-of-day row before the start of day D - ago."""
    return closest("latest", table, what, ago)


def mean_of_20(table: str, what: str, ago: int = 0) -> str:
    """Mean of the latest 20 close-of-day values before D - ago; at least 10, within 60 days."""
    kept = f"(list({what} order by x.day desc) filter (where ({what}) is not null))[1:20]"
    return closest("mean", table, f"case when len({kept}) >= 10 then list_avg({kept}) end", ago)


def divide(above: str, below: str) -> str:
    """A ratio; absent when a part is absent or the divisor is zero."""
    return f"(({above})::double / nullif(({below})::double, 0))"


def own_normal(table: str, now: str, year: str, window: int) -> str:
    """(N / C) / (M / B): the window's rate per covered day against the rest of the year's."""
    c = covered(table, window)
    b = f"({covered(table, 365)} - {c})"
    m = f"({year} - {now})"
    return f"(case when {b} >= 90 then {divide(divide(now, c), divide(m, b))} end)"


def trend(now: str, before: str) -> str:
    """(N - P) / (N + P)."""
    return divide(f"{now} - {before}", f"{now} + {before}")
