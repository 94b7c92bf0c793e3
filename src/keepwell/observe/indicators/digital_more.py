"""Digital use: shortened sessions, the app against its own normal, and what the client looks at."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import own_normal, per_item_change, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "digital"


@second(
    "short_login_share_30d",
    name="Share of short log-ins, 30 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Which part of the log-ins of the last 30 days lasted less than 30 seconds.",
    definition=(
        "S / N. S: sessions in the window of 30 days with seconds < 30. N: all sessions in it. "
        "Absent when N = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    return ratio(w.session.sum("short", 30), w.session.sum("count", 30))


def _against(
    id: str, name: str, words: str, measure: str, items: str, of: str, warning: tuple[str, float]
) -> None:
    @second(
        id,
        name=f"{name} against own normal, 30 days",
        unit="ratio",
        direction=warning[0],
        family=_FAMILY,
        explain=f"{words} in the last 30 days, compared with the rest of the year.",
        definition=(
            f"(S / N) / (T / M). {of} in the window of 30 days. T, M: the same in the window of "
            "365 days, minus S and minus N. Absent when N = 0, M = 0 or T = 0."
        ),
        threshold=warning[1],
    )
    def _(w: Windows) -> Array:
        return per_item_change(w.session, measure, items, 30)


_SUM = "S, N: sum of {0} and number of sessions; a session without {0} adds 0; both"
for _row in (
    ("short_login_change_30d", "Short log-ins", "Share of log-ins of less than 30 seconds",
     "short", "count", "S: sessions with seconds < 30, N: all sessions; both", ("high", 1.5)),
    ("errors_per_login_change_30d", "Errors per log-in", "Errors per session", "errors", "count",
     _SUM.format("errors"), ("high", 2.0)),
    ("pages_per_login_change_30d", "Pages per log-in", "Pages per session", "pages", "count",
     _SUM.format("pages"), ("low", 0.7)),
    ("latency_change_30d", "Response time", "How long the app made the client wait", "latency_ms",
     "timed", "S, N: sum of latency_ms over, and number of, the sessions that have one; both",
     ("high", 1.5)),
):  # fmt: skip
    _against(*_row)


@second(
    "app_share_90d",
    name="Share of the app, 90 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Which part of the log-ins of the last 90 days came from the app.",
    definition=(
        "A / N. A: sessions with channel app in the window of 90 days. N: all sessions in it. "
        "Absent when N = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.session.sum("app", 90), w.session.sum("count", 90))


def _looked(
    id: str, measure: str, days: int, things: str, rule: str, direction: str, alarm: bool
) -> None:
    @second(
        id,
        name=f"{things} looked at, {days} days",
        unit="count",
        direction=direction,
        family=_FAMILY,
        explain=f"How often the client looked at them in the last {days} days.",
        definition=f"Number of view rows {rule}in the window of {days} days.",
        headline=alarm,
        threshold=1.0 if alarm else None,
    )
    def _(w: Windows) -> Array:
        return w.view.sum(measure, days)


_LEAVING = "with topic transfer_help or close_help "
for _item in (
    ("views_30d", "count", 30, "Pages and features", "", "low", False),
    ("leaving_views_30d", "leaving", 30, "Help on leaving", _LEAVING, "high", True),
    ("leaving_views_90d", "leaving", 90, "Help on leaving", _LEAVING, "high", False),
    ("compare_views_30d", "compare", 30, "Comparisons", "with topic compare ", "high", False),
    ("fee_views_30d", "fee", 30, "Fee pages", "with topic fee ", "high", False),
    ("instrument_views_30d", "instrument", 30, "Instrument pages", "with topic instrument ",
     "low", False),
):  # fmt: skip
    _looked(*_item)


@second(
    "view_change_30d",
    name="Pages looked at against own normal, 30 days",
    unit="ratio",
    direction="low",
    family=_FAMILY,
    explain="How much the client looked at in the last 30 days, against the rest of the year.",
    definition=(
        "(N / C) / (M / B). N: view rows in the window of 30 days. C: covered days of view in "
        "it. M: view rows in the window of 365 days, minus N. B: covered days of the window of "
        "365 days, minus C. Absent when B < 90 or M = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    return own_normal(w.view, "count", 30)


@second(
    "instruments_viewed_30d",
    name="Different instruments looked at, 30 days",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of different instruments that the client looked at in the last 30 days.",
    definition=(
        "Number of different values of subject over the view rows with topic instrument in the "
        "window of 30 days, estimated from a set of 64 bits: a subject sets the bit of the first "
        "byte of its MD5 in UTF-8, modulo 64. Rows without a subject set none. 0 without rows."
    ),
)
def _(w: Windows) -> Array:
    return w.view.distinct("subjects", 30)


@second(
    "views_per_trade_90d",
    name="Instrument pages looked at per trade, 90 days",
    unit="average",
    direction="none",
    family=_FAMILY,
    explain="How many instrument pages the client looks at for one trade.",
    definition=(
        "V / N. V: view rows with topic instrument in the window of 90 days. N: trades in it. "
        "Absent when N = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.view.sum("instrument", 90), w.trade.sum("count", 90))
