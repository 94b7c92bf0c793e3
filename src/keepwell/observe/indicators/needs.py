"""What an indicator may ask of the windowed measures, and how we find out what it asked.

The protocols are the seam between indicators and engines: an engine hands an indicator something
that answers them, and at registration a recorder that answers them too writes down every question
(`Need`). An engine then computes only what was asked, and a source that is not there makes exactly
those indicators absent that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import UsageError, nearest

Array = npt.NDArray[np.float64]

WINDOWS = (7, 14, 30, 60, 90, 180, 365, 366)
"""Window lengths in days that the kernel keeps."""


class TableWindows(Protocol):
    """Windowed measures of one event table; every answer is float64 [n], NaN where absent.

    With D the local day of as_of, a window of w days is [D-w, D) plus the open tail of day D, its
    `prev` is [D-2w, D-w). Nothing is answered for a window of which less than half is covered.
    """

    def sum(self, measure: str, window: int, prev: bool = False) -> Array:
        """Sum of a measure over a window; 0 without rows."""
        ...

    def max(self, measure: str, window: int, prev: bool = False) -> Array:
        """Largest single value in a window; absent without rows."""
        ...

    def min(self, measure: str, window: int, prev: bool = False) -> Array:
        """Smallest single value in a window; absent without rows."""
        ...

    def std(self, measure: str, window: int, prev: bool = False) -> Array:
        """Sample standard deviation of the active days' sums; absent below two such days."""
        ...

    def distinct(self, measure: str, window: int, prev: bool = False) -> Array:
        """Number of different values in a window (hashed to 64 bits); 0 without rows."""
        ...

    def last(self, measure: str, ago: int = 0) -> Array:
        """Latest value as it stood `ago` days before as_of; absent when there was none."""
        ...

    def days(self, window: int, prev: bool = False) -> Array:
        """Number of days with at least one row."""
        ...

    def covered(self, window: int, prev: bool = False) -> Array:
        """Whole days of a window for which the source is declared complete."""
        ...

    def recency(self) -> Array:
        """Days since the latest row (D minus its day); absent when there is none."""
        ...

    def first_seen(self) -> Array:
        """Days since the first row (D minus its day); absent when there is none."""
        ...

    def longest_gap(self, window: int = 180, prev: bool = False) -> Array:
        """Longest distance in days between neighbouring active days of a window."""
        ...

    def mean_gap(self, window: int = 180, prev: bool = False) -> Array:
        """Mean distance in days between neighbouring active days of a window."""
        ...

    def clumpiness(self, window: int = 180, prev: bool = False) -> Array:
        """Entropy clumpiness of the active days of a window, 0 (even) to 1 (one burst)."""
        ...


class PositionWindows(Protocol):
    """Positions as they stood now or `ago` days before, float64 [n], NaN where absent."""

    def count(self, ago: int = 0) -> Array:
        """Number of instruments with a positive quantity."""
        ...

    def value(self, ago: int = 0) -> Array:
        """Value of the priced positions, minor units."""
        ...

    def top_weight(self, ago: int = 0) -> Array:
        """Largest position's share of the value."""
        ...

    def herfindahl(self, ago: int = 0) -> Array:
        """Sum of the squared shares of the value."""
        ...

    def units_held(self, ago: int = 0) -> Array:
        """1 where anything is held, else 0."""
        ...

    def mean_age(self, ago: int = 0) -> Array:
        """Mean days since each position was first seen; absent without positions."""
        ...

    def priced_share(self, ago: int = 0) -> Array:
        """Share of the positions that have a known price."""
        ...

    def categories(self, ago: int = 0) -> Array:
        """Number of different instrument categories held."""
        ...

    def dropped(self, window: int) -> Array:
        """Instruments held at the start of a window and not held now."""
        ...

    def added(self, window: int) -> Array:
        """Instruments held now and not held at the start of a window."""
        ...

    def ever(self) -> Array:
        """Instruments that the client is known to have had at any time."""
        ...

    def left(self) -> Array:
        """Of these, the ones not held now."""
        ...

    def newest_age(self) -> Array:
        """Days since the client was first seen with the newest of its instruments."""
        ...

    def first_since(self, window: int) -> Array:
        """Instruments with which the client was first seen within a window."""
        ...

    def increased(self, window: int) -> Array:
        """Instruments held now and at the start of a window, now with more units."""
        ...

    def decreased(self, window: int) -> Array:
        """Instruments held now and at the start of a window, now with fewer units."""
        ...

    def log_change_mean(self, window: int) -> Array:
        """Mean of ln(units now / units at the start of a window), each within -3 and 3."""
        ...

    def log_change_min(self, window: int) -> Array:
        """The least of these."""
        ...

    def returned(self, window: int) -> Array:
        """Instruments held now, not at the start of a window, and seen before it."""
        ...

    def units_min(self, ago: int = 0) -> Array:
        """Units of the position with the fewest."""
        ...

    def units_max(self, ago: int = 0) -> Array:
        """Units of the position with the most."""
        ...

    def units_log_mean(self, ago: int = 0) -> Array:
        """Mean of ln(1 + units) over the positions."""
        ...

    def share_of(self, prefix: str, ago: int = 0) -> Array:
        """Share of the positions whose instrument's category begins with a word."""
        ...


class MarketWindows(Protocol):
    """The workspace's index, the same number for every client, float64 [n]."""

    def level(self) -> Array:
        """Latest close."""
        ...

    def change(self, window: int) -> Array:
        """Latest close over the last close before the window, minus 1."""
        ...

    def volatility(self, window: int) -> Array:
        """Standard deviation of daily log returns in a window, a year's worth."""
        ...

    def drawdown(self, window: int) -> Array:
        """One minus the latest close over the highest close of a window."""
        ...


