"""Clients' positions at as_of, as the score sees them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from keepwell.learn.panel.making import Making

ROWS: Final = 2_048
"""Rows per row group."""

SCHEMA: Final = pa.schema(
    [
        ("client_id", pa.string()), ("instrument_id", pa.string()), ("name", pa.string()),
        ("category", pa.string()), ("quantity", pa.int64()), ("value", pa.int64()),
        ("cost", pa.int64()), ("weight", pa.float64()), ("day", pa.date32()),
    ]
)  # fmt: skip


def write_holdings(making: Making) -> None:
    """Write all positions, of each client the largest first; no file where none are known.

    Args:
        making: the writing.
    """
    positions = making.engine.positions(making.as_of)
    client, instrument, quantity = positions.rows
    if not len(client):
        return
    given = pa.table(
        {
            "client_id": pa.array(positions.clients, pa.string()).take(pa.array(client)),
            "instrument_id": pa.array(positions.instruments, pa.string()).take(
                pa.array(np.asarray(instrument))
            ),
            "quantity": pa.array(quantity),
        }
    )
    making.connection.register("held_given", given)
    making.write("holdings", _sql(making), ROWS, SCHEMA)
    making.connection.unregister("held_given")


def _sql(making: Making) -> str:
    named = "i.name, i.category"
    joins = f"left join {making.seen('instrument')} i using (instrument_id)"
    if not making.has("instrument"):
        named, joins = "null as name, null as category", ""
    told = "null::bigint as told, null::bigint as cost"
    if making.has("holding"):
        # What the source said of a position goes for it as long as its quantity is the same.
        told = (
            "case when n.quantity = h.quantity then n.value end as told, "
            "case when n.quantity = h.quantity then n.cost end as cost"
        )
        joins += f"""
            left join (
                select client_id, instrument_id, arg_max(quantity, day) as quantity,
                    arg_max_null(value, day) as value, arg_max_null(cost, day) as cost
                from {making.seen("holding")} group by all) n
            using (client_id, instrument_id)"""
    return f"""
        with last as (select series, arg_max(close, day) as close from closing group by all),
        held as (
            select h.client_id, h.instrument_id, {named}, h.quantity, {told}, l.close
            from held_given h semi join book using (client_id)
            left join last l on l.series = h.instrument_id {joins}),
        priced as (
            select *, coalesce({making.worth("quantity", "close")}, told) as value from held),
        weighed as (
            select *, sum(value) over mine as total, bool_and(value is not null) over mine as whole
            from priced window mine as (partition by client_id))
        select client_id, instrument_id, name, category, quantity, value, cost,
            case when whole and total > 0 then value / total end as weight,
            date '{making.last_day}' as day
        from weighed order by client_id, value desc nulls last, instrument_id"""
