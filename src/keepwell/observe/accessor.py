"""What indicators hold in their hands: the kernel's answers for one batch of clients.

These classes only turn a method call into a `Need` and look its answer up, so that a recorder with
the same methods can find out at registration what will be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
import numpy.typing as npt

from keepwell.observe.accessor_states import Accounts, News, Outages, Relations, Service
from keepwell.observe.indicators.needs import DAY_TABLES, EVENT_TABLES, Need

Array = npt.NDArray[np.float64]
Answers = Callable[[Need], Array]


class Windows:
    """Windowed measures of n clients at one as_of.

    Args:
        n: number of clients.
        as_of: the instant (UTC).
        day: its local day number.
        answers: float64 [n] for every need that was planned.
    """

    def __init__(self, n: int, as_of: datetime, day: int, answers: Answers) -> None:
        self.n, self.as_of, self.day = n, as_of, day
        self._tables = {name: TableWindows(name, answers) for name in EVENT_TABLES}
        self._days = {name: DayWindows(name, answers) for name in DAY_TABLES}
        self._tables.update(self._days)
        self.position = PositionWindows(answers)
        self.market = MarketWindows(answers)
        self.client = ClientAttributes(answers)
        self.peer = PeerWindows(answers)
        self.account, self.service = Accounts(answers), Service(answers)
        self.relation = Relations(answers)
        self.news, self.outage = News(answers), Outages(answers)

    def table(self, name: str) -> TableWindows:
        """The windows of an event table.

        Raises:
            KeyError: there is no such table.
        """
        return self._tables[name]

    @property
    def trade(self) -> TableWindows:
        """Trades."""
        return self._tables["trade"]

    @property
    def first_purchase(self) -> TableWindows:
        """Known first purchases."""
        return self._tables["first_purchase"]

    @property
    def cash_flow(self) -> TableWindows:
        """Deposits, withdrawals and other money movements."""
        return self._tables["cash_flow"]

    @property
    def session(self) -> TableWindows:
        """Sessions in the app, on the web or on a terminal."""
        return self._tables["session"]

    @property
    def contact(self) -> TableWindows:
        """Contacts that the client began."""
        return self._tables["contact"]

    @property
    def balance(self) -> DayWindows:
        """Daily balances."""
        return self._days["balance"]

    @property
    def custody_transfer(self) -> TableWindows:
        """Securities moved from or to another broker."""
        return self._tables["custody_transfer"]

    @property
    def exit_request(self) -> TableWindows:
        """Requests to leave."""
        return self._tables["exit_request"]

    @property
    def margin(self) -> DayWindows:
        """Margin account, day by day."""
        return self._days["margin"]

    @property
    def subscription(self) -> TableWindows:
        """Subscriptions to issues, contracts, data levels, plans."""
        return self._tables["subscription"]

    @property
    def view(self) -> TableWindows:
        """Pages and features looked at."""
        return self._tables["view"]

    @property
    def complaint(self) -> TableWindows:
        """Complaints."""
        return self._tables["complaint"]

    @property
    def survey(self) -> TableWindows:
        """Answers to surveys."""
        return self._tables["survey"]

    @property
    def touch(self) -> TableWindows:
        """Contacts that the broker began."""
        return self._tables["touch"]

    @property
    def holding(self) -> DayWindows:
        """Holdings with their cost, day by day."""
        return self._days["holding"]


class TableWindows:
    """Windowed measures of one event table; float64 [n], NaN where absent (see windows.py)."""

    def __init__(self, name: str, answers: Answers) -> None:
        self._name, self._answers = name, answers

    def _ask(
        self, stat: str, measure: str = "", window: int = 0, prev: bool = False, ago: int = 0
    ) -> Array:
        return self._answers(Need(self._name, stat, measure, window, prev, ago))

    def sum(self, measure: str, window: int, prev: bool = False) -> Array:
        """Sum of a measure over a window; 0 without rows."""
        return self._ask("sum", measure, window, prev)

    def max(self, measure: str, window: int, prev: bool = False) -> Array:
        """Largest single value in a window; absent without one."""
        return self._ask("max", measure, window, prev)

    def min(self, measure: str, window: int, prev: bool = False) -> Array:
        """Smallest single value in a window; absent without one."""
        return self._ask("min", measure, window, prev)

    def std(self, measure: str, window: int, prev: bool = False) -> Array:
        """Sample standard deviation of the active days' sums; absent below two such days."""
        return self._ask("std", measure, window, prev)

    def distinct(self, measure: str, window: int, prev: bool = False) -> Array:
        """Number of different values (hashed to 64 bits) in a window; 0 without rows."""
        return self._ask("distinct", measure, window, prev)

    def last(self, measure: str, ago: int = 0) -> Array:
        """Latest value with day < D - ago; absent without one."""
        return self._ask("last", measure, ago=ago)

    def days(self, window: int, prev: bool = False) -> Array:
        """Number of days with at least one row."""
        return self._ask("days", window=window, prev=prev)

    def covered(self, window: int, prev: bool = False) -> Array:
        """Whole days of a window for which the source is declared complete."""
        return self._ask("covered", window=window, prev=prev)

    def recency(self) -> Array:
        """Days since the latest day with a row; absent without one."""
        return self._ask("recency")

    def first_seen(self) -> Array:
        """Days since the first day with a row; absent without one."""
        return self._ask("first_seen")

    def longest_gap(self, window: int = 180, prev: bool = False) -> Array:
        """Longest distance in days between neighbouring active days; absent below two."""
        return self._ask("longest_gap", window=window, prev=prev)

    def mean_gap(self, window: int = 180, prev: bool = False) -> Array:
        """Mean distance in days between neighbouring active days; absent below two."""
        return self._ask("mean_gap", window=window, prev=prev)

    def clumpiness(self, window: int = 180, prev: bool = False) -> Array:
        """Entropy clumpiness of the active days, 0 (even) to 1; absent without active days."""
        return self._ask("clumpiness", window=window, prev=prev)


