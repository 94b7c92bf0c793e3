"""Trading rhythm: how long the client has been silent, and how even the trading is."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import least, own_normal_days, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "rhythm"


@indicator(
    "days_since_trade",
    name="Days since last trade",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="Days since the client last traded.",
    definition=(
        "D minus the local day of the latest known trade; 0 when there is one today. Looks back "
        "without limit. Absent when no trade is known."
    ),
    headline=True,
    threshold=90.0,
)
def _(w: Windows) -> Array:
    return w.trade.recency()


@indicator(
    "days_since_first_trade",
    name="Days since first trade",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days since the first trade that is known of this client.",
    definition=(
        "D minus the local day of the earliest known trade. Looks back without limit. Absent "
        "when no trade is known."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.first_seen()


@indicator(
    "days_since_activity",
    name="Days since any activity",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="Days since the client last traded, moved money, logged in or got in touch.",
    definition=(
        "The smallest of: D minus the local day of the latest known row in trade, in "
        "first_purchase, in cash_flow, in session, in contact. Tables that are absent or have no "
        "row of the client are left "
        "out. Absent when none is left."
    ),
    headline=True,
    threshold=90.0,
    any_source=True,
)
def _(w: Windows) -> Array:
    tables = (w.trade, w.first_purchase, w.cash_flow, w.session, w.contact)
    return least(*(table.recency() for table in tables))


def _days(days: int) -> None:
    @indicator(
        f"trading_days_{days}d",
        name=f"Trading days in {days} days",
        unit="days",
        direction="low",
        family=_FAMILY,
        explain=f"Number of days of the last {days} on which the client traded.",
        definition=(
            f"Number of different local days with at least one trade in the window of {days} days."
        ),
    )
    def _(w: Windows) -> Array:
        return w.trade.days(days)


for _window in (90, 365):
    _days(_window)


@indicator(
    "trading_days_change_90d",
    name="Trading days against own normal, 90 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain=(
        "On how many days the client traded in the last 90, compared with the client's rate in the "
        "rest of the year."
    ),
    definition=(
        "(N / C) / (M / B). "
        "N: different local days with a trade in the window of 90 days. C: covered days of trade "
        "in it. M: the same number in the window of 365 days, minus N. B: covered days of the "
        "window of 365 days, minus C. Absent when B < 90 or M = 0."
    ),
    headline=True,
    threshold=0.7,
)
def _(w: Windows) -> Array:
    return own_normal_days(w.trade, 90)


@indicator(
    "trades_per_day_90d",
    name="Trades per trading day, 90 days",
    unit="average",
    direction="none",
    family=_FAMILY,
    explain="How many trades the client makes on a trading day.",
    definition=(
        "N / K. N: trades in the window of 90 days. K: different local days with a trade in it. "
        "Absent when K = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.trade.sum("count", 90), w.trade.days(90))


@indicator(
    "mean_trade_gap_365d",
    name="Mean gap between trading days",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="How many days usually pass between two trading days of this client.",
    definition=(
        "Over the different local days with a trade in the window of 365 days, in order: "
        "(last day - first day) / (number of days - 1). Absent with fewer than 2 such days."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.mean_gap(365)


@indicator(
    "longest_trade_gap_365d",
    name="Longest gap between trading days",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="The longest silence between two trading days within the last year.",
    definition=(
        "Largest difference between neighbouring ones of the different local days with a trade "
        "in the window of 365 days. Absent with fewer than 2 such days."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.longest_gap(365)


@indicator(
    "silence_ratio",
    name="Silence against own usual gap",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain=(
        "Days since the last trade compared with the client's own usual gap; 3 means three times "
        "as long as usual."
    ),
    definition=(
        "R / G. R: indicator days_since_trade. G: indicator mean_trade_gap_365d. Absent when "
        "either is."
    ),
    headline=True,
    threshold=3.0,
)
def _(w: Windows) -> Array:
    return ratio(w.trade.recency(), w.trade.mean_gap(365))


@indicator(
    "silence_record",
    name="Silence against own longest gap",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain="Days since the last trade compared with the longest gap of the last year.",
    definition=(
        "R / L. R: indicator days_since_trade. L: indicator longest_trade_gap_365d. Absent when "
        "either is."
    ),
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return ratio(w.trade.recency(), w.trade.longest_gap(365))


@indicator(
    "trade_clumpiness_366d",
    name="Clumpiness of trading",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain=(
        "Whether the client trades evenly (0) or in bursts with long silence between (towards 1)."
    ),
    definition=(
        "Entropy clumpiness (Zhang, Bradlow and Small 2015). Let x_1 < ... < x_k be the numbers "
        "day - (D - 366) + 1 of the different local days with a trade in the window of 366 days, "
        "x_0 = 0 and x_(k+1) = 367. With g_i = (x_i - x_(i-1)) / 367 for i = 1 to k + 1: "
        "1 + (sum of g_i * ln g_i) / ln(k + 1), where a gap of 0 (a trade on D itself) adds 0. "
        "Absent when k = 0."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.clumpiness(366)
