"""What really became of clients: read off the world itself, by nobody but the rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.world.simulate import Day, World
from keepwell.world.terms import CLOSED, DEPOSIT, LEFT, OPEN, WITHDRAWAL

Array = npt.NDArray[np.float64]


@dataclass
class Tally:
    """One future of a world, counted from an instant on.

    Attributes:
        world: lived on by others.
        price: CNY a unit at the beginning; float64 [instruments].
        net: brought less taken since, at those prices, minor units; float64 [clients].
        there: an open account with something in it at the beginning; bool [clients].
        status: codes of `terms.STATUSES` at the end; None before it.
    """

    world: World
    price: Array
    net: Array
    there: npt.NDArray[np.bool_]
    status: npt.NDArray[np.int8] | None = None

    @classmethod
    def begin(cls, world: World) -> Tally:
        """Count from today on; at least one day was lived."""
        state = world.state
        there = np.asarray((state["status"] == OPEN) & (state["worth"] > 0))
        price = np.asarray(world.market.close[world.t - 1], np.float64)
        return cls(world, price, np.zeros(len(state)), there)

    def add(self, day: Day) -> None:
        """Count what clients brought and took on a day."""
        cash = day.events.get("cash_flow")
        if cash is not None:
            sign = np.where(cash["kind"] == DEPOSIT, 1.0, -1.0)
            real = np.isin(cash["kind"], (DEPOSIT, WITHDRAWAL)) & (cash["failure"] == 0)
            self._add(cash["client"], sign * real * cash["amount"])
        moved = day.events.get("custody_transfer")
        if moved is not None:
            # Quantities are in units of 1e-8 and prices in CNY: 1e-6 gives fen.
            worth = moved["quantity"] * self.price[moved["instrument"]] * 1e-6
            self._add(moved["client"], np.where(moved["direction"] == 0, 1.0, -1.0) * worth)

    def end(self) -> None:
        """Count no longer, whatever the world lives on."""
        self.status = self.world.state["status"].copy()

    def _add(self, clients: Any, amounts: Array) -> None:
        self.net += np.bincount(clients, amounts, len(self.net))

    def stayed(self) -> Array:
        """1 stayed, 0 left, NaN died, was closed by the broker or was not there; [clients]."""
        status = self.world.state["status"] if self.status is None else self.status
        out = np.where(np.isin(status, (LEFT, CLOSED)), 0.0, np.where(status == OPEN, 1.0, np.nan))
        return np.where(self.there, out, np.nan)


@dataclass(frozen=True)
class Truth:
    """What a policy kept, of clients whose fate is known in both futures.

    Attributes:
        clients: that stayed with it and would have left without, less the other way round.
        money: net flow with it less without, at opening prices, minor units.
        cut: the same of flows cut on both sides at the estimate's limit.
        counted: clients compared.
    """

    clients: float
    money: float
    cut: float
    counted: int


def difference(
    treated: Tally, left_alone: Tally, of: npt.NDArray[np.bool_], limit: float | None
) -> Truth:
    """The truth about some clients.

    Args:
        treated: the future in which the policy was at work.
        left_alone: the same world without it.
        of: which clients; bool [clients].
        limit: where the estimate cut flows, minor units; None: it did not.
    """
    one, other = treated.stayed(), left_alone.stayed()
    known = of & ~np.isnan(one) & ~np.isnan(other)
    with_, without = treated.net[of], left_alone.net[of]
    cut = float((with_ - without).sum())
    if limit is not None:
        cut = float((np.clip(with_, -limit, limit) - np.clip(without, -limit, limit)).sum())
    return Truth(
        float((one[known] - other[known]).sum()), float((with_ - without).sum()), cut,
        int(known.sum()),
    )  # fmt: skip
