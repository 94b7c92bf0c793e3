"""Market: what the workspace's index did, the same for every client of one as_of.

None is a warning about a client; they tell the market's part from the client's.
"""

from __future__ import annotations

from keepwell.observe.indicators.expressions import change
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "market"


@indicator(
    "index_level",
    name="Market index",
    unit="index",
    direction="none",
    family=_FAMILY,
    explain="Latest close of the workspace's market index.",
    definition=(
        "close of the latest index_price row of the workspace's index with day < D. Absent when "
        "there is none."
    ),
)
def _(w: Windows) -> Array:
    return w.market.level()


def _windows(days: int) -> None:
    start = f"the latest index_price row with day < D - {days}"

    @indicator(
        f"index_change_{days}d",
        name=f"Change of the market index, {days} days",
        unit="change",
        direction="none",
        family=_FAMILY,
        explain=f"Market index now against {days} days ago.",
        definition=(
            "A / B - 1. A: close of the latest index_price row of the workspace's index with day "
            f"< D. B: close of {start}. Absent when there is no B or B = 0, and when A is not of "
            f"D - {days} or later."
        ),
    )
    def _(w: Windows) -> Array:
        return w.market.change(days)

    @indicator(
        f"index_volatility_{days}d",
        name=f"Volatility of the market index, {days} days",
        unit="share",
        direction="none",
        family=_FAMILY,
        explain=f"How much the market index moved from day to day in the last {days} days, a year.",
        definition=(
            "s * sqrt(252). s: sample standard deviation (divisor n - 1) of ln(close / previous "
            "close) over the closes of the workspace's index with D - "
            f"{days} <= day < D, in day order. Absent with fewer than 3 closes, or when "
            "one is not above 0."
        ),
    )
    def _(w: Windows) -> Array:
        return w.market.volatility(days)


for _days in (30, 90):
    _windows(_days)


@indicator(
    "index_drawdown_180d",
    name="Drawdown of the market index, 180 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="How far the market index stands below its highest close of the last 180 days.",
    definition=(
        "1 - A / H. A: close of the latest index_price row of the workspace's index with "
        "D - 180 <= day < D. H: highest close with D - 180 <= day < D. Absent when there is no "
        "such row, and when H <= 0."
    ),
)
def _(w: Windows) -> Array:
    return w.market.drawdown(180)


@indicator(
    "value_change_beyond_market_90d",
    name="Change of holdings' value beyond the market, 90 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain=(
        "Change of the value of holdings minus the change of the market index: what the market "
        "does not account for. Read it only when the index follows what clients hold."
    ),
    definition="Indicator holdings_value_change_90d minus index_change_90d. Absent when either is.",
)
def _(w: Windows) -> Array:
    return change(w.position.value(), w.position.value(ago=90)) - w.market.change(90)