class DayWindows(TableWindows):
    """A close-of-day table: also what is asked of whole days (see day_kernel.py)."""

    def close(self, measure: str, ago: int = 0) -> Array:
        """Value of the latest day before D - ago, its rows combined; absent without one."""
        return self._ask("close", measure, ago=ago)

    def mean_20(self, measure: str, ago: int = 0) -> Array:
        """Mean of the latest 20 days' values before D - ago; absent below 10 within 60 days."""
        return self._ask("mean_20", measure, ago=ago)

    def high(self, measure: str, window: int) -> Array:
        """Largest day value of a window; absent without one."""
        return self._ask("high", measure, window)

    def low(self, measure: str, window: int) -> Array:
        """Least day value of a window; absent without one."""
        return self._ask("low", measure, window)

    def negative_days(self, measure: str) -> Array:
        """Days for which the day values have been below 0 without a break; 0 when they are not."""
        return self._ask("negative_days", measure)


class PositionWindows:
    """Positions as known at as_of; float64 [n], NaN where they cannot be known (positions.py)."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def _ask(self, stat: str, window: int = 0, ago: int = 0, measure: str = "") -> Array:
        return self._answers(Need("position", stat, measure, window=window, ago=ago))

    def count(self, ago: int = 0) -> Array:
        """Number of instruments with a positive quantity."""
        return self._ask("count", ago=ago)

    def value(self, ago: int = 0) -> Array:
        """Value of the priced positions, minor units; absent when all held are unpriced."""
        return self._ask("value", ago=ago)

    def top_weight(self, ago: int = 0) -> Array:
        """Share of the largest position in the value; absent where the value is 0."""
        return self._ask("top_weight", ago=ago)

    def herfindahl(self, ago: int = 0) -> Array:
        """Sum of the squared shares of the value; absent where the value is 0."""
        return self._ask("herfindahl", ago=ago)

    def units_held(self, ago: int = 0) -> Array:
        """1 where anything is held, else 0."""
        return self._ask("units_held", ago=ago)

    def priced_share(self, ago: int = 0) -> Array:
        """Share of the positions that have a known price; absent without positions."""
        return self._ask("priced_share", ago=ago)

    def categories(self, ago: int = 0) -> Array:
        """Number of different known instrument categories held."""
        return self._ask("categories", ago=ago)

    def mean_age(self, ago: int = 0) -> Array:
        """Mean days since each position was first seen (held or traded); absent without any."""
        return self._ask("mean_age", ago=ago)

    def dropped(self, window: int) -> Array:
        """Instruments held `window` days ago and not held now."""
        return self._ask("dropped", window=window)

    def added(self, window: int) -> Array:
        """Instruments held now and not held `window` days ago."""
        return self._ask("added", window=window)

    def ever(self) -> Array:
        """Instruments that the client was seen with at any time."""
        return self._ask("ever")

    def left(self) -> Array:
        """Of these, the ones not held now."""
        return self._ask("left")

    def newest_age(self) -> Array:
        """Days since the client was first seen with the newest of them; absent without any."""
        return self._ask("newest_age")

    def first_since(self, window: int) -> Array:
        """Instruments with which the client was first seen within a window."""
        return self._ask("first_since", window=window)

    def increased(self, window: int) -> Array:
        """Instruments held now and `window` days ago, now with more units."""
        return self._ask("increased", window=window)

    def decreased(self, window: int) -> Array:
        """Instruments held now and `window` days ago, now with fewer units."""
        return self._ask("decreased", window=window)

    def log_change_mean(self, window: int) -> Array:
        """Mean of ln(units now / units then), each within -3 and 3, of those held at both."""
        return self._ask("log_change_mean", window=window)

    def log_change_min(self, window: int) -> Array:
        """The least of these."""
        return self._ask("log_change_min", window=window)

    def returned(self, window: int) -> Array:
        """Instruments held now, not held `window` days ago, and first seen before that."""
        return self._ask("returned", window=window)

    def units_min(self, ago: int = 0) -> Array:
        """Units of the position with the fewest; absent without positions."""
        return self._ask("units_min", ago=ago)

    def units_max(self, ago: int = 0) -> Array:
        """Units of the position with the most; absent without positions."""
        return self._ask("units_max", ago=ago)

    def units_log_mean(self, ago: int = 0) -> Array:
        """Mean of ln(1 + units) over the positions; absent without any."""
        return self._ask("units_log_mean", ago=ago)

    def share_of(self, prefix: str, ago: int = 0) -> Array:
        """Share of the positions whose category begins with a word; absent without any."""
        return self._ask("share_of", ago=ago, measure=prefix)

    def value_share_of(self, prefix: str, ago: int = 0) -> Array:
        """Share of the value whose category begins with a word; absent where the value is 0."""
        return self._ask("value_share_of", ago=ago, measure=prefix)

    def maturing_count(self) -> Array:
        """Positions whose instrument matures on D or in the 29 days after it."""
        return self._ask("maturing_count")

    def maturing_share(self) -> Array:
        """Their share of the value; absent where the value is 0."""
        return self._ask("maturing_share")

    def next_maturity(self) -> Array:
        """Days from D to the next maturity of a position; absent without one."""
        return self._ask("next_maturity")

    def risk(self, ago: int = 0) -> Array:
        """Mean product risk, 1 to 5, weighted by value, of those whose risk is known."""
        return self._ask("risk", ago=ago)

    def risky_share(self, ago: int = 0) -> Array:
        """Share of the value at risk R4 or R5, of those whose risk is known."""
        return self._ask("risky_share", ago=ago)

    def sector_top(self, ago: int = 0) -> Array:
        """Largest share of the value in one sector, of those whose sector is known."""
        return self._ask("sector_top", ago=ago)

    def drift(self, window: int) -> Array:
        """Half the sum of the changes of the categories' shares of the value."""
        return self._ask("drift", window=window)

    def sold(self, window: int) -> Array:
        """Sales: days on which some of an instrument was sold, over all instruments."""
        return self._ask("sold", window=window)

    def sold_known(self, window: int) -> Array:
        """Sales whose gain or loss is known."""
        return self._ask("sold_known", window=window)

    def sold_losing(self, window: int) -> Array:
        """Of these, the ones at a loss."""
        return self._ask("sold_losing", window=window)

    def lost(self, window: int) -> Array:
        """What those lost, minor units."""
        return self._ask("lost", window=window)

    def gained(self, window: int) -> Array:
        """What the others gained, minor units."""
        return self._ask("gained", window=window)

    def gains_realised(self, window: int) -> Array:
        """Positions sold at a gain, over days with a sale and two instruments or more."""
        return self._ask("gains_realised", window=window)

    def losses_realised(self, window: int) -> Array:
        """Positions sold at a loss, over the same days."""
        return self._ask("losses_realised", window=window)

    def gains_on_paper(self, window: int) -> Array:
        """Positions kept at a gain, over the same days."""
        return self._ask("gains_on_paper", window=window)

    def losses_on_paper(self, window: int) -> Array:
        """Positions kept at a loss, over the same days."""
        return self._ask("losses_on_paper", window=window)


