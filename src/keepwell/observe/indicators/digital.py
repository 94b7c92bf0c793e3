"""Digital use: log-ins, how long they last, and whether the app worked."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import own_normal, per_item_change, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "digital"


def _logins(days: int, threshold: float | None) -> None:
    @indicator(
        f"login_count_{days}d",
        name=f"Log-ins in {days} days",
        unit="count",
        direction="low",
        family=_FAMILY,
        explain=f"Number of sessions that the client began in the last {days} days.",
        definition=f"Number of session rows in the window of {days} days.",
        headline=threshold is not None,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return w.session.sum("count", days)


for _days, _threshold in ((7, None), (30, 0.0)):
    _logins(_days, _threshold)


def _change(days: int, threshold: float | None) -> None:
    @indicator(
        f"login_change_{days}d",
        name=f"Log-ins against own normal, {days} days",
        unit="ratio",
        direction="low",
        family=_FAMILY,
        explain=(
            f"How often the client logged in during the last {days} days, compared with the "
            "client's rate in the rest of the year."
        ),
        definition=(
            "(N / C) / (M / B). "
            f"N: sessions in the window of {days} days. C: covered days of session in it. "
            "M: sessions in the window of 365 days, minus N. B: covered days of the window of "
            "365 days, minus C. Absent when B < 90 or M = 0."
        ),
        headline=threshold is not None,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return own_normal(w.session, "count", days)


_change(7, 0.5)
_change(30, 0.7)
_change(90, None)


@indicator(
    "login_days_30d",
    name="Days with a log-in, 30 days",
    unit="days",
    direction="low",
    family=_FAMILY,
    explain="Number of days of the last 30 on which the client logged in.",
    definition="Number of different local days with at least one session in the window of 30 days.",
)
def _(w: Windows) -> Array:
    return w.session.days(30)


@indicator(
    "days_since_login",
    name="Days since last log-in",
    unit="days",
    direction="high",
    family=_FAMILY,
    explain="Days since the client last logged in.",
    definition=(
        "D minus the local day of the latest known session; 0 when there is one today. Looks "
        "back without limit. Absent when no session is known."
    ),
    headline=True,
    threshold=30.0,
)
def _(w: Windows) -> Array:
    return w.session.recency()


@indicator(
    "seconds_per_login_30d",
    name="Time per log-in, 30 days",
    unit="seconds",
    direction="low",
    family=_FAMILY,
    explain="How long a session lasts on average, over the last 30 days.",
    definition=(
        "S / N. S: sum of seconds over the sessions in the window of 30 days; a session without "
        "them adds 0. N: all sessions in it. Absent when N = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.session.sum("seconds", 30), w.session.sum("count", 30))


def _seconds_change(days: int, threshold: float | None) -> None:
    @indicator(
        f"seconds_per_login_change_{days}d",
        name=f"Time per log-in against own normal, {days} days",
        unit="ratio",
        direction="low",
        family=_FAMILY,
        explain=(
            f"How long a session lasts in the last {days} days, compared with the rest of the "
            "year; 0.5 means half as long."
        ),
        definition=(
            "(S / N) / (T / M). "
            f"S, N: sum of seconds and number of sessions in the window of {days} days; a session "
            "without seconds adds 0. T, M: the same in the window of 365 days, minus S and minus "
            "N. Absent when N = 0, M = 0 or T = 0."
        ),
        headline=threshold is not None,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return per_item_change(w.session, "seconds", "count", days)


_seconds_change(30, 0.7)
_seconds_change(90, None)


@indicator(
    "pages_per_login_30d",
    name="Pages per log-in, 30 days",
    unit="average",
    direction="low",
    family=_FAMILY,
    explain="How many pages the client looks at in a session, over the last 30 days.",
    definition=(
        "P / N. P: sum of pages over the sessions in the window of 30 days; a session without "
        "them adds 0. N: all sessions in it. Absent when N = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.session.sum("pages", 30), w.session.sum("count", 30))


@indicator(
    "app_errors_30d",
    name="App errors, 30 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Errors that the client met in the app or on the site in the last 30 days.",
    definition=(
        "Sum of errors over the sessions in the window of 30 days; a session without them adds 0."
    ),
    headline=True,
    threshold=3.0,
)
def _(w: Windows) -> Array:
    return w.session.sum("errors", 30)


@indicator(
    "errors_per_login_30d",
    name="Errors per log-in, 30 days",
    unit="average",
    direction="high",
    family=_FAMILY,
    explain="Errors per session in the last 30 days; 0.2 means one in five sessions.",
    definition=(
        "E / N. E: sum of errors over the sessions in the window of 30 days; a session without "
        "them adds 0. N: all sessions in it. Absent when N = 0."
    ),
    headline=True,
    threshold=0.2,
)
def _(w: Windows) -> Array:
    return ratio(w.session.sum("errors", 30), w.session.sum("count", 30))


@indicator(
    "mean_latency_30d",
    name="Response time, 30 days",
    unit="milliseconds",
    direction="high",
    family=_FAMILY,
    explain="How long the app or the site made this client wait, on average.",
    definition=(
        "L / K. L: sum of latency_ms over the sessions in the window of 30 days. K: sessions in "
        "it that have a latency_ms. Absent when K = 0."
    ),
    headline=True,
    threshold=2000.0,
)
def _(w: Windows) -> Array:
    return ratio(w.session.sum("latency_ms", 30), w.session.sum("timed", 30))
