"""The market as tables of the contract, one day at a time."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from keepwell.core.days import to_date
from keepwell.world.files import columns
from keepwell.world.market.draw import INDEX_SERIES, Market
from keepwell.world.market.instruments import SECTORS
from keepwell.world.terms import CATEGORIES, NEVER

MARKET_TABLES: Final = ("instrument", "price", "index_price", "news", "outage")
"""Tables of the contract that come from the market."""

_SEVERITIES: Final = ("low", "medium", "high")
_PRICE_UNITS: Final = 10_000
"""Units of 10^-8 in the smallest step of a price, 0.0001 CNY."""


def market_tables(market: Market, t: int) -> dict[str, pa.Table]:
    """What a broker's systems show of the market on one day.

    Prices and index have rows on days with a session only, known at the next local midnight; a
    redeemed instrument has none after its maturity. Instruments are known from the start. A piece
    of news is known when published, a failure when it ended.

    Args:
        market: the market.
        t: days since the start, 0 .. D - 1.

    Returns:
        Tables `price`, `index_price`, `news` and `outage` (without rows where nothing happened),
        and on the first day `instrument`; columns are those of the contract and `known_at`.
        Prices are in CNY.
    """
    tables = {
        "price": _prices(market, t),
        "index_price": _index(market, t),
        "news": _news(market, t),
        "outage": _outages(market, t),
    }
    return {"instrument": _instruments(market), **tables} if t == 0 else tables


def _instruments(market: Market) -> pa.Table:
    n = len(market.codes)
    return pa.table(
        {
            "instrument_id": pa.array(market.codes, pa.string()),
            "name": pa.array(market.names, pa.string()),
            "category": pa.array([CATEGORIES[c] for c in market.category.tolist()], pa.string()),
            "risk_level": pa.array([f"R{r}" for r in market.risk.tolist()], pa.string()),
            "sector": pa.array(
                [SECTORS[s] if s >= 0 else None for s in market.sector.tolist()], pa.string()
            ),
            "issuer": pa.array(market.issuers, pa.string()),
            "esg": columns.ratio(market.esg),
            "maturity_on": columns.date(
                np.where(market.maturity == NEVER, 0, market.maturity), market.maturity != NEVER
            ),
            "known_at": columns.same_instant(int(columns.instants(market.start, 0)), n),
        }
    )


def _prices(market: Market, t: int) -> pa.Table:
    day = market.start + t
    rows = np.flatnonzero((market.maturity >= day) & bool(market.days["trading"][t]))
    close = np.rint(market.close[t, rows] * _PRICE_UNITS).astype(np.int64) * (10**8 // _PRICE_UNITS)
    volume = market.volume[t, rows].astype(np.int64) * 10**8
    return pa.table(
        {
            "series": pa.array([market.codes[i] for i in rows.tolist()], pa.string()),
            "day": columns.same_date(day, len(rows)),
            "close": columns.quantity(close),
            "volume": columns.quantity(volume),
            "known_at": columns.same_instant(int(columns.instants(day + 1, 0)), len(rows)),
        }
    )


def _index(market: Market, t: int) -> pa.Table:
    day = market.start + t
    rows = int(market.days["trading"][t])
    return pa.table(
        {
            "series": pa.array([INDEX_SERIES] * rows, pa.string()),
            "day": columns.same_date(day, rows),
            "close": columns.ratio(np.full(rows, market.index[t])),
            "known_at": columns.same_instant(int(columns.instants(day + 1, 0)), rows),
        }
    )


def _news(market: Market, t: int) -> pa.Table:
    day = market.start + t
    found = [(i, piece) for i, piece in enumerate(market.news, 1) if piece.day == day]
    at = columns.instant(columns.instants(day, np.array([p.second for _, p in found], np.int64)))
    return pa.table(
        {
            "news_id": pa.array([f"N{i:06d}" for i, _ in found], pa.string()),
            "at": at,
            "subject": pa.array([piece.subject for _, piece in found], pa.string()),
            "sentiment": pa.array([piece.sentiment for _, piece in found], pa.float64()),
            "text": pa.array([piece.text for _, piece in found], pa.string()),
            "known_at": at,
        }
    )


def _outages(market: Market, t: int) -> pa.Table:
    day = market.start + t
    found = [failure for failure in market.outages if failure.day == day]
    begin = np.array([failure.second for failure in found], np.int64)
    length = np.array([failure.seconds for failure in found], np.int64)
    ended = columns.instant(columns.instants(day, begin + length))
    return pa.table(
        {
            "outage_id": pa.array(
                [f"O{to_date(day):%Y%m%d}-{i}" for i in range(1, len(found) + 1)], pa.string()
            ),
            "at": columns.instant(columns.instants(day, begin)),
            "ended_at": ended,
            "system": pa.array([failure.system for failure in found], pa.string()),
            "severity": pa.array([_SEVERITIES[failure.severity] for failure in found], pa.string()),
            "known_at": ended,
        }
    )
