"""The benchmark's indicators as one DuckDB query in its best measured form, and as a Polars plan.

Best form: one pass over tiles per table with sum(CASE ... DOUBLE); sums in BIGINT and FILTER
clauses are two to three times slower. The tiles have one row per client and day and no second
clock: SQL is spared the visibility check that the kernel makes on every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indicators_spec import GAP, SUMS, YEAR, Shape, column

from keepwell.observe.indicators.needs import Need
from keepwell.observe.tile_sql import ZoneSql, tile_sql
from keepwell.observe.tiles import TILES


class Sql:
    """An SQL expression with Python's operators; a division by zero is NULL."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __truediv__(self, other: Any) -> Sql:
        if isinstance(other, Sql):
            return Sql(f"({self.text} / nullif({other.text}, 0))")
        return Sql(f"({self.text} / {other!r})")

    def __sub__(self, other: Sql) -> Sql:
        return Sql(f"({self.text} - {other.text})")


def tiles_query(table: str, zone: ZoneSql) -> str:
    """Tiles for the SQL peers: the product's own, without the second clock: one row a day."""
    names = ", ".join(f"m_{m.name} AS {m.name}" for m in TILES[table].measures)
    rows = f'SELECT * REPLACE (to_timestamp(0) AS known_at) FROM "{table}" WHERE gone_at IS NULL'
    inner = tile_sql(TILES[table], zone, f"({rows})")
    return f"SELECT code, day, {names} FROM ({inner}) ORDER BY code, day"


def _aggregate(need: Need, day: int) -> str:
    inside = f"day >= {day - need.window}"
    if need.stat == "sum":
        return f"sum(CASE WHEN {inside} THEN CAST({need.measure} AS DOUBLE) ELSE 0 END)"
    if need.stat == "days":
        return f"sum(CASE WHEN {inside} THEN 1::DOUBLE ELSE 0 END)"
    if need.stat == "max":
        return f"CAST(max(CASE WHEN {inside} THEN {need.measure} END) AS DOUBLE)"
    if need.stat == "distinct":
        bits = f"bit_or(CASE WHEN {inside} THEN {need.measure} ELSE 0 END)"
        return f"CAST(bit_count({bits}) AS DOUBLE)"
    if need.stat == "std":
        return f"stddev_samp(CASE WHEN {inside} THEN CAST({need.measure} AS DOUBLE) END)"
    return f"CAST({day} - max(day) AS DOUBLE)"


def _gaps(table: str, relation: str, day: int) -> str:
    """Longest and mean gap and clumpiness of 180 days, from neighbouring active days."""
    length = GAP + 1
    return (
        f"(SELECT code, max(g) AS {table}_longest_gap__{GAP}, "
        f"CASE WHEN count(*) > 1 THEN (max(day) - min(day)) / (count(*) - 1) END "
        f"AS {table}_mean_gap__{GAP}, "
        f"1 + ((sum(h * ln(h)) + CASE WHEN max(day) < {day} THEN ({day} - max(day)) * "
        f"ln({day} - max(day)) ELSE 0 END) / {float(length)} - ln({float(length)})) "
        f"/ ln(count(*) + 1.0) AS {table}_clumpiness__{GAP} "
        "FROM (SELECT code, day, CAST(g0 AS DOUBLE) AS g, "
        f"CAST(coalesce(g0, day - {day - length}) AS DOUBLE) AS h FROM ("
        "SELECT code, day, day - lag(day) OVER (PARTITION BY code ORDER BY day) AS g0 "
        f"FROM {relation} WHERE day >= {day - GAP} AND day < {day})) GROUP BY code)"
    )


def query(relations: Mapping[str, str], clients: str, shapes: list[Shape], day: int) -> str:
    """All indicators of all clients.

    Args:
        relations: relation of tiles per table.
        clients: relation with column code.
        shapes: the indicators.
        day: D.
    """
    needs = {need for shape in shapes for need in shape.needs}
    joins, zero = [], []
    for table, relation in relations.items():
        own = sorted(n for n in needs if n.table == table and "gap" not in n.stat
                     and n.stat != "clumpiness")  # fmt: skip
        columns = ", ".join(f"{_aggregate(n, day)} AS {column(n)}" for n in own)
        joins.append(
            f"LEFT JOIN (SELECT code, {columns} FROM {relation} WHERE day >= {day - YEAR} "
            f"AND day < {day} GROUP BY code) AS a_{table} ON a_{table}.code = c.code "
            f"LEFT JOIN {_gaps(table, relation, day)} AS g_{table} ON g_{table}.code = c.code"
        )
        zero += [column(n) for n in own if n.stat in ("sum", "days", "distinct")]

    def value(need: Need) -> Sql:
        name = column(need)
        return Sql(f"coalesce({name}, 0)" if name in zero else name)

    outputs = ", ".join(f"{s.formula(*map(value, s.needs)).text} AS {s.name}" for s in shapes)
    return f"SELECT c.code, {outputs} FROM {clients} AS c {' '.join(joins)}"


