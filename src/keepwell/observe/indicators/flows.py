"""Funding: outflow over average assets, the price's part of a change, and borrowed money."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.expressions import change, own_normal, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "funding"
_DONE = "that did not fail (failure_reason is null)"
_P_W = f"P, W: sums of amount over the deposits and over the withdrawals {_DONE}"
_MEAN = (
    "mean of cash + securities over the latest 20 balance rows that have both, with D - {far} <= "
    "day < {near}; absent with fewer than 10 of them"
)


def positive(values: Array) -> Array:
    """The values, absent where they are not above 0."""
    return np.where(values > 0.0, values, np.nan)


def net_flow(w: Windows, days: int) -> Array:
    """Deposits minus withdrawals of a window."""
    flows = w.cash_flow
    return flows.sum("deposit_amount", days) - flows.sum("withdrawal_amount", days)


def _outflow(days: int, headline: bool, threshold: float) -> None:
    mean = _MEAN.format(far=days + 60, near=f"D - {days}")

    @second(
        f"net_outflow_share_{days}d",
        name=f"Net outflow over average assets, {days} days",
        unit="share",
        direction="high",
        family=_FAMILY,
        explain=(
            f"Money taken out net of money paid in during the last {days} days, as a share of the "
            "average assets before."
        ),
        definition=(
            f"X / A. X: the larger of 0 and W - P. {_P_W} in the window of {days} days. A: {mean}. "
            "Absent when A is, and when A <= 0."
        ),
        headline=headline,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        out = -net_flow(w, days)
        return ratio(out * (out > 0.0), positive(w.balance.mean_20("assets", days)))


for _row in ((7, False, 0.2), (30, True, 0.3), (90, False, 0.5)):
    _outflow(*_row)


@second(
    "average_assets_20d",
    name="Average assets, 20 balance days",
    unit="money",
    direction="low",
    family=_FAMILY,
    explain="Average of the client's total assets over the last 20 days with a balance.",
    definition=f"The {_MEAN.format(far=60, near='D')}.",
)
def _(w: Windows) -> Array:
    return w.balance.mean_20("assets")


def _effects(days: int) -> None:
    then = f"on the latest balance row with day < D - {days}"

    @second(
        f"price_effect_{days}d",
        name=f"Price effect on assets, {days} days",
        unit="share",
        direction="none",
        family=_FAMILY,
        explain=(
            f"Change of total assets in the last {days} days that no deposit or withdrawal "
            "accounts for, as a share of the assets before: what the market did."
        ),
        definition=(
            f"(A - B - P + W) / B. A: cash + securities on the latest balance row with day < D. "
            f"B: the same {then}. {_P_W} in the window of {days} days. Absent when A or B is "
            "unknown, and when B <= 0."
        ),
    )
    def _(w: Windows) -> Array:
        before = w.balance.last("assets", days)
        moved = w.balance.last("assets") - before - net_flow(w, days)
        return ratio(moved, positive(before))

    @second(
        f"net_flow_share_{days}d",
        name=f"Net flow over assets, {days} days",
        unit="share",
        direction="low",
        family=_FAMILY,
        explain=(
            f"Money paid in minus money taken out in the last {days} days, as a share of the "
            "assets before; prices have no part in it."
        ),
        definition=(
            f"(P - W) / B. {_P_W} in the window of {days} days. B: cash + securities {then}. "
            "Absent when B is unknown, and when B <= 0."
        ),
        threshold=-0.3,
    )
    def _(w: Windows) -> Array:
        return ratio(net_flow(w, days), positive(w.balance.last("assets", days)))


for _days in (30, 90):
    _effects(_days)


@second(
    "assets_below_peak_180d",
    name="Assets below their peak, 180 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="How far total assets stand below their highest close of the last 180 days.",
    definition=(
        "1 - A / H. A: cash + securities on the latest balance row with day < D. H: the largest "
        "of the balance rows with D - 180 <= day < D. Absent when A is unknown, without such a "
        "row in the window of 180 days, and when H <= 0."
    ),
    headline=True,
    threshold=0.5,
)
def _(w: Windows) -> Array:
    return 1.0 - ratio(w.balance.last("assets"), positive(w.balance.high("assets", 180)))


@second(
    "cash_share_change_30d",
    name="Change of the cash share, 30 days",
    unit="points",
    direction="high",
    family=_FAMILY,
    explain="Cash share now minus that of 30 days ago: rising means money gets ready to go.",
    definition=(
        "Indicator cash_share minus the same on the latest balance row with day < D - 30. Absent "
        "when either is."
    ),
    threshold=0.3,
)
def _(w: Windows) -> Array:
    now = ratio(w.balance.last("cash"), positive(w.balance.last("assets")))
    return now - ratio(w.balance.last("cash", 30), positive(w.balance.last("assets", 30)))


@second(
    "fees_365d",
    name="Fees charged, 365 days",
    unit="money",
    direction="none",
    family=_FAMILY,
    explain="Fees, other than commission, that were charged in the last 365 days.",
    definition=f"Sum of amount over the cash flows of kind fee {_DONE} in the window of 365 days.",
)
def _(w: Windows) -> Array:
    return w.cash_flow.sum("fee_amount", 365)


@second(
    "failed_flow_share_90d",
    name="Share of transfers that failed, 90 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Which part of the cash movements of the last 90 days failed.",
    definition=(
        "F / N. F: cash flows of any kind that failed (failure_reason is not null) in the window "
        "of 90 days. N: all cash flows in it. Absent when N = 0."
    ),
    threshold=0.3,
)
def _(w: Windows) -> Array:
    return ratio(w.cash_flow.sum("failed", 90), w.cash_flow.sum("count", 90))


@second(
    "withdrawal_count_30d",
    name="Withdrawals, 30 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="How often the client took money out in the last 30 days.",
    definition=f"Number of cash flows of kind withdrawal {_DONE} in the window of 30 days.",
)
def _(w: Windows) -> Array:
    return w.cash_flow.sum("withdrawals", 30)


@second(
    "withdrawal_count_change_90d",
    name="Number of withdrawals against own normal, 90 days",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain="How often money was taken out, compared with the rest of the year.",
    definition=(
        f"(N / C) / (M / B). N: cash flows of kind withdrawal {_DONE} in the window of 90 days. "
        "C: covered days of cash_flow in it. M: the same number in the window of 365 days, minus "
        "N. B: covered days of the window of 365 days, minus C. Absent when B < 90 or M = 0."
    ),
    threshold=2.0,
)
def _(w: Windows) -> Array:
    return own_normal(w.cash_flow, "withdrawals", 90)


@second(
    "withdrawals_over_deposits_90d",
    name="Withdrawals over deposits, 90 days",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain="Money taken out for each unit of money paid in, over the last 90 days.",
    definition=f"W / P. {_P_W} in the window of 90 days. Absent when P = 0.",
    threshold=2.0,
)
def _(w: Windows) -> Array:
    out = w.cash_flow.sum("withdrawal_amount", 90)
    return ratio(out, w.cash_flow.sum("deposit_amount", 90))


@second(
    "margin_ratio",
    name="Maintenance ratio",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain="Collateral over debt on the margin account.",
    definition=(
        "maintenance_ratio of the latest margin row with day < D. Absent when there is none, and "
        "when it is unknown in it."
    ),
    headline=True,
    threshold=1.5,
)
def _(w: Windows) -> Array:
    return w.margin.last("maintenance_ratio")


@second(
    "margin_ratio_trend_30d",
    name="Trend of the maintenance ratio, 30 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="Average maintenance ratio now against that of 30 days ago: -0.2 means 20 % lower.",
    definition=(
        "M / P - 1. M: mean of maintenance_ratio over the latest 20 margin rows that have one, "
        "with D - 60 <= day < D. P: the same with D - 90 <= day < D - 30. Absent when one of them "
        "has fewer than 10 rows, and when P <= 0."
    ),
    headline=True,
    threshold=-0.2,
)
def _(w: Windows) -> Array:
    ratios = w.margin
    return change(ratios.mean_20("maintenance_ratio"), ratios.mean_20("maintenance_ratio", 30))


@second(
    "margin_ratio_low_90d",
    name="Lowest maintenance ratio, 90 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain="The lowest maintenance ratio of the last 90 days: how near a forced sale came.",
    definition=(
        "Least maintenance_ratio of the margin rows with D - 90 <= day < D. Absent when none in "
        "the window of 90 days has one."
    ),
    threshold=1.3,
)
def _(w: Windows) -> Array:
    return w.margin.low("maintenance_ratio", 90)


@second(
    "margin_credit_used",
    name="Share of the credit limit in use",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Debt on the margin account as a share of its credit limit.",
    definition=(
        "debt / credit_limit of the latest margin row with day < D. Absent when there is none, "
        "when either is unknown in it, and when the limit is 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.margin.last("debt"), w.margin.last("credit_limit"))


@second(
    "margin_debt_change_30d",
    name="Change of margin debt, 30 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="Margin debt now against 30 days ago; paying back all is often the first step out.",
    definition=(
        "A / B - 1. A: debt of the latest margin row with day < D. B: the same with day < D - 30. "
        "Absent when either is unknown, and when B = 0."
    ),
    threshold=-0.5,
)
def _(w: Windows) -> Array:
    return change(w.margin.last("debt"), w.margin.last("debt", 30))


@second(
    "margin_due_days",
    name="Days until the margin contract falls due",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days until the margin contract must be settled or renewed; below 0: overdue.",
    definition=(
        "due_on of the latest margin row with day < D, minus D. Absent when there is none, and "
        "when it is unknown in it."
    ),
)
def _(w: Windows) -> Array:
    return w.margin.last("due_on") - w.day
