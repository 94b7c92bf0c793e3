"""What the engine gives: a matrix of indicators, and positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from keepwell.core.money import QUANTITY_SCALE
from keepwell.observe.positions import Held
from keepwell.observe.tiles import BLANK

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Prices = Callable[[datetime], Ints]


@dataclass(frozen=True)
class IndicatorFrame:
    """Indicators of clients at one instant.

    Attributes:
        clients: ids, ascending.
        as_of: the instant (UTC).
        names: indicator ids, in the order of the columns.
        values: [clients, names], column-major; NaN where absent.
        coverage: for each indicator the covered share (0 to 1) of the windows it looks at, that of
            the least covered one; 0 where a source is missing.
    """

    clients: list[str]
    as_of: datetime
    names: list[str]
    values: npt.NDArray[np.floating]
    coverage: dict[str, float]

    def column(self, name: str) -> npt.NDArray[np.floating]:
        """One indicator's values, a view.

        Raises:
            KeyError: the frame has no such indicator.
        """
        return self.values[:, self._index[name]]

    @cached_property
    def present(self) -> list[str]:
        """Indicators that are not absent for every client."""
        absent = [bool(np.isnan(self.values[:, i]).all()) for i in range(len(self.names))]
        return [name for name, gone in zip(self.names, absent, strict=True) if not gone]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}


@dataclass(frozen=True)
class Positions:
    """What clients hold at one instant, as known by another.

    Attributes:
        clients: ids, ascending.
        as_of: the instant of the positions (UTC).
        known_by: the instant whose knowledge counts (UTC).
        instruments: ids by code.
    """

    clients: list[str]
    as_of: datetime
    known_by: datetime
    instruments: list[str]
    _held: Held = field(repr=False)
    _prices: Prices = field(repr=False)
    _divisor: float = field(repr=False)

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Whether a client's positions are known at all; bool [n]."""
        return self._held.known[:, 0]

    @cached_property
    def _client(self) -> Ints:
        return np.repeat(np.arange(len(self.clients)), np.diff(self._held.start))

    def _total(self, weights: Array | None) -> Array:
        sums = np.bincount(self._client, weights, len(self.clients)).astype(np.float64)
        return np.where(self.known, sums, np.nan)

    @cached_property
    def count(self) -> Array:
        """Instruments with a positive quantity; float64 [n], NaN unknown."""
        return self._total(None)

    @cached_property
    def units(self) -> Array:
        """Units held, all instruments together; float64 [n], NaN unknown."""
        return self._total(self._held.quantity[:, 0] / QUANTITY_SCALE)

    @cached_property
    def value_minor(self) -> Array:
        """Value at the prices of `as_of` as known by then or `known_by`, whichever is later."""
        return self.value_at(self.as_of)

    def value_at(self, prices_as_of: datetime) -> Array:
        """Value at the prices of an instant, as known at it: constant prices for two positions.

        Args:
            prices_as_of: the instant (UTC).

        Returns:
            Minor units, float64 [n]; 0 where nothing is held; NaN where positions are unknown or
            nothing of what is held has a price.
        """
        price = self._prices(prices_as_of)[self._held.instrument]
        priced = price != BLANK
        worth = np.rint(self._held.quantity[:, 0] * price.astype(np.float64) / self._divisor)
        total = self._total(np.where(priced, worth, 0.0))
        some = self._total(priced.astype(np.float64))
        return np.where((self.count > 0) & (some == 0), np.nan, total)

    @cached_property
    def rows(self) -> tuple[Ints, Ints, Ints]:
        """All that is known to be held: place in `clients`, instrument code, 10^-8 units."""
        keep = self.known[self._client]
        return self._client[keep], self._held.instrument[keep], self._held.quantity[keep, 0]

    def held(self, client: int) -> dict[str, int]:
        """Positive quantities of one client, 10^-8 units by instrument id.

        Args:
            client: position in `clients`.

        Returns:
            Empty where nothing is held, or nothing is known (see `known`).
        """
        if not self.known[client]:
            return {}
        rows = range(int(self._held.start[client]), int(self._held.start[client + 1]))
        return {
            self.instruments[self._held.instrument[i]]: int(self._held.quantity[i, 0]) for i in rows
        }
