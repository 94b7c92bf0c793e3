"""How the assets of every manager's clients moved, day by day.

Managers are those of as_of: a client who changed hands counts in the new book all along, so that a
day's movement is the market's and the clients', not the reshuffling of books.

With balances, a client's assets between two balances are the last one, its securities followed at
each day's prices where the holdings of that day are known. Without them, assets are positions at
closing prices, and what is bought and sold counts as flow; so does a change of position that a
holding shows and no trade explains, at that day's price.

Quantities are summed by manager and instrument before they are valued, so that the cost does not
grow with clients times days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import day_number, to_date
from keepwell.learn.panel import movement_sql as sql
from keepwell.learn.panel.making import Making
from keepwell.learn.panel.schema import Basis

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAYS: Final = 120
"""Days shown, the last one the day before as_of."""

SCHEMA: Final = pa.schema(
    [("manager_id", pa.string()), ("day", pa.date32())]
    + [(n, pa.int64()) for n in ("opening", "inflow", "outflow", "market", "closing", "clients")]
    + [("basis", pa.string())]
)


def write_movement(making: Making, days: int = DAYS) -> None:
    """Write the movement of every manager and day; no file where assets cannot be valued.

    Args:
        making: the writing, its relations `closing` and `moved` prepared.
        days: how many at most; fewer where the data begin later.
    """
    basis = _basis(making)
    if basis is None:
        return
    since = _since(making, basis, days)
    if since is None:
        return
    last = making.day - 1
    run = making.connection.execute
    run(f"create temp table span as select date '{to_date(since)}' as since")
    managers = _managers(making)
    if basis == "balance":
        for statement in sql.balance(making):
            run(statement)
    else:
        _known(making)
        for statement in sql.positions(making):
            run(statement)
    grid = _Grid(since, last, len(managers))
    closing = grid.running("select manager, day, value from base_change", making)
    closing = closing + _market_value(making, grid)
    clients = grid.running("select manager, day, value from client_change", making)
    flows = [
        grid.sums(f"select manager, day, {name} as value from flow_day", making)
        for name in ("inflow", "outflow")
    ]
    _write(making, managers, grid, basis, closing, clients, *flows)


def _basis(making: Making) -> Basis | None:
    """What assets can be valued by: a balance alone would call every payment a market gain."""
    if making.has("balance", "cash_flow"):
        return "balance"
    if making.has("price") and (making.has("trade") or making.has("holding")):
        return "positions"
    return None


def _since(making: Making, basis: Basis, days: int) -> int | None:
    """First day shown: its opening must be known."""
    tables = ("balance",) if basis == "balance" else ("holding", "trade", "price")
    firsts = {}
    for name in tables:
        if making.has(name):
            (first,) = making.connection.sql(
                "select min(day) from closing"
                if name == "price"
                else f"select min({_day_of(making, name)}) from {making.seen(name)}"
            ).fetchall()[0]
            if first is not None:
                firsts[name] = day_number(first)
    if basis == "positions":
        if "price" not in firsts or len(firsts) < 2:
            return None
        held = min(day for name, day in firsts.items() if name != "price")
        begin = max(firsts["price"], held)
    elif not firsts:
        return None
    else:
        begin = firsts["balance"]
    since = max(begin + 1, making.day - days)
    return since if since < making.day else None


def _day_of(making: Making, table: str) -> str:
    return making.local_date('"at"') if table == "trade" else "day"


def _managers(making: Making) -> list[str | None]:
    """All managers, and None for clients without; the relation `boss` codes clients by them."""
    named = sorted({manager for manager in making.ranking.manager if manager is not None})
    place = {manager: i for i, manager in enumerate(named)}
    codes = [
        place.get(m, len(named)) if m is not None else len(named) for m in making.ranking.manager
    ]
    given = pa.table(
        {
            "client_id": pa.array(making.ranking.clients, pa.string()),
            "manager": pa.array(codes, pa.int32()),
        }
    )
    making.connection.register("boss_given", given)
    making.connection.execute("create temp table boss as select * from boss_given")
    making.connection.unregister("boss_given")
    return [*named, None]


def _known(making: Making) -> None:
    """The relation `certain`: clients whose positions at as_of are known."""
    positions = making.engine.positions(making.as_of)
    clients = pa.array(positions.clients, pa.string()).filter(pa.array(positions.known))
    making.connection.register("certain_given", pa.table({"client_id": clients}))
    making.connection.execute("create temp table certain as select * from certain_given")
    making.connection.unregister("certain_given")


class _Grid:
    """Managers by days: row 0 is the close before the first day shown.

    Args:
        since: day number of the first day shown.
        last: of the last one.
        managers: how many.
    """

    def __init__(self, since: int, last: int, managers: int) -> None:
        self.before = since - 1
        self.shape = (last - since + 2, managers)

    def sums(self, query: str, making: Making) -> Ints:
        """Values of `manager, day, value` rows by day and manager, int64 [days + 1, managers]."""
        found = making.connection.sql(f"select * from ({query}) {self.shown}").fetchnumpy()
        out = np.zeros(self.shape, np.int64)
        place = self.place(found["day"])
        np.add.at(out, (place, np.asarray(found["manager"], np.int64)), _ints(found["value"]))
        return out

    @property
    def shown(self) -> str:
        """SQL: without what happened on as_of's own day, whose close is still to come."""
        return f"where day <= date '{to_date(self.before + self.shape[0] - 1)}'"

    def running(self, query: str, making: Making) -> Ints:
        """The same of changes, summed up over the days."""
        return np.cumsum(self.sums(query, making), axis=0)

    def place(self, days: npt.NDArray[np.generic]) -> Ints:
        """Rows of dates."""
        number = np.asarray(days).astype("datetime64[D]").astype(np.int64)
        return np.clip(number - self.before, 0, self.shape[0] - 1)


