"""How we find out what an indicator asks: it is run once on something that writes it down."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from keepwell.core.errors import UsageError, nearest
from keepwell.observe.indicators.needs import (
    DAY_STATS,
    DAY_TABLES,
    EVENT_TABLES,
    PEER_STATS,
    POSITION_SOURCES,
    SALES,
    SINCE_WINDOW,
    TABLE_STATS,
    WINDOWS,
    Array,
    Need,
)
from keepwell.observe.indicators.state_needs import STATE_STATS

_MARKET = ("level", "change", "volatility", "drawdown", "above_mean", "up_share")


class Recorder:
    """Answers like `Windows` with a few dummy numbers and keeps every question in `needs`."""

    n = 4
    day = 20_000

    def __init__(self) -> None:
        self.needs: set[Need] = set()
        for name in EVENT_TABLES:
            setattr(self, name, _TableRecorder(self, name))
        self.position = _Recorder(self, "position", POSITION_SOURCES)
        self.market = _Recorder(self, "market", _MARKET)
        self.client = _Recorder(
            self, "client", ("tenure_days", "age_years", "risk_level", "days_since_assessed")
        )
        for name in STATE_STATS:
            setattr(self, name, _StateRecorder(self, name))
        self.peer = _PeerRecorder(self)

    def table(self, name: str) -> _TableRecorder:
        """The recorder of one event table."""
        if name not in EVENT_TABLES:
            _unknown("table", name, EVENT_TABLES)
        found: _TableRecorder = getattr(self, name)
        return found

    def note(self, need: Need) -> Array:
        """Keep a question, give the dummy answer."""
        if need.window and need.window not in WINDOWS:
            _unknown("window", str(need.window), [str(w) for w in WINDOWS])
        self.needs.add(need)
        return np.array([np.nan, 0.0, 1.0, 2.0])


class _Recorder:
    """Records methods of positions, market and client."""

    def __init__(self, to: Recorder, table: str, stats: Iterable[str]) -> None:
        self._to, self._table, self._stats = to, table, tuple(stats)

    def __getattr__(self, stat: str) -> Any:
        if stat not in self._stats:
            _unknown("statistic", f"{self._table}.{stat}", self._stats)
        windowed = stat in (*_MARKET[1:], *SINCE_WINDOW, *SALES)
        if stat in ("share_of", "value_share_of"):
            return lambda prefix, ago=0: self._to.note(Need(self._table, stat, prefix, ago=ago))

        def ask(first: int = 0, *, window: int = 0, ago: int = 0) -> Array:
            if windowed:
                return self._to.note(Need(self._table, stat, window=window or first))
            return self._to.note(Need(self._table, stat, ago=ago or first))

        return ask


class _PeerRecorder:
    """Records what is asked about peers."""

    def __init__(self, to: Recorder) -> None:
        self._to = to

    def __getattr__(self, stat: str) -> Any:
        if stat not in PEER_STATS:
            _unknown("statistic", f"peer.{stat}", PEER_STATS)
        return lambda indicator: self._to.note(Need("peer", stat, indicator))


class _StateRecorder:
    """Records methods of the tables that are no tiles."""

    def __init__(self, to: Recorder, table: str) -> None:
        self._to, self._table = to, table

    def __getattr__(self, stat: str) -> Any:
        stats = STATE_STATS[self._table]
        if stat not in stats:
            _unknown("statistic", f"{self._table}.{stat}", stats)
        named, windowed = stats[stat]
        if named:
            return lambda measure, window: self._to.note(Need(self._table, stat, measure, window))
        if windowed:
            return lambda window: self._to.note(Need(self._table, stat, window=window))
        return lambda: self._to.note(Need(self._table, stat))


class _TableRecorder:
    """Records methods of an event table and checks the measures they name."""

    def __init__(self, to: Recorder, table: str) -> None:
        self._to, self._table = to, table

    def __getattr__(self, stat: str) -> Any:
        if stat not in TABLE_STATS or (stat in DAY_STATS and self._table not in DAY_TABLES):
            _unknown("statistic", f"{self._table}.{stat}", TABLE_STATS)
        has_measure, default = TABLE_STATS[stat]

        def ask(measure: str, window: int, prev: bool, ago: int) -> Array:
            if measure:
                known = measures(self._table)
                if measure not in known:
                    _unknown("measure", f"{self._table}.{measure}", known)
            return self._to.note(Need(self._table, stat, measure, window, bool(prev), ago))

        if default is None:
            if has_measure:
                return lambda measure, ago=0: ask(measure, 0, False, ago)
            return lambda: ask("", 0, False, 0)
        if has_measure:
            return lambda measure, window, prev=False: ask(measure, window, prev, 0)
        return lambda window=default, prev=False: ask("", window, prev, 0)


_UNKNOWN = {
    "measure": "indicator.measure-unknown",
    "statistic": "indicator.statistic-unknown",
    "table": "indicator.table-unknown",
    "window": "indicator.window-unknown",
}


def _unknown(kind: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    raise UsageError(
        _UNKNOWN[kind],
        name=name,
        nearest=nearest(name.rpartition(".")[2], names) or ", ".join(names),
    )


@lru_cache(maxsize=8)
def measures(table: str) -> tuple[str, ...]:
    """Names of the measures that the tiles of a table keep."""
    from keepwell.observe.tiles import TILES

    return tuple(measure.name for measure in TILES[table].measures)