class ClientAttributes(Protocol):
    """What the client table said at as_of, float64 [n], NaN where it said nothing."""

    def tenure_days(self) -> Array:
        """Days since the account was opened."""
        ...

    def age_years(self) -> Array:
        """Calendar year of as_of minus the year of birth."""
        ...

    def risk_level(self) -> Array:
        """Assessed risk level, C1 = 1 to C5 = 5."""
        ...

    def days_since_assessed(self) -> Array:
        """Days since the last risk assessment."""
        ...


class Windows(Protocol):
    """All that an indicator may look at: the clients of one as_of."""

    @property
    def n(self) -> int:
        """Number of clients."""
        ...

    @property
    def trade(self) -> TableWindows:
        """Trades."""
        ...

    @property
    def first_purchase(self) -> TableWindows:
        """Known first purchases."""
        ...

    @property
    def cash_flow(self) -> TableWindows:
        """Deposits, withdrawals and other money movements."""
        ...

    @property
    def session(self) -> TableWindows:
        """Sessions in the app, on the web or on the desktop."""
        ...

    @property
    def contact(self) -> TableWindows:
        """Contacts that the client began."""
        ...

    @property
    def balance(self) -> TableWindows:
        """Daily balances."""
        ...

    @property
    def position(self) -> PositionWindows:
        """Positions."""
        ...

    @property
    def market(self) -> MarketWindows:
        """The market."""
        ...

    @property
    def client(self) -> ClientAttributes:
        """The client's own record."""
        ...


@dataclass(frozen=True, order=True)
class Need:
    """One question to the windowed measures.

    Attributes:
        table: an event table, or 'position', 'market', 'client'.
        stat: the method asked, such as 'sum' or 'recency'.
        measure: the measure, '' where the method has none.
        window: days; 0 where the method has none.
        prev: whether the previous equal window is meant.
        ago: days back from as_of.
    """

    table: str
    stat: str
    measure: str = ""
    window: int = 0
    prev: bool = False
    ago: int = 0


EVENT_TABLES = ("trade", "cash_flow", "session", "contact", "balance", "first_purchase")
_POSITION = ("holding",)
_PRICED = ("holding", "price")
_POSITION_SOURCES: dict[str, tuple[str, ...]] = {
    "count": _POSITION,
    "units_held": _POSITION,
    "mean_age": _POSITION,
    "dropped": _POSITION,
    "added": _POSITION,
    "categories": (*_POSITION, "instrument"),
    "value": _PRICED,
    "top_weight": _PRICED,
    "herfindahl": _PRICED,
    "priced_share": _PRICED,
    **dict.fromkeys(
        (
            "ever",
            "left",
            "newest_age",
            "first_since",
            "increased",
            "decreased",
            "log_change_mean",
            "log_change_min",
            "returned",
            "units_min",
            "units_max",
            "units_log_mean",
        ),
        _POSITION,
    ),
    "share_of": (*_POSITION, "instrument"),
}
SINCE_WINDOW = (
    "dropped",
    "added",
    "first_since",
    "increased",
    "decreased",
    "log_change_mean",
    "log_change_min",
    "returned",
)
"""Position statistics that compare now with the start of a window."""
# stat -> (has a measure, the window's default; None when it has no window)
_TABLE_STATS: dict[str, tuple[bool, int | None]] = {
    "sum": (True, 0),
    "max": (True, 0),
    "min": (True, 0),
    "std": (True, 0),
    "distinct": (True, 0),
    "last": (True, None),
    "days": (False, 0),
    "covered": (False, 0),
    "recency": (False, None),
    "first_seen": (False, None),
    "longest_gap": (False, 180),
    "mean_gap": (False, 180),
    "clumpiness": (False, 180),
}


def sources_of(needs: Iterable[Need]) -> tuple[str, ...]:
    """Contract tables that the needs read, sorted.

    Positions come from the holding table (rolled forward with trades where there are any), values
    also from prices; the market is the index_price table.

    Example:
        >>> sources_of([Need("trade", "recency"), Need("position", "value")])
        ('holding', 'price', 'trade')
    """
    found: set[str] = set()
    for need in needs:
        if need.table == "position":
            found.update(_POSITION_SOURCES[need.stat])
        else:
            found.add({"market": "index_price"}.get(need.table, need.table))
    return tuple(sorted(found))


class Recorder:
    """Answers like `Windows` with a few dummy numbers and keeps every question in `needs`."""

    n = 4

    def __init__(self) -> None:
        self.needs: set[Need] = set()
        for name in EVENT_TABLES:
            setattr(self, name, _TableRecorder(self, name))
        self.position = _Recorder(self, "position", _POSITION_SOURCES)
        self.market = _Recorder(self, "market", ("level", "change", "volatility", "drawdown"))
        self.client = _Recorder(
            self, "client", ("tenure_days", "age_years", "risk_level", "days_since_assessed")
        )

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
        windowed = stat in ("change", "volatility", "drawdown", *SINCE_WINDOW)
        if stat == "share_of":
            return lambda prefix, ago=0: self._to.note(Need(self._table, stat, prefix, ago=ago))

        def ask(first: int = 0, *, window: int = 0, ago: int = 0) -> Array:
            if windowed:
                return self._to.note(Need(self._table, stat, window=window or first))
            return self._to.note(Need(self._table, stat, ago=ago or first))

        return ask


class _TableRecorder:
    """Records methods of an event table and checks the measures they name."""

    def __init__(self, to: Recorder, table: str) -> None:
        self._to, self._table = to, table

    def __getattr__(self, stat: str) -> Any:
        if stat not in _TABLE_STATS:
            _unknown("statistic", f"{self._table}.{stat}", _TABLE_STATS)
        has_measure, default = _TABLE_STATS[stat]

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