def _ints(values: npt.NDArray[np.generic]) -> Ints:
    return np.asarray(np.ma.filled(np.ma.asarray(values), 0), np.int64)


def _market_value(making: Making, grid: _Grid) -> Ints:
    """Value of what each manager's clients hold at each close, int64 [days + 1, managers]."""
    found = making.connection.sql(
        f"select manager, instrument_id, day, quantity from held_change {grid.shown} order by day"
    ).to_arrow_table()
    out = np.zeros(grid.shape, np.int64)
    if not found.num_rows:
        return out
    instruments = found.column("instrument_id").combine_chunks().dictionary_encode()
    codes = np.asarray(instruments.indices, np.int64)
    manager = np.asarray(found.column("manager"), np.int64)
    count = len(instruments.dictionary)
    pairs, pair = np.unique(manager * count + codes, return_inverse=True)
    owner, what = pairs // count, pairs % count
    place = grid.place(np.asarray(found.column("day")))
    quantity = np.asarray(found.column("quantity"), np.int64)
    price = _prices(making, instruments.dictionary.to_pylist(), grid)
    held = np.zeros(len(pairs), np.int64)
    starts = np.searchsorted(place, np.arange(grid.shape[0] + 1))
    for row in range(grid.shape[0]):
        low, high = starts[row], starts[row + 1]
        np.add.at(held, pair[low:high], quantity[low:high])
        # As everywhere: rint(quantity * price / divisor), whole minor units; no price, no value.
        worth = np.rint(held * price[row][what] / making.divisor)
        out[row] = np.rint(np.bincount(owner, worth, grid.shape[1])).astype(np.int64)
    return out


def _prices(making: Making, instruments: list[str], grid: _Grid) -> Array:
    """Close of each instrument at each row's day or the newest before; 0 before the first."""
    known = {name: i for i, name in enumerate(instruments)}
    last = to_date(grid.before + grid.shape[0] - 1)
    first = to_date(grid.before)
    found = making.connection.sql(
        f"""select series, date '{first}' as day, arg_max(close, day) as close from closing
        where day <= date '{first}' group by series
        union all select series, day, close from closing
        where day > date '{first}' and day <= date '{last}'"""
    ).to_arrow_table()
    out = np.full((grid.shape[0], len(instruments)), np.nan)
    series = np.array([known.get(s, -1) for s in found.column("series").to_pylist()], np.int64)
    rows = grid.place(np.asarray(found.column("day")))
    close = np.asarray(found.column("close"), np.float64)
    keep = series >= 0
    out[rows[keep], series[keep]] = close[keep]
    for row in range(1, len(out)):
        out[row] = np.where(np.isnan(out[row]), out[row - 1], out[row])
    return np.asarray(np.nan_to_num(out), np.float64)


def _write(
    making: Making,
    managers: list[str | None],
    grid: _Grid,
    basis: Basis,
    closing: Ints,
    clients: Ints,
    inflow: Ints,
    outflow: Ints,
) -> None:
    opening, inflow, outflow = closing[:-1], inflow[1:], outflow[1:]
    market = closing[1:] - opening - inflow + outflow
    moved = ((market != 0) | (inflow != 0) | (outflow != 0)).any(axis=1)
    rows, columns = np.flatnonzero(moved), np.flatnonzero((closing != 0).any(axis=0))
    if not len(rows) or not len(columns):
        return
    chosen = np.ix_(rows, columns)
    days = [to_date(grid.before + 1) + timedelta(days=int(row)) for row in rows]
    table = pa.table(
        {
            "manager_id": pa.array([managers[i] for i in columns] * len(rows), pa.string()),
            "day": pa.array(np.repeat(np.array(days, "datetime64[D]"), len(columns))),
            "opening": opening[chosen].ravel(),
            "inflow": inflow[chosen].ravel(),
            "outflow": outflow[chosen].ravel(),
            "market": market[chosen].ravel(),
            "closing": closing[1:][chosen].ravel(),
            "clients": clients[1:][chosen].ravel(),
            "basis": pa.array([basis] * len(rows) * len(columns), pa.string()),
        },
        SCHEMA,
    )
    pq.write_table(table, making.folder / "movement.parquet", compression="zstd")
