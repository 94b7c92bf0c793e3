"""The oracle's SQL for what came with version 0.2 in activity, rhythm, funding and performance."""

from __future__ import annotations

from .sql_digital import DIGITAL
from .sql_funding import ASSETS, DEPOSIT, FUNDING, WITHDRAWAL
from .sql_service import index_change
from .sql_trading import BIT, BUY, RHYTHM, SELL
from .terms import (
    active_days,
    count,
    divide,
    held,
    latest,
    mean_of_20,
    over,
    own_normal,
    since,
    total,
)


def against_rest(table: str, above: str, below: str, window: int) -> str:
    """(S / N) / (T / M): a window's quotient over that of the rest of the year.

    ``above`` and ``below`` are aggregates over the rows ``x``.
    """
    now = [over(table, what, window) for what in (above, below)]
    year = [over(table, what, 365) for what in (above, below)]
    return divide(divide(*now), divide(f"({year[0]} - {now[0]})", f"({year[1]} - {now[1]})"))


def summed(column: str) -> str:
    """Sum of a column over the rows ``x``, 0 without any."""
    return f"coalesce(sum(x.{column}), 0)"


def counted(where: str) -> str:
    """Number of the rows ``x`` of which something holds."""
    return f"count(x.client_id) filter (where {where})"


def change(now: str, before: str) -> str:
    """A / B - 1, absent where B is not above 0."""
    return f"(case when {before} > 0 then {divide(now, before)} - 1 end)"


COMMISSION, AMOUNT = total("trade", "commission", 90), total("trade", "amount", 90)
RATE = divide(COMMISSION, AMOUNT)


def _clumpiness(prev: bool) -> str:
    days = over(
        "trade", "list_sort(list(distinct x.day) filter (where x.day is not null))", 180, prev=prev
    )
    first = "c.d - 360" if prev else "c.d - 180"
    terms = """list_transform(
        list_filter(
            list_transform(range(2, len(xs) + 1), lambda i: (xs[i] - xs[i - 1]) / 181.0),
            lambda g: g > 0),
        lambda g: g * ln(g))"""
    numbers = f"[0] || list_transform({days}, lambda v: v - ({first}) + 1) || [181]"
    return f"""(
        select case when len(xs) > 2 then 1 + list_sum({terms}) / ln(len(xs) - 1) end
        from (select {numbers} as xs))"""


ACTIVITY_MORE: dict[str, str] = {
    "largest_trade_share_90d": divide(over("trade", "max(x.amount)", 90), AMOUNT),
    **{
        f"{side}_change_90d": own_normal(
            "trade", count("trade", 90, where=rule), count("trade", 365, where=rule), 90
        )
        for side, rule in (("buy", BUY), ("sell", SELL))
    },
    "commission_rate_90d": RATE,
    "commission_rate_change_90d": against_rest("trade", summed("commission"), summed("amount"), 90),
    "average_trade_change_90d": against_rest("trade", summed("amount"), "count(x.amount)", 90),
    "trade_count_change_30d": change(count("trade", 30), count("trade", 30, prev=True)),
    "traded_instruments_change_180d": change(
        over("trade", f"count(distinct {BIT})", 180),
        over("trade", f"count(distinct {BIT})", 180, prev=True),
    ),
    "trades_per_login_90d": divide(count("trade", 90), count("session", 90)),
}

LOGIN_DAYS = "list_sort(list(distinct x.day) filter (where x.day is not null))"
MEAN_LOGIN_GAP = over(
    "session",
    "case when count(distinct x.day) >= 2 "
    "then (max(x.day) - min(x.day)) / (count(distinct x.day) - 1)::double end",
    180,
)
MARKET_HOURS = "x.hour >= 9 and x.hour < 15"


def _login_share(rule: str) -> str:
    return divide(count("session", 90, where=rule), count("session", 90))


def _longest_login_gap() -> str:
    gaps = "list_transform(range(2, len(xs) + 1), lambda i: xs[i] - xs[i - 1])"
    return f"(select list_max({gaps}) from (select {over('session', LOGIN_DAYS, 180)} as xs))"


def _login_clumpiness() -> str:
    return RHYTHM["trade_clumpiness_366d"].replace(
        over("trade", LOGIN_DAYS, 366), over("session", LOGIN_DAYS, 366)
    )


def _login_variation() -> str:
    return f"""(case when {count("session", 180)} is not null then (
            select case when count(*) >= 2 then stddev_samp(n) / avg(n) end
            from (
                select count(*)::double as n from session as x
                where x.client_id = c.client_id and x.day >= c.d - 180 and x.day <= c.d
                group by x.day)
        ) end)"""


