"""Repeats, corrections and conflicts: staged rows held against each other and against the lake.

A row is named by its key and revision. The same name with the same content again is a repeat and
is ignored. The same name with other content is a conflict: within one ingest all rows of that name
are set aside, so that their order does not matter; against the lake, what the lake holds stays. A
select without a `revision` column cannot correct: its rows are held against every revision of
their key. Rows of another revision are corrections and are all kept, whatever order they come in;
the highest revision known counts. A deletion is a revision whose content is that the key is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from keepwell.observe.contract import Column, Kind, Table

HASH_LENGTH = 16
"""Hex digits of a row's digest."""


@dataclass(frozen=True)
class Verdict:
    """What became of a table's staged rows.

    Attributes:
        added: rows of keys that the lake did not have.
        corrected: further revisions of a key.
        ignored: repeats.
        conflicts: rows set aside for their conflict.
    """

    added: int
    corrected: int
    ignored: int
    conflicts: int


def hash_sql(table: Table) -> str:
    """SQL of a row's digest over its contract columns.

    Absent values do not enter, so a column added to the contract later does not change the digest
    of rows that lack it. A deletion says nothing but its key, whatever else its row repeats.
    """
    gone = _digest_sql([table.by_name[name] for name in table.key], "'deleted=true'")
    return f"case when deleted then {gone} else {_digest_sql(table.columns)} end"


def _digest_sql(columns: Iterable[Column], *more: str) -> str:
    parts = []
    for column in columns:
        value = f'"{column.name}"'
        if column.kind is Kind.INSTANT:
            value = f"epoch_us({value})"
        parts.append(f"'{column.name}=' || cast({value} as varchar)")
    return f"left(md5(concat_ws(chr(31), {', '.join([*parts, *more])})), {HASH_LENGTH})"


def judge(
    engine: duckdb.DuckDBPyConnection, table: Table, staged: str, lake: str, revised: bool,
    ended: str = "false",
) -> Verdict:  # fmt: skip
    """Decide about every staged row; the verdicts stay in the engine for `rows`.

    Args:
        engine: DuckDB, the tables `dropped_<table>` are made in it.
        table: the contract table.
        staged: FROM item of the staged rows: the lake's columns and `seq`, a number of its own for
            each row.
        lake: FROM item of what the lake holds.
        revised: the select gives revisions.
        ended: SQL of whether a row's retention has ended: it counts as a repeat of what was known.
    """
    key = ", ".join(f'"{name}"' for name in table.key)
    names = (*table.key, "revision") if revised else table.key
    same = " and ".join(f's."{name}" = l."{name}"' for name in names)
    twin = " and ".join(f's."{name}" = t."{name}"' for name in (*table.key, "revision"))
    # Most rows are alone: their names' hashes tell so cheaply, and only the rest is compared.
    name = f"hash({key}, revision)"
    engine.execute(
        f"create or replace temp table twins as select {name} as h from {staged} "
        "group by h having count(*) > 1"
    )
    engine.execute(
        f"create or replace temp table twice as select {key}, revision, "
        "count(distinct row_hash) as contents, arg_min(seq, known_at) as first "
        f"from {staged} where {name} in (select h from twins) "
        f"group by {key}, revision having count(*) > 1"
    )
    engine.execute(
        "create or replace temp table met as "
        "select s.seq, bool_or(s.row_hash = l.row_hash) as same "
        f"from {staged} s join {lake} l on {same} group by s.seq"
    )
    engine.execute(
        f"create or replace temp table dropped_{table.name} as "
        "select seq, bool_or(repeat) as repeat from ("
        f"select seq, true as repeat from {staged} where {ended} union all "
        "select seq, same from met union all "
        "select s.seq, t.contents = 1 and s.seq not in (select seq from met) "
        f"from {staged} s join twice t on {twin} where t.contents > 1 or s.seq <> t.first"
        ") group by seq"
    )
    kept = f"(select * from {staged} where seq not in (select seq from dropped_{table.name}))"
    total, ignored, conflicts = _numbers(
        engine,
        f"select (select count(*) from {staged}), count(*) filter (repeat), "
        f"count(*) filter (not repeat) from dropped_{table.name}",
    )
    new = total - ignored - conflicts
    added = new
    if revised:
        (added,) = _numbers(
            engine,
            f"select count(*) from (select distinct {key} from {kept} "
            f"except select {key} from {lake})",
        )
    return Verdict(added, new - added, ignored, conflicts)


def rows(engine: duckdb.DuckDBPyConnection, table: Table, parts: list[Path]) -> Iterator[pa.Table]:
    """The staged rows to append, one table per staged part, sorted for their readers."""
    schema = table.arrow_schema()
    first = [name for name in ("client_id", table.clock) if name in table.by_name]
    order = ", ".join(f'"{name}"' for name in (*first, *table.key, "revision"))
    names = ", ".join(f'"{name}"' for name in schema.names)
    for part in parts:
        found = engine.sql(
            f"select {names} from {_from([part])} "
            f"where seq not in (select seq from dropped_{table.name}) "
            f"order by {order}"
        ).to_arrow_table()
        if found.num_rows:
            yield found.cast(schema)


def conflicts(
    engine: duckdb.DuckDBPyConnection, table: Table, staged: str
) -> Iterator[pa.RecordBatch]:
    """The staged rows set aside for their conflict."""
    names = ", ".join(f'"{name}"' for name in (*table.names, "revision", "deleted", "source"))
    yield from engine.sql(
        f"select {names} from {staged} where seq in "
        f"(select seq from dropped_{table.name} where not repeat) order by seq"
    ).to_arrow_reader(100_000)


def staged_sql(parts: list[Path]) -> str:
    """FROM item of staged parts."""
    return _from(parts)


def _from(parts: list[Path]) -> str:
    listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
    return f"read_parquet([{listed}])"


def _numbers(engine: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return tuple(int(n) for n in engine.execute(sql).fetchall()[0])
