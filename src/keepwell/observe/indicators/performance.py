"""Performance: what the client's assets earned, money moved taken out, and against the market."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.flows import net_flow, positive
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "performance"


def earned(w: Windows, days: int) -> Array:
    """Return on assets with the money moved taken as moved in the middle (modified Dietz)."""
    before, moved = w.balance.last("assets", days), net_flow(w, days)
    return ratio(w.balance.last("assets") - before - moved, positive(before + moved / 2.0))


def _returns(days: int, headline: bool) -> None:
    @second(
        f"return_{days}d",
        name=f"Return, {days} days",
        unit="change",
        direction="low",
        family=_FAMILY,
        explain=f"What the client's assets earned in the last {days} days, deposits taken out.",
        definition=(
            "(A - B - F) / (B + F / 2), modified Dietz. A: cash + securities on the latest balance "
            f"row with day < D. B: the same with day < D - {days}. F: deposits minus withdrawals "
            f"that did not fail (failure_reason is null) in the window of {days} days, sums of "
            "amount. Absent when A or B is unknown, and when B + F / 2 <= 0."
        ),
        headline=headline,
        threshold=-0.2,
    )
    def _(w: Windows) -> Array:
        return earned(w, days)


for _days in (30, 90, 365):
    _returns(_days, _days == 90)


def _beyond(days: int, headline: bool) -> None:
    @second(
        f"return_beyond_market_{days}d",
        name=f"Return beyond the market, {days} days",
        unit="change",
        direction="low",
        family=_FAMILY,
        explain=f"The client's return of the last {days} days minus that of the market index.",
        definition=(
            f"Indicator return_{days}d minus A / B - 1. A: close of the latest index_price row of "
            "the workspace's index with day < D. B: close of the latest index_price row with day "
            f"< D - {days}. Absent when the first is, when there is no B or B = 0, and when A is "
            f"not of D - {days} or later."
        ),
        headline=headline,
        threshold=-0.1,
    )
    def _(w: Windows) -> Array:
        return earned(w, days) - w.market.change(days)


for _days in (30, 90, 365):
    _beyond(_days, _days == 90)
