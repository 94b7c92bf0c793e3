"""Funding: money paid in and taken out, against assets and against the client's own normal."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.expressions import change, own_normal, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "funding"
_DONE = "that did not fail (failure_reason is null)"
_ASSETS = "the latest balance row with day < D - {days}: cash plus securities"


def _flows(days: int) -> None:
    @indicator(
        f"deposit_value_{days}d",
        name=f"Money paid in, {days} days",
        unit="money",
        direction="low",
        family=_FAMILY,
        explain=f"Money that the client paid in during the last {days} days.",
        definition=(
            f"Sum of amount over the cash flows of kind deposit {_DONE} in the window of "
            f"{days} days."
        ),
    )
    def _(w: Windows) -> Array:
        return w.cash_flow.sum("deposit_amount", days)

    @indicator(
        f"withdrawal_value_{days}d",
        name=f"Money taken out, {days} days",
        unit="money",
        direction="high",
        family=_FAMILY,
        explain=f"Money that the client took out during the last {days} days.",
        definition=(
            f"Sum of amount over the cash flows of kind withdrawal {_DONE} in the window of "
            f"{days} days."
        ),
    )
    def _(w: Windows) -> Array:
        return w.cash_flow.sum("withdrawal_amount", days)

    @indicator(
        f"net_flow_{days}d",
        name=f"Net flow, {days} days",
        unit="money",
        direction="low",
        family=_FAMILY,
        explain=f"Money paid in minus money taken out during the last {days} days.",
        definition=(
            "Sum of amount over deposits minus sum of amount over withdrawals, both among the "
            f"cash flows {_DONE} in the window of {days} days."
        ),
    )
    def _(w: Windows) -> Array:
        flows = w.cash_flow
        return flows.sum("deposit_amount", days) - flows.sum("withdrawal_amount", days)


for _days in (30, 90):
    _flows(_days)


def _share(days: int, threshold: float) -> None:
    assets = _ASSETS.format(days=days)

    @indicator(
        f"withdrawal_share_{days}d",
        name=f"Withdrawals over assets, {days} days",
        unit="share",
        direction="high",
        family=_FAMILY,
        explain=(
            f"Money taken out in the last {days} days as a share of the assets at the beginning "
            "of that time plus what was paid in since."
        ),
        definition=(
            "W / (A + P). "
            f"W, P: sums of amount over the withdrawals and the deposits {_DONE} in the window "
            f"of {days} days. A: assets on {assets}. Absent when there is no such row, when A is "
            "unknown, and when A + P <= 0."
        ),
        headline=True,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        paid_in = w.cash_flow.sum("deposit_amount", days)
        base = w.balance.last("assets", days) + paid_in
        return ratio(w.cash_flow.sum("withdrawal_amount", days), np.where(base > 0.0, base, np.nan))


_share(30, 0.3)
_share(90, 0.5)


@indicator(
    "largest_withdrawal_share_30d",
    name="Largest withdrawal over assets, 30 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain=(
        "The largest single withdrawal of the last 30 days as a share of the assets at the "
        "beginning of that time; the first large one is usually followed by the client."
    ),
    definition=(
        f"X / A. X: largest amount of a withdrawal {_DONE} in the window of 30 days. A: assets "
        f"on {_ASSETS.format(days=30)}. 0 when there was no withdrawal. Absent when there is no "
        "such row, when A is unknown, and when A <= 0."
    ),
    headline=True,
    threshold=0.5,
)
def _(w: Windows) -> Array:
    none = w.cash_flow.sum("withdrawals", 30) == 0.0
    largest = np.where(none, 0.0, w.cash_flow.max("max_withdrawal", 30))
    assets = w.balance.last("assets", 30)
    return ratio(largest, np.where(assets > 0.0, assets, np.nan))


def _own(side: str, word: str, direction: str, threshold: float) -> None:
    @indicator(
        f"{side}_change_90d",
        name=f"Money {word} against own normal, 90 days",
        unit="ratio",
        direction=direction,
        family=_FAMILY,
        explain=(
            f"Money {word} over the last 90 days, compared with the client's own rate in the rest "
            "of the year."
        ),
        definition=(
            "(N / C) / (M / B). "
            f"N: sum of amount over the cash flows of kind {side} {_DONE} in the window of 90 "
            "days. C: covered days of cash_flow in it. M: the same sum in the window of 365 "
            "days, minus N. B: covered days of the window of 365 days, minus C. Absent when "
            "B < 90 or M = 0."
        ),
        headline=True,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return own_normal(w.cash_flow, f"{side}_amount", 90)


_own("deposit", "paid in", "low", 0.5)
_own("withdrawal", "taken out", "high", 2.0)


@indicator(
    "failed_flows_30d",
    name="Failed transfers, 30 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Deposits and withdrawals of the last 30 days that failed: a reason to be annoyed.",
    definition=(
        "Number of cash flows of any kind that failed (failure_reason is not null) in the window "
        "of 30 days."
    ),
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.cash_flow.sum("failed", 30)


@indicator(
    "days_since_flow",
    name="Days since money last moved",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="Days since the last deposit, withdrawal or other cash movement.",
    definition=(
        "D minus the local day of the latest known cash flow of any kind, failed ones included. "
        "Looks back without limit. Absent when none is known."
    ),
)
def _(w: Windows) -> Array:
    return w.cash_flow.recency()


@indicator(
    "total_assets",
    name="Total assets",
    unit="money",
    direction="low",
    family=_FAMILY,
    explain="Cash plus securities by the latest balance.",
    definition=(
        "cash + securities of the latest balance row with day < D. Absent when there is none, "
        "and when either is unknown in it."
    ),
)
def _(w: Windows) -> Array:
    return w.balance.last("assets")


def _assets(days: int, threshold: float) -> None:
    @indicator(
        f"total_assets_change_{days}d",
        name=f"Change of total assets, {days} days",
        unit="change",
        direction="low",
        family=_FAMILY,
        explain=f"Total assets now against {days} days ago: -0.3 means 30 % less.",
        definition=(
            "A / B - 1. A: indicator total_assets. "
            f"B: the same on the latest balance row with day < D - {days}. Absent when either "
            "is, and when B <= 0."
        ),
        headline=True,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return change(w.balance.last("assets"), w.balance.last("assets", days))


_assets(30, -0.3)
_assets(90, -0.5)


@indicator(
    "cash_share",
    name="Cash share",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Cash as a share of total assets: money waiting to be invested, or to leave.",
    definition=(
        "cash / (cash + securities) of the latest balance row with day < D. Absent when there is "
        "none, when either is unknown in it, and when the sum is <= 0."
    ),
    headline=True,
    threshold=0.5,
)
def _(w: Windows) -> Array:
    assets = w.balance.last("assets")
    return ratio(w.balance.last("cash"), np.where(assets > 0.0, assets, np.nan))


@indicator(
    "margin_share",
    name="Margin debt over assets",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Borrowed money as a share of total assets.",
    definition=(
        "margin_debt / (cash + securities) of the latest balance row with day < D. Absent when "
        "there is none, when one of the three is unknown in it, and when the sum is <= 0."
    ),
)
def _(w: Windows) -> Array:
    assets = w.balance.last("assets")
    return ratio(w.balance.last("margin_debt"), np.where(assets > 0.0, assets, np.nan))
