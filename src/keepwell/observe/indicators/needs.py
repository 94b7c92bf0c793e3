"""What an indicator may ask of the windowed measures, and how we find out what it asked.

The protocols are the seam between indicators and engines: an engine hands an indicator something
that answers them, and at registration a recorder that answers them too writes down every question
(`Need`). An engine then computes only what was asked, and a source that is not there makes exactly
those indicators absent that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from keepwell.observe.indicators.state_needs import (
    AccountStates,
    NewsWindows,
    OutageWindows,
    PeerWindows,
    RelationStates,
    ServiceStates,
)

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


class DayWindows(TableWindows, Protocol):
    """Windowed measures of a close-of-day table: also what is asked of whole days."""

    def close(self, measure: str, ago: int = 0) -> Array:
        """Value of the latest day before D - ago, its rows combined; absent without one."""
        ...

    def mean_20(self, measure: str, ago: int = 0) -> Array:
        """Mean of the latest 20 days' values before D - ago; absent below 10 within 60 days."""
        ...

    def high(self, measure: str, window: int) -> Array:
        """Largest day value of a window; absent without one."""
        ...

    def low(self, measure: str, window: int) -> Array:
        """Least day value of a window; absent without one."""
        ...

    def negative_days(self, measure: str) -> Array:
        """Days for which the day values have been below 0 without a break; 0 when they are not."""
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

    def value_share_of(self, prefix: str, ago: int = 0) -> Array:
        """Share of the value in instruments whose category begins with a word."""
        ...

    def maturing_count(self) -> Array:
        """Positions whose instrument matures within 30 days."""
        ...

    def maturing_share(self) -> Array:
        """Share of the value in instruments that mature within 30 days."""
        ...

    def next_maturity(self) -> Array:
        """Days until the next maturity of a position; absent without one."""
        ...

    def risk(self, ago: int = 0) -> Array:
        """Mean product risk (R1 = 1 to R5 = 5), weighted by value."""
        ...

    def risky_share(self, ago: int = 0) -> Array:
        """Share of the value in products of risk R4 or R5, of those whose risk is known."""
        ...

    def sector_top(self, ago: int = 0) -> Array:
        """Largest share of the value in one sector, of those whose sector is known."""
        ...

    def drift(self, window: int) -> Array:
        """Half the sum of changes of the categories' shares of the value, 0 to 1."""
        ...

    def sold(self, window: int) -> Array:
        """Sales: days on which some of an instrument was sold, over all instruments."""
        ...

    def sold_known(self, window: int) -> Array:
        """Sales whose gain or loss is known."""
        ...

    def sold_losing(self, window: int) -> Array:
        """Of these, the ones at a loss."""
        ...

    def lost(self, window: int) -> Array:
        """What those lost, minor units."""
        ...

    def gained(self, window: int) -> Array:
        """What the others gained, minor units."""
        ...

    def gains_realised(self, window: int) -> Array:
        """Positions sold at a gain, over days with a sale and two instruments or more."""
        ...

    def losses_realised(self, window: int) -> Array:
        """Positions sold at a loss, over the same days."""
        ...

    def gains_on_paper(self, window: int) -> Array:
        """Positions kept at a gain, over the same days."""
        ...

    def losses_on_paper(self, window: int) -> Array:
        """Positions kept at a loss, over the same days."""
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

    def above_mean(self, window: int) -> Array:
        """Latest close over the mean close of a window, minus 1."""
        ...

    def up_share(self, window: int) -> Array:
        """Share of a window's closes that are above the close before."""
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
    def day(self) -> int:
        """D, the local day of as_of, as days since 1970-01-01."""
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
    def balance(self) -> DayWindows:
        """Daily balances."""
        ...

    @property
    def custody_transfer(self) -> TableWindows:
        """Securities moved from or to another broker."""
        ...

    @property
    def exit_request(self) -> TableWindows:
        """Requests to leave."""
        ...

    @property
    def margin(self) -> DayWindows:
        """Margin account, day by day."""
        ...

    @property
    def subscription(self) -> TableWindows:
        """Subscriptions to issues, contracts, data levels, plans."""
        ...

    @property
    def view(self) -> TableWindows:
        """Pages and features looked at."""
        ...

    @property
    def complaint(self) -> TableWindows:
        """Complaints."""
        ...

    @property
    def survey(self) -> TableWindows:
        """Answers to surveys."""
        ...

    @property
    def touch(self) -> TableWindows:
        """Contacts that the broker began."""
        ...

    @property
    def holding(self) -> DayWindows:
        """Holdings with their cost, day by day."""
        ...

    @property
    def account(self) -> AccountStates:
        """The client's accounts."""
        ...

    @property
    def service(self) -> ServiceStates:
        """Who serves the client."""
        ...

    @property
    def relation(self) -> RelationStates:
        """The client's ties to other clients."""
        ...

    @property
    def news(self) -> NewsWindows:
        """News."""
        ...

    @property
    def outage(self) -> OutageWindows:
        """Failures of the broker's systems."""
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

    @property
    def peer(self) -> PeerWindows:
        """The client among its peers; an indicator that asks this may ask nothing else."""
        ...


