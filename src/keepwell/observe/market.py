"""Measures of the market's index, from closes strictly before as_of.

With D the local day of as_of, closes of days < D that were known at as_of count. A window of w
days is [D-w, D). Each is one number, the same for every client.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from keepwell.observe.indicators.needs import Need
from keepwell.observe.tile_sql import date_day

TRADING_DAYS = 252
"""Trading days of a year, for a yearly volatility."""


@dataclass(frozen=True)
class Index:
    """One series' closes with both clocks, sorted by day, then when known.

    Attributes:
        day: int64 day numbers.
        known, gone: int64 microseconds since 1970; gone is the largest number when never.
        close: float64.
    """

    day: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    gone: npt.NDArray[np.int64]
    close: npt.NDArray[np.float64]

    @staticmethod
    def load(connection: duckdb.DuckDBPyConnection, series: str) -> Index:
        """A series of the connection's index_price view."""
        found = connection.execute(
            f"SELECT {date_day('day')} AS day, epoch_us(known_at) AS known, "
            "coalesce(epoch_us(gone_at), 9223372036854775807) AS gone, close FROM index_price "
            "WHERE series = ? ORDER BY 1, 2, revision",
            [series],
        ).fetchnumpy()
        day, known, gone = (np.asarray(found[n], np.int64) for n in ("day", "known", "gone"))
        return Index(day, known, gone, np.asarray(found["close"], np.float64))

    def at(self, day: int, known: int) -> Market:
        """What was known of it.

        Args:
            day: D; closes before it count.
            known: microseconds since 1970 of the instant whose knowledge counts.
        """
        seen = (self.day < day) & (self.known <= known) & (self.gone > known)
        days, closes = self.day[seen], self.close[seen]
        newest = np.diff(days, append=day) != 0  # the last row of each day
        return Market(day, days[newest], closes[newest])


@dataclass(frozen=True)
class Market:
    """Closes visible at one as_of, one per day, ascending.

    Example:
        >>> closes = np.array([100.0, 110.0, 99.0])
        >>> market = Market(103, np.array([100, 101, 102]), closes)
        >>> round(market.answer(Need("market", "drawdown", window=7)), 3)
        0.1
    """

    day: int
    days: npt.NDArray[np.int64]
    closes: npt.NDArray[np.float64]

    def answer(self, need: Need) -> float:
        """A market need's number; NaN where absent."""
        ask: dict[str, Callable[[int], float]] = {
            "level": lambda _: self._level(),
            "change": self.change,
            "volatility": self.volatility,
            "drawdown": self.drawdown,
            "above_mean": self.above_mean,
            "up_share": self.up_share,
        }
        return ask[need.stat](need.window)

    def _level(self) -> float:
        return float(self.closes[-1]) if len(self.closes) else math.nan

    def _inside(self, window: int) -> npt.NDArray[np.float64]:
        return self.closes[np.searchsorted(self.days, self.day - window) :]

    def change(self, window: int) -> float:
        """Latest close over the last close before the window, minus 1."""
        before = int(np.searchsorted(self.days, self.day - window))
        if before == 0 or before == len(self.days) or self.closes[before - 1] == 0:
            return math.nan
        return float(self.closes[-1] / self.closes[before - 1] - 1.0)

    def volatility(self, window: int) -> float:
        """Sample standard deviation of the log returns between a window's closes, a year's worth.

        Absent below three closes, or when one is not positive.
        """
        closes = self._inside(window)
        if len(closes) < 3 or (closes <= 0).any():
            return math.nan
        return float(np.std(np.diff(np.log(closes)), ddof=1) * math.sqrt(TRADING_DAYS))

    def drawdown(self, window: int) -> float:
        """One minus the latest close over the highest close of a window; absent without one."""
        closes = self._inside(window)
        if not len(closes) or closes.max() <= 0:
            return math.nan
        return float(1.0 - closes[-1] / closes.max())

    def above_mean(self, window: int) -> float:
        """Latest close over the mean close of a window, minus 1; absent without one."""
        closes = self._inside(window)
        if not len(closes) or closes.mean() <= 0:
            return math.nan
        return float(closes[-1] / closes.mean() - 1.0)

    def up_share(self, window: int) -> float:
        """Share of a window's closes, but for its first, above the close before.

        Absent below two closes.
        """
        closes = self._inside(window)
        return float((np.diff(closes) > 0).mean()) if len(closes) > 1 else math.nan
