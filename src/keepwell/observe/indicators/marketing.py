"""Marketing: how often we reach out, whether it is welcome, and what the client subscribes to."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.expressions import own_normal, per_item_change, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "marketing"


def _touches(days: int) -> None:
    @second(
        f"touches_{days}d",
        name=f"Times we reached out, {days} days",
        unit="count",
        direction="none",
        family=_FAMILY,
        explain=f"Contacts that we began with the client in the last {days} days.",
        definition=f"Number of touch rows in the window of {days} days.",
    )
    def _(w: Windows) -> Array:
        return w.touch.sum("count", days)


_touches(30)
_touches(90)


@second(
    "touch_change_30d",
    name="Times we reached out against own normal, 30 days",
    unit="ratio",
    direction="none",
    family=_FAMILY,
    explain="How often we reached out in the last 30 days, compared with the rest of the year.",
    definition=(
        "(N / C) / (M / B). N: touch rows in the window of 30 days. C: covered days of touch in "
        "it. M: touch rows in the window of 365 days, minus N. B: covered days of the window of "
        "365 days, minus C. Absent when B < 90 or M = 0."
    ),
)
def _(w: Windows) -> Array:
    return own_normal(w.touch, "count", 30)


def _part(column: str, known: str, id: str, words: str, alarm: float) -> None:
    @second(
        f"touch_{id}_share_90d",
        name=f"Share {words}, 90 days",
        unit="share",
        direction="low",
        family=_FAMILY,
        explain=f"Which part of what we sent or said in the last 90 days was {words}.",
        definition=(
            f"A / K. K: touch rows in the window of 90 days whose {column} is known. A: those of "
            f"them whose {column} is true. Absent when K = 0."
        ),
        headline=id == "opened",
        threshold=alarm,
    )
    def _(w: Windows) -> Array:
        return ratio(w.touch.sum(column, 90), w.touch.sum(known, 90))


_part("delivered", "delivery_known", "delivered", "delivered to the client", 0.5)
_part("opened", "opening_known", "opened", "opened or answered", 0.1)
_part("replied", "reply_known", "replied", "replied to", 0.05)


@second(
    "touch_opened_change_90d",
    name="Share opened against own normal, 90 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain="Share of our contacts that were opened now, over the same in the rest of the year.",
    definition=(
        "(A / K) / (B / L). K: touch rows in the window of 90 days whose opened is known. A: those "
        "of them whose opened is true. B, L: the same in the window of 365 days, minus A and "
        "minus K. Absent when K = 0, L = 0 or B = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    return per_item_change(w.touch, "opened", "opening_known", 90)


@second(
    "refusals_365d",
    name="Refusals of contact, 365 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="How often in the last 365 days the client asked not to be contacted any more.",
    definition="Number of touch rows in the window of 365 days whose refused is true.",
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.touch.sum("refused", 365)


@second(
    "days_since_touch",
    name="Days since we last reached out",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="Days since we last began a contact with the client.",
    definition=(
        "D minus the local day of the latest known touch. Looks back without limit. Absent when "
        "none is known."
    ),
    threshold=90.0,
)
def _(w: Windows) -> Array:
    return w.touch.recency()


@second(
    "ipo_only_180d",
    name="Only applies for new issues, 180 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="1 when the client applied for new issues in the last 180 days and bought nothing.",
    definition=(
        "1 when there is a subscription row of kind ipo with state applied in the window of 180 "
        "days and no trade with side buy in it, else 0."
    ),
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    applied, bought = w.subscription.sum("applied", 180), w.trade.sum("buys", 180)
    only = (applied > 0.0) & (bought == 0.0)
    return np.where(np.isnan(applied + bought), np.nan, only.astype(np.float64))


def _subscribed(measure: str, id: str, days: int, name: str, rule: str, alarm: str) -> None:
    @second(
        f"{id}_{days}d",
        name=f"{name}, {days} days",
        unit="count",
        direction=alarm or "none",
        family=_FAMILY,
        explain=f"How often that happened in the last {days} days.",
        definition=f"Number of subscription rows {rule} in the window of {days} days.",
        headline=measure == "ended",
        threshold=1.0 if alarm else None,
    )
    def _(w: Windows) -> Array:
        return w.subscription.sum(measure, days)


_OTHER = "of a known kind other than ipo with state"
for _row in (
    ("applied", "ipo_applications", 90, "New issues applied for", "of kind ipo with state applied",
     ""),
    ("won", "ipo_won", 365, "New issues allotted", "of kind ipo with state won", ""),
    ("unpaid", "ipo_unpaid", 365, "Allotments not paid for", "of kind ipo with state unpaid",
     "high"),
    ("begun", "contracts_begun", 365, "Advice, data or plans begun", f"{_OTHER} active", ""),
    ("ended", "contracts_ended", 180, "Advice, data or plans ended", f"{_OTHER} ended", "high"),
):  # fmt: skip
    _subscribed(*_row)


@second(
    "days_since_subscription",
    name="Days since last subscription",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days since the client last applied for, began, renewed or ended something.",
    definition=(
        "D minus the local day of the latest known subscription row of any kind and state. Looks "
        "back without limit. Absent when none is known."
    ),
)
def _(w: Windows) -> Array:
    return w.subscription.recency()
