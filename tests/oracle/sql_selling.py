"""The oracle's sales: each client's day by day, in plain Python over what can be seen."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb
import pyarrow as pa

from .terms import mean_of_20

_WINDOWS = (90, 365)
_COLUMNS = ("sold", "known", "losing", "result", "loss", "rg", "rl", "pg", "pl")


def _dealt(column: str, window: int) -> str:
    return f"""(
        select {column} from dealt as x where x.client_id = c.client_id and x.w = {window})"""


def _over_assets(column: str, window: int) -> str:
    assets = mean_of_20("balance", "x.cash + x.securities")
    told = f"({_dealt('sold', window)} = 0 or {_dealt('known', window)} > 0)"
    return f"case when {told} and {assets} > 0 then {_dealt(column, window)}::double / {assets} end"


_PGR = f"{_dealt('rg::double / nullif(rg + pg, 0)', 365)}"
_PLR = f"{_dealt('rl::double / nullif(rl + pl, 0)', 365)}"
_PRICED = "(select price from mapped)"

SELLING: dict[str, str] = {
    "realised_loss_share_365d": _dealt("losing::double / nullif(known, 0)", 365),
    "realised_loss_over_assets_90d": _over_assets("loss", 90),
    "realised_loss_over_assets_365d": _over_assets("loss", 365),
    "realised_result_over_assets_365d": _over_assets("result", 365),
    "gains_realised_share_365d": f"case when {_PRICED} then {_PGR} end",
    "losses_realised_share_365d": f"case when {_PRICED} then {_PLR} end",
    "disposition_365d": f"case when {_PRICED} then {_PGR} - {_PLR} end",
}


def note_sales(con: duckdb.DuckDBPyConnection, full_days: bool) -> None:
    """(Re)creates ``dealt``: per client and window what the sales came to; no row when not told."""
    seen = _Seen(con, full_days)
    told = con.execute("select w from cover where name = 'trade' and not prev and told").fetchall()
    rows: list[tuple[Any, ...]] = []
    for client in [name for (name,) in con.execute("select client_id from people").fetchall()]:
        days = {day: _day(seen, client, day) for day in seen.sold_on(client)}
        for window in _WINDOWS:
            if (window,) in told:
                inside = [found for day, found in days.items() if day >= seen.today - window]
                rows.append((client, window, *(sum(x) for x in zip(*inside, strict=True))))
    names = ("client_id", "w", *_COLUMNS)
    full = [row if len(row) > 2 else (*row, *(0 for _ in _COLUMNS)) for row in rows]
    table = pa.table(
        {
            name: pa.array([row[i] for row in full], pa.string() if i == 0 else pa.int64())
            for i, name in enumerate(names)
        }
    )
    con.register("incoming", table)
    con.execute("create or replace temp table dealt as select * from incoming")
    con.unregister("incoming")


class _Seen:
    """Trades, holdings and prices that can be seen, and what is declared of trades."""

    def __init__(self, con: duckdb.DuckDBPyConnection, full_days: bool) -> None:
        ((self.today,),) = con.execute("select d from now").fetchall()
        self.trades: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for client, *rest in con.execute(
            "select client_id, instrument_id, day, side, quantity, amount from trade "
            "where instrument_id is not null"
        ).fetchall():
            self.trades[client].append(tuple(rest))
        self.listed: dict[tuple[str, int], dict[str, tuple[int, int | None]]] = defaultdict(dict)
        self.snaps: dict[str, set[int]] = defaultdict(set)
        everyone = set()
        for client, day, instrument, quantity, cost in con.execute(
            "select client_id, day, instrument_id, quantity, cost from holding"
        ).fetchall():
            self.listed[client, day][instrument] = (quantity, cost)
            self.snaps[client].add(day)
            everyone.add(day)
        self.everyone = everyone if full_days else set()
        self.closes: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for series, day, close in con.execute(
            "select series, day, close from price order by day"
        ).fetchall():
            self.closes[series].append((day, close))
        self.opened = dict(
            con.execute(
                "select client_id, opened_on - date '1970-01-01' from profile "
                "where opened_on is not null"
            ).fetchall()
        )
        self.spans = con.execute("select start, until from covers where name = 'trade'").fetchall()
        ((holdings,),) = con.execute("select holding from mapped").fetchall()
        self.first = None if holdings or not self.spans else min(s for s, _ in self.spans) - 1

    def sold_on(self, client: str) -> set[int]:
        return {
            day
            for _, day, side, quantity, _ in self.trades[client]
            if side == "sell" and quantity and day >= self.today - 365
        }

    def start(self, client: str, day: int) -> int | None:
        """The day s from which a client's positions of a day are rolled forward."""
        before = [s for s in self.snaps[client] | self.everyone if s < day]
        if before:
            return max(before)
        nothing = self.opened[client] - 1 if client in self.opened else self.first
        return nothing if nothing is not None and nothing < day else None

    def complete(self, low: int, high: int) -> bool:
        """Whether trade is declared complete for every day of [low, high)."""
        return all(
            any(start <= day and (until is None or day < until) for start, until in self.spans)
            for day in range(low, high)
        )

    def close(self, instrument: str, day: int) -> int | None:
        found = [close for on, close in self.closes[instrument] if on <= day]
        return found[-1] if found else None


