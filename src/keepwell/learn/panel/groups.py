"""Totals by manager, branch and segment, and who left of them, month by month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.learn.panel.making import RECENT, Making
from keepwell.warn.label import LabelDefinition, Labels, label_clients
from keepwell.warn.risk import risk_set

CHURN_MONTHS: Final = 12
"""Months of churn shown, the newest one mature at as_of."""

Progress = Callable[[str], None]


def write_groups(making: Making, definition: LabelDefinition) -> None:
    """Write one row per manager, branch and segment that have clients.

    Args:
        making: the writing, its relation `moved` prepared.
        definition: the workspace's primary label, for what became of the clients at risk before.
    """
    at = newest_mature(making.as_of, definition, making)
    followed, kept = _outcome(making, definition, at)
    run = making.connection.execute
    outcome = pa.table(
        {"client_id": pa.array(followed, pa.string()), "kept": pa.array(kept, pa.bool_())}
    )
    making.connection.register("outcome_given", outcome)
    run("create temp table outcome as select * from outcome_given")
    making.connection.unregister("outcome_given")
    net, known = _net_inflow(making)
    empty = "coalesce(n.value, 0)" if known else "null::bigint"
    making.write(
        "groups",
        f"""select b.manager_id, b.branch_id, b.segment,
            count(*) filter (b.open) as clients,
            count(*) filter (b.open and b.recent) as active,
            sum({empty})::bigint as net_inflow,
            sum(b.assets)::bigint as assets,
            case when sum(b.assets) is not null then
                coalesce(sum(b.assets) filter (b.tier <> 'none'), 0) end::bigint as at_risk_assets,
            count(o.client_id) as followed,
            count(*) filter (o.kept) as kept
        from book b left join ({net}) n using (client_id) left join outcome o using (client_id)
        group by all order by all""",
        8_192,
    )


def newest_mature(as_of: datetime, definition: LabelDefinition, making: Making) -> datetime:
    """The newest local midnight whose label is known at as_of."""
    zone = making.engine.zone
    number = local_day(as_of, zone)
    while definition.matures_at(midnight(number, zone), zone) > as_of:
        number -= 1
    return midnight(number, zone)


def _outcome(
    making: Making, definition: LabelDefinition, at: datetime
) -> tuple[list[str], list[bool]]:
    """Clients at risk at an instant whose label is known, and whether they stayed."""
    risk = risk_set(making.engine, at)
    if not risk.at_risk:
        return [], []
    labels = _known(label_clients(making.engine, at, definition, making.as_of), risk.at_risk)
    return labels.clients, [bool(y == 0.0) for y in labels.y]


def _known(labels: Labels, at_risk: list[str]) -> Labels:
    inside = set(at_risk)
    mine = np.fromiter((c in inside for c in labels.clients), np.bool_, len(labels.clients))
    return labels.rows(mine & ~np.isnan(labels.y))


def _net_inflow(making: Making) -> tuple[str, bool]:
    """SQL of client_id, value: in less out over the last days; and whether anything tells it."""
    since = f"date '{to_date(making.day - RECENT)}'"
    parts = []
    if making.has("cash_flow"):
        parts.append(
            f"""select client_id, case when kind = 'deposit' then amount else -amount end as value
            from {making.seen("cash_flow")} where failure_reason is null
            and kind in ('deposit', 'withdrawal') and {making.local_date('"at"')} >= {since}"""
        )
        parts.append(
            f"""select client_id, case when direction = 'in' then value else -value end as value
            from moved where day >= {since}"""
        )
    elif making.has("trade") and making.covered("trade", making.day - RECENT, making.day):
        parts.append(
            f"""select client_id, case when side = 'buy' then amount else -amount end as value
            from {making.seen("trade")} where {making.local_date('"at"')} >= {since}"""
        )
    rows = " union all ".join(parts) or "select client_id, 0 as value from book where false"
    return f"select client_id, sum(value) as value from ({rows}) group by client_id", bool(parts)


def write_churn(
    making: Making,
    definition: LabelDefinition,
    months: int = CHURN_MONTHS,
    progress: Progress | None = None,
) -> None:
    """Write who left of those at risk at the beginning of each month; no file where none is known.

    Args:
        making: the writing.
        definition: the workspace's primary label.
        months: how many at most, the newest mature one first.
        progress: called with a line of text per month.
    """
    found = []
    for month, at in _mature_months(making, definition, months):
        if progress:
            progress(month.isoformat())
        risk = risk_set(making.engine, at)
        if not risk.at_risk:
            break
        labels = _known(label_clients(making.engine, at, definition, making.as_of), risk.at_risk)
        if not labels.clients:
            continue
        found.append(
            pa.table(
                {
                    "client_id": pa.array(labels.clients, pa.string()),
                    "month": pa.array([month] * len(labels.clients), pa.date32()),
                    "left": pa.array(labels.y == 1.0),
                }
            )
        )
    if not found:
        return
    making.connection.register("labelled", pa.concat_tables(found))
    rows = making.connection.sql(
        """select l.month, b.manager_id, b.branch_id, b.segment,
            count(*) filter (l."left") as "left", count(*) as followed
        from labelled l join book b using (client_id) group by all order by all"""
    ).to_arrow_table()
    making.connection.unregister("labelled")
    pq.write_table(rows, making.folder / "churn.parquet", compression="zstd")


def _mature_months(
    making: Making, definition: LabelDefinition, months: int
) -> list[tuple[date, datetime]]:
    """First days of months, newest first, whose label is known at as_of, and their beginnings."""
    zone = making.engine.zone
    out: list[tuple[date, datetime]] = []
    month = making.last_day.replace(day=1)
    while len(out) < months and month.year > 1970:
        at = midnight(day_number(month), zone)
        if definition.matures_at(at, zone) <= making.as_of:
            out.append((month, at))
        month = to_date(day_number(month) - 1).replace(day=1)
    return out
