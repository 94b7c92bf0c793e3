"""What each client brings in a year, line by line, from what was known at one instant.

A fact counts if it happened before as_of, was known at it, and had not been corrected by then. The
year ahead is taken to be like the days looked back on; that is an assumption.

- *commission*: what trades paid, over the days for which trades are complete, scaled to a year. A
  client who came later counts from then on, but from no fewer than `FEWEST` days.
- *asset fee*: what is held at as_of, at the prices then known, by category of instrument.
- *margin interest*: average debt times the spread. *cash spread*: average cash above zero times it.
- *cost to serve*: by segment, negative.

A line that the data or the rates cannot give is absent, with its reason; it is never zero. Rows in
another currency than the workspace's are left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day
from keepwell.core.money import minor_exponent
from keepwell.learn.ranking import newest
from keepwell.learn.value.rates import Rates
from keepwell.observe.coverage import MINIMUM, covered_days
from keepwell.observe.engines.base import Engine
from keepwell.observe.tiles import BLANK
from keepwell.warn.label import lake_query

Array = npt.NDArray[np.float64]

YEAR: Final = 365.25
FEWEST: Final = 90
"""Complete days of trades below which no year is made of them."""

_PERIOD: Final = 30
# Days over which commission is summed to see how much it varies.

_SEEN = "known_at <= $t and (gone_at is null or gone_at > $t)"


class Line(StrEnum):
    """A line of a client's yearly margin."""

    COMMISSION = "commission"
    ASSET_FEE = "asset_fee"
    MARGIN_INTEREST = "margin_interest"
    CASH_SPREAD = "cash_spread"
    COST_TO_SERVE = "cost_to_serve"


INCOME: Final = tuple(line for line in Line if line is not Line.COST_TO_SERVE)
"""Lines of revenue."""

LINE_NAMES: Final[dict[Line, str]] = {
    Line.COMMISSION: "commission",
    Line.ASSET_FEE: "fees on assets",
    Line.MARGIN_INTEREST: "margin interest",
    Line.CASH_SPREAD: "cash spread",
    Line.COST_TO_SERVE: "cost to serve",
}


class Absence(StrEnum):
    """Why a line is absent."""

    TABLE = "table-missing"
    HISTORY = "history-short"
    COVERAGE = "not-covered"
    AMOUNT = "amount-missing"
    RATE = "rate-missing"


ABSENCES: Final[dict[Absence, str]] = {
    Absence.TABLE: "no table of the data tells it",
    Absence.HISTORY: "fewer than 90 complete days of trades",
    Absence.COVERAGE: "the table is not declared complete for the days averaged",
    Absence.AMOUNT: "trades carry no commission, and no tariff is given",
    Absence.RATE: "no rate is given",
}


@dataclass(frozen=True)
class Margins:
    """Yearly margin of clients.

    Attributes:
        clients: ids.
        as_of: the instant.
        lines: line -> minor units a year, float64 [n]; NaN where not known of the client.
        absent: line -> why no client has it.
        error: standard error of the total, from how commission varied by month; float64 [n].
        segment: the segment in force, or None.
        days: complete days of trades looked back on.
        foreign: rows in another currency, left out.
    """

    clients: Sequence[str]
    as_of: datetime
    lines: Mapping[Line, Array]
    absent: Mapping[Line, Absence]
    error: Array
    segment: Sequence[str | None]
    days: int = 0
    foreign: int = 0

    @property
    def revenue(self) -> Array:
        """Sum of the known lines of income, float64 [n].

        NaN where none is known, or where those known are nothing while others are absent.
        """
        return self._sum(INCOME)

    @property
    def total(self) -> Array:
        """Revenue less the cost to serve where that is known, float64 [n]."""
        cost = self.lines.get(Line.COST_TO_SERVE)
        return self.revenue if cost is None else self.revenue + np.nan_to_num(cost)

    def _sum(self, wanted: Sequence[Line]) -> Array:
        found = [self.lines[line] for line in wanted if line in self.lines]
        if not found:
            return np.full(len(self.clients), np.nan)
        known = np.any([~np.isnan(values) for values in found], axis=0)
        total = np.sum([np.nan_to_num(values) for values in found], axis=0)
        if any(line in self.absent for line in wanted):
            # Nothing in the lines that are told, while others are not: that is not a zero.
            known &= total != 0
        return np.where(known, total, np.nan)


