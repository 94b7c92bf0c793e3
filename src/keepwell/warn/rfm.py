"""Recency, frequency, value and clumpiness: the inputs of the baselines, straight from trades.

They take every visible trade, whatever the source's declared coverage: a baseline is to be as
strong as its data allow.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.observe.engines.base import Engine
from keepwell.warn.label import day_of, lake_query
from keepwell.warn.models.logistic import CLUMPINESS, RFM

Array = npt.NDArray[np.float64]

WINDOW: Final = 366
"""Days looked back."""


def rfm_inputs(engine: Engine, as_of: datetime, clients: list[str]) -> tuple[list[str], Array]:
    """The four inputs of clients at an instant.

    Recency is in days since the last trade or known first buy (NaN without one); frequency is
    their count over 366 days; value is the traded amount over 366 days in minor units (NaN when
    there were trades and none has a known amount); clumpiness is the entropy measure of Zhang,
    Bradlow and Small over the active days of 366 days (0 without one).

    Args:
        engine: whose lake is read.
        as_of: the instant.
        clients: ids.

    Returns:
        The names, and float64 [n, 4].
    """
    names = [*RFM, CLUMPINESS]
    out = np.tile(np.array([np.nan, 0.0, 0.0, 0.0]), (len(clients), 1))
    if not engine.manifest or "trade" not in engine.manifest.tables:
        return names, np.full((len(clients), 4), np.nan)
    zone, today = engine.workspace.zone.key, day_of(engine, as_of)
    found = lake_query(
        engine,
        f"""with acts as ({_acts("first_purchase" in engine.manifest.tables)}),
        seen as (
            select client_id, abs(amount) as amount,
                {today} - (cast("at" at time zone '{zone}' as date) - date '1970-01-01') as ago
            from acts),
        per_day as (
            select client_id, ago, count(*) as n, sum(amount) as m, count(amount) as known
            from seen group by client_id, ago),
        gaps as (
            select *, ({WINDOW} - ago + 1) - coalesce(
                lag({WINDOW} - ago + 1) over (partition by client_id order by ago desc), 0) as gap
            from per_day where ago <= {WINDOW}),
        recent as (
            select client_id, sum(n) as n, sum(m) as m, sum(known) as known, count(*) as days,
                sum(gap / {WINDOW + 2}.0 * ln(gap / {WINDOW + 2}.0)) as h, min(ago) as ago
            from gaps group by client_id)
        select a.client_id, a.ago, r.n, cast(r.m as double) as m, r.known, r.days, r.h
        from (select client_id, min(ago) as ago from per_day group by client_id) a
        left join recent r using (client_id)""",
        t=as_of,
    )
    return names, _place(found, clients, out)


_VISIBLE: Final = '"at" < $t and known_at <= $t and (gone_at is null or gone_at > $t)'


def _acts(first_purchases: bool) -> str:
    """Visible trades, and the known first buys that none of them explains."""
    trades = f'select client_id, instrument_id, "at", amount, side from trade where {_VISIBLE}'
    if not first_purchases:
        return trades
    return f"""with trades as ({trades}), firsts as (
            select client_id, instrument_id, "at" from first_purchase where {_VISIBLE}),
        bought as (
            select client_id, instrument_id, min("at") as since from trades where side = 'buy'
            group by all)
        from trades union all
        select f.client_id, f.instrument_id, f."at", null, 'buy' from firsts f
        left join bought b on b.client_id = f.client_id and b.instrument_id = f.instrument_id
        where (b.since > f."at") is not false"""


def _place(found: dict[str, npt.NDArray[Any]], clients: list[str], out: Array) -> Array:
    """Writes the query's rows to their clients and finishes the entropy with the last gap."""
    at = {client: i for i, client in enumerate(clients)}
    row = np.fromiter((at.get(str(c), -1) for c in found["client_id"]), np.int64)
    keep = row >= 0
    row = row[keep]
    number = {
        name: np.asarray(found[name][keep], np.float64) for name in ("ago", "n", "m", "known", "h")
    }
    days = np.nan_to_num(np.asarray(found["days"][keep], np.float64))
    n = np.nan_to_num(number["n"])
    value = np.where((n > 0) & (np.nan_to_num(number["known"]) == 0), np.nan, number["m"])
    last = (np.nan_to_num(number["ago"]) + 1) / (WINDOW + 2)
    entropy = np.nan_to_num(number["h"]) + last * np.log(last)
    clump = np.where(days > 0, 1 + entropy / np.log(np.maximum(days, 1) + 1), 0.0)
    out[row, 0] = number["ago"]
    out[row, 1] = n
    out[row, 2] = np.where(n > 0, value, 0.0)
    out[row, 3] = clump
    return out
