"""Portfolio: what the holdings are made of by value, how it moves, and what matures soon."""

from __future__ import annotations

from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "portfolio"
_VALUE = "the value of the priced positions at as_of (indicator holdings_value)"


def _kind(prefix: str, things: str) -> None:
    @second(
        f"{prefix.removeprefix('fund_')}_fund_value_share"
        if prefix.startswith("fund_")
        else f"{prefix}_value_share",
        name=f"Value in {things}",
        unit="share",
        direction="none",
        family=_FAMILY,
        explain=f"Which part of the value of the holdings is in {things}.",
        definition=(
            f"V / T. T: {_VALUE}. V: the part of it in instruments whose instrument.category "
            f"begins with '{prefix}'. Absent when T is absent or 0."
        ),
    )
    def _(w: Windows) -> Array:
        return w.position.value_share_of(prefix)


for _row in (
    ("stock", "shares of companies"),
    ("bond", "bonds"),
    ("fund", "funds"),
    ("fund_money", "money market funds"),
):
    _kind(*_row)


def _moved(prefix: str, id: str, things: str, direction: str, threshold: float) -> None:
    @second(
        id,
        name=f"Move into {things}, 90 days",
        unit="points",
        direction=direction,
        family=_FAMILY,
        explain=f"Share of the value in {things} now minus that of 90 days ago.",
        definition=(
            f"V / T now, minus the same 90 days ago. T: {_VALUE}, and of the positions 90 days "
            "ago at the prices of that time. V: the part of it in instruments whose "
            f"instrument.category begins with '{prefix}'. Absent when a T is absent or 0."
        ),
        headline=prefix == "fund_money",
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return w.position.value_share_of(prefix) - w.position.value_share_of(prefix, ago=90)


_moved("fund_money", "move_into_money_funds_90d", "money market funds", "high", 0.3)
_moved("stock", "move_into_shares_90d", "shares of companies", "low", -0.3)


@second(
    "products_maturing_30d",
    name="Products maturing within 30 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Positions whose product matures within 30 days: money that must find a new place.",
    definition=(
        "Number of positive positions at as_of whose instrument.maturity_on lies from D to D + "
        "29. Absent when the positions are."
    ),
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.position.maturing_count()


@second(
    "maturing_share_30d",
    name="Share of the value maturing within 30 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Which part of the value of the holdings matures within 30 days.",
    definition=(
        f"V / T. T: {_VALUE}. V: the part of it in instruments whose maturity_on lies from D to D "
        "+ 29. Absent when T is absent or 0."
    ),
    headline=True,
    threshold=0.3,
)
def _(w: Windows) -> Array:
    return w.position.maturing_share()


@second(
    "days_to_next_maturity",
    name="Days to the next maturity",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days until the first of the products held matures.",
    definition=(
        "Least maturity_on - D, not below 0, over the instruments with a positive quantity in the "
        "positions at as_of. Absent without one, and when the positions are."
    ),
)
def _(w: Windows) -> Array:
    return w.position.next_maturity()


_RISK = (
    "sum of value times product risk (R1 = 1 to R5 = 5) over sum of value, over the positive "
    "positions {} that have a price and whose instrument.risk_level is known"
)


@second(
    "product_risk",
    name="Product risk held",
    unit="level",
    direction="none",
    family=_FAMILY,
    explain="Average risk of the products held, R1 (lowest) to R5 (highest), by value.",
    definition=f"The {_RISK.format('at as_of')}. Absent without any, and when their value is 0.",
)
def _(w: Windows) -> Array:
    return w.position.risk()


@second(
    "product_risk_change_90d",
    name="Change of the product risk held, 90 days",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain="Average product risk now minus that of 90 days ago: below 0 the client retreats.",
    definition=(
        "Indicator product_risk minus the "
        f"{_RISK.format('90 days ago, at the prices of that time,')}. Absent when either is."
    ),
)
def _(w: Windows) -> Array:
    return w.position.risk() - w.position.risk(ago=90)


@second(
    "product_risk_above_profile",
    name="Product risk above the client's level",
    unit="points",
    direction="high",
    family=_FAMILY,
    explain="Average product risk held minus the client's own assessed level.",
    definition="Indicator product_risk minus client_risk_level. Absent when either is.",
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.position.risk() - w.client.risk_level()


@second(
    "risky_value_share",
    name="Value in products of high risk",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Which part of the value of the holdings is in products of risk R4 or R5.",
    definition=(
        "V / T. T: value of the positive positions at as_of that have a price and whose "
        "instrument.risk_level is known. V: the part of it at R4 or R5. Absent when the positions "
        "are, and when T = 0."
    ),
)
def _(w: Windows) -> Array:
    return w.position.risky_share()


@second(
    "sector_concentration",
    name="Largest sector",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Share of the largest sector in the value of all whose sector is known.",
    definition=(
        "S / T. T: value of the positive positions at as_of that have a price and whose "
        "instrument.sector is known. S: the largest part of it in one sector. Absent when the "
        "positions are, and when T = 0."
    ),
    threshold=0.9,
)
def _(w: Windows) -> Array:
    return w.position.sector_top()


@second(
    "style_drift_180d",
    name="Style drift, 180 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="How far the mix of kinds has moved in 180 days: 0 the same, 1 all different.",
    definition=(
        "Half the sum, over all values of instrument.category (unknown counts as one), of the "
        "distance between the category's share of the value of the priced positions at as_of and "
        "its share 180 days ago, at the prices of that time; each distance is rounded to 9 "
        "decimals. Absent when one of the two values is absent or 0."
    ),
)
def _(w: Windows) -> Array:
    return w.position.drift(180)
