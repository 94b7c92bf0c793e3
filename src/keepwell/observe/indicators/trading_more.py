"""Trading activity: sides, sizes and what trading costs, against the client's own normal."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import change, own_normal, per_item_change, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "activity"


@second(
    "largest_trade_share_90d",
    name="Largest trade's share, 90 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="The largest single trade as a share of all that was traded in the last 90 days.",
    definition=(
        "M / A. M: largest amount of a trade in the window of 90 days. A: sum of amount over the "
        "trades in it. Absent when no trade in it has an amount, and when A = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.trade.max("max_amount", 90), w.trade.sum("amount", 90))


def _side(side: str, measure: str, direction: str, threshold: float) -> None:
    @second(
        f"{side}_change_90d",
        name=f"{side.capitalize()}s against own normal, 90 days",
        unit="ratio",
        direction=direction,
        family=_FAMILY,
        explain=(
            f"How often the client made a {side} trade in the last 90 days, compared with the "
            "client's rate in the rest of the year."
        ),
        definition=(
            f"(N / C) / (M / B). N: trades with side {side} in the window of 90 days. C: covered "
            "days of trade in it. M: the same number in the window of 365 days, minus N. B: "
            "covered days of the window of 365 days, minus C. Absent when B < 90 or M = 0."
        ),
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return own_normal(w.trade, measure, 90)


_side("buy", "buys", "low", 0.5)
_side("sell", "sells", "high", 2.0)


@second(
    "commission_rate_90d",
    name="Effective commission rate, 90 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Commission that the client really paid per money traded in the last 90 days.",
    definition=(
        "C / A. C, A: sums of commission and of amount over the trades in the window of 90 days; "
        "a trade without one adds 0 to it. Absent when A = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.trade.sum("commission", 90), w.trade.sum("amount", 90))


@second(
    "commission_rate_change_90d",
    name="Effective commission rate against own normal, 90 days",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain=(
        "Commission per money traded in the last 90 days over the same in the rest of the year; "
        "above 1 the client pays more than usual."
    ),
    definition=(
        "(C / A) / (R / B). C, A: sums of commission and of amount over the trades in the window "
        "of 90 days; a trade without one adds 0 to it. R, B: the same in the window of 365 days, "
        "minus C and minus A. Absent when A = 0, B = 0 or R = 0."
    ),
    threshold=1.5,
)
def _(w: Windows) -> Array:
    return per_item_change(w.trade, "commission", "amount", 90)


@second(
    "average_trade_change_90d",
    name="Average trade against own normal, 90 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain="Average money per trade in the last 90 days, compared with the rest of the year.",
    definition=(
        "(A / K) / (B / L). A: sum of amount over the trades in the window of 90 days. K: trades "
        "in it that have an amount. B, L: the same in the window of 365 days, minus A and minus "
        "K. Absent when K = 0, L = 0 or B = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    return per_item_change(w.trade, "amount", "known", 90)


@second(
    "trade_count_change_30d",
    name="Change of trades, 30 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="Trades of the last 30 days against the 30 days before: -0.5 means half as many.",
    definition=(
        "N / P - 1. N: trades in the window of 30 days. P: trades in the previous window of 30 "
        "days. Absent when P = 0."
    ),
    threshold=-0.5,
)
def _(w: Windows) -> Array:
    return change(w.trade.sum("count", 30), w.trade.sum("count", 30, prev=True))


@second(
    "traded_instruments_change_180d",
    name="Change of instruments traded, 180 days",
    unit="change",
    direction="low",
    family=_FAMILY,
    explain="Different instruments traded in the last 180 days against the 180 days before.",
    definition=(
        "N / P - 1. N, P: different values of instrument_id over the trades in the window of 180 "
        "days and in the previous one, each estimated from a set of 64 bits: an instrument sets "
        "the bit of the first byte of the MD5 of its id in UTF-8, modulo 64. Absent when P = 0."
    ),
    threshold=-0.5,
)
def _(w: Windows) -> Array:
    now = w.trade.distinct("instruments", 180)
    return change(now, w.trade.distinct("instruments", 180, prev=True))


@second(
    "trades_per_login_90d",
    name="Trades per log-in, 90 days",
    unit="average",
    direction="low",
    family=_FAMILY,
    explain="How many trades come of a log-in; looking without trading is the first sign of doubt.",
    definition=("N / S. N: trades in the window of 90 days. S: sessions in it. Absent when S = 0."),
)
def _(w: Windows) -> Array:
    return ratio(w.trade.sum("count", 90), w.session.sum("count", 90))
