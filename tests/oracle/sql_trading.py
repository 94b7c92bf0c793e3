"""The oracle's SQL for the families activity and rhythm, from the catalogue's text."""

from __future__ import annotations

from .terms import active_days, count, divide, held, over, own_normal, since, total, trend
from .views import ACTIVITIES

VALUE = "case when count(x.client_id) > 0 and count(x.amount) = 0 then null else {} end"
AMOUNT = VALUE.format("coalesce(sum(x.amount), 0)")
NET = VALUE.format("coalesce(sum(case x.side when 'buy' then x.amount else -x.amount end), 0)")
BUY = "x.side = 'buy'"
SELL = "x.side = 'sell'"
# First byte of the MD5 of the id, modulo 64; '0x..' casts to a number.
BIT = "(('0x' || substr(md5(x.instrument_id), 1, 2))::integer % 64)"
HOLDINGS = held("value")
DAYS = "list_sort(list(distinct x.day) filter (where x.day is not null))"


def _mean_gap() -> str:
    days = "count(distinct x.day)"
    return over(
        "trade",
        f"case when {days} >= 2 then (max(x.day) - min(x.day)) / ({days} - 1)::double end",
        365,
    )


def _longest_gap() -> str:
    gaps = "list_transform(range(2, len(xs) + 1), lambda i: xs[i] - xs[i - 1])"
    return f"(select list_max({gaps}) from (select {over('trade', DAYS, 365)} as xs))"


def _clumpiness() -> str:
    days = over("trade", DAYS, 366)
    terms = """list_transform(
        list_filter(
            list_transform(range(2, len(xs) + 1), lambda i: (xs[i] - xs[i - 1]) / 367.0),
            lambda g: g > 0),
        lambda g: g * ln(g))"""
    numbers = f"[0] || list_transform({days}, lambda v: v - (c.d - 366) + 1) || [367]"
    return f"""(
        select case when len(xs) > 2 then 1 + list_sum({terms}) / ln(len(xs) - 1) end
        from (select {numbers} as xs))"""


def _variation() -> str:
    """Sd / (A / K) over the day sums."""
    return f"""(case when {count("trade", 180)} is not null then (
            select case when count(*) >= 2 and sum(s) <> 0 then stddev_samp(s) / avg(s) end
            from (
                select x.day, coalesce(sum(x.amount), 0)::double as s
                from trade as x
                where x.client_id = c.client_id and x.day >= c.d - 180 and x.day <= c.d
                group by x.day
            )
        ) end)"""


def _net_sold_share() -> str:
    x = f"greatest(0, -{over('trade', NET, 90)})"
    # greatest() passes over NULL, so that absence has to be said.
    known = f"{over('trade', NET, 90)} is not null"
    return f"(case when {known} then {divide(x, f'{HOLDINGS} + {x}')} end)"


TRADING: dict[str, str] = {
    **{f"trade_count_{w}d": count("trade", w) for w in (7, 30, 90, 180, 366)},
    **{f"traded_value_{w}d": over("trade", AMOUNT, w) for w in (90, 366)},
    **{
        f"trade_rate_change_{w}d": own_normal("trade", count("trade", w), count("trade", 365), w)
        for w in (30, 90)
    },
    "trade_count_trend_90d": trend(count("trade", 90), count("trade", 90, prev=True)),
    "traded_value_change_90d": own_normal(
        "trade", over("trade", AMOUNT, 90), total("trade", "amount", 365), 90
    ),
    "buy_count_90d": count("trade", 90, where=BUY),
    "sell_count_90d": count("trade", 90, where=SELL),
    "sell_share_90d": divide(count("trade", 90, where=SELL), count("trade", 90)),
    "net_bought_value_90d": over("trade", NET, 90),
    "net_sold_share_90d": _net_sold_share(),
    "commission_90d": total("trade", "commission", 90),
    "commission_365d": total("trade", "commission", 365),
    "commission_change_90d": own_normal(
        "trade", total("trade", "commission", 90), total("trade", "commission", 365), 90
    ),
    "average_trade_value_90d": over("trade", "avg(x.amount)", 90),
    "trade_value_variation_180d": _variation(),
    "traded_instruments_90d": over("trade", f"count(distinct {BIT})", 90),
    "turnover_180d": divide(over("trade", AMOUNT, 180), f"2 * {HOLDINGS}"),
    "trade_count_change_180d": divide(count("trade", 180), count("trade", 180, prev=True)) + " - 1",
}
"""Family activity."""

RHYTHM: dict[str, str] = {
    "days_since_trade": since("trade"),
    "days_since_first_trade": since("trade", "min"),
    # least() passes over NULL: tables without a row of the client are left out.
    "days_since_activity": "least({})".format(", ".join(since(name) for name in ACTIVITIES)),
    **{f"trading_days_{w}d": active_days("trade", w) for w in (90, 365)},
    "trading_days_change_90d": own_normal(
        "trade", active_days("trade", 90), active_days("trade", 365), 90
    ),
    "trades_per_day_90d": divide(count("trade", 90), active_days("trade", 90)),
    "mean_trade_gap_365d": _mean_gap(),
    "longest_trade_gap_365d": _longest_gap(),
    "silence_ratio": divide(since("trade"), _mean_gap()),
    "silence_record": divide(since("trade"), _longest_gap()),
    "trade_clumpiness_366d": _clumpiness(),
}
"""Family rhythm."""
