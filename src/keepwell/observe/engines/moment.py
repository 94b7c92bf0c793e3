"""What was known at one instant: visible days, the open tail, prices, attributes, coverage.

Stored tiles answer for the midnight that begins a day. At an instant inside a day the engine adds
tail rows made from the lake: what has happened or has become known since that midnight. If a
correction has replaced something since, the tail holds all rows of the clients concerned and their
stored rows are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day, midnight
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.profiles import Instruments, Profiles
from keepwell.observe.engines.states import States
from keepwell.observe.existence import NEVER_SEEN
from keepwell.observe.merge import merge
from keepwell.observe.tile_build import DATASETS, Dataset, query
from keepwell.observe.tile_rows import Block, Layout
from keepwell.observe.tile_sql import ZoneSql, date_day, micros
from keepwell.observe.tile_store import TileStore
from keepwell.observe.tiles import ALWAYS, NEVER
from keepwell.observe.windows import Rows, latest

Ints = npt.NDArray[np.int64]
Part = tuple[Rows, Ints, Ints, Ints]
"""Rows; first row and end of each of some entities; the entities' places among those asked."""


@dataclass(frozen=True)
class Visible:
    """A dataset's rows as one instant sees them.

    Attributes:
        base: mapped rows.
        extra: newer rows and the open tail.
        layout: columns of both.
        offsets: first base row of every code, and the end; int64 [codes + 1].
        passed: codes whose base rows are replaced by the tail; int64.
    """

    base: Rows
    extra: Block
    layout: Layout
    offsets: Ints
    passed: Ints

    def parts(self, codes: Ints) -> Iterator[Part]:
        """The rows of some entities: of those that have only stored rows, then of the others.

        Yields:
            Rows; first row and end of each entity; the entities' places in `codes`.
        """
        low, high = self.offsets[codes], self.offsets[codes + 1]
        places = np.arange(len(codes))
        if not len(self.extra.code) and not len(self.passed):
            yield self.base, low, high, places
            return
        if len(self.passed):
            high = np.where(np.isin(codes, self.passed), low, high)
        left, right = self._newer(codes)
        plain, mixed = places[left == right], places[left < right]
        if len(plain):
            yield self.base, low[plain], high[plain], plain
        if len(mixed):
            spans = (low[mixed], high[mixed], left[mixed], right[mixed])
            yield *merge(self.base, self.extra, self.layout, spans), mixed

    def latest(self, codes: Ints, day: int) -> npt.NDArray[np.float64]:
        """Days since each client's latest visible row, as `Need` 'recency'; float64 [n].

        Args:
            codes: client codes.
            day: D, the local day of as_of.
        """
        low, high = self.offsets[codes], self.offsets[codes + 1]
        if len(self.passed):
            high = np.where(np.isin(codes, self.passed), low, high)
        found = latest(self.base, day, low, high)
        if len(self.extra.code):
            found = np.fmin(found, latest(self.extra.rows(self.layout), day, *self._newer(codes)))
        return found

    def _newer(self, codes: Ints) -> tuple[Ints, Ints]:
        """First row and end of each entity in `extra`."""
        asked = codes.astype(np.int32)  # else all of `extra` would be widened
        left = np.searchsorted(self.extra.code, asked, "left").astype(np.int64)
        return left, np.searchsorted(self.extra.code, asked, "right").astype(np.int64)


_KEPT: Final = {
    "client": "profiles", "account": "account", "service": "service", "relation": "relation",
}  # fmt: skip
"""Tables of clients that are kept whole, and what holds them."""


class Reader:
    """The store, and the lake behind it for what the store does not keep.

    Args:
        store: the opened store.
        connection: DuckDB with the lake's views and the dictionaries.
        zone: the exchange's zone.
        sql: local days.
    """

    def __init__(
        self, store: TileStore, connection: duckdb.DuckDBPyConnection, zone: ZoneInfo, sql: ZoneSql
    ) -> None:
        self.store, self.connection, self.zone, self.sql = store, connection, zone, sql
        counts = {"clients": len(store.clients), "instruments": len(store.instruments)}
        self.offsets = {
            name: base.offsets(counts[DATASETS[name].entity]) for name, base in store.base.items()
        }

    @cached_property
    def order(self) -> Ints:
        """Client codes in the order of their ids."""
        ids = self.store.clients
        return np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)

    @cached_property
    def codes(self) -> dict[str, int]:
        """Code of each client id."""
        return {id: code for code, id in enumerate(self.store.clients)}

    @cached_property
    def _full_days(self) -> tuple[Ints, Ints, Ints]:
        """Days on which the holdings list all clients, from when and until when that is known."""
        state = self.store.lake_manifest.tables.get("holding")
        if state is None or not state.full_days:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
        found = self.connection.execute(
            f"SELECT {date_day('day')} AS day, min(epoch_us(known_at)) AS known, "
            f"coalesce(epoch_us(gone_at), {NEVER_SEEN}) AS gone FROM holding GROUP BY 1, 3"
        ).fetchnumpy()
        day, known, gone = (np.asarray(found[name], np.int64) for name in ("day", "known", "gone"))
        return day, known, gone

    def full_days(self, known_by: datetime) -> Ints:
        """Days on which the holdings list all clients, as known at an instant, ascending."""
        day, known, gone = self._full_days
        k = micros(known_by)
        return np.unique(day[(known <= k) & (gone > k)])

    @cached_property
    def profiles(self) -> Profiles:
        """All rows of the client table."""
        with closing(self.connection.cursor()) as connection:
            return Profiles.load(connection, "client" in self.store.lake_manifest.tables)

    @cached_property
    def states(self) -> States:
        """Accounts, service and ties."""
        return States(self)

    def read(self, tables: Iterable[str]) -> None:
        """Read tables of clients that are kept whole, two at a time: one leaves a core idle.

        Args:
            tables: 'client', 'account', 'service', 'relation'; others are passed over.
        """
        known = set(tables) & set(_KEPT) & set(self.store.lake_manifest.tables)
        holders = [(self if t == "client" else self.states, _KEPT[t]) for t in sorted(known)]
        unread = [(holder, name) for holder, name in holders if name not in vars(holder)]
        if unread:
            with ThreadPoolExecutor(2, "keepwell-read") as pool:
                list(pool.map(lambda one: getattr(*one), unread))

    @cached_property
    def instruments(self) -> Instruments:
        """What the instruments are."""
        return Instruments.load(
            self.connection,
            "instrument" in self.store.lake_manifest.tables,
            len(self.store.instruments),
        )


