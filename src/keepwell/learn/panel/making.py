"""What every file of the panels is made from: the lake as known at one instant, and the clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import local_day, to_date
from keepwell.core.money import minor_exponent
from keepwell.learn.ranking import Ranking, newest
from keepwell.observe.contract import TABLES
from keepwell.observe.coverage import covered_days
from keepwell.observe.engines.base import Engine
from keepwell.observe.tile_build import zone_sql
from keepwell.observe.workspace import Workspace
from keepwell.warn.risk import Note

CHUNK: Final = 131_072
"""Rows taken from a query at a time."""

MEMORY: Final = "1GB"
"""DuckDB's share while panels are written; beyond it, it spills."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Making:
    """One writing of panels.

    Attributes:
        engine: positions and prices; its manifest is the one the panels show.
        ranking: every client now.
        connection: DuckDB over the manifest, with the relation `book`: client_id, manager_id,
            branch_id, segment, note, one row per client of the ranking.
        folder: the draft to write to.
    """

    engine: Engine
    ranking: Ranking
    connection: duckdb.DuckDBPyConnection = field(repr=False)
    folder: Path

    @property
    def as_of(self) -> datetime:
        """The ranking's instant."""
        return self.ranking.as_of

    @property
    def day(self) -> int:
        """Local day of as_of: facts of a close count up to the day before."""
        return local_day(self.as_of, self.engine.zone)

    @cached_property
    def last_day(self) -> date:
        """The last day whose close counts."""
        return to_date(self.day - 1)

    def has(self, *tables: str) -> bool:
        """Whether the lake has all of these tables."""
        return all(table in self.engine.manifest.tables for table in tables)

    def seen(self, table: str) -> str:
        """SQL: a table's rows that had happened before as_of and were known at it, newest revision.

        Args:
            table: a contract table that the lake has.
        """
        now = f"timestamptz '{self.as_of.isoformat(sep=' ')}'"
        known = f"known_at <= {now} and (gone_at is null or gone_at > {now})"
        clock = TABLES[table].clock
        happened = {"": "true", "day": f"day < date '{to_date(self.day)}'"}.get(
            clock, f'"{clock}" < {now}'
        )
        return f'(select * from "{table}" where {known} and {happened})'

    @cached_property
    def _zone(self) -> Any:
        return zone_sql(self.engine.manifest, self.engine.zone, self.as_of)

    def local_date(self, column: str) -> str:
        """SQL: the exchange's date of an instant."""
        return f"(date '1970-01-01' + {self._zone.day(f'epoch_us({column})')})"

    def worth(self, quantity: str, price: str) -> str:
        """SQL: value of a quantity at a price, minor units, as `observe.positions` rounds it."""
        return f"cast(round_even({quantity}::double * {price} / {self.divisor}, 0) as bigint)"

    @property
    def divisor(self) -> float:
        """(10^-8 units * 10^-8 currency units) per minor unit."""
        return float(10.0 ** (16 - minor_exponent(self.engine.currency)))

    def covered(self, table: str, low: int, high: int) -> bool:
        """Whether a table is there for any day of [low, high), day numbers.

        By its declared coverage, else by the days on which it has facts.
        """
        state = self.engine.manifest.tables.get(table)
        if state is None:
            return False
        spans = state.coverage
        if not spans and state.first is not None and state.last is not None:
            first, last = (self._local(moment) for moment in (state.first, state.last))
            spans = ((first, last + 1),)
        return covered_days(spans, low, high) > 0

    def _local(self, moment: date | datetime) -> int:
        if isinstance(moment, datetime):
            return local_day(moment, self.engine.zone)
        return (moment - date(1970, 1, 1)).days

    def write(self, name: str, sql: str, rows: int, schema: pa.Schema | None = None) -> None:
        """Write what a query gives, in its order, as one Parquet file.

        Args:
            name: of the file, without '.parquet'.
            sql: a SELECT.
            rows: per row group; fewer make a lookup of one client read less.
            schema: to cast to; default: the query's own.
        """
        reader = self.connection.sql(sql).to_arrow_reader(CHUNK)
        schema = schema or reader.schema
        with pq.ParquetWriter(
            self.folder / f"{name}.parquet", schema, compression="zstd", use_dictionary=False
        ) as file:
            for batch in reader:
                file.write_table(pa.Table.from_batches([batch]).cast(schema), rows)


@contextmanager
def making(
    workspace: Workspace, engine: Engine, ranking: Ranking, folder: Path
) -> Iterator[Making]:
    """Open a writing of panels over the engine's own manifest.

    Args:
        workspace: whose lake.
        engine: whose manifest is shown.
        ranking: every client.
        folder: the draft.
    """
    connection = workspace.lake.connect(engine.manifest, engine.threads, MEMORY)
    try:
        connection.execute("set preserve_insertion_order = true")
        connection.register("book_given", _book(engine, ranking))
        connection.execute("create temp table book as select * from book_given")
        connection.unregister("book_given")
        yield Making(engine, ranking, connection, folder)
    finally:
        connection.close()


def _book(engine: Engine, ranking: Ranking) -> pa.Table:
    ways = {
        name: newest(engine, ranking.as_of, "client", column)
        for name, column in (("branch_id", "branch_id"), ("segment", "segment_hint"))
    }
    recent = [
        day is not None and (ranking_day - day).days <= RECENT
        for ranking_day in [to_date(local_day(ranking.as_of, engine.zone))]
        for day in ranking.last_activity
    ]
    return pa.table(
        {
            "client_id": pa.array(ranking.clients, pa.string()),
            "manager_id": pa.array(ranking.manager, pa.string()),
            **{
                name: pa.array([of.get(client) for client in ranking.clients], pa.string())
                for name, of in ways.items()
            },
            "note": pa.array([str(note) for note in ranking.note], pa.string()),
            "tier": pa.array([tier or "none" for tier in ranking.tiers()], pa.string()),
            "assets": pa.array(
                np.nan_to_num(np.rint(ranking.assets)).astype(np.int64),
                mask=np.isnan(ranking.assets),
            ),
            "open": pa.array([note != Note.CLOSED for note in ranking.note], pa.bool_()),
            "recent": pa.array(recent, pa.bool_()),
        }
    )


RECENT: Final = 90
"""Days within which somebody who did something is active, and over which flows are netted."""
