"""Trading activity: how much a client trades, which way, and against their own normal."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import (
    change,
    known_sum,
    own_normal,
    ratio,
    relative_rate,
    trend,
)
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "activity"


def _counts(days: int, threshold: float | None) -> None:
    @indicator(
        f"trade_count_{days}d",
        name=f"Trades in {days} days",
        unit="count",
        direction="low",
        family=_FAMILY,
        explain=f"Number of trades in the last {days} days.",
        definition=f"Number of trade rows in the window of {days} days.",
        headline=threshold is not None,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return w.trade.sum("count", days)


for _days, _threshold in ((7, None), (30, None), (90, 0.0), (180, None), (366, None)):
    _counts(_days, _threshold)


def _values(days: int) -> None:
    @indicator(
        f"traded_value_{days}d",
        name=f"Traded value in {days} days",
        unit="money",
        direction="low",
        family=_FAMILY,
        explain=f"Money bought and sold for in the last {days} days.",
        definition=(
            f"Sum of amount over the trades in the window of {days} days; a trade without an "
            "amount adds 0. Absent when there are trades in the window and none has an amount."
        ),
    )
    def _(w: Windows) -> Array:
        return known_sum(w.trade, "amount", days)


for _days in (90, 366):
    _values(_days)


def _changes(days: int) -> None:
    @indicator(
        f"trade_rate_change_{days}d",
        name=f"Trading against own normal, {days} days",
        unit="ratio",
        direction="low",
        family=_FAMILY,
        explain=(
            f"How often the client traded in the last {days} days, compared with the "
            "client's rate in the rest of the year."
        ),
        definition=(
            "(N / C) / (M / B). "
            f"N: trades in the window of {days} days. C: covered days of trade in it. "
            "M: trades in the window of 365 days, minus N. B: covered days of the window of 365 "
            "days, minus C. Absent when B < 90 or M = 0."
        ),
        headline=True,
        threshold=0.7,
    )
    def _(w: Windows) -> Array:
        return own_normal(w.trade, "count", days)


for _days in (30, 90):
    _changes(_days)


@indicator(
    "trade_count_trend_90d",
    name="Trend of trades, 90 days",
    unit="points",
    direction="low",
    family=_FAMILY,
    explain=(
        "Trades of the last 90 days against the 90 days before: -1 stopped, 0 steady, 1 newly "
        "begun."
    ),
    definition=(
        "(N - P) / (N + P). N: trades in the window of 90 days. P: trades in the previous window "
        "of 90 days. Absent when N + P = 0."
    ),
    headline=True,
    threshold=-0.5,
)
def _(w: Windows) -> Array:
    return trend(w.trade.sum("count", 90), w.trade.sum("count", 90, prev=True))


@indicator(
    "traded_value_change_90d",
    name="Traded value against own normal, 90 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain=(
        "Money traded for in the last 90 days, compared with the client's own rate in the rest "
        "of the year."
    ),
    definition=(
        "(N / C) / (M / B). "
        "N: sum of amount over the trades in the window of 90 days. C: covered days of trade in "
        "it. M: the same sum in the window of 365 days, minus N. B: covered days of the window "
        "of 365 days, minus C. A trade without an amount adds 0. Absent when B < 90 or M = 0, "
        "and when there are trades in the window of 90 days and none has an amount."
    ),
    headline=True,
    threshold=0.7,
)
def _(w: Windows) -> Array:
    now = known_sum(w.trade, "amount", 90)
    rest = w.trade.sum("amount", 365) - now
    covered = w.trade.covered(90)
    return relative_rate(now, covered, rest, w.trade.covered(365) - covered)


@indicator(
    "buy_count_90d",
    name="Buys in 90 days",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of purchases in the last 90 days.",
    definition="Number of trade rows with side buy in the window of 90 days.",
)
def _(w: Windows) -> Array:
    return w.trade.sum("buys", 90)


@indicator(
    "sell_count_90d",
    name="Sells in 90 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Number of sales in the last 90 days.",
    definition="Number of trade rows with side sell in the window of 90 days.",
)
def _(w: Windows) -> Array:
    return w.trade.sum("sells", 90)


@indicator(
    "sell_share_90d",
    name="Share of sells, 90 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Sales as a share of all trades in the last 90 days; 1 means the client only sold.",
    definition=(
        "S / N. S: trades with side sell in the window of 90 days. N: all trades in it. "
        "Absent when N = 0."
    ),
    headline=True,
    threshold=0.8,
)
def _(w: Windows) -> Array:
    return ratio(w.trade.sum("sells", 90), w.trade.sum("count", 90))


@indicator(
    "net_bought_value_90d",
    name="Net bought value, 90 days",
    unit="money",
    direction="low",
    family=_FAMILY,
    explain="Money bought for minus money sold for in the last 90 days; below zero: sold more.",
    definition=(
        "Sum of amount over buys minus sum of amount over sells in the window of 90 days; a "
        "trade without an amount adds 0. Absent when there are trades in the window and none has "
        "an amount."
    ),
)
def _(w: Windows) -> Array:
    return known_sum(w.trade, "buy_amount", 90) - known_sum(w.trade, "sell_amount", 90)


@indicator(
    "net_sold_share_90d",
    name="Net sold share of holdings, 90 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain=(
        "What the client sold net of purchases in the last 90 days, as a share of what is "
        "held now plus that."
    ),
    definition=(
        "X / (V + X). X: the larger of 0 and (sum of amount over sells minus sum of amount over "
        "buys) in the window of 90 days; a trade without an amount adds 0. V: value of the "
        "priced positions at as_of (indicator holdings_value). Absent when V is absent, when "
        "V + X = 0, and when there are trades in the window and none has an amount."
    ),
    headline=True,
    threshold=0.3,
)
def _(w: Windows) -> Array:
    bought = known_sum(w.trade, "buy_amount", 90)
    net = known_sum(w.trade, "sell_amount", 90) - bought
    sold = net * (net > 0.0)
    return ratio(sold, w.position.value() + sold)


@indicator(
    "commission_90d",
    name="Commission in 90 days",
    unit="money",
    direction="low",
    family=_FAMILY,
    explain="Commission that the client paid in the last 90 days.",
    definition=(
        "Sum of commission over the trades in the window of 90 days; a trade without one adds 0."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.sum("commission", 90)


@indicator(
    "commission_365d",
    name="Commission in 365 days",
    unit="money",
    direction="none",
    family=_FAMILY,
    explain="Commission that the client paid in the last 365 days: what a loss would cost.",
    definition=(
        "Sum of commission over the trades in the window of 365 days; a trade without one adds 0."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.sum("commission", 365)


@indicator(
    "commission_change_90d",
    name="Commission against own normal, 90 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain=(
        "Commission paid in the last 90 days, compared with the client's own rate in the rest of "
        "the year."
    ),
    definition=(
        "(N / C) / (M / B). "
        "N: sum of commission in the window of 90 days. C: covered days of trade in it. "
        "M: the same sum in the window of 365 days, minus N. B: covered days of the window of "
        "365 days, minus C. Absent when B < 90 or M = 0."
    ),
    headline=True,
    threshold=0.7,
)
def _(w: Windows) -> Array:
    return own_normal(w.trade, "commission", 90)


@indicator(
    "average_trade_value_90d",
    name="Average trade, 90 days",
    unit="money",
    direction="none",
    family=_FAMILY,
    explain="Average money per trade in the last 90 days.",
    definition=(
        "A / K. A: sum of amount over the trades in the window of 90 days. K: trades in it that "
        "have an amount. Absent when K = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.trade.sum("amount", 90), w.trade.sum("known", 90))


@indicator(
    "trade_value_variation_180d",
    name="Variation of daily traded value, 180 days",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain="How uneven the traded value is from one trading day to the next; 0 is even.",
    definition=(
        "Sd / (A / K). Over the K days of the window of 180 days that have a trade: the amounts "
        "of each day are summed (a trade without an amount adds 0); Sd is the sample standard "
        "deviation (divisor K - 1) of these K day sums and A their total. Absent when K < 2 or "
        "A = 0."
    ),
)
def _(w: Windows) -> Array:
    mean = ratio(w.trade.sum("amount", 180), w.trade.days(180))
    return ratio(w.trade.std("amount", 180), mean)


@indicator(
    "traded_instruments_90d",
    name="Instruments traded, 90 days",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of different instruments traded in the last 90 days.",
    definition=(
        "Number of different values of instrument_id over the trades in the window of 90 days, "
        "estimated from a set of 64 bits: each instrument sets one bit (the first byte of the "
        "MD5 of its id in UTF-8, modulo 64) and the bits set are counted, so that different "
        "instruments may share a bit. Trades without an instrument set none. 0 without trades."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.distinct("instruments", 90)


@indicator(
    "turnover_180d",
    name="Turnover, 180 days",
    unit="times",
    direction="none",
    family=_FAMILY,
    explain="How often the holdings were turned over in the last 180 days.",
    definition=(
        "A / (2 * V). A: sum of amount over the trades in the window of 180 days; a trade "
        "without an amount adds 0. V: value of the priced positions at as_of (indicator "
        "holdings_value). Absent when V is absent or 0, and when there are trades in the window "
        "and none has an amount."
    ),
)
def _(w: Windows) -> Array:
    return ratio(known_sum(w.trade, "amount", 180), 2.0 * w.position.value())


@indicator(
    "trade_count_change_180d",
    name="Change of trades, 180 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="Trades of the last 180 days against the 180 days before: -0.5 means half as many.",
    definition=(
        "N / P - 1. N: trades in the window of 180 days. P: trades in the previous window of 180 "
        "days. Absent when P = 0."
    ),
    headline=True,
    threshold=-0.5,
)
def _(w: Windows) -> Array:
    return change(w.trade.sum("count", 180), w.trade.sum("count", 180, prev=True))