@dataclass
class _Reading:
    """One reading of the lake: where clients stand, and what has been found so far."""

    engine: Engine
    as_of: datetime
    rates: Rates
    place: dict[str, int]
    lines: dict[Line, Array] = field(default_factory=dict)
    absent: dict[Line, Absence] = field(default_factory=dict)
    days: int = 0
    foreign: int = 0

    @property
    def day(self) -> int:
        return local_day(self.as_of, self.engine.zone)

    def has(self, table: str) -> bool:
        return table in self.engine.manifest.tables

    def query(self, sql: str, **values: object) -> dict[str, npt.NDArray[np.generic]]:
        return lake_query(self.engine, sql, t=self.as_of, **values)

    def spread(
        self, clients: npt.NDArray[np.generic], values: npt.NDArray[np.generic], fill: float
    ) -> Array:
        """Values by client in the order asked for."""
        out = np.full(len(self.place), fill)
        at = np.fromiter((self.place.get(str(c), -1) for c in clients), np.int64, len(clients))
        out[at[at >= 0]] = np.asarray(values, np.float64)[at >= 0]
        return out


def margins(engine: Engine, as_of: datetime, rates: Rates, clients: Sequence[str]) -> Margins:
    """Yearly margin of clients as known at an instant.

    Args:
        engine: whose lake is read, pinned to its manifest.
        as_of: the instant (UTC).
        rates: the broker's.
        clients: ids, distinct; the answer has their order.
    """
    reading = _Reading(engine, as_of, rates, {client: i for i, client in enumerate(clients)})
    error = _commission(reading)
    _asset_fee(reading)
    _levels(reading)
    segments = newest(engine, as_of, "client", "segment_hint")
    segment = [segments.get(client) for client in clients]
    _serving(reading, segment)
    order = {line: reading.lines[line] for line in Line if line in reading.lines}
    return Margins(
        clients, as_of, order, reading.absent, error, segment, reading.days, reading.foreign
    )


def _own_currency(reading: _Reading, table: str, clock: str) -> str:
    """SQL: rows in the workspace's currency; the others are counted."""
    found = reading.query(
        f"select count(*) as n from {table} where {_SEEN} and {clock} and currency <> $c",
        c=reading.rates.currency,
    )
    reading.foreign += int(found["n"][0])
    return f"coalesce(currency, '{reading.rates.currency}') = '{reading.rates.currency}'"


def _commission(reading: _Reading) -> Array:
    """Fills the line; gives the standard error of a year's commission, float64 [n]."""
    n = len(reading.place)
    if not reading.has("trade"):
        reading.absent[Line.COMMISSION] = Absence.TABLE
        return np.zeros(n)
    mapped = reading.engine.workspace.mapping.tables.get("trade")
    high = reading.day - (mapped.delay_days if mapped else 0)
    low = reading.day - reading.rates.history
    spans = [
        (max(since, low), min(high, high if until is None else until))
        for since, until in reading.engine.manifest.tables["trade"].coverage
    ]
    spans = [(since, until) for since, until in spans if since < until]
    reading.days = covered_days(spans, low, high)
    if reading.days < FEWEST:
        reading.absent[Line.COMMISSION] = Absence.HISTORY
        return np.zeros(n)
    found = _traded(reading, spans)
    charged = found["paid"].sum() > 0 or not len(found["paid"])  # nobody traded: nobody paid
    if charged:
        kept = reading.rates.commission_kept
        amount, squares = found["commission"] * kept, found["squares"] * kept**2
    elif reading.rates.commission_tiers:
        amount, squares = found["turnover"], np.zeros(len(found["turnover"]))
    else:
        reading.absent[Line.COMMISSION] = Absence.AMOUNT
        return np.zeros(n)
    exposed = _exposed(reading, spans)
    sums = reading.spread(found["client_id"], amount, 0.0)
    squares = reading.spread(found["client_id"], squares, 0.0)
    scale = YEAR / exposed
    reading.lines[Line.COMMISSION] = yearly = sums * scale
    if not charged:
        reading.lines[Line.COMMISSION] = _tariff(yearly, reading.rates)
        return np.zeros(n)
    # Periods of 30 days as draws: the error of their sum, scaled like the sum itself.
    periods = np.maximum(exposed / _PERIOD, 2.0)
    variance = np.maximum(squares - sums**2 / periods, 0.0) / (periods - 1.0)
    return np.asarray(np.sqrt(variance * periods) * scale, np.float64)


