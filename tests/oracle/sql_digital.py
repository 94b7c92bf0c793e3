"""The oracle's SQL for the family digital, from the catalogue's text."""

from __future__ import annotations

from .terms import active_days, count, divide, over, own_normal, since, total


def _per_login(column: str) -> str:
    return divide(total("session", column, 30), count("session", 30))


def _seconds_change(days: int) -> str:
    seconds, number = total("session", "seconds", days), count("session", days)
    rest = f"({total('session', 'seconds', 365)} - {seconds})"
    others = f"({count('session', 365)} - {number})"
    return divide(divide(seconds, number), divide(rest, others))


DIGITAL: dict[str, str] = {
    **{f"login_count_{w}d": count("session", w) for w in (7, 30)},
    **{
        f"login_change_{w}d": own_normal("session", count("session", w), count("session", 365), w)
        for w in (7, 30, 90)
    },
    "login_days_30d": active_days("session", 30),
    "days_since_login": since("session"),
    "seconds_per_login_30d": _per_login("seconds"),
    **{f"seconds_per_login_change_{w}d": _seconds_change(w) for w in (30, 90)},
    "pages_per_login_30d": _per_login("pages"),
    "app_errors_30d": total("session", "errors", 30),
    "errors_per_login_30d": _per_login("errors"),
    "mean_latency_30d": over("session", "avg(x.latency_ms)", 30),
}
"""Family digital."""
