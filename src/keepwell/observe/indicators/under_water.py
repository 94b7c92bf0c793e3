"""Portfolio: gains and losses against cost, by the holding rows that name one."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "portfolio"
_ROWS = (
    "the holding rows of the client's latest day with holding rows before {} that have a quantity "
    "above 0, a cost above 0 and a value"
)
_NOW = _ROWS.format("D")


@second(
    "unrealised_gain",
    name="Unrealised gain",
    unit="share",
    direction="low",
    family=_FAMILY,
    explain="Gain or loss of what the client holds against what it cost.",
    definition=(
        f"G / C. G: sum of value - cost over {_NOW}. C: sum of cost over them. Absent without any."
    ),
    threshold=-0.2,
)
def _(w: Windows) -> Array:
    return ratio(w.holding.close("gain"), w.holding.close("cost"))


@second(
    "unrealised_gain_change_90d",
    name="Change of the unrealised gain, 90 days",
    unit="points",
    direction="low",
    family=_FAMILY,
    explain="Unrealised gain now minus that of 90 days ago.",
    definition=(
        "Indicator unrealised_gain minus the same over "
        f"{_ROWS.format('D - 90')}. Absent when either is."
    ),
    threshold=-0.2,
)
def _(w: Windows) -> Array:
    now = ratio(w.holding.close("gain"), w.holding.close("cost"))
    return now - ratio(w.holding.close("gain", 90), w.holding.close("cost", 90))


@second(
    "under_water_depth",
    name="Depth under water",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Losses of the positions below cost, as a share of what all positions cost.",
    definition=(
        f"L / C. L: sum of cost - value over those of {_NOW} whose value is below their cost. C: "
        "sum of cost over all of them. Absent without any."
    ),
    headline=True,
    threshold=0.2,
)
def _(w: Windows) -> Array:
    return ratio(w.holding.close("loss"), w.holding.close("cost"))


@second(
    "days_under_water",
    name="Days under water",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="For how long the holdings together have been worth less than they cost.",
    definition=(
        "D minus the first day of the unbroken run, up to the latest day with holding rows before "
        "D, of days with holding rows on which the sum of value - cost is below 0; the sum is over "
        "the rows of the day with a quantity above 0, a cost above 0 and a value, and 0 without "
        "one. 0 when it is not below 0 on the latest such day. Absent without holding rows."
    ),
    headline=True,
    threshold=90.0,
)
def _(w: Windows) -> Array:
    return w.holding.negative_days("gain")


@second(
    "positions_under_water_share",
    name="Share of positions under water",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Which part of the positions is worth less than it cost.",
    definition=f"Number of those of {_NOW} whose value is below their cost, over the number of "
    "all of them. Absent without any.",
    threshold=0.8,
)
def _(w: Windows) -> Array:
    return ratio(w.holding.close("losing"), w.holding.close("paired"))


@second(
    "deepest_loss",
    name="Deepest loss of a position",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Loss of the worst position as a share of its cost: 0.5 means half of it is gone.",
    definition=(
        f"Largest (cost - value) / cost over {_NOW}, in millionths rounded down; 0 when none is "
        "below its cost. Absent without any."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    fallen = w.holding.close("deepest") / 1_000_000.0
    worst = np.where(w.holding.close("losing") == 0.0, 0.0, fallen)
    return np.where(w.holding.close("paired") > 0.0, worst, np.nan)
