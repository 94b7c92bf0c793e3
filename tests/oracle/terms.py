"""Small words of SQL from which the oracle's expressions are put together.

Each gives a scalar SQL expression for one client ``c`` (columns ``client_id``, ``t``, ``d``) and
his row ``m`` of windowed aggregates, over the views of :mod:`tests.oracle.views`; NULL stands for
"absent". The aggregates that the expressions name are collected in ``MEASURES``, so that each
window of a table is read once per instant.
"""

from __future__ import annotations

import duckdb

from .views import AGOS

Window = tuple[str, int, bool]
MEASURES: dict[Window, dict[str, str]] = {}
"""(table, window, previous?) to {aggregate: name of its column in ``m``}."""


def over(table: str, what: str, window: int, *, prev: bool = False) -> str:
    """An aggregate over a client's rows ``x`` of a table in a window; absent when not told.

    ``x`` is one row of NULLs for a client without a row in the window.
    """
    columns = MEASURES.setdefault((table, window, prev), {})
    name = f"{table}_{window}{'_before' if prev else ''}_{len(columns)}"
    return f"m.{columns.setdefault(what, name)}"


def gather(con: duckdb.DuckDBPyConnection) -> None:
    """(Re)creates ``measures``: one row per client with his portfolio and all of ``MEASURES``.

    The window of w days: the whole days [D - w, D) and the open tail of today; the previous one:
    [D - 2w, D - w). A column is NULL when the table's declared coverage does not hold half of it.
    """
    portfolio = ", ".join(
        f"max({column}) filter (where ago = {ago}) as {column}_{ago}"
        for column in ("positions", "priced", "value", "largest", "concentration")
        for ago in AGOS
    )
    con.execute(f"""
        create or replace temp table measures as
        select client_id, {portfolio} from portfolio group by client_id""")
    for (table, window, prev), columns in MEASURES.items():
        told = con.execute(
            "select days, told from cover where name = ? and w = ? and prev = ?",
            [table, window, prev],
        ).fetchone() or (None, False)
        low, high = ("d - 2 * {0}", "d - {0} - 1") if prev else ("d - {0}", "d")
        inside = f"x.day between {low.format(window)} and {high.format(window)}"
        wanted = ", ".join(
            f"case when {told[1]} then {what} end as {name}" for what, name in columns.items()
        )
        con.execute(f"""
            create or replace temp table measures as
            select * from measures join (
                select c.client_id, {told[0] or "null"} as days_{table}_{window}_{prev}, {wanted}
                from people as c left join {table} as x
                  on x.client_id = c.client_id and {inside}
                group by c.client_id) using (client_id)""")


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


def begun(table: str, ago: int = 0) -> str:
    """Whether a declared span of the table begins before day D - ago."""
    return f"((select min(start) from covers where name = '{table}') < c.d - {ago})"


def since(table: str, which: str = "max") -> str:
    """Days since the local day of the latest (``max``) or earliest (``min``) row known."""
    day = f"(select {which}(x.day) from {table} as x where x.client_id = c.client_id)"
    return f"(case when {begun(table)} then c.d - {day} end)"


def latest(table: str, what: str, ago: int = 0) -> str:
    """An expression on the client's latest close-of-day row before the start of day D - ago."""
    return (
        f"(case when {begun(table, ago)} then (select {what} from {table} as x "
        f"where x.client_id = c.client_id and x.day < c.d - {ago} order by x.day desc limit 1) end)"
    )


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