RHYTHM_MORE: dict[str, str] = {
    # least() passes over NULL: tables without a row of the client are left out.
    "dormant_days": "least({})".format(
        ", ".join(
            since(name)
            for name in ("trade", "first_purchase", "cash_flow", "custody_transfer", "subscription")
        )
    ),
    "login_clumpiness_366d": _login_clumpiness(),
    "mean_login_gap_180d": MEAN_LOGIN_GAP,
    "longest_login_gap_180d": _longest_login_gap(),
    "login_silence_ratio": divide(DIGITAL["days_since_login"], MEAN_LOGIN_GAP),
    "trade_clumpiness_change_180d": f"{_clumpiness(False)} - {_clumpiness(True)}",
    "login_variation_180d": _login_variation(),
    "login_days_change_30d": own_normal(
        "session", active_days("session", 30), active_days("session", 365), 30
    ),
    "market_hours_login_share_90d": _login_share(MARKET_HOURS),
    "night_login_share_90d": _login_share("x.hour >= 22 or x.hour < 6"),
    "weekend_login_share_90d": _login_share("isodow(date '1970-01-01' + x.day::integer) >= 6"),
    "market_hours_login_change_90d": against_rest(
        "session", counted(MARKET_HOURS), "count(x.client_id)", 90
    ),
}


def _moved(window: int) -> tuple[str, str]:
    return (
        total("cash_flow", "amount", window, where=DEPOSIT),
        total("cash_flow", "amount", window, where=WITHDRAWAL),
    )


def _outflow(days: int) -> str:
    paid, taken = _moved(days)
    mean = mean_of_20("balance", ASSETS, days)
    known = f"{taken} is not null and {mean} > 0"
    return f"(case when {known} then {divide(f'greatest(0, {taken} - {paid})', mean)} end)"


def _of_before(what: str, days: int) -> str:
    before = latest("balance", ASSETS, days)
    return f"(case when {before} > 0 then {divide(what, before)} end)"


def _price_effect(days: int) -> str:
    paid, taken = _moved(days)
    grown = f"{latest('balance', ASSETS)} - {latest('balance', ASSETS, days)}"
    return _of_before(f"{grown} - {paid} + {taken}", days)


def _peak() -> str:
    high = over("balance", f"max({ASSETS})", 180)
    return f"(case when {high} > 0 then 1 - {divide(latest('balance', ASSETS), high)} end)"


def _cash_share(ago: int) -> str:
    what = f"case when {ASSETS} > 0 then {divide('x.cash', ASSETS)} end"
    return latest("balance", what, ago)


def _dietz(days: int) -> str:
    paid, taken = _moved(days)
    before, flow = latest("balance", ASSETS, days), f"({paid} - {taken})"
    base = f"({before} + {flow} / 2)"
    earned = f"{latest('balance', ASSETS)} - {before} - {flow}"
    return f"(case when {base} > 0 then {divide(earned, base)} end)"


OUT = "x.direction = 'out'"
MOVED_OUT = over("custody_transfer", f"count(distinct {BIT}) filter (where {OUT})", 180)
RATIOS = "x.maintenance_ratio"

FUNDING_MORE: dict[str, str] = {
    **{f"net_outflow_share_{w}d": _outflow(w) for w in (7, 30, 90)},
    "average_assets_20d": mean_of_20("balance", ASSETS),
    **{f"price_effect_{w}d": _price_effect(w) for w in (30, 90)},
    **{f"net_flow_share_{w}d": _of_before(FUNDING[f"net_flow_{w}d"], w) for w in (30, 90)},
    "assets_below_peak_180d": _peak(),
    "cash_share_change_30d": f"{_cash_share(0)} - {_cash_share(30)}",
    "fees_365d": total(
        "cash_flow", "amount", 365, where="x.kind = 'fee' and x.failure_reason is null"
    ),
    "failed_flow_share_90d": divide(
        count("cash_flow", 90, where="x.failure_reason is not null"), count("cash_flow", 90)
    ),
    "withdrawal_count_30d": count("cash_flow", 30, where=WITHDRAWAL),
    "withdrawal_count_change_90d": own_normal(
        "cash_flow", count("cash_flow", 90, where=WITHDRAWAL),
        count("cash_flow", 365, where=WITHDRAWAL), 90,
    ),
    "withdrawals_over_deposits_90d": divide(*reversed(_moved(90))),
    "margin_ratio": latest("margin", RATIOS),
    "margin_ratio_trend_30d": change(
        mean_of_20("margin", RATIOS), mean_of_20("margin", RATIOS, 30)
    ),
    "margin_ratio_low_90d": over("margin", f"min({RATIOS})", 90),
    "margin_credit_used": latest("margin", divide("x.debt", "x.credit_limit")),
    "margin_debt_change_30d": change(latest("margin", "x.debt"), latest("margin", "x.debt", 30)),
    "margin_due_days": latest("margin", "(x.due_on - date '1970-01-01') - c.d"),
    **{f"transfers_out_{w}d": count("custody_transfer", w, where=OUT) for w in (30, 180)},
    "transfers_in_180d": count("custody_transfer", 180, where="x.direction = 'in'"),
    "days_since_transfer": since("custody_transfer"),
    "moved_out_share_180d": divide(MOVED_OUT, f"{MOVED_OUT} + {held('positions')}"),
}  # fmt: skip

PERFORMANCE: dict[str, str] = {
    **{f"return_{w}d": _dietz(w) for w in (30, 90, 365)},
    **{f"return_beyond_market_{w}d": f"{_dietz(w)} - {index_change(w)}" for w in (30, 90, 365)},
}
