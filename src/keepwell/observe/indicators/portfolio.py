"""Portfolio: what a client holds, how concentrated it is, and what has gone or come.

Positions are the latest holding rows rolled forward with the trades since; see `page.RULES`.
"""

from __future__ import annotations

from keepwell.observe.indicators.expressions import change, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "portfolio"


@indicator(
    "position_count",
    name="Instruments held",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of different instruments that the client holds.",
    definition="Number of instruments with a positive quantity in the positions at as_of.",
)
def _(w: Windows) -> Array:
    return w.position.count()


@indicator(
    "holdings_value",
    name="Value of holdings",
    unit="money",
    direction="low",
    family=_FAMILY,
    explain="Value of what the client holds, at the latest known prices.",
    definition=(
        "Sum of the values of the positive positions at as_of that have a price. 0 without "
        "positions. Absent when there are positions and none has a price."
    ),
)
def _(w: Windows) -> Array:
    return w.position.value()


def _count_change(days: int, headline: bool) -> None:
    ago = f"{days} days ago"

    @indicator(
        f"position_count_change_{days}d",
        name=f"Change of positions, {days} days",
        unit="change",
        direction="low",
        family=_FAMILY,
        explain=f"Number of positions now against {ago}: -0.3 means 30 % fewer.",
        definition=(
            "A / B - 1. A: number of instruments with a positive quantity in the positions at "
            f"as_of. B: the same in the positions {ago}. Absent when either is, and when B = 0."
        ),
        headline=headline,
        threshold=-0.3,
    )
    def _(w: Windows) -> Array:
        return change(w.position.count(), w.position.count(ago=days))


def _value_change(days: int) -> None:
    ago = f"{days} days ago"

    @indicator(
        f"holdings_value_change_{days}d",
        name=f"Change of holdings' value, {days} days",
        unit="change",
        direction="low",
        family=_FAMILY,
        explain=f"Value of holdings now against {ago}, prices included: -0.3 means 30 % less.",
        definition=(
            "A / B - 1. A: indicator holdings_value. B: the same of the positions "
            f"{ago}, at the prices of that time. Absent when either is, and when B = 0."
        ),
        headline=True,
        threshold=-0.3,
    )
    def _(w: Windows) -> Array:
        return change(w.position.value(), w.position.value(ago=days))


for _days in (90, 180, 365):
    _count_change(_days, headline=_days < 365)
for _days in (90, 180):
    _value_change(_days)


@indicator(
    "top_weight",
    name="Largest position",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Share of the largest position in the value of all: 1 means all in one.",
    definition=(
        "Largest value of a positive position at as_of that has a price, over indicator "
        "holdings_value. Absent when that is absent or 0."
    ),
    headline=True,
    threshold=0.8,
)
def _(w: Windows) -> Array:
    return w.position.top_weight()


@indicator(
    "concentration",
    name="Concentration",
    unit="points",
    direction="high",
    family=_FAMILY,
    explain="Herfindahl index of the holdings: 1 is all in one, 0.1 is spread over ten.",
    definition=(
        "Sum over the positive positions at as_of that have a price of (value / indicator "
        "holdings_value) squared. Absent when that is absent or 0."
    ),
    threshold=0.7,
)
def _(w: Windows) -> Array:
    return w.position.herfindahl()


@indicator(
    "concentration_change_90d",
    name="Change of concentration, 90 days",
    unit="points",
    direction="high",
    family=_FAMILY,
    explain="Concentration now minus that of 90 days ago: rising means selling out to a few.",
    definition=(
        "Indicator concentration minus the same of the positions 90 days ago, at the prices of "
        "that time. Absent when either is."
    ),
    threshold=0.2,
)
def _(w: Windows) -> Array:
    return w.position.herfindahl() - w.position.herfindahl(ago=90)


@indicator(
    "categories_held",
    name="Kinds of instrument held",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of different kinds of instrument (shares, bonds, funds) that the client holds.",
    definition=(
        "Number of different values of instrument.category over the instruments with a positive "
        "quantity at as_of; those without a category are left out."
    ),
)
def _(w: Windows) -> Array:
    return w.position.categories()


def _turnover(days: int, headline: bool) -> None:
    ago = f"{days} days ago"

    @indicator(
        f"instruments_dropped_{days}d",
        name=f"Instruments dropped, {days} days",
        unit="count",
        direction="high",
        family=_FAMILY,
        explain=f"Instruments that the client held {ago} and no longer holds.",
        definition=(
            f"Number of instruments with a positive quantity in the positions {ago} and without "
            "one in the positions at as_of. Absent when either are."
        ),
    )
    def _(w: Windows) -> Array:
        return w.position.dropped(days)

    @indicator(
        f"dropped_share_{days}d",
        name=f"Share of instruments dropped, {days} days",
        unit="share",
        direction="high",
        family=_FAMILY,
        explain=f"Which part of the instruments held {ago} the client no longer holds.",
        definition=(
            f"Indicator instruments_dropped_{days}d over the number of instruments with a "
            f"positive quantity in the positions {ago}. Absent when either is, and when that "
            "number is 0."
        ),
        headline=headline,
        threshold=0.5,
    )
    def _(w: Windows) -> Array:
        return ratio(w.position.dropped(days), w.position.count(ago=days))

    @indicator(
        f"instruments_added_{days}d",
        name=f"Instruments added, {days} days",
        unit="count",
        direction="low",
        family=_FAMILY,
        explain=f"Instruments that the client holds and did not hold {ago}.",
        definition=(
            "Number of instruments with a positive quantity in the positions at as_of and "
            f"without one in the positions {ago}. Absent when either are."
        ),
    )
    def _(w: Windows) -> Array:
        return w.position.added(days)


_turnover(180, headline=True)
_turnover(365, headline=False)


@indicator(
    "priced_share",
    name="Share of positions with a price",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Which part of the positions we can value at all; read values with it in mind.",
    definition=(
        "Number of positive positions at as_of that have a price, over the number of positive "
        "positions. Absent without positions."
    ),
)
def _(w: Windows) -> Array:
    return w.position.priced_share()


@indicator(
    "mean_position_age",
    name="Mean age of positions",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="How long ago, on average, what the client holds now was first bought or first seen.",
    definition=(
        "Mean over the instruments with a positive quantity at as_of of D minus the first day on "
        "which the client has a trade in the instrument or a holding row of it with a positive "
        "quantity, by what is known at as_of. Absent without positions."
    ),
)
def _(w: Windows) -> Array:
    return w.position.mean_age()
