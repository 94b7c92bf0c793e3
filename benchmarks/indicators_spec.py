"""The benchmark's indicators, written once and rendered for the kernel, for SQL and for Polars.

The shapes are those of the product's catalogue and of published broker models: windowed counts,
sums, maxima and distinct values, change against the client's own year, recency, gaps, clumpiness,
ratios, day-to-day deviation. Recency is cut at 365 days, so that SQL need not read older tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keepwell.observe.indicators.needs import Need, Windows
from keepwell.observe.indicators.registry import Indicator, Registry, indicator

SHORT = (7, 30, 90, 180)
YEAR = 365
GAP = 180
SUMS = {
    "trade": ("count", "buys", "sells", "amount", "buy_amount", "sell_amount", "commission"),
    "session": ("count", "app", "web", "seconds", "pages", "errors"),
    "cash_flow": ("count", "deposits", "withdrawals", "deposit_amount", "withdrawal_amount"),
}
MAXIMA = {"trade": "max_amount", "session": "max_seconds", "cash_flow": "max_withdrawal"}
TRENDS = {
    "trade": ("count", "amount", "commission", "sells", "sell_amount", "days"),
    "session": ("count", "seconds", "app", "days"),
    "cash_flow": ("deposit_amount", "withdrawal_amount", "withdrawals", "days"),
}
RATIOS = (
    ("sell_share", "trade", "sells", "trade", "count"),
    ("trade_size", "trade", "amount", "trade", "count"),
    ("app_share", "session", "app", "session", "count"),
    ("out_in", "cash_flow", "withdrawal_amount", "cash_flow", "deposit_amount"),
    ("trades_per_session", "trade", "count", "session", "count"),
    ("fee_rate", "trade", "commission", "trade", "amount"),
)

Number = Any


@dataclass(frozen=True)
class Shape:
    """One indicator: a formula over named base aggregates.

    Attributes:
        name: its name.
        needs: base aggregates in the order the formula takes them.
        formula: of numpy arrays, Polars expressions or `Sql` alike.
    """

    name: str
    needs: tuple[Need, ...]
    formula: Callable[..., Number]


def _total(table: str, measure: str, window: int) -> Need:
    if measure == "days":
        return Need(table, "days", window=window)
    return Need(table, "sum", measure, window)


def _trend(window: int) -> Callable[[Number, Number], Number]:
    return lambda now, year: (now / float(window)) / ((year - now) / float(YEAR - window))


def shapes() -> Iterator[Shape]:
    """All indicators of the benchmark; a division by zero is absent."""
    for table, measures in SUMS.items():
        for window in SHORT:
            for measure in (*measures, "days"):
                need = _total(table, measure, window)
                yield Shape(f"{table}_{measure}_{window}", (need,), _same)
            most = Need(table, "max", MAXIMA[table], window)
            yield Shape(f"{table}_{MAXIMA[table]}_{window}", (most,), _same)
        for measure in TRENDS[table]:
            for window in SHORT[:3]:
                needs = (_total(table, measure, window), _total(table, measure, YEAR))
                yield Shape(f"{table}_{measure}_trend_{window}", needs, _trend(window))
        yield Shape(f"{table}_recency", (Need(table, "recency"),), _same)
        for stat in ("longest_gap", "mean_gap", "clumpiness"):
            yield Shape(f"{table}_{stat}", (Need(table, stat, window=GAP),), _same)
    for window in SHORT:
        distinct = Need("trade", "distinct", "instruments", window)
        yield Shape(f"trade_instruments_{window}", (distinct,), _same)
        for name, table, a, other, b in RATIOS:
            needs = (_total(table, a, window), _total(other, b, window))
            yield Shape(f"{name}_{window}", needs, lambda a, b: a / b)
        flows = tuple(
            _total("cash_flow", f"{way}_amount", window) for way in ("deposit", "withdrawal")
        )
        yield Shape(f"net_{window}", flows, lambda a, b: a - b)
        yield Shape(f"amount_std_{window}", (Need("trade", "std", "amount", window),), _same)


def _same(value: Number) -> Number:
    return value


def column(need: Need) -> str:
    """Name of a base aggregate in SQL and Polars."""
    return f"{need.table}_{need.stat}_{need.measure}_{need.window}"


def product_indicators() -> list[Indicator]:
    """The shapes as indicators of a registry of their own."""
    registry = Registry(load=False)
    for shape in shapes():
        register = indicator(
            shape.name, name=shape.name, explain=shape.name, definition=shape.name, unit="ratio",
            direction="none", family="activity", registry=registry,
        )  # fmt: skip
        with np.errstate(all="ignore"):  # the trial run divides dummy numbers by zero
            register(_function(shape))
    return [registry[shape.name] for shape in shapes()]


def _function(shape: Shape) -> Callable[[Windows], Any]:
    def evaluate(windows: Windows) -> Any:
        values = [_ask(windows, need) for need in shape.needs]
        found = shape.formula(*values)
        if len(values) == 1:
            return found
        return np.where(np.isfinite(found), found, np.nan)

    return evaluate


def _ask(windows: Windows, need: Need) -> Any:
    table = getattr(windows, need.table)
    if need.stat == "recency":
        found = table.recency()
        return np.where(found <= YEAR, found, np.nan)
    if need.stat in ("days", "longest_gap", "mean_gap", "clumpiness"):
        return getattr(table, need.stat)(need.window)
    return getattr(table, need.stat)(need.measure, need.window)