class Moment:
    """What had happened before `as_of` and was known at `known_by`.

    Args:
        reader: where it is read.
        as_of: facts with at < as_of count (UTC).
        known_by: with known_at <= known_by (UTC).
    """

    def __init__(self, reader: Reader, as_of: datetime, known_by: datetime) -> None:
        self.reader, self.as_of, self.known_by = reader, as_of, known_by
        self.day = local_day(as_of, reader.zone)
        self.known = local_day(known_by, reader.zone)
        self._open = as_of > midnight(self.day, reader.zone)
        self._late = known_by > midnight(self.known, reader.zone)
        self._visible: dict[str, Visible] = {}

    def visible(self, name: str) -> Visible:
        """A dataset's visible rows."""
        if name not in self._visible:
            self._visible[name] = self._see(DATASETS[name])
        return self._visible[name]

    def _see(self, dataset: Dataset) -> Visible:
        store, layout = self.reader.store, dataset.layout
        delta = store.delta[dataset.name]
        passed = np.empty(0, np.int64)
        tables = [t for t in dataset.tables if t in store.lake_manifest.tables]
        if (self._open or self._late) and tables:
            passed = self._passed(dataset, tables)
            tail = self._tail(dataset, tables, "")
            blocks = [block.take(~np.isin(block.code, passed)) for block in (delta, tail)]
            if len(passed):
                codes = ", ".join(str(code) for code in passed)
                blocks.append(self._tail(dataset, tables, codes))
            delta = Block.join(blocks, layout)
        base = store.base[dataset.name].rows
        offsets = self.reader.offsets[dataset.name]
        return Visible(base, delta, layout, offsets, passed)

    def _passed(self, dataset: Dataset, tables: Iterable[str]) -> Ints:
        """Codes that lost a row to a correction since the last midnight."""
        found: list[Ints] = []
        manifest = self.reader.store.lake_manifest
        entity = "client_id" if dataset.entity == "clients" else "series"
        relation = "entities" if dataset.entity == "clients" else "instruments"
        for table in tables:
            if not manifest.tables[table].corrected:
                continue
            low = self._literal(midnight(self.known, self.reader.zone))
            high = self._literal(self.known_by)
            rows = self.reader.connection.execute(
                f'SELECT DISTINCT e.code AS code FROM "{table}" AS t '
                f"JOIN {relation} AS e ON e.id = t.{entity} "
                f"WHERE t.gone_at > {low} AND t.gone_at <= {high}"
            ).fetchnumpy()
            found.append(np.asarray(rows["code"], np.int64))
        return np.unique(np.concatenate([*found, np.empty(0, np.int64)]))

    def _tail(self, dataset: Dataset, tables: Iterable[str], codes: str) -> Block:
        """Rows that the last midnight did not see; or all rows of some codes."""
        sources = {t: f"({self._tail_rows(t, whole=bool(codes))})" for t in tables}
        where = f"e.code IN ({codes})" if codes else ""
        sql = query(dataset, self.reader.sql, sources, where)
        block = Block.of(self.reader.connection.sql(sql).to_arrow_table(), dataset.layout)
        count = len(block.code)
        always, never = np.full(count, ALWAYS, np.int32), np.full(count, NEVER, np.int32)
        return Block(block.code, block.day, always, never, block.values)

    def _tail_rows(self, table: str, whole: bool) -> str:
        known_by = self._literal(self.known_by)
        since = self._literal(midnight(self.known, self.reader.zone))
        if TABLES[table].clock == "day":
            happened, fresh = f"day - DATE '1970-01-01' < {self.day}", f"known_at > {since}"
        else:
            start = self._literal(midnight(self.day, self.reader.zone))
            happened = f'"at" < {self._literal(self.as_of)}'
            fresh = f'(known_at > {since} OR "at" >= {start})'
        return (
            f'SELECT * FROM "{table}" WHERE {happened} AND known_at <= {known_by} '
            f"AND (gone_at IS NULL OR gone_at > {known_by}){'' if whole else ' AND ' + fresh}"
        )

    def _literal(self, instant: datetime) -> str:
        return f"TIMESTAMPTZ '{instant.isoformat(sep=' ')}'"

    def exist(self) -> Ints:
        """Codes of the clients that exist, in the order of their ids; int64."""
        codes = self.reader.order
        return codes[self.exists(codes)]

    def exists(self, codes: Ints) -> npt.NDArray[np.bool_]:
        """Whether clients exist, bool [n]."""
        store, latest = self.reader.store, micros(max(self.as_of, self.known_by))
        code, begin, until = store.brief
        then = code[(begin <= latest) & (until > micros(self.known_by))]
        alive = store.seen[codes] <= latest
        return np.asarray(alive | np.isin(codes, then) if len(then) else alive, np.bool_)
