"""What indicators hold in their hands of states and of the world around; see accessor.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from keepwell.observe.indicators.needs import Need

Array = npt.NDArray[np.float64]
Answers = Callable[[Need], Array]


class _States:
    """Turns a method call into a `Need` of one table."""

    _table = ""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def _ask(self, stat: str, measure: str = "", window: int = 0) -> Array:
        return self._answers(Need(self._table, stat, measure, window))


class Accounts(_States):
    """The client's accounts that are not closed; float64 [n] (engines/states.py)."""

    _table = "account"

    def count(self) -> Array:
        """Number of accounts; 0 without any."""
        return self._ask("count")

    def kinds(self) -> Array:
        """Number of different kinds of account."""
        return self._ask("kinds")

    def permissions(self) -> Array:
        """Number of permissions of the account that has most; absent where none is known."""
        return self._ask("permissions")

    def fee_rate(self) -> Array:
        """Lowest commission rate of the fee plans; absent where none is known."""
        return self._ask("fee_rate")


class Service(_States):
    """Who serves the client; float64 [n], absent without a row."""

    _table = "service"

    def manager_changes(self, window: int) -> Array:
        """Rows of a window that name another manager than the row before."""
        return self._ask("manager_changes", window=window)

    def adviser_changes(self, window: int) -> Array:
        """Rows of a window that name another adviser than the row before."""
        return self._ask("adviser_changes", window=window)

    def removals(self, window: int) -> Array:
        """Rows of a window that end a connection on WeCom."""
        return self._ask("removals", window=window)

    def manager_days(self) -> Array:
        """Days since the manager last changed; since the first row when it never did."""
        return self._ask("manager_days")

    def connected(self) -> Array:
        """1 when connected on WeCom, 0 when not; absent where that is not said."""
        return self._ask("connected")


class Relations(_States):
    """The client's ties to other clients; float64 [n], 0 without any."""

    _table = "relation"

    def household(self) -> Array:
        """Other clients of the same household or joint account."""
        return self._ask("household")

    def referred(self) -> Array:
        """Clients whom this client referred."""
        return self._ask("referred")

    def left(self) -> Array:
        """Clients tied to this one, either way, whose relationship has ended."""
        return self._ask("left")


class News(_States):
    """News in a window, the same number for every client; float64 [n]."""

    _table = "news"

    def count(self, subject: str, window: int) -> Array:
        """Pieces of news about a subject: 'own', 'rival' or 'market'."""
        return self._ask("count", subject, window)

    def bad(self, subject: str, window: int) -> Array:
        """Pieces of news with a sentiment of -0.3 or less."""
        return self._ask("bad", subject, window)

    def tone(self, subject: str, window: int) -> Array:
        """Mean sentiment of the news; absent without any."""
        return self._ask("tone", subject, window)


class Outages(_States):
    """Failures of the broker's systems that began in a window; the same for every client."""

    _table = "outage"

    def count(self, window: int) -> Array:
        """Failures."""
        return self._ask("count", window=window)

    def severe(self, window: int) -> Array:
        """Failures of high severity."""
        return self._ask("severe", window=window)

    def hours(self, window: int) -> Array:
        """Hours they lasted, together; those without an end count until as_of."""
        return self._ask("hours", window=window)
