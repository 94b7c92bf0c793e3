"""The oracle's SQL for what came with version 0.2 in digital, service, marketing and market."""

from __future__ import annotations

from .sql_money import against_rest, counted, summed
from .sql_service import MARKET, index_change, volatility
from .terms import count, divide, over, own_normal, since

LEAVING = "x.topic in ('transfer_help', 'close_help')"
INSTRUMENT = "x.topic = 'instrument'"


def _bits(column: str, where: str = "true") -> str:
    """Bits of a hashed set of 64 that a column's values set."""
    bit = f"(('0x' || substr(md5(x.{column}), 1, 2))::integer % 64)"
    return f"count(distinct {bit}) filter (where {where})"


DIGITAL_MORE: dict[str, str] = {
    "short_login_share_30d": divide(
        count("session", 30, where="x.seconds < 30"), count("session", 30)
    ),
    "short_login_change_30d": against_rest(
        "session", counted("x.seconds < 30"), "count(x.client_id)", 30
    ),
    "errors_per_login_change_30d": against_rest(
        "session", summed("errors"), "count(x.client_id)", 30
    ),
    "pages_per_login_change_30d": against_rest(
        "session", summed("pages"), "count(x.client_id)", 30
    ),
    "latency_change_30d": against_rest("session", summed("latency_ms"), "count(x.latency_ms)", 30),
    "app_share_90d": divide(count("session", 90, where="x.channel = 'app'"), count("session", 90)),
    "views_30d": count("view", 30),
    **{f"leaving_views_{w}d": count("view", w, where=LEAVING) for w in (30, 90)},
    "compare_views_30d": count("view", 30, where="x.topic = 'compare'"),
    "fee_views_30d": count("view", 30, where="x.topic = 'fee'"),
    "instrument_views_30d": count("view", 30, where=INSTRUMENT),
    "view_change_30d": own_normal("view", count("view", 30), count("view", 365), 30),
    "instruments_viewed_30d": over("view", _bits("subject", INSTRUMENT), 30),
    "views_per_trade_90d": divide(count("view", 90, where=INSTRUMENT), count("trade", 90)),
}


def _repeated(table: str, window: int) -> str:
    return f"{over(table, 'count(x.topic)', window)} - {over(table, _bits('topic'), window)}"


def _score(kind: str) -> str:
    return over("survey", f"avg(x.score) filter (where x.kind = '{kind}')", 365)


SERVICE_MORE: dict[str, str] = {
    **{f"complaints_{w}d": count("complaint", w) for w in (90, 365)},
    "unsettled_complaints_365d": count(
        "complaint",
        365,
        where="x.closed_at is null and (x.status in ('open', 'answered') or x.status is null)",
    ),
    "days_since_complaint": since("complaint"),
    "repeated_contacts_90d": _repeated("contact", 90),
    "repeated_complaints_365d": _repeated("complaint", 365),
    "unresolved_share_90d": divide(
        count("contact", 90, where="not x.first_time"), over("contact", "count(x.first_time)", 90)
    ),
    "unsolved_contacts_90d": count("contact", 90, where="x.resolve_s is null"),
    **{
        name: against_rest("contact", summed(column), f"count(x.{column})", 90)
        for name, column in (
            ("wait_change_90d", "wait_s"),
            ("resolution_change_90d", "resolve_s"),
            ("csat_change_90d", "csat"),
        )
    },
    "nps_365d": _score("nps"),
    "survey_csat_365d": _score("csat"),
    "survey_effort_365d": _score("ces"),
    "detractor_answers_365d": count("survey", 365, where="x.kind = 'nps' and x.score <= 6"),
}


def _touched(column: str) -> str:
    return divide(count("touch", 90, where=f"x.{column}"), over("touch", f"count(x.{column})", 90))


def _subscribed(state: str, window: int, kind: str = "=") -> str:
    return count("subscription", window, where=f"x.kind {kind} 'ipo' and x.state = '{state}'")


BUYS = count("trade", 180, where="x.side = 'buy'")
APPLIED = _subscribed("applied", 180)
MARKETING: dict[str, str] = {
    **{f"touches_{w}d": count("touch", w) for w in (30, 90)},
    "touch_change_30d": own_normal("touch", count("touch", 30), count("touch", 365), 30),
    "touch_delivered_share_90d": _touched("delivered"),
    "touch_opened_share_90d": _touched("opened"),
    "touch_replied_share_90d": _touched("replied"),
    "touch_opened_change_90d": against_rest("touch", counted("x.opened"), "count(x.opened)", 90),
    "refusals_365d": count("touch", 365, where="x.refused"),
    "days_since_touch": since("touch"),
    "ipo_only_180d": (
        f"(case when {APPLIED} is not null and {BUYS} is not null "
        f"then ({APPLIED} > 0 and {BUYS} = 0)::integer end)"
    ),
    "ipo_applications_90d": _subscribed("applied", 90),
    "ipo_won_365d": _subscribed("won", 365),
    "ipo_unpaid_365d": _subscribed("unpaid", 365),
    "contracts_begun_365d": _subscribed("active", 365, "<>"),
    "contracts_ended_180d": _subscribed("ended", 180, "<>"),
    "days_since_subscription": since("subscription"),
}


def _around(table: str, what: str, window: int, where: str = "true") -> str:
    """An aggregate over rows that concern everybody, in a window that is told."""
    told = f"(select told from cover where name = '{table}' and w = {window} and not prev)"
    return f"""(case when {told} then (
        select {what} from {table} as x, now
        where x.day >= now.d - {window} and x.day <= now.d and {where}) end)"""


def _index(what: str, window: int) -> str:
    return f"(select {what} from market, now where day >= d - {window} and day < d)"


def _up() -> str:
    return """(
        select avg((close > before)::integer) from (
            select close, lag(close) over (order by day) as before
            from market, now where day >= d - 30 and day < d)
        where before is not null)"""


LASTED = """coalesce(sum(greatest(0, epoch_us(least(coalesce(x.ended_at, now.t), now.t))
    - epoch_us(x."at"))), 0) / 3.6e9"""
MARKET_MORE: dict[str, str] = {
    **{f"index_change_{w}d": index_change(w) for w in (7, 365)},
    "index_above_mean_180d": _index(
        "case when avg(close) > 0 then arg_max(close, day) / avg(close) - 1 end", 180
    ),
    "index_up_share_30d": _up(),
    "index_volatility_regime": divide(MARKET["index_volatility_30d"], volatility(180)),
    "index_drawdown_365d": _index(
        "case when max(close) > 0 then 1 - arg_max(close, day) / max(close) end", 365
    ),
    **{
        f"{subject}_news_tone_30d": _around(
            "news", "avg(x.sentiment)", 30, f"x.subject = '{subject}'"
        )
        for subject in ("own", "rival", "market")
    },
    **{
        f"{subject}_bad_news_30d": _around(
            "news", "count(*)", 30, f"x.subject = '{subject}' and x.sentiment <= -0.3"
        )
        for subject in ("own", "rival", "market")
    },
    "outages_30d": _around("outage", "count(*)", 30),
    "severe_outages_90d": _around("outage", "count(*)", 90, "x.severity = 'high'"),
    "outage_hours_30d": _around("outage", LASTED, 30),
}