@dataclass(frozen=True, order=True)
class Need:
    """One question to the windowed measures.

    Attributes:
        table: an event table, or 'position', 'market', 'client', 'peer' and so on.
        stat: the method asked, such as 'sum' or 'recency'.
        measure: the measure, or the indicator compared with peers; '' where there is none.
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


PEER_GROUP = ("total_assets", "client_risk_level")
"""Ids of the indicators that make the groups of peers."""
PEER_STATS = ("own", "median", "rank")
"""What may be asked about peers."""
EVENT_TABLES = (
    "trade", "cash_flow", "session", "contact", "balance", "first_purchase", "custody_transfer",
    "exit_request", "margin", "subscription", "view", "complaint", "survey", "touch", "holding",
)  # fmt: skip
DAY_TABLES = ("balance", "margin", "holding")
"""Event tables with one value per client and day, of which days may be asked."""
DAY_STATS = ("close", "mean_20", "high", "low", "negative_days")
"""Statistics of whole days, in the order of the day kernel's codes."""
_POSITION = ("holding",)
_PRICED = ("holding", "price")
POSITION_SOURCES: dict[str, tuple[str, ...]] = {
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
    "maturing_count": (*_POSITION, "instrument"),
    "next_maturity": (*_POSITION, "instrument"),
    **dict.fromkeys(
        ("value_share_of", "maturing_share", "risk", "risky_share", "sector_top", "drift"),
        (*_PRICED, "instrument"),
    ),
}
"""Statistics of positions and the tables behind each."""
SALES = (
    "sold", "sold_known", "sold_losing", "lost", "gained",
    "gains_realised", "losses_realised", "gains_on_paper", "losses_on_paper",
)  # fmt: skip
"""Position statistics about what was sold in a window (sales.py)."""
POSITION_SOURCES |= {
    **dict.fromkeys(SALES[:7], (*_POSITION, "trade")),
    **dict.fromkeys(SALES[7:], (*_PRICED, "trade")),
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
    "drift",
)
"""Position statistics that compare now with the start of a window."""
TABLE_STATS: dict[str, tuple[bool, int | None]] = {
    # statistic -> (has a measure, the window's default; None when it has no window)
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
    "close": (True, None),
    "mean_20": (True, None),
    "high": (True, 0),
    "low": (True, 0),
    "negative_days": (True, None),
}
"""What may be asked of an event table."""


def sources_of(needs: Iterable[Need]) -> tuple[str, ...]:
    """Contract tables that the needs read, sorted.

    Positions come from the holding table (rolled forward with trades where there are any), values
    also from prices; the market is the index_price table. What is asked about peers comes from
    what the indicators compared read, which the caller adds.

    Example:
        >>> sources_of([Need("trade", "recency"), Need("position", "value")])
        ('holding', 'price', 'trade')
    """
    found: set[str] = set()
    for need in needs:
        if need.table == "position":
            found.update(POSITION_SOURCES[need.stat])
        elif (need.table, need.stat) == ("relation", "left"):
            found.update(("relation", "client"))
        elif need.table != "peer":
            found.add({"market": "index_price"}.get(need.table, need.table))
    return tuple(sorted(found))