def _day(seen: _Seen, client: str, day: int) -> tuple[int, ...]:
    """What one day's sales of a client came to, in the order of ``_COLUMNS``."""
    trades = seen.trades[client]
    selling = {i for i, on, side, q, _ in trades if on == day and side == "sell" and q}
    start = seen.start(client, day)
    if start is None or not seen.complete(start + 1, day):
        return (len(selling), 0, 0, 0, 0, 0, 0, 0, 0)
    listed = seen.listed.get((client, start), {})
    held = 0
    results: list[int] = []
    paper: list[int] = []
    for instrument in {*listed, *(i for i, on, *_ in trades if start < on <= day)}:
        mine = [trade[1:] for trade in trades if trade[0] == instrument]
        before, result, paid = _roll(listed.get(instrument), mine, start, day)
        held += before > 0
        if instrument in selling:
            results += [] if result is None else [result]
        elif before > 0 and paid is not None:
            close = seen.close(instrument, day)
            paper += [] if close is None else [round(before * close / 1e14) - paid]
    counted = held >= 2
    return (
        len(selling),
        len(results),
        sum(x < 0 for x in results),
        sum(results),
        -sum(x for x in results if x < 0),
        counted * sum(x > 0 for x in results),
        counted * sum(x < 0 for x in results),
        counted * sum(x > 0 for x in paper),
        counted * sum(x < 0 for x in paper),
    )


def _roll(
    listed: tuple[int, int | None] | None, trades: list[Any], start: int, day: int
) -> tuple[int, int | None, int | None]:
    """Units after a day's buys, the result of its sales, and the cost before them."""
    units, cost = listed or (0, 0)
    known = units <= 0 or (cost is not None and cost > 0)
    cost = cost if known and units > 0 else 0
    for on in sorted({on for on, *_ in trades if start < on <= day} | {day}):
        todays = [trade[1:] for trade in trades if trade[0] == on]
        buys = [(q, a) for side, q, a in todays if side == "buy" and q]
        sells = [(q, a) for side, q, a in todays if side == "sell" and q]
        known = known and all(q is not None for _, q, _ in todays)
        known = known and all(a is not None for _, a in buys)
        units += sum(q for q, _ in buys)
        cost += sum(a or 0 for _, a in buys)
        sold = sum(q for q, _ in sells)
        if on == day:
            paid = cost if known else None
            if not sold or not known or sold > units:
                return units, None, paid
            if any(a is None for _, a in sells):
                return units, None, paid
            return units, sum(a for _, a in sells) - round(cost * sold / units), paid
        if sold:
            known = known and sold <= units
            cost -= round(cost * sold / units) if known else 0
            units -= sold
    raise AssertionError("the day itself is always among the days")
