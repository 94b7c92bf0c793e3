"""Formulas of money: net inflow over opening assets, revenue at the broker's own rates."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from keepwell.core.days import local_day, to_date
from keepwell.core.money import minor_exponent
from keepwell.learn.kpi.estimate import Absent, Figure
from keepwell.learn.kpi.formula import SEEN, Answer, Reading, formula
from keepwell.learn.ranking import assets_at
from keepwell.learn.value.margin import margins
from keepwell.learn.value.rates import Rates
from keepwell.warn.label import lake_query

_Z: Final = 1.959963984540054


@formula
def net_inflow(reading: Reading) -> Answer:
    """Net inflow of cash and securities over opening assets."""
    missing = reading.missing("cash_flow")
    if missing is not None:
        return missing
    engine, month = reading.engine, reading.month
    assert engine is not None
    clients = reading.at_start.clients
    assets = assets_at(engine, month.start, clients)
    opening = float(np.nansum(assets))
    if opening <= 0:
        return Absent.ASSETS
    found = reading.rows(
        "cash_flow",
        "coalesce(sum(case when kind = 'deposit' then amount else -amount end), 0) as net",
        "kind in ('deposit', 'withdrawal') and failure_reason is null",
    )  # fmt: skip
    net = float(found["net"][0])
    if "custody_transfer" in engine.manifest.tables:
        moved = _moved(reading)
        if moved is None:
            return Absent.COVERAGE
        net += moved
    return Figure(net / opening, None, None, int(np.isfinite(assets).sum()))


def _moved(reading: Reading) -> float | None:
    """Value of securities moved in less out, minor units; None where it cannot be told."""
    if not reading.has("custody_transfer"):
        return None
    engine, month = reading.engine, reading.month
    assert engine is not None
    if "price" not in engine.manifest.tables:
        return 0.0 if not len(reading.rows("custody_transfer", "client_id")["client_id"]) else None
    divisor = 10.0 ** (16 - minor_exponent(engine.currency))
    zone = engine.zone.key
    day = f"cast(\"at\" at time zone '{zone}' as date)"
    last = to_date(local_day(month.end, engine.zone))
    found = lake_query(
        engine,
        f"""with moved as (
            select {day} as day, instrument_id,
                case when direction = 'in' then quantity else -quantity end as quantity
            from custody_transfer where {SEEN} and "at" >= $a and "at" < $b),
        closing as (select series, day, close from price where {SEEN} and day < $d)
        select count(*) - count(c.close) as blind,
            coalesce(sum(m.quantity::double * c.close), 0)::double as worth
        from moved m asof left join closing c on m.instrument_id = c.series and m.day >= c.day""",
        t=month.known_by, a=month.start, b=month.end, d=last,
    )  # fmt: skip
    # A transfer without a price is not nothing: then the sum is not known.
    return None if int(found["blind"][0]) else float(found["worth"][0]) / divisor


@formula
def revenue(reading: Reading) -> Answer:
    """Yearly revenue of all clients at the broker's rates."""
    engine = reading.engine
    if engine is None:
        return Absent.TABLE
    clients = engine.clients(reading.month.end)
    found = margins(engine, reading.month.end, Rates.of(engine.workspace), clients)
    known = found.revenue[~np.isnan(found.revenue)]
    if not len(known):
        return Absent.RATES
    value = float(known.sum())
    error = math.sqrt(float(np.nansum(found.error**2)))
    if not error:
        return Figure(value, None, None, len(known))
    return Figure(value, value - _Z * error, value + _Z * error, len(known))
