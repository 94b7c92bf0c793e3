"""Market-neutral flows: what clients brought and took, at the prices of the opening.

A fall of the market is nobody's leaving. So securities count at the prices known when the span
began, whatever they were worth when they moved, and gains and losses count nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day, midnight
from keepwell.core.errors import DataError, UsageError
from keepwell.core.money import minor_exponent
from keepwell.core.places import Places
from keepwell.learn.ranking import assets_at
from keepwell.observe.engines.base import Engine
from keepwell.observe.tiles import BLANK
from keepwell.warn.label import covered, lake_query

Array = npt.NDArray[np.float64]


class Basis(StrEnum):
    """What flows are read from."""

    MOVEMENTS = "movements"
    POSITIONS = "positions"


BASIS_WORDS: Final[dict[Basis, str]] = {
    Basis.MOVEMENTS: "deposits, withdrawals and transfers of custody",
    Basis.POSITIONS: "changes of positions, since no movements of cash are known",
}


@dataclass(frozen=True)
class Flows:
    """What clients brought and took within a span.

    Attributes:
        clients: ids.
        opening: assets at its beginning as known then, minor units, float64 [n]; NaN unknown.
        net: brought less taken at opening prices, minor units, float64 [n]; NaN unknown.
        basis: what they are read from.
        unpriced: transfers that had no price at the opening; they count nothing.
    """

    clients: Sequence[str]
    opening: Array
    net: Array
    basis: Basis
    unpriced: int


def flows(
    engine: Engine,
    since: datetime,
    until: datetime,
    clients: Sequence[str],
    known_by: datetime | None = None,
) -> Flows:
    """Net flow of clients over a span, at its opening's prices.

    Args:
        engine: whose lake is read.
        since: the opening (UTC); what happens at it belongs to the span.
        until: the end, which does not.
        clients: ids, distinct; the answer has their order.
        known_by: whose knowledge counts for the flows; default: `until`. The opening is judged by
            what was known at it.

    Raises:
        UsageError: the span is empty.
        DataError: the lake knows neither movements of cash nor positions; or movements are not
            declared complete for the span: what is missing is not zero.
    """
    known = known_by or until
    if not since < until <= known:
        raise UsageError("value.span-empty", since=since.isoformat(), until=until.isoformat())
    places = Places(clients)
    opening = assets_at(engine, since, clients)
    tables = engine.manifest.tables
    if "cash_flow" in tables:
        lacking = uncovered(engine, since, until)
        if lacking:
            raise DataError(
                "value.flows-uncovered", tables=", ".join(lacking),
                since=since.isoformat(), until=until.isoformat(),
            )  # fmt: skip
        net = _cash(engine, since, until, known, places)
        moved, unpriced = _custody(engine, since, until, known, places)
        return Flows(clients, opening, net + moved, Basis.MOVEMENTS, unpriced)
    if not {"holding", "trade"} & set(tables):
        raise DataError("value.flows-unknown")
    before = engine.positions(since, known)
    after = engine.positions(until, known)
    change = _by_client(places, after.clients, after.value_at(since), np.nan)
    change = change - _by_client(places, before.clients, before.value_at(since), np.nan)
    return Flows(clients, opening, change, Basis.POSITIONS, 0)


def uncovered(engine: Engine, since: datetime, until: datetime) -> list[str]:
    """Tables of movements that the lake has and that are not declared complete for a span.

    Args:
        engine: whose manifest is asked.
        since: beginning of the span (UTC).
        until: its end.
    """
    low, high = local_day(since, engine.zone), local_day(until, engine.zone)
    if until > midnight(high, engine.zone):
        high += 1
    return [
        table
        for table in ("cash_flow", "custody_transfer")
        if table in engine.manifest.tables
        and not covered(engine.manifest.tables[table].coverage, low, high)
    ]


def _by_client(
    places: Places,
    clients: Sequence[str] | npt.NDArray[np.object_],
    values: Array,
    fill: float,
) -> Array:
    out = np.full(len(places), fill)
    places.put(out, clients, np.asarray(values, np.float64))
    return out


_HAPPENED: Final = (
    "known_at <= $known and (gone_at is null or gone_at > $known) "
    'and "at" >= $since and "at" < $until'
)


def _cash(
    engine: Engine, since: datetime, until: datetime, known: datetime, places: Places
) -> Array:
    found = lake_query(
        engine,
        f"""select client_id, sum(case kind when 'deposit' then amount else -amount end)::double
            as net from cash_flow
        where {_HAPPENED} and failure_reason is null and kind in ('deposit', 'withdrawal')
            and coalesce(currency, $currency) = $currency
        group by client_id order by client_id""",
        since=since, until=until, known=known, currency=engine.currency,
    )  # fmt: skip
    return _by_client(places, found["client_id"], found["net"], 0.0)


def _custody(
    engine: Engine, since: datetime, until: datetime, known: datetime, places: Places
) -> tuple[Array, int]:
    """Transfers of securities at opening prices, and how many have none."""
    if "custody_transfer" not in engine.manifest.tables:
        return np.zeros(len(places)), 0
    found = lake_query(
        engine,
        f"""select client_id, instrument_id,
            (case direction when 'in' then quantity else -quantity end)::double as quantity
        from custody_transfer where {_HAPPENED} order by client_id, instrument_id, transfer_id""",
        since=since, until=until, known=known,
    )  # fmt: skip
    price = np.append(engine.prices(since), BLANK)
    of = Places(engine.positions(since).instruments).of(found["instrument_id"])
    quantity = np.asarray(found["quantity"], np.float64)
    blind = (price[of] == BLANK) | np.isnan(quantity)
    divisor = 10.0 ** (16 - minor_exponent(engine.currency))
    worth = np.where(blind, 0.0, np.nan_to_num(quantity) * price[of].astype(np.float64) / divisor)
    at = places.of(found["client_id"])
    mine = at >= 0
    return (
        np.bincount(at[mine], np.rint(worth[mine]), len(places)).astype(np.float64),
        int((blind & mine).sum()),
    )