def _traded(reading: _Reading, spans: Sequence[tuple[int, int]]) -> dict[str, Array]:
    """Per client: commission, its squares by period, trades with one, turnover."""
    zone = reading.engine.zone.key
    day = f"(cast(\"at\" at time zone '{zone}' as date) - date '1970-01-01')"
    inside = " or ".join(f"({day} >= {low} and {day} < {high})" for low, high in spans)
    clock = f'"at" < $t and ({inside})'
    own = _own_currency(reading, "trade", clock)
    return reading.query(  # type: ignore[return-value]
        f"""with month as (
            select client_id, {day} // {_PERIOD} as period,
                coalesce(sum(commission), 0)::double as commission,
                count(commission) as paid, coalesce(sum(amount), 0)::double as turnover
            from trade where {_SEEN} and {clock} and {own} group by all)
        select client_id, sum(commission) as commission,
            sum(commission * commission) as squares,
            sum(paid)::double as paid, sum(turnover) as turnover
        from month group by client_id order by client_id"""
    )


def _exposed(reading: _Reading, spans: Sequence[tuple[int, int]]) -> Array:
    """Complete days of trades since each client's opening, no fewer than `FEWEST`; float64 [n]."""
    out = np.full(len(reading.place), float(reading.days))
    if not reading.has("client"):
        return out
    found = reading.query(
        f"""select client_id, (opened_on - date '1970-01-01')::bigint as opened from client
        where {_SEEN} and valid_from <= $t and opened_on is not null
        qualify row_number() over (partition by client_id order by valid_from desc) = 1"""
    )
    opened = reading.spread(found["client_id"], np.asarray(found["opened"], np.float64), -np.inf)
    own = sum(
        (np.maximum(0.0, until - np.maximum(opened, since)) for since, until in spans),
        np.zeros(len(out)),
    )
    return np.maximum(own, FEWEST)


def _tariff(turnover: Array, rates: Rates) -> Array:
    """Commission of a year's turnover by the published tariff: the whole of it at its step."""
    steps = np.array([least for least, _ in rates.commission_tiers])
    shares = np.array([share for _, share in rates.commission_tiers])
    step = np.searchsorted(steps, turnover, "right") - 1
    return np.asarray(turnover * shares[step] * rates.commission_kept, np.float64)