def polars_frame(scans: Mapping[str, Any], clients: Any, shapes: list[Shape], day: int) -> Any:
    """The same in Polars: a lazy frame sorted by client."""
    import polars as pl

    needs = {need for shape in shapes for need in shape.needs}
    frame, zero = clients, []
    for table, scan in scans.items():
        own = sorted(n for n in needs if n.table == table and "gap" not in n.stat
                     and n.stat != "clumpiness")  # fmt: skip
        year = scan.filter((pl.col("day") >= day - YEAR) & (pl.col("day") < day))
        totals = year.group_by("code").agg([_polars(n, day).alias(column(n)) for n in own])
        near = year.filter(pl.col("day") >= day - GAP).sort("code", "day")
        gaps = _polars_gaps(table, near, day)
        frame = frame.join(totals, "code", "left").join(gaps, "code", "left")
        zero += [column(n) for n in own if n.stat in ("sum", "days", "distinct")]
    outputs = []
    for shape in shapes:
        names = map(column, shape.needs)
        values = [pl.col(c).fill_null(0) if c in zero else pl.col(c) for c in names]
        found = shape.formula(*values)
        if len(values) > 1:
            found = pl.when(found.is_finite()).then(found)
        outputs.append(found.cast(pl.Float64).alias(shape.name))
    return frame.select("code", *outputs).sort("code")


def _polars(need: Need, day: int) -> Any:
    import polars as pl

    inside = pl.col("day") >= day - need.window
    if need.stat == "recency":
        return day - pl.col("day").max()
    if need.stat == "days":
        return inside.sum().cast(pl.Float64)
    chosen = pl.when(inside).then(pl.col(need.measure))
    if need.stat == "sum":
        return chosen.otherwise(0).sum().cast(pl.Float64)
    if need.stat == "max":
        return chosen.max().cast(pl.Float64)
    if need.stat == "distinct":
        return chosen.otherwise(0).bitwise_or().bitwise_count_ones().cast(pl.Float64)
    return chosen.cast(pl.Float64).std()


def _polars_gaps(table: str, near: Any, day: int) -> Any:
    import polars as pl

    length = float(GAP + 1)
    gap = pl.col("day").diff().cast(pl.Float64)
    first = (pl.col("day").first() - (day - GAP - 1)).cast(pl.Float64)
    last = (day - pl.col("day").last()).cast(pl.Float64)
    n = pl.len().cast(pl.Float64)
    entropy = (gap * gap.log()).sum() + first * first.log() + last * last.log()
    return near.group_by("code", maintain_order=True).agg(
        gap.max().alias(f"{table}_longest_gap__{GAP}"),
        pl.when(n > 1).then((pl.col("day").last() - pl.col("day").first()) / (n - 1))
        .alias(f"{table}_mean_gap__{GAP}"),
        (1 + (entropy / length - pl.lit(length).log()) / (n + 1).log())
        .alias(f"{table}_clumpiness__{GAP}"),
    )  # fmt: skip


def scan_query(table: str) -> str:
    """Reads every event column that the tiles read: numbers added up, texts only counted."""
    numbers = {
        "trade": ("amount", "commission"), "session": ("seconds", "pages", "errors", "latency_ms"),
        "cash_flow": ("amount",),
    }[table]  # fmt: skip
    texts = {"trade": ("instrument_id", "side"), "session": ("channel",), "cash_flow": ("kind",)}
    sums = [f"sum({c})" for c in numbers] + [f"count({c})" for c in ("client_id", *texts[table])]
    return f'SELECT count(*), max(epoch_us("at")), {", ".join(sums)} FROM "{table}"'


TABLES = tuple(SUMS)
