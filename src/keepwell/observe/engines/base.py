"""What every engine gives; the contract suite `testing.engine_suite` holds all of them to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from keepwell.observe import coverage
from keepwell.observe.engines import peers
from keepwell.observe.engines.frame import IndicatorFrame, Positions
from keepwell.observe.indicators.registry import INDICATORS, Indicator
from keepwell.observe.manifest import Manifest

T = TypeVar("T")
P = TypeVar("P")
Instant = str | date | datetime


def chosen(indicators: Iterable[str | Indicator] | None) -> list[Indicator]:
    """The indicators that ids or indicators name; default: the catalogue.

    Raises:
        UsageError: an unknown id.
    """
    if indicators is None:
        return list(INDICATORS.values())
    return [INDICATORS.get_known(i) if isinstance(i, str) else i for i in indicators]


class Engine(Protocol):
    """Answers for clients as of an instant, from what one manifest of the lake knew at it."""

    @property
    def workspace(self) -> Any:
        """The workspace."""
        ...

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's zone."""
        ...

    @property
    def currency(self) -> str:
        """ISO 4217 code."""
        ...

    @property
    def index(self) -> str | None:
        """The market's series, if the mapping names one."""
        ...

    @property
    def threads(self) -> int:
        """This machine's threads, for what is done here."""
        ...

    @property
    def manifest(self) -> Manifest:
        """The lake's manifest whose data the engine answers from."""
        ...

    def clients(self, as_of: Instant) -> list[str]:
        """Ids of the clients that exist at an instant, ascending."""
        ...

    def compute(
        self,
        as_of: Instant,
        clients: Sequence[str] | None = None,
        indicators: Iterable[str | Indicator] | None = None,
        dtype: npt.DTypeLike = np.float64,
        min_coverage: float = coverage.MINIMUM,
        min_peers: int = peers.MINIMUM,
    ) -> IndicatorFrame:
        """Indicators of clients as of an instant; default: the catalogue, of all that exist."""
        ...

    def peer_groups(
        self, client: str, indicator: Indicator, as_of: Instant, min_peers: int = peers.MINIMUM
    ) -> list[peers.PeerGroup]:
        """The group of a client for each indicator that one compares with peers."""
        ...

    def positions(self, as_of: Instant, known_by: Instant | None = None) -> Positions:
        """What each client holds at an instant, as another knew it."""
        ...

    def prices(self, as_of: Instant) -> npt.NDArray[np.int64]:
        """Latest price of each instrument code; 10^-8, int64."""
        ...

    def parts(
        self,
        task: Callable[[Any, list[str]], T],
        clients: Sequence[str],
        size: int,
        peers_at: datetime | None = None,
    ) -> Iterator[tuple[list[str], T]]:
        """A task about clients, a part at a time, done where their rows are."""
        ...

    def spread(self, task: Callable[[P], T], pieces: Sequence[P]) -> list[T]:
        """A task about pieces of work that need no rows, shared among the machines."""
        ...
