"""Clients' months: assets at their ends, and what was paid, moved and traded in them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.learn.panel.making import Making

MONTHS: Final = 24
"""Months shown, the one of as_of among them."""

ROWS: Final = 2_048
"""Rows per row group: some 90 clients."""

SCHEMA: Final = pa.schema(
    [("client_id", pa.string()), ("month", pa.date32())]
    + [
        (name, pa.int64())
        for name in (
            "assets", "deposits", "withdrawals", "transfers_in", "transfers_out", "buys", "sells",
            "trades", "sessions",
        )
    ]
)  # fmt: skip


def write_months(making: Making, months: int = MONTHS) -> None:
    """Write the months of all clients, each from the first of which anything is known.

    Args:
        making: the writing.
        months: how many, back from the one before whose end as_of lies.
    """
    spans = month_spans(making, months)
    making.connection.register("month_given", _months(making, spans))
    making.connection.execute("create temp table month as select * from month_given")
    making.connection.unregister("month_given")
    _assets(making, spans)
    making.write("months", _sql(making), ROWS, SCHEMA)


def month_spans(making: Making, months: int) -> list[tuple[date, int, int]]:
    """First day, first day number and end of each month, oldest first; the newest ends at as_of."""
    now = to_date(local_day(making.as_of - timedelta(microseconds=1), making.engine.zone))
    out = []
    for back in reversed(range(months)):
        year, number = divmod(now.year * 12 + now.month - 1 - back, 12)
        following = divmod(now.year * 12 + now.month - back, 12)
        first = date(year, number + 1, 1)
        end = min(day_number(date(following[0], following[1] + 1, 1)), day_number(now) + 1)
        out.append((first, day_number(first), end))
    return out


def _months(making: Making, spans: list[tuple[date, int, int]]) -> pa.Table:
    columns: dict[str, pa.Array] = {"month": pa.array([m for m, _, _ in spans], pa.date32())}
    for table in ("cash_flow", "custody_transfer", "trade", "session"):
        there = [making.covered(table, low, high) for _, low, high in spans]
        columns[f"has_{table}"] = pa.array(there, pa.bool_())
    return pa.table(columns)


def _assets(making: Making, spans: list[tuple[date, int, int]]) -> None:
    """The relation `asset`: client_id, month, value at its end; forward from the newest balance."""
    run = making.connection.execute
    if making.has("balance"):
        # What was last said before the first month is carried into it.
        since = f"greatest(date_trunc('month', day)::date, date '{spans[0][0]}')"
        run(
            f"""create temp table asset as
            select client_id, {since} as month,
                arg_max(coalesce(cash, 0) + coalesce(securities, 0), day) as value
            from {making.seen("balance")} semi join book using (client_id) group by all"""
        )
        return
    run("create temp table asset (client_id varchar, month date, value bigint)")
    for month, _, end in spans:
        at = min(midnight(end, making.engine.zone), making.as_of)
        positions = making.engine.positions(at, making.as_of)
        value = positions.value_at(at)
        known = np.flatnonzero(~np.isnan(value))
        clients = pa.array(positions.clients, pa.string()).take(pa.array(known))
        worth = pa.array(value[known].astype(np.int64))
        table = pa.table({"client_id": clients, "value": worth})
        making.connection.register("asset_given", table)
        run(f"insert into asset select client_id, date '{month}', value from asset_given")
        making.connection.unregister("asset_given")


_SOURCE: Final = {
    "deposits": "cash_flow", "withdrawals": "cash_flow", "transfers_in": "custody_transfer",
    "transfers_out": "custody_transfer", "buys": "trade", "sells": "trade", "trades": "trade",
    "sessions": "session",
}  # fmt: skip
"""Column to the table that it is summed from."""

_ROWS: Final = {
    "deposits": ("amount", "kind = 'deposit' and failure_reason is null"),
    "withdrawals": ("amount", "kind = 'withdrawal' and failure_reason is null"),
    "transfers_in": ("value", "direction = 'in'"),
    "transfers_out": ("value", "direction = 'out'"),
    "buys": ("amount", "side = 'buy'"),
    "sells": ("amount", "side = 'sell'"),
    "trades": ("1", "true"),
    "sessions": ("1", "true"),
}
"""Column to what is summed, and over which rows."""


def _flows(making: Making) -> list[str]:
    """One SELECT per table present: client_id, month, and per column its sum and its rows."""
    out = []
    for table in dict.fromkeys(_SOURCE.values()):
        if not making.has(table):
            continue
        moved = table == "custody_transfer"
        relation = "moved" if moved else making.seen(table)
        day = "day" if moved else making.local_date('"at"')
        columns = []
        for name, (value, where) in _ROWS.items():
            own = _SOURCE[name] == table
            total = f"sum({value}) filter ({where})" if own else "null"
            count = f"count(*) filter ({where})" if own else "0"
            columns.append(f"{total} as {name}, {count} as n_{name}")
        out.append(
            f"select client_id, date_trunc('month', {day})::date as month, {', '.join(columns)} "
            f"from {relation} semi join book using (client_id) group by all"
        )
    return out


def _nothing() -> str:
    """Keeps the union valid where a lake has no table of flows."""
    columns = ", ".join(f"0 as {name}, 0 as n_{name}" for name in _ROWS)
    return f"select client_id, month, {columns} from asset where false"


def _sql(making: Making) -> str:
    """The rows of the file: every client and month from the client's first one on."""
    parts = " union all ".join([*_flows(making), _nothing()])
    sums = ", ".join(
        f"sum({name})::bigint as {name}, sum(n_{name}) as n_{name}" for name in _SOURCE
    )
    # In a month that the source covers, no row means that nothing happened; else nothing is known.
    # A row without a value (a transfer without a price) is not nothing.
    shown = ", ".join(
        f"coalesce(f.{name}, case when m.has_{table} and coalesce(f.n_{name}, 0) = 0 then 0 end) "
        f"as {name}"
        for name, table in _SOURCE.items()
    )
    assets = "a.value"
    if making.has("balance"):
        assets = (
            "last_value(a.value ignore nulls) over (partition by m.client_id order by m.month "
            "rows between unbounded preceding and current row)"
        )
    return f"""
        with flow as (select client_id, month, {sums} from ({parts}) group by all),
        since as (
            select client_id, min(month) as month
            from (select client_id, month from flow union all select client_id, month from asset)
            group by all),
        grid as (
            select s.client_id, m.* from since s join month m on m.month >= s.month)
        select m.client_id, m.month, {assets} as assets, {shown}
        from grid m
        left join asset a on a.client_id = m.client_id and a.month = m.month
        left join flow f on f.client_id = m.client_id and f.month = m.month
        order by m.client_id, m.month"""
