"""The shape of clients' trading and holding, measured alike in a world and in real data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from keepwell.world.fidelity.watch import HALF, Floats, Held, Ints, Lived

_FEW = 5
"""Trades a client must have for a spread of her own."""


@dataclass(frozen=True)
class Shape:
    """How clients trade within a half-year, and hold at its beginning.

    Attributes:
        trades: mean number of trades of those with any.
        gap_median: days between two days with trades of the same client.
        gap_ninety: the same, the ninth decile.
        same_day: share of trades that follow another of the same client on the same day.
        size_spread: standard deviation of the log of a trade's value, over all trades.
        size_own: the same around each client's own mean; clients with at least five trades.
        positions_median: instruments held, of those who hold any.
        positions_mean: the same.
        single: share of holders with one instrument.
        top_median: share of the largest position.
        top_several: the same, of those with at least two.
        busiest: share of trades made by the busiest tenth of those with any.
        exits: share of holders who hold nothing half a year later, by half-year.
    """

    trades: float
    gap_median: float
    gap_ninety: float
    same_day: float
    size_spread: float
    size_own: float
    positions_median: float
    positions_mean: float
    single: float
    top_median: float
    top_several: float
    busiest: float
    exits: tuple[float, ...]


def trading(client: Ints, day: Ints, value: Floats) -> dict[str, float]:
    """The fields of `Shape` about trades.

    Args:
        client: any whole number for each [trades].
        day: day of each; all of one window, so that the longest gaps are cut off alike.
        value: of each, any currency, above 0.
    """
    order = np.lexsort((day, client))
    client, day, value = client[order], day[order], value[order]
    same = client[1:] == client[:-1]
    gap = (day[1:] - day[:-1])[same]
    between = gap[gap > 0]
    _, place, count = np.unique(client, return_inverse=True, return_counts=True)
    logs = np.log(value)
    own = logs - (np.bincount(place, logs) / count)[place]
    many = count[place] >= _FEW
    # Each client's mean takes one degree of freedom.
    free = many.sum() - (count >= _FEW).sum()
    busy = np.sort(count)[::-1]
    return {
        "trades": float(count.mean()),
        "gap_median": float(np.median(between)),
        "gap_ninety": float(np.quantile(between, 0.9)),
        "same_day": float((gap == 0).sum() / len(day)),
        "size_spread": float(logs.std()),
        "size_own": float(np.sqrt((own[many] ** 2).sum() / max(free, 1))),
        "busiest": float(busy[: max(len(busy) // 10, 1)].sum() / busy.sum()),
    }


def holding(positions: Ints, top: Floats) -> dict[str, float]:
    """The fields of `Shape` about what is held at one time.

    Args:
        positions: number of instruments of each client, 0 for none.
        top: share of the largest in value; NaN where unknown.
    """
    held = positions > 0
    known = held & ~np.isnan(top)
    return {
        "positions_median": float(np.median(positions[held])),
        "positions_mean": float(positions[held].mean()),
        "single": float((positions[held] == 1).mean()),
        "top_median": float(np.median(top[known])),
        "top_several": float(np.median(top[known & (positions > 1)])),
    }


def exits(before: Ints, after: Ints) -> float:
    """Share of holders of the first look who hold nothing at the second.

    Args:
        before: number of instruments of each client, 0 for none.
        after: the same half a year later.
    """
    return float((after[before > 0] == 0).mean())


def shape_of(lived: Lived) -> Shape:
    """The shape of a watched world, of its second half-year; exits of all of its half-years.

    Args:
        lived: at least a year.
    """
    mine = (lived.trade_day >= HALF) & (lived.trade_day < 2 * HALF) & (lived.trade_amount > 0)
    looks: list[Held] = lived.held
    return Shape(
        **trading(
            lived.trade_client[mine],
            lived.trade_day[mine],
            lived.trade_amount[mine].astype(np.float64),
        ),
        **holding(looks[1].positions, looks[1].top),
        exits=tuple(exits(a.positions, b.positions) for a, b in pairwise(looks)),
    )
