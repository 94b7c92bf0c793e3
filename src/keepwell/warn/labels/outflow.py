"""`outflow`: takes out, net of what is paid in, a large share of the average assets.

Average assets are those of the 60 days before as_of, by what was known then. What leaves is money
(withdrawals minus deposits that succeeded) and securities moved to other brokers (minus those moved
in), these at the prices of as_of: a fall of prices is no outflow, and a rise does not hide one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.money import minor_exponent
from keepwell.observe.engines.base import Engine
from keepwell.observe.tiles import BLANK
from keepwell.warn.label import (
    LABELS,
    Array,
    LabelDefinition,
    Labels,
    Why,
    covered,
    day_of,
    lake_query,
)
from keepwell.warn.labels.exits import closures

AVERAGE_DAYS: Final = 60
"""Days before as_of whose assets are averaged."""
LEAST_DAYS: Final = 10
"""Balances in them below which the average is not known."""
_SEEN: Final = "known_at <= $t and (gone_at is null or gone_at > $t)"


@LABELS.add("outflow")
def outflow_rule(
    engine: Engine, as_of: datetime, definition: LabelDefinition, known_by: datetime
) -> Labels:
    """Label every client with a balance in the 60 days before as_of; see the module's text."""
    zone = engine.workspace.zone
    starts, ends = definition.starts_at(as_of, zone), definition.matures_at(as_of, zone)
    clients, days, assets = _average(engine, as_of)
    at = {client: i for i, client in enumerate(clients)}
    bound = definition.share * assets
    why = np.full(len(clients), Why.STAYED, object)
    after = _outflow(engine, at, as_of, starts, ends, known_by)
    why[after >= bound] = Why.OUTFLOW
    if starts > as_of:
        early = _outflow(engine, at, as_of, as_of, starts, known_by)
        why[early >= bound] = Why.LEFT_IN_GAP
    why[~(assets > 0)] = Why.NOT_HELD
    why[days < LEAST_DAYS] = Why.UNKNOWN_START
    if not _told(engine, day_of(engine, as_of), day_of(engine, ends), known_by):
        why[:] = Why.UNKNOWN_END
    if "client" in engine.manifest.tables:
        for client, code, _ in closures(
            engine, day_of(engine, as_of), day_of(engine, ends), known_by
        ):
            if client in at and code in (Why.BROKER_CLOSED, Why.DIED):
                why[at[client]] = code
    y = np.full(len(clients), np.nan)
    y[why == Why.OUTFLOW] = 1.0
    y[why == Why.STAYED] = 0.0
    return Labels(clients, y, why, np.full(len(clients), np.nan), as_of, ends)


def _average(engine: Engine, as_of: datetime) -> tuple[list[str], npt.NDArray[np.int64], Array]:
    """Clients with a balance, the days that tell their assets, and the average; minor units."""
    if "balance" not in engine.manifest.tables:
        return [], np.zeros(0, np.int64), np.zeros(0)
    day = day_of(engine, as_of)
    found = lake_query(
        engine,
        f"""select client_id, count(cash + securities) as n, avg(cash + securities) as a
        from balance where {_SEEN} and day < date '1970-01-01' + {day}
            and day >= date '1970-01-01' + {day - AVERAGE_DAYS}
        group by client_id order by client_id""",
        t=as_of,
    )
    clients = [str(client) for client in found["client_id"]]
    return clients, found["n"].astype(np.int64), found["a"].astype(np.float64)


def _outflow(
    engine: Engine,
    at: dict[str, int],
    as_of: datetime,
    since: datetime,
    until: datetime,
    known_by: datetime,
) -> Array:
    """What each client took out net between two instants, minor units."""
    out = np.zeros(len(at))
    if "cash_flow" in engine.manifest.tables:
        flows = lake_query(
            engine,
            f"""select client_id,
                sum(case kind when 'withdrawal' then amount else -amount end)::double as out
            from cash_flow where "at" >= $a and "at" < $b and {_SEEN}
                and kind in ('deposit', 'withdrawal') and failure_reason is null
            group by client_id""",
            a=since, b=until, t=known_by,
        )  # fmt: skip
        _add(out, at, flows["client_id"], flows["out"])
    if "custody_transfer" in engine.manifest.tables:
        moved = lake_query(
            engine,
            f"""select client_id, instrument_id,
                sum(case direction when 'out' then quantity else -quantity end)::double as units
            from custody_transfer where "at" >= $a and "at" < $b and {_SEEN}
                and instrument_id is not null and quantity is not null
            group by client_id, instrument_id order by client_id, instrument_id""",
            a=since, b=until, t=known_by,
        )  # fmt: skip
        _add(out, at, moved["client_id"], _worth(engine, as_of, moved))
    return out


def _worth(engine: Engine, as_of: datetime, moved: dict[str, npt.NDArray[np.generic]]) -> Array:
    """Value of units at the prices of an instant; 0 where there is no price, minor units."""
    prices = engine.prices(as_of)
    known = engine.positions(as_of).instruments
    price = {id: float(p) for id, p in zip(known, prices, strict=True) if p != BLANK}
    each = np.array([price.get(str(id), 0.0) for id in moved["instrument_id"]])
    divisor = 10.0 ** (16 - minor_exponent(engine.workspace.currency))
    return np.asarray(np.rint(moved["units"].astype(np.float64) * each / divisor))


def _add(
    out: Array,
    at: dict[str, int],
    clients: npt.NDArray[np.generic],
    amounts: npt.NDArray[np.generic],
) -> None:
    for client, amount in zip(clients, amounts.astype(np.float64), strict=True):
        if str(client) in at:
            out[at[str(client)]] += amount


def _told(engine: Engine, first: int, last: int, known_by: datetime) -> bool:
    """Whether money movements of every day of the horizon are covered, and were known by then."""
    state = engine.manifest.tables.get("cash_flow")
    mapped = engine.workspace.mapping.tables.get("cash_flow")
    delay = int(mapped.delay_days) if mapped else 0
    known = day_of(engine, known_by) - delay >= last
    return state is not None and known and covered(list(state.coverage), first, last)