class MarketWindows:
    """The workspace's index, the same number for every client; float64 [n] (market.py)."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def _ask(self, stat: str, window: int = 0) -> Array:
        return self._answers(Need("market", stat, window=window))

    def level(self) -> Array:
        """Latest close."""
        return self._ask("level")

    def change(self, window: int) -> Array:
        """Latest close over the last close before the window, minus 1."""
        return self._ask("change", window)

    def volatility(self, window: int) -> Array:
        """Standard deviation of daily log returns in a window, times the square root of 252."""
        return self._ask("volatility", window)

    def drawdown(self, window: int) -> Array:
        """One minus the latest close over the highest close of a window."""
        return self._ask("drawdown", window)

    def above_mean(self, window: int) -> Array:
        """Latest close over the mean close of a window, minus 1."""
        return self._ask("above_mean", window)

    def up_share(self, window: int) -> Array:
        """Share of a window's closes that are above the close before."""
        return self._ask("up_share", window)


class PeerWindows:
    """Other indicators beside those of the client's peers; float64 [n] (engines/peers.py)."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def own(self, indicator: str) -> Array:
        """The client's value of an indicator, by id."""
        return self._answers(Need("peer", "own", indicator))

    def median(self, indicator: str) -> Array:
        """Its median over the client's group; absent without one that is large enough."""
        return self._answers(Need("peer", "median", indicator))

    def rank(self, indicator: str) -> Array:
        """Share of the group below the client's value, those equal to it counted half."""
        return self._answers(Need("peer", "rank", indicator))


class ClientAttributes:
    """What the client table said at as_of; float64 [n], NaN where it said nothing."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def _ask(self, stat: str) -> Array:
        return self._answers(Need("client", stat))

    def tenure_days(self) -> Array:
        """Days since the relationship was opened."""
        return self._ask("tenure_days")

    def age_years(self) -> Array:
        """Calendar year of as_of minus the year of birth."""
        return self._ask("age_years")

    def risk_level(self) -> Array:
        """Assessed risk level, C1 = 1 to C5 = 5."""
        return self._ask("risk_level")

    def days_since_assessed(self) -> Array:
        """Days since the last risk assessment."""
        return self._ask("days_since_assessed")