def _asset_fee(reading: _Reading) -> None:
    """Fills the line from positions, their prices and the categories of instruments."""
    if not reading.rates.asset_fee:
        reading.absent[Line.ASSET_FEE] = Absence.RATE
        return
    positions = reading.engine.positions(reading.as_of)
    known = np.asarray(positions.known)
    if not reading.has("instrument") or not known.any():
        reading.absent[Line.ASSET_FEE] = Absence.TABLE
        return
    found = reading.query(
        f"""select instrument_id, category from instrument
        where {_SEEN} and category is not null"""
    )
    category = dict(zip(found["instrument_id"], found["category"], strict=True))
    fee = np.array([reading.rates.asset_fee.get(category.get(i, ""), 0.0)
                    for i in positions.instruments])  # fmt: skip
    price = reading.engine.prices(reading.as_of)
    client, instrument, quantity = positions.rows
    paying = fee[instrument] > 0
    client, instrument, quantity = client[paying], instrument[paying], quantity[paying]
    priced = price[instrument] != BLANK
    divisor = 10.0 ** (16 - minor_exponent(reading.rates.currency))
    worth = np.where(priced, quantity * price[instrument].astype(np.float64) / divisor, 0.0)
    n = len(positions.clients)
    earned = np.bincount(client, worth * fee[instrument], n)
    blind = (np.bincount(client, minlength=n) > 0) & (np.bincount(client, priced, n) == 0)
    earned = np.where(known & ~blind, earned, np.nan)
    ids = np.asarray(positions.clients, object)
    reading.lines[Line.ASSET_FEE] = reading.spread(ids, earned, np.nan)


def _levels(reading: _Reading) -> None:
    """Fills the lines that live on an average balance."""
    debt, why = _first_level(reading, (("margin", "debt"), ("balance", "margin_debt")))
    if debt is None:
        reading.absent[Line.MARGIN_INTEREST] = why
    else:
        reading.lines[Line.MARGIN_INTEREST] = debt * reading.rates.margin_spread
    cash, why = _first_level(reading, (("balance", "cash"),))
    if cash is None:
        reading.absent[Line.CASH_SPREAD] = why
    else:
        reading.lines[Line.CASH_SPREAD] = cash * reading.rates.cash_spread


def _first_level(
    reading: _Reading, columns: Sequence[tuple[str, str]]
) -> tuple[Array | None, Absence]:
    """The average of the first column that can be averaged, or why none can."""
    why = Absence.TABLE
    for table, column in columns:
        if not reading.has(table):
            continue
        low, high = reading.day - reading.rates.level, reading.day
        spans = reading.engine.manifest.tables[table].coverage
        if covered_days(spans, low, high) < MINIMUM * (high - low):
            why = Absence.COVERAGE
            continue
        level = _level(reading, table, column)
        if level is not None:
            # Of the table margin only who owes, or owed once, is listed: the others owe nothing.
            return (np.nan_to_num(level) if table == "margin" else level), why
    return None, why


def _level(reading: _Reading, table: str, column: str) -> Array | None:
    """Average of a close over the days before as_of, each close going on until the next.

    Below zero counts as zero. Float64 [n], NaN without any close; None where the column is empty.
    """
    low, high = reading.day - reading.rates.level, reading.day
    clock = f"day < date '1970-01-01' + {high}"
    own = _own_currency(reading, table, clock)
    found = reading.query(
        f"""with seen as (
            select client_id, day - date '1970-01-01' as d, greatest({column}, 0)::double as v
            from {table} where {_SEEN} and {clock} and {own} and {column} is not null),
        kept as (
            select client_id, {low} as d, arg_max(v, d) as v from seen where d <= {low}
            group by client_id
            union all select client_id, d, v from seen where d > {low}),
        lasting as (
            select client_id, v,
                lead(d, 1, {high}) over (partition by client_id order by d) - d as days from kept)
        select client_id, sum(v * days) / sum(days) as level from lasting
        group by client_id order by client_id"""
    )
    if not len(found["client_id"]):
        return None
    return reading.spread(found["client_id"], np.asarray(found["level"], np.float64), np.nan)


def _serving(reading: _Reading, segment: Sequence[str | None]) -> None:
    if not reading.rates.cost_to_serve:
        reading.absent[Line.COST_TO_SERVE] = Absence.RATE
        return
    costs = [reading.rates.serving(name) for name in segment]
    reading.lines[Line.COST_TO_SERVE] = np.array(
        [np.nan if cost is None else -cost for cost in costs], np.float64
    )
