"""What an indicator may ask of states and of the world around: accounts, service, ties, news.

Protocols as in `needs`; the answers are float64 [n], NaN where absent.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STATE_STATS: Final[dict[str, dict[str, tuple[bool, bool]]]] = {
    # table -> statistic -> (names a measure, has a window)
    "account": dict.fromkeys(("count", "kinds", "permissions", "fee_rate"), (False, False)),
    "service": {
        **dict.fromkeys(("manager_changes", "adviser_changes", "removals"), (False, True)),
        **dict.fromkeys(("manager_days", "connected"), (False, False)),
    },
    "relation": dict.fromkeys(("household", "referred", "left"), (False, False)),
    "news": dict.fromkeys(("count", "bad", "tone"), (True, True)),
    "outage": dict.fromkeys(("count", "severe", "hours"), (False, True)),
}
"""Tables that are no tiles, and what may be asked of each."""


class AccountStates(Protocol):
    """A client's accounts that are not closed."""

    def count(self) -> Array:
        """Number of accounts; 0 without any."""
        ...

    def kinds(self) -> Array:
        """Number of different kinds of account."""
        ...

    def permissions(self) -> Array:
        """Number of permissions of the account that has most; absent where none is known."""
        ...

    def fee_rate(self) -> Array:
        """Lowest commission rate of the fee plans; absent where none is known."""
        ...


class ServiceStates(Protocol):
    """Who serves a client, as the service table said it over time; absent without a row."""

    def manager_changes(self, window: int) -> Array:
        """Rows of a window that name another manager than the row before."""
        ...

    def adviser_changes(self, window: int) -> Array:
        """Rows of a window that name another adviser than the row before."""
        ...

    def removals(self, window: int) -> Array:
        """Rows of a window that end a connection on WeCom."""
        ...

    def manager_days(self) -> Array:
        """Days since the manager last changed; since the first row when it never did."""
        ...

    def connected(self) -> Array:
        """1 when connected on WeCom, 0 when not; absent where that is not said."""
        ...


class RelationStates(Protocol):
    """A client's ties to other clients; 0 without any."""

    def household(self) -> Array:
        """Other clients of the same household or joint account."""
        ...

    def referred(self) -> Array:
        """Clients whom this client referred."""
        ...

    def left(self) -> Array:
        """Clients tied to this one, either way, whose relationship has ended."""
        ...


class NewsWindows(Protocol):
    """News in a window, the same number for every client."""

    def count(self, subject: str, window: int) -> Array:
        """Pieces of news about a subject: 'own', 'rival' or 'market'."""
        ...

    def bad(self, subject: str, window: int) -> Array:
        """Pieces of news with a sentiment of -0.3 or less."""
        ...

    def tone(self, subject: str, window: int) -> Array:
        """Mean sentiment of the news; absent without any."""
        ...


class OutageWindows(Protocol):
    """Failures of the broker's systems that began in a window, the same for every client."""

    def count(self, window: int) -> Array:
        """Failures."""
        ...

    def severe(self, window: int) -> Array:
        """Failures of high severity."""
        ...

    def hours(self, window: int) -> Array:
        """Hours they lasted, together; those without an end count until as_of."""
        ...


class PeerWindows(Protocol):
    """Other indicators of the client beside those of its peers (engines/peers.py)."""

    def own(self, indicator: str) -> Array:
        """The client's value of an indicator, by id."""
        ...

    def median(self, indicator: str) -> Array:
        """Its median over the client's group; absent without one that is large enough."""
        ...

    def rank(self, indicator: str) -> Array:
        """Share of the group below the client's value, those equal to it counted half."""
        ...
