"""Market: the regime of the index, news, and failures of our own systems; the same for everyone."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "market"
_INSIDE = "the closes of the workspace's index with D - {} <= day < D"


def _change(days: int) -> None:
    @second(
        f"index_change_{days}d",
        name=f"Change of the market index, {days} days",
        unit="change",
        direction="none",
        family=_FAMILY,
        explain=f"Market index now against {days} days ago.",
        definition=(
            "A / B - 1. A: close of the latest index_price row of the workspace's index with day "
            f"< D. B: close of the latest index_price row with day < D - {days}. Absent when there "
            f"is no B or B = 0, and when A is not of D - {days} or later."
        ),
    )
    def _(w: Windows) -> Array:
        return w.market.change(days)


_change(7)
_change(365)


@second(
    "index_above_mean_180d",
    name="Market index above its mean, 180 days",
    unit="change",
    direction="none",
    family=_FAMILY,
    explain="Whether the market is in an upward regime (above 0) or a downward one (below 0).",
    definition=(
        f"A / M - 1. A, M: the latest and the mean of {_INSIDE.format(180)}. Absent when there is "
        "none, and when M <= 0."
    ),
)
def _(w: Windows) -> Array:
    return w.market.above_mean(180)


@second(
    "index_up_share_30d",
    name="Share of days on which the market rose, 30 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="On which part of the days of the last 30 the market index rose.",
    definition=(
        f"Of {_INSIDE.format(30)}, without the first: share of those above the close before. "
        "Absent with fewer than 2 closes."
    ),
)
def _(w: Windows) -> Array:
    return w.market.up_share(30)


@second(
    "index_volatility_regime",
    name="Market volatility against its normal",
    unit="ratio",
    direction="none",
    family=_FAMILY,
    explain="Volatility of the last 30 days over that of the last 180: above 1 it is restless.",
    definition=(
        "V / N. V: indicator index_volatility_30d. N: the same with D - 180 <= day < D. Absent "
        "when either is, and when N = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.market.volatility(30), w.market.volatility(180))


@second(
    "index_drawdown_365d",
    name="Drawdown of the market index, 365 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="How far the market index stands below its highest close of the last 365 days.",
    definition=(
        f"1 - A / H. A, H: the latest and the highest of {_INSIDE.format(365)}. Absent when there "
        "is none, and when H <= 0."
    ),
)
def _(w: Windows) -> Array:
    return w.market.drawdown(365)


def _news(subject: str, words: str) -> None:
    @second(
        f"{subject}_news_tone_30d",
        name=f"Tone of news about {words}, 30 days",
        unit="points",
        direction="none",
        family=_FAMILY,
        explain="Average tone of the news of the last 30 days, -1 (bad) to 1 (good).",
        definition=(
            f"Mean of sentiment over the news rows with subject {subject} in the window of 30 days "
            "that have one. Absent without any."
        ),
    )
    def _(w: Windows) -> Array:
        return w.news.tone(subject, 30)

    @second(
        f"{subject}_bad_news_30d",
        name=f"Bad news about {words}, 30 days",
        unit="count",
        direction="none",
        family=_FAMILY,
        explain="Pieces of news of the last 30 days with a bad tone.",
        definition=(
            f"Number of news rows with subject {subject} and a sentiment of -0.3 or less in the "
            "window of 30 days."
        ),
    )
    def _(w: Windows) -> Array:
        return w.news.bad(subject, 30)


for _subject, _words in (
    ("own", "us"),
    ("rival", "other brokers"),
    ("market", "the market"),
):
    _news(_subject, _words)


@second(
    "outages_30d",
    name="Failures of our systems, 30 days",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="How often one of our systems failed in the last 30 days.",
    definition="Number of outage rows in the window of 30 days.",
)
def _(w: Windows) -> Array:
    return w.outage.count(30)


@second(
    "severe_outages_90d",
    name="Severe failures of our systems, 90 days",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="How often one of our systems failed badly in the last 90 days.",
    definition="Number of outage rows with severity high in the window of 90 days.",
)
def _(w: Windows) -> Array:
    return w.outage.severe(90)


@second(
    "outage_hours_30d",
    name="Hours of failure, 30 days",
    unit="hours",
    direction="none",
    family=_FAMILY,
    explain="For how many hours, together, our systems failed in the last 30 days.",
    definition=(
        "Sum of ended_at - at, in hours and not below 0, over the outage rows in the window of 30 "
        "days; as_of where ended_at is null or later."
    ),
)
def _(w: Windows) -> Array:
    return w.outage.hours(30)
