"""Rhythm: dormancy, how even the client's visits are, and at what time of day they come."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import (
    least,
    own_normal_days,
    per_item_change,
    ratio,
)
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "rhythm"


@second(
    "dormant_days",
    name="Dormant days",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain=(
        "Days since the client last did anything with money or securities; looking in does not "
        "count."
    ),
    definition=(
        "The smallest of: D minus the local day of the latest known row in trade, in "
        "first_purchase, in cash_flow, in custody_transfer, in subscription. Tables that are "
        "absent or have no row of the client are left out. Absent when none is left."
    ),
    headline=True,
    threshold=180.0,
    any_source=True,
)
def _(w: Windows) -> Array:
    tables = (w.trade, w.first_purchase, w.cash_flow, w.custody_transfer, w.subscription)
    return least(*(table.recency() for table in tables))


@second(
    "login_clumpiness_366d",
    name="Clumpiness of log-ins",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain="Whether the client logs in evenly (0) or in bursts with long silence between (1).",
    definition=(
        "Entropy clumpiness. Let x_1 < ... < x_k be the numbers day - (D - 366) + 1 of the "
        "different local days with a session in the window of 366 days, x_0 = 0 and x_(k+1) = "
        "367. With g_i = (x_i - x_(i-1)) / 367 for i = 1 to k + 1: 1 + (sum of g_i * ln g_i) / "
        "ln(k + 1), where a gap of 0 adds 0. Absent when k = 0."
    ),
)
def _(w: Windows) -> Array:
    return w.session.clumpiness(366)


@second(
    "mean_login_gap_180d",
    name="Mean gap between days with a log-in",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="How many days usually pass between two days on which the client logs in.",
    definition=(
        "Over the different local days with a session in the window of 180 days, in order: (last "
        "day - first day) / (number of days - 1). Absent with fewer than 2 such days."
    ),
)
def _(w: Windows) -> Array:
    return w.session.mean_gap(180)


@second(
    "longest_login_gap_180d",
    name="Longest gap between days with a log-in",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="The longest silence between two log-ins within the last 180 days.",
    definition=(
        "Largest difference between neighbouring ones of the different local days with a session "
        "in the window of 180 days. Absent with fewer than 2 such days."
    ),
)
def _(w: Windows) -> Array:
    return w.session.longest_gap(180)


@second(
    "login_silence_ratio",
    name="Log-in silence against own usual gap",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain="Days since the last log-in compared with the client's own usual gap.",
    definition=(
        "R / G. R: indicator days_since_login. G: indicator mean_login_gap_180d. Absent when "
        "either is."
    ),
    headline=True,
    threshold=3.0,
)
def _(w: Windows) -> Array:
    return ratio(w.session.recency(), w.session.mean_gap(180))


@second(
    "trade_clumpiness_change_180d",
    name="Change of the clumpiness of trading, 180 days",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain="Whether trading has become more bursty than in the 180 days before.",
    definition=(
        "K - P. K: entropy clumpiness, as in trade_clumpiness_366d with 180 in the place of 366 "
        "and 181 in that of 367, of the window of 180 days. P: the same of the previous window "
        "of 180 days, whose day D - 360 is number 1 and whose end D - 180 is number 181, so that "
        "181 is also its length. Absent when either has no trade."
    ),
)
def _(w: Windows) -> Array:
    return w.trade.clumpiness(180) - w.trade.clumpiness(180, prev=True)


@second(
    "login_variation_180d",
    name="Variation of daily log-ins, 180 days",
    unit="points",
    direction="none",
    family=_FAMILY,
    explain="How uneven the number of log-ins is from one active day to the next; 0 is even.",
    definition=(
        "Sd / (N / K). Over the K days of the window of 180 days that have a session: Sd is the "
        "sample standard deviation (divisor K - 1) of the numbers of sessions of each day, N all "
        "sessions. Absent when K < 2."
    ),
)
def _(w: Windows) -> Array:
    mean = ratio(w.session.sum("count", 180), w.session.days(180))
    return ratio(w.session.std("count", 180), mean)


@second(
    "login_days_change_30d",
    name="Days with a log-in against own normal, 30 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain="On how many days the client logged in, compared with the rest of the year.",
    definition=(
        "(N / C) / (M / B). N: different local days with a session in the window of 30 days. C: "
        "covered days of session in it. M: the same number in the window of 365 days, minus N. "
        "B: covered days of the window of 365 days, minus C. Absent when B < 90 or M = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    return own_normal_days(w.session, 30)


def _when(part: str, name: str, words: str, rule: str) -> None:
    @second(
        f"{part}_login_share_90d",
        name=f"Log-ins {name}, 90 days",
        unit="share",
        direction="none",
        family=_FAMILY,
        explain=f"Which part of the log-ins of the last 90 days came {words}.",
        definition=(
            f"A / N. A: sessions in the window of 90 days that began {rule}. N: all sessions in "
            "it. Absent when N = 0."
        ),
    )
    def _(w: Windows) -> Array:
        return ratio(w.session.sum(part, 90), w.session.sum("count", 90))


_when("market_hours", "in market hours", "while the exchange was open",
      "from 9 to before 15 o'clock by the exchange's clock")  # fmt: skip
_when("night", "at night", "at night", "at 22 o'clock or later, or before 6, by the local clock")
_when("weekend", "at the weekend", "on a Saturday or Sunday", "on a Saturday or Sunday, local days")


@second(
    "market_hours_login_change_90d",
    name="Log-ins in market hours against own normal, 90 days",
    unit="ratio",
    direction="none",
    family=_FAMILY,
    explain="Share of log-ins in market hours now, over the same in the rest of the year.",
    definition=(
        "(A / N) / (B / M). A: sessions in the window of 90 days that began from 9 to before 15 "
        "o'clock by the exchange's clock. N: all sessions in it. B, M: the same in the window of "
        "365 days, minus A and minus N. Absent when N = 0, M = 0 or B = 0."
    ),
)
def _(w: Windows) -> Array:
    return per_item_change(w.session, "market_hours", "count", 90)
