"""Acquisition: how a client's set of instruments came about, grows and shrinks."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "portfolio"
_SEEN = (
    "the first day on which the client has a trade or a first_purchase of it, or a holding row "
    "with a positive quantity, by what is known at as_of"
)


@indicator(
    "instruments_ever_held",
    name="Instruments ever held",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of different instruments that the client has had at any time.",
    definition=(
        "Number of instruments with a first day before as_of; the first day of an instrument is "
        f"{_SEEN}."
    ),
)
def _(w: Windows) -> Array:
    return w.position.ever()


@indicator(
    "instruments_given_up",
    name="Instruments given up",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Instruments that the client once had and no longer holds.",
    definition=(
        "Number of the instruments of indicator instruments_ever_held without a positive quantity "
        "in the positions at as_of. Absent when the positions are."
    ),
)
def _(w: Windows) -> Array:
    return w.position.left()


@indicator(
    "given_up_share",
    name="Share of instruments given up",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Which part of all instruments that the client once had is no longer held.",
    definition=(
        "Indicator instruments_given_up over indicator instruments_ever_held. Absent when the "
        "first is, and when the second is 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.position.left(), w.position.ever())


@indicator(
    "days_since_new_instrument",
    name="Days since a new instrument",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="How long ago the client last took up an instrument it had never had before.",
    definition=(
        "D minus the latest of the first days of the client's instruments; the first day of an "
        f"instrument is {_SEEN}. Absent without any."
    ),
    headline=True,
    threshold=365.0,
)
def _(w: Windows) -> Array:
    return w.position.newest_age()


def _new_instruments(days: int) -> None:
    @indicator(
        f"new_instruments_{days}d",
        name=f"New instruments, {days} days",
        unit="count",
        direction="low",
        family=_FAMILY,
        explain=f"Instruments that the client took up for the first time in the last {days} days.",
        definition=(
            f"Number of the client's instruments whose first day is D - {days} or later; the first "
            f"day of an instrument is {_SEEN}. Absent unless trade, or first_purchase, is declared "
            f"complete for at least half of the days D - {days} to D - 1."
        ),
    )
    def _(w: Windows) -> Array:
        return w.position.first_since(days)


for _days in (30, 90, 180, 365):
    _new_instruments(_days)

_BOTH = (
    "over the instruments with a positive quantity both in the positions at as_of and in those "
    "180 days ago"
)


@indicator(
    "positions_increased_180d",
    name="Positions increased, 180 days",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Positions that the client has enlarged against 180 days ago.",
    definition=(
        f"Number, {_BOTH}, of those with a larger quantity at as_of. Absent when either are."
    ),
)
def _(w: Windows) -> Array:
    return w.position.increased(180)


@indicator(
    "positions_reduced_180d",
    name="Positions reduced, 180 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Positions that the client has cut, but not to nothing, against 180 days ago.",
    definition=(
        f"Number, {_BOTH}, of those with a smaller quantity at as_of. Absent when either are."
    ),
)
def _(w: Windows) -> Array:
    return w.position.decreased(180)


@indicator(
    "position_size_change_180d",
    name="Change of position size, 180 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="Units per position now against 180 days ago: -0.3 means 30 % fewer.",
    definition=(
        "exp(m) - 1 with m the mean of ln(quantity at as_of / quantity 180 days ago), each kept "
        f"within -3 and 3, {_BOTH}. Absent when there are none, and when either positions are."
    ),
    headline=True,
    threshold=-0.3,
)
def _(w: Windows) -> Array:
    return np.expm1(np.clip(w.position.log_change_mean(180), -3.0, 3.0))


@indicator(
    "largest_cut_180d",
    name="Largest cut, 180 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="The position cut most against 180 days ago: -0.5 means half of it is gone.",
    definition=(
        "exp(m) - 1 with m the least of ln(quantity at as_of / quantity 180 days ago), each kept "
        f"within -3 and 3, {_BOTH}. Absent when there are none, and when either positions are."
    ),
    threshold=-0.5,
)
def _(w: Windows) -> Array:
    return np.expm1(np.clip(w.position.log_change_min(180), -3.0, 3.0))


@indicator(
    "instruments_returned_180d",
    name="Instruments taken up again, 180 days",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="Instruments held again now that had been given up by 180 days ago.",
    definition=(
        "Number of instruments with a positive quantity in the positions at as_of, without one in "
        f"those 180 days ago, and whose first day ({_SEEN}) is before D - 180. Absent when either "
        "positions are."
    ),
)
def _(w: Windows) -> Array:
    return w.position.returned(180)


@indicator(
    "smallest_position_units",
    name="Smallest position, units",
    unit="average",
    direction="none",
    family=_FAMILY,
    explain="Units of the position with the fewest units.",
    definition="Least positive quantity in the positions at as_of, in units. Absent without any.",
)
def _(w: Windows) -> Array:
    return w.position.units_min()


@indicator(
    "largest_position_units",
    name="Largest position, units",
    unit="average",
    direction="low",
    family=_FAMILY,
    explain="Units of the position with the most units.",
    definition="Largest quantity in the positions at as_of, in units. Absent without any position.",
)
def _(w: Windows) -> Array:
    return w.position.units_max()


@indicator(
    "typical_position_units",
    name="Typical position, units",
    unit="average",
    direction="low",
    family=_FAMILY,
    explain="Units of a position as a geometric mean, which no single one dominates.",
    definition=(
        "exp(m) - 1 with m the mean of ln(1 + units) over the positive quantities in the "
        "positions at as_of. Absent without any."
    ),
)
def _(w: Windows) -> Array:
    return np.expm1(w.position.units_log_mean())


def _share(prefix: str, id: str, name: str, things: str) -> None:
    @indicator(
        id,
        name=name,
        unit="share",
        direction="none",
        family=_FAMILY,
        explain=f"Which part of the positions are {things}.",
        definition=(
            "Number of positive positions at as_of whose instrument.category begins with "
            f"'{prefix}', over the number of positive positions. Absent without positions."
        ),
    )
    def _(w: Windows) -> Array:
        return w.position.share_of(prefix)


for _row in (
    ("bond", "bond_position_share", "Share of bonds", "bonds"),
    ("stock", "stock_position_share", "Share of shares", "shares of companies"),
    ("stock_large_cap", "large_cap_position_share", "Share of large companies",
     "shares of large companies"),
    ("fund", "fund_position_share", "Share of funds", "funds"),
    ("fund_equity", "equity_fund_position_share", "Share of equity funds", "equity funds"),
    ("fund_bond", "bond_fund_position_share", "Share of bond funds", "bond funds"),
    ("fund_money", "money_fund_position_share", "Share of money funds", "money market funds"),
):  # fmt: skip
    _share(*_row)
