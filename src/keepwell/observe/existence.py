"""From when until when each client exists, by what the lake's rows say.

A row makes its client exist from when it has happened and is known: at < t and known_at <= t; a
close-of-day fact from the midnight after its day. A row that was corrected or taken back does so no
longer. Most clients therefore exist from one instant on; the few whose only rows were taken back,
for a while at least, have spans of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.days import midnight
from keepwell.observe.contract import TABLES
from keepwell.observe.tile_sql import date_day, micros

Ints = npt.NDArray[np.int64]

NEVER_SEEN: Final = 2**63 - 1
"""The first instant of a client who does not exist to this day."""

_ALSO: Final = ("client", "holding", "balance")


@dataclass(frozen=True)
class Existence:
    """From when until when clients exist, in microseconds since 1970.

    Attributes:
        names: ids of the clients, ascending; Arrow text.
        seen: from when each exists to this day, `NEVER_SEEN` if it does not; int64.
        brief: spans [begin, until) in which clients existed and that ended: columns id, begin,
            until.
        doubtful: ids of clients of whom some row ended while no other kept them.
    """

    names: pa.Array
    seen: Ints
    brief: pa.Table
    doubtful: list[str]

    @property
    def ids(self) -> list[str]:
        """The same ids as a list."""
        found: list[str] = self.names.to_pylist()
        return found


def existence(
    connection: duckdb.DuckDBPyConnection,
    sources: Mapping[str, str],
    zone: ZoneInfo,
    corrected: Collection[str] = (),
    only: list[str] | None = None,
) -> Existence:
    """Who exists, and when, by some rows.

    Args:
        connection: where the relations are.
        sources: relation per lake table, with `known_at` and `gone_at`.
        zone: the exchange's zone.
        corrected: the tables of which some rows do not count for ever.
        only: the clients asked about; default: all.
    """
    if only is not None:
        connection.register("asked_arrow", pa.table({"id": pa.array(only, pa.string())}))
    mine = " AND t.client_id IN (SELECT id FROM asked_arrow)" if only is not None else ""
    telling = {table: relation for table, relation in sources.items() if tells(table)}
    for table, relation in telling.items():
        if TABLES[table].clock == "day":
            _register_midnights(connection, table, relation, zone)
    parts = lived_sql(telling, corrected, mine)
    if not parts:
        return Existence(pa.array([], pa.string()), np.empty(0, np.int64), _SPANS.empty_table(), [])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE lived AS {' UNION ALL '.join(parts)}")
    if only is not None:
        connection.unregister("asked_arrow")
    return merged(connection)


def tells(table: str) -> bool:
    """Whether the rows of a table say that their client exists."""
    return table in _ALSO or (table in TABLES and TABLES[table].activity)


def lived_sql(sources: Mapping[str, str], corrected: Collection[str], more: str = "") -> list[str]:
    """SELECTs of spans in which rows were valid: id, low, high, in microseconds since 1970.

    Args:
        sources: relation per lake table that tells of clients. One with close-of-day rows needs
            the relation `midnights_<table>`: day, and the midnight after it (begin).
        corrected: the tables of which some rows do not count for ever.
        more: a further condition on `t`, beginning with AND.
    """
    parts = []
    for table, relation in sources.items():
        begin, join = _begin(table)
        known = f"greatest({begin}, epoch_us(t.known_at))"
        parts.append(
            f"SELECT t.client_id AS id, min({known}) AS low, {NEVER_SEEN} AS high FROM {relation} "
            f"AS t {join} WHERE t.gone_at IS NULL{more} GROUP BY t.client_id"
        )
        if table in corrected:
            parts.append(
                f"SELECT DISTINCT t.client_id, {known}, epoch_us(t.gone_at) FROM {relation} "
                f"AS t {join} WHERE t.gone_at IS NOT NULL{more}"
            )
    return parts


def merged(connection: duckdb.DuckDBPyConnection) -> Existence:
    """Existence from the spans in a connection's relation `lived`: id, low, high."""
    connection.execute(_MERGED)
    found = connection.sql("SELECT id, seen FROM lives ORDER BY id").to_arrow_table()
    brief = connection.sql(_BRIEF).to_arrow_table().cast(_SPANS)
    doubtful = connection.sql(_DOUBTFUL).to_arrow_table()["id"].to_pylist()
    seen = found["seen"].combine_chunks().to_numpy(zero_copy_only=False).astype(np.int64)
    return Existence(found["id"].combine_chunks().cast(pa.string()), seen, brief, doubtful)


_SPANS: Final = pa.schema([("id", pa.string()), ("begin", pa.int64()), ("until", pa.int64())])
# A client whose earliest row never ended needs no more; of the others the spans are joined.
_MERGED: Final = f"""
    CREATE OR REPLACE TEMP TABLE lives AS
    WITH opens AS (
        SELECT id, coalesce(min(low) FILTER (high = {NEVER_SEEN}), {NEVER_SEEN}) AS seen,
               min(low) AS first FROM lived GROUP BY id),
    spans AS (
        SELECT id, low, high FROM lived
        WHERE high > low AND id IN (SELECT id FROM opens WHERE first < seen)),
    marked AS (
        SELECT id, low, high, coalesce(low > max(high) OVER (
            PARTITION BY id ORDER BY low, high DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true)::INTEGER AS begins FROM spans),
    numbered AS (
        SELECT id, low, high, sum(begins) OVER (
            PARTITION BY id ORDER BY low, high DESC ROWS UNBOUNDED PRECEDING) AS island
        FROM marked),
    islands AS (
        SELECT id, min(low) AS low, max(high) AS high FROM numbered GROUP BY id, island)
    SELECT o.id, coalesce(min(i.low) FILTER (i.high = {NEVER_SEEN}), o.seen) AS seen,
           list(struct_pack(low := i.low, high := i.high))
               FILTER (i.high < {NEVER_SEEN}) AS spans
    FROM opens AS o LEFT JOIN islands AS i USING (id) GROUP BY o.id, o.seen"""
_BRIEF: Final = """
    SELECT id, span.low AS "begin", span.high AS until
    FROM (SELECT id, unnest(spans) AS span FROM lives WHERE spans IS NOT NULL)
    ORDER BY id, "begin" """
_DOUBTFUL: Final = f"""
    SELECT DISTINCT l.id FROM lived AS l JOIN lives AS o USING (id)
    WHERE l.high < {NEVER_SEEN} AND l.low < o.seen ORDER BY l.id"""


def _begin(table: str) -> tuple[str, str]:
    """SQL of the microsecond from which a row has happened, and the join that it needs."""
    clock = TABLES[table].clock
    if clock == "day":
        return "d.begin", f"JOIN midnights_{table} AS d ON d.day = {date_day('t.day')}"
    return (f"epoch_us(t.{clock}) + 1" if clock else "epoch_us(t.known_at)"), ""


def _register_midnights(
    connection: duckdb.DuckDBPyConnection, table: str, relation: str, zone: ZoneInfo
) -> None:
    days = connection.execute(
        f"SELECT DISTINCT {date_day('t.day')} FROM {relation} AS t"
    ).fetchall()
    numbers = [int(day) for (day,) in days]
    begin = [micros(midnight(day + 1, zone)) for day in numbers]
    data = pa.table({"day": pa.array(numbers, pa.int64()), "begin": pa.array(begin, pa.int64())})
    connection.register("midnights_arrow", data)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE midnights_{table} AS FROM midnights_arrow")
    connection.unregister("midnights_arrow")
