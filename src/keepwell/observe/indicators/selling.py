"""Performance: gains and losses that selling made real, and which of the two is sold sooner."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.flows import positive
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "performance"
_SALES = "the sales of known result (see the rules above) in the window of {} days"
_ASSETS = "A: indicator average_assets_20d."
_ODEAN = (
    "Over the days in the window of 365 days with a sale on which at least two instruments are "
    "held after the day's buys: {what}. A pair is an instrument held then, with a known cost, and "
    "the day: realised where it was sold that day, at a gain or a loss by the sale's known result; "
    "on paper where it was not, by quantity times the latest close with day <= that day (and < D), "
    "rounded to minor units, against its cost. Odean 1998."
)


@second(
    "realised_loss_share_365d",
    name="Share of sales at a loss, 365 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Which part of the client's sales of the last 365 days were made below cost.",
    definition=(
        f"L / N. N: number of {_SALES.format(365)}. L: those with a result below 0. Absent when N "
        "is 0."
    ),
    threshold=0.8,
)
def _(w: Windows) -> Array:
    return ratio(w.position.sold_losing(365), w.position.sold_known(365))


def _known(w: Windows, values: Array, days: int) -> Array:
    """Absent where there are sales and none has a known result."""
    unknown = (w.position.sold(days) > 0.0) & (w.position.sold_known(days) == 0.0)
    return np.where(unknown, np.nan, values)


def _lost(days: int, headline: bool) -> None:
    @second(
        f"realised_loss_over_assets_{days}d",
        name=f"Realised loss over average assets, {days} days",
        unit="share",
        direction="high",
        family=_FAMILY,
        explain=f"What selling below cost lost in the last {days} days, as a share of assets.",
        definition=(
            f"L / A. L: minus the sum of the results below 0 over {_SALES.format(days)}; 0 without "
            f"sales. {_ASSETS} Absent when A is, when A <= 0, and when there are sales and none "
            "has a known result."
        ),
        headline=headline,
        threshold=0.1,
    )
    def _(w: Windows) -> Array:
        lost = _known(w, w.position.lost(days), days)
        return ratio(lost, positive(w.balance.mean_20("assets")))


_lost(90, headline=True)
_lost(365, headline=False)


@second(
    "realised_result_over_assets_365d",
    name="Realised result over average assets, 365 days",
    unit="share",
    direction="low",
    family=_FAMILY,
    explain="What selling gained or lost in the last 365 days, as a share of assets.",
    definition=(
        f"R / A. R: sum of the results over {_SALES.format(365)}; 0 without sales. {_ASSETS} "
        "Absent when A is, when A <= 0, and when there are sales and none has a known result."
    ),
    threshold=-0.1,
)
def _(w: Windows) -> Array:
    result = _known(w, w.position.gained(365) - w.position.lost(365), 365)
    return ratio(result, positive(w.balance.mean_20("assets")))


def _gains(w: Windows) -> Array:
    realised = w.position.gains_realised(365)
    return ratio(realised, realised + w.position.gains_on_paper(365))


def _losses(w: Windows) -> Array:
    realised = w.position.losses_realised(365)
    return ratio(realised, realised + w.position.losses_on_paper(365))


@second(
    "gains_realised_share_365d",
    name="Proportion of gains realised, 365 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="When the client sells, which part of the positions at a gain is sold.",
    definition=_ODEAN.format(
        what="R / (R + P). R, P: numbers of pairs at a realised gain and at a gain on paper"
    )
    + " Absent when R + P is 0.",
)
def _(w: Windows) -> Array:
    return _gains(w)


@second(
    "losses_realised_share_365d",
    name="Proportion of losses realised, 365 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="When the client sells, which part of the positions at a loss is sold.",
    definition=_ODEAN.format(
        what="R / (R + P). R, P: numbers of pairs at a realised loss and at a loss on paper"
    )
    + " Absent when R + P is 0.",
)
def _(w: Windows) -> Array:
    return _losses(w)


@second(
    "disposition_365d",
    name="Disposition effect, 365 days",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain=(
        "Whether gains are sold sooner than losses: above 0 the client sells what has risen and "
        "keeps what has fallen."
    ),
    definition=(
        "Indicator gains_realised_share_365d minus indicator losses_realised_share_365d (Odean "
        "1998: the proportion of gains realised less the proportion of losses realised). Absent "
        "when either is."
    ),
)
def _(w: Windows) -> Array:
    return _gains(w) - _losses(w)
