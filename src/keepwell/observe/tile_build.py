"""From lake rows to tile rows: dictionaries, datasets, and the queries that fill them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.days import day_number
from keepwell.observe.manifest import Manifest
from keepwell.observe.tile_rows import Block, Layout
from keepwell.observe.tile_sql import ZoneSql, position_sql, tile_sql
from keepwell.observe.tiles import PRICE, TILES, TileSpec

Ints = npt.NDArray[np.int64]
_ROWS_PER_PASS = 16_000_000
_BATCH = 131_072
_DAY_BEFORE_ALL = 0

POSITION = "position"
POSITION_LAYOUT = Layout(
    ("instrument", "kind", "quantity", "money"),
    narrow=frozenset({"instrument", "kind"}),
    blank=frozenset({"money"}),
    order=("instrument", "day", "kind", "known", "gone"),
)


@dataclass(frozen=True)
class Dataset:
    """One kind of rows in the store.

    Attributes:
        name: name in the store.
        tables: lake tables it is made of.
        entity: dictionary of its codes, "clients" or "instruments".
        layout: its columns.
        spec: its tile; None for positions.
    """

    name: str
    tables: tuple[str, ...]
    entity: str
    layout: Layout
    spec: TileSpec | None = field(default=None, compare=False)


def _dataset(spec: TileSpec) -> Dataset:
    measures = spec.measures
    layout = Layout(
        tuple(m.name for m in measures),
        narrow=frozenset(m.name for m in measures if m.narrow),
        real=frozenset(m.name for m in measures if m.real),
        blank=frozenset(m.name for m in measures if m.merge in ("max", "min", "last")),
    )
    entity = "clients" if spec.entity == "client_id" else "instruments"
    return Dataset(spec.table, (spec.table,), entity, layout, spec)


DATASETS: dict[str, Dataset] = {
    **{spec.table: _dataset(spec) for spec in (*TILES.values(), PRICE)},
    POSITION: Dataset(POSITION, ("holding", "trade", "first_purchase"), "clients", POSITION_LAYOUT),
}
"""Everything the store keeps, by name."""


def zone_sql(manifest: Manifest, zone: ZoneInfo, now: datetime) -> ZoneSql:
    """Local days for all instants of a lake."""
    days = [_DAY_BEFORE_ALL]
    for state in manifest.tables.values():
        for moment in (state.first, state.last, state.last_known_at):
            if moment is not None:
                date = moment.date() if isinstance(moment, datetime) else moment
                days.append(day_number(date))
    starts = [d for d in days if d > 0]
    first = min(starts) - 400 if starts else 0
    return ZoneSql(zone, first, max([*days, day_number(now.astimezone(UTC).date())]) + 2)


def register(
    connection: duckdb.DuckDBPyConnection, clients: list[str], instruments: list[str]
) -> None:
    """Give a connection the dictionaries as the relations `entities` (clients), `instruments`."""
    register_ids(connection, "entities", pa.array(clients, pa.string()))
    register_ids(connection, "instruments", pa.array(instruments, pa.string()))


def register_ids(
    connection: duckdb.DuckDBPyConnection, name: str, ids: pa.Array, first: int = 0
) -> None:
    """Make a dictionary, or with `first` lengthen one.

    Args:
        connection: where.
        name: 'entities' or 'instruments'.
        ids: Arrow text.
        first: code of the first one.
    """
    codes = np.arange(first, first + len(ids), dtype=np.int32)
    connection.register("ids_arrow", pa.table({"id": ids, "code": codes}))
    head = f"INSERT INTO {name}" if first else f"CREATE OR REPLACE TABLE {name} AS"
    connection.execute(f"{head} SELECT * FROM ids_arrow")
    connection.unregister("ids_arrow")


def codes_of(connection: duckdb.DuckDBPyConnection, ids: pa.Array) -> Ints:
    """Codes of some clients by the relation `entities`; -1 for one that is not in it."""
    places = np.arange(len(ids), dtype=np.int64)
    connection.register("asked_arrow", pa.table({"id": ids, "place": places}))
    found = connection.execute(
        "SELECT place, code FROM asked_arrow JOIN entities USING (id)"
    ).fetchnumpy()
    connection.unregister("asked_arrow")
    out = np.full(len(ids), -1, np.int64)
    out[np.asarray(found["place"], np.int64)] = np.asarray(found["code"], np.int64)
    return out


def query(
    dataset: Dataset, zone: ZoneSql, sources: Mapping[str, str], where: str, coded: bool = True
) -> str:
    """The SELECT of a dataset's rows.

    Args:
        dataset: what.
        zone: local days.
        sources: relation per lake table that is there.
        where: condition on `t` and `e`.
        coded: give the codes of clients, in order; else their ids, in no order.
    """
    if dataset.spec is None:
        sql = position_sql(
            zone,
            sources.get("holding"),
            sources.get("trade"),
            (where, where),
            sources.get("first_purchase"),
            coded,
        )
        return (
            "SELECT code, day, known, gone, instrument AS m_instrument, kind AS m_kind, "
            f"quantity AS m_quantity, money AS m_money FROM ({sql})"
        )
    sql = tile_sql(dataset.spec, zone, sources[dataset.tables[0]], where, coded)
    return sql if dataset.entity == "clients" else sql.replace("JOIN entities", "JOIN instruments")


def blocks(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    zone: ZoneSql,
    sources: Mapping[str, str],
    size: tuple[int, int],
    clients: str = "entities",
) -> Iterator[Block]:
    """A dataset's rows in order, in passes over ranges of entities so that memory stays bounded.

    Args:
        connection: with the dictionaries registered.
        dataset: what.
        zone: local days.
        sources: relation per lake table that is there.
        size: number of lake rows, and of entities.
        clients: the dictionary of clients, or a relation of those that the rows name.
    """
    rows, entities = size
    passes = max(1, -(-rows // _ROWS_PER_PASS))
    edges = np.linspace(0, entities, passes + 1).astype(int)
    for low, high in pairwise(edges):
        where = _between(connection, dataset, low, high) if passes > 1 else ""
        sql = query(dataset, zone, sources, where)
        result = connection.sql(sql.replace("JOIN entities ", f"JOIN {clients} "))
        for batch in result.to_arrow_reader(_BATCH):
            yield Block.of(batch, dataset.layout)


def _between(connection: duckdb.DuckDBPyConnection, dataset: Dataset, low: int, high: int) -> str:
    """Condition on a range of codes; by their ids, too, most rows are passed over when read."""
    relation, column = "entities", "client_id"
    if dataset.spec is not None and dataset.entity != "clients":
        relation, column = "instruments", dataset.spec.entity
    bounds = connection.execute(
        f"SELECT min(id), max(id) FROM {relation} WHERE code >= {low} AND code < {high}"
    ).fetchall()[0]
    quoted = ["'" + id.replace("'", "''") + "'" for id in bounds if id is not None]
    inside = [
        f" AND t.{column} {sign} {id}" for sign, id in zip((">=", "<="), quoted, strict=False)
    ]
    return f"e.code >= {low} AND e.code < {high}" + "".join(inside)


def instrument_ids(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> list[str]:
    """Instruments that are held, traded or priced, ascending."""
    columns = {
        "holding": "instrument_id", "trade": "instrument_id", "first_purchase": "instrument_id",
        "price": "series",
    }  # fmt: skip
    parts = [
        f"SELECT DISTINCT {columns[table]} AS id FROM {relation}"
        for table, relation in sources.items()
        if table in columns
    ]
    if not parts:
        return []
    union = " UNION ".join(parts)
    found = connection.execute(f"SELECT id FROM ({union}) WHERE id IS NOT NULL ORDER BY id")
    return [id for (id,) in found.fetchall()]
