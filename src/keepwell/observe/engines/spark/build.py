"""Spark's half: the tiles and state rows of every bucket, by the same SQL as locally."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from keepwell.core.days import day_number, midnight
from keepwell.core.files import atomic_write
from keepwell.observe.contract import TABLES
from keepwell.observe.contract_types import SYSTEM_COLUMNS, Kind
from keepwell.observe.engines.spark.layout import DONE, STATE, Buckets
from keepwell.observe.engines.spark.session import failed
from keepwell.observe.existence import lived_sql, tells
from keepwell.observe.lake import Lake, rows_sql
from keepwell.observe.manifest import TableState
from keepwell.observe.tile_build import DATASETS, blocks, query, register, zone_sql
from keepwell.observe.tile_rows import write_segment
from keepwell.observe.tile_sql import micros, translate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TYPES: Final = {
    Kind.TEXT: "STRING", Kind.ENUM: "STRING", Kind.INT: "BIGINT", Kind.MONEY: "BIGINT",
    Kind.QUANTITY: "BIGINT", Kind.PRICE: "BIGINT", Kind.RATIO: "DOUBLE",
    Kind.INSTANT: "TIMESTAMP", Kind.DAY: "DATE", Kind.BOOL: "BOOLEAN",
}  # fmt: skip
_INSTRUMENT: Final = {
    "holding": "instrument_id", "trade": "instrument_id", "first_purchase": "instrument_id",
    "price": "series",
}  # fmt: skip


def build(session: SparkSession, buckets: Buckets) -> None:
    """Write the buckets of a manifest, unless they are there; older ones go.

    A kill leaves a folder without its last file, which counts as nothing.

    Args:
        session: whose executors see the folders of lake and buckets.
        buckets: what is wanted.

    Raises:
        DataError: a job failed.
    """
    buckets.root.mkdir(parents=True, exist_ok=True)
    with FileLock(buckets.root / "lock"):
        if (buckets.folder / DONE).is_file():
            return
        shutil.rmtree(buckets.folder, ignore_errors=True)
        buckets.folder.mkdir()
        try:
            _Build(session, buckets).run()
        except Exception as error:
            if type(error).__module__.startswith(("pyspark", "py4j")):
                raise failed(error) from error
            raise
        atomic_write(buckets.folder / DONE, json.dumps({"manifest": buckets.manifest.id}))
        for folder in buckets.root.iterdir():
            if folder.is_dir() and folder.name != buckets.name:
                shutil.rmtree(folder, ignore_errors=True)


class _Build:
    """One writing of buckets, under their lock."""

    def __init__(self, session: SparkSession, buckets: Buckets) -> None:
        self.session, self.buckets = session, buckets
        self.tables = {t: s for t, s in buckets.manifest.tables.items() if t in TABLES}
        self.lake = Lake(buckets.lake)
        self.zone = zone_sql(buckets.manifest, buckets.info, datetime.now(UTC))

    def run(self) -> None:
        cores = int(self.session.sparkContext.defaultParallelism)
        parts = str(max(self.buckets.count, 2 * cores))
        self.session.conf.set("spark.sql.shuffle.partitions", parts)
        for table, state in self.tables.items():
            self._view(table, state)
        self._market()
        for job in self._jobs():
            job()

    def _view(self, table: str, state: TableState) -> None:
        """The rows of a table as the lake's own views show them."""
        columns = [*TABLES[table].columns, *SYSTEM_COLUMNS]
        schema = ", ".join(f"`{c.name}` {_TYPES[c.kind]}" for c in columns)
        files = self.lake.files_at(table, state.version)
        if files:
            rows = self.session.read.schema(schema).parquet(*files)
        else:
            rows = self._nothing({c.name: _TYPES[c.kind] for c in columns})
        rows.createOrReplaceTempView(f"stored_{table}")
        sql = rows_sql(TABLES[table], state, f"stored_{table}", {c.name for c in columns})
        self._sql(sql).createOrReplaceTempView(table)

    def _nothing(self, columns: Mapping[str, str]) -> DataFrame:
        typed = ", ".join(f"CAST(NULL AS {kind}) AS `{name}`" for name, kind in columns.items())
        return self.session.sql(f"SELECT {typed} WHERE false")

    def _small(self, name: str, table: pa.Table) -> None:
        """A table made here, as a view of the cluster."""
        path = self.buckets.folder / f"{name}.parquet"
        pq.write_table(table, path)
        self.session.read.parquet(str(path)).createOrReplaceTempView(name)

    def _sql(self, sql: str) -> DataFrame:
        return self.session.sql(translate(sql, "spark"))

    def _market(self) -> None:
        """What is not of clients: the dictionary of instruments, and prices for all executors."""
        named = [f"SELECT {column} AS id FROM {table}" for table, column in _INSTRUMENT.items()
                 if table in self.tables]  # fmt: skip
        found: list[str] = []
        if named:
            sql = f"SELECT DISTINCT id FROM ({' UNION ALL '.join(named)}) WHERE id IS NOT NULL"
            seen = self.buckets.folder / "seen"
            self._sql(sql).write.parquet(str(seen))
            found = sorted(pq.read_table(seen)["id"].to_pylist())
        code = np.arange(len(found), dtype=np.int32)
        self._small("instruments", pa.table({"id": pa.array(found, pa.string()), "code": code}))
        if "price" in self.tables:
            connection = self.lake.connect(self.buckets.manifest)
            with connection:
                register(connection, [], found)
                size = (self.tables["price"].rows, len(found))
                stream = blocks(connection, DATASETS["price"], self.zone, {"price": "price"}, size)
                write_segment(self.buckets.folder / "price", stream, DATASETS["price"].layout)

    def _jobs(self) -> Iterator[Callable[[], None]]:
        for dataset in DATASETS.values():
            sources = {t: t for t in dataset.tables if t in self.tables}
            if dataset.entity == "clients" and sources:
                sql = query(dataset, self.zone, sources, "", coded=False)
                yield self._job(f"tiles/{dataset.name}", self._sql(sql), "code")
        yield self._job("lived", self._lived(), "id")
        tied = "relation" in self.tables
        for table in STATE:
            if table in self.tables and not (tied and table in ("relation", "client")):
                yield self._job(table, self._sql(f"SELECT * FROM {table}"), "client_id")
        if tied:
            yield from self._ties()
        if "holding" in self.tables and self.tables["holding"].full_days:
            yield self._full_days

    def _job(self, part: str, rows: DataFrame, key: str) -> Callable[[], None]:
        """Writes rows by the bucket of their client."""
        number = f"CAST(pmod(xxhash64({key}), {self.buckets.count}) AS INT) AS bucket"
        return lambda: self._write(part, rows.selectExpr(number, "*"))

    def _write(self, part: str, rows: DataFrame) -> None:
        target = str(self.buckets.folder / part)
        rows.repartition("bucket").write.mode("overwrite").partitionBy("bucket").parquet(target)

    def _lived(self) -> DataFrame:
        telling = {table: table for table in self.tables if tells(table)}
        for table in telling:
            if TABLES[table].clock == "day":
                self._midnights(table, self.tables[table])
        corrected = {table for table, state in self.tables.items() if state.corrected}
        parts = lived_sql(telling, corrected)
        if not parts:
            return self._nothing({"id": "STRING", "low": "BIGINT", "high": "BIGINT"})
        return self._sql(" UNION ALL ".join(parts))

    def _midnights(self, table: str, state: TableState) -> None:
        days: list[int] = []
        if state.first is not None and state.last is not None:
            days = list(range(_number(state.first), _number(state.last) + 1))
        begin = [micros(midnight(day + 1, self.buckets.info)) for day in days]
        told = {"day": pa.array(days, pa.int64()), "begin": pa.array(begin, pa.int64())}
        self._small(f"midnights_{table}", pa.table(told))

    def _ties(self) -> Iterator[Callable[[], None]]:
        """Ties go to the buckets of both sides, with what is known of the clients across."""
        ties = self._sql("SELECT * FROM relation")
        n = self.buckets.count
        sides = [f"CAST(pmod(xxhash64({side}), {n}) AS INT)" for side in ("client_id", "other_id")]
        near, far = (ties.selectExpr(f"{side} AS bucket", "*") for side in sides)
        across = ties.where(f"{sides[0]} <> {sides[1]}")
        yield lambda: self._write("relation", near.union(far.where(f"{sides[0]} <> bucket")))
        if "client" not in self.tables:
            return
        clients = self._sql("SELECT * FROM client")
        one = across.selectExpr(f"{sides[0]} AS bucket", "other_id AS tied")
        other = across.selectExpr(f"{sides[1]} AS bucket", "client_id AS tied")
        tied = one.union(other).distinct()
        beside = clients.join(tied, clients["client_id"] == tied["tied"]).selectExpr(
            "bucket", *(f"`{name}`" for name in clients.columns)
        )
        own = clients.selectExpr(f"{sides[0]} AS bucket", "*")
        yield lambda: self._write("client", own.union(beside))

    def _full_days(self) -> None:
        """Days of full holdings are of all clients, not of one bucket's."""
        rows = self._sql(
            "SELECT day, min(known_at) AS known_at, gone_at FROM holding GROUP BY day, gone_at"
        )
        rows.coalesce(1).write.mode("overwrite").parquet(str(self.buckets.folder / "full_days"))


def _number(moment: date) -> int:
    return day_number(moment.date() if isinstance(moment, datetime) else moment)
