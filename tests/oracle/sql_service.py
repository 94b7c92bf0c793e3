"""The oracle's SQL for the families service and market, from the catalogue's text."""

from __future__ import annotations

from .sql_portfolio import PORTFOLIO
from .terms import count, divide, over, own_normal, since

SERVICE: dict[str, str] = {
    **{f"contact_count_{w}d": count("contact", w) for w in (30, 90)},
    "contact_change_30d": own_normal("contact", count("contact", 30), count("contact", 365), 30),
    "mean_wait_90d": over("contact", "avg(x.wait_s)", 90),
    "longest_wait_90d": over("contact", "max(x.wait_s)", 90),
    "mean_resolution_90d": f"{over('contact', 'avg(x.resolve_s)', 90)} / 3600",
    "unresolved_contacts_90d": count("contact", 90, where="x.first_time = false"),
    "mean_csat_180d": over("contact", "avg(x.csat)", 180),
    "lowest_csat_180d": over("contact", "min(x.csat)", 180),
    "days_since_contact": since("contact"),
}
"""Family service."""


def _level(ago: int = 0) -> str:
    return f"(select close from market, now where day < d - {ago} order by day desc limit 1)"


def index_change(window: int) -> str:
    recent = f"(select max(day) >= max(d) - {window} from market, now where day < d)"
    return f"(case when {recent} then {divide(_level(), _level(window))} - 1 end)"


def volatility(window: int) -> str:
    return f"""(
        select case when min(close) > 0 and count(*) >= 3 then stddev_samp(r) * sqrt(252) end
        from (
            select close, case when close > 0 and lag(close) over (order by day) > 0
                   then ln(close / lag(close) over (order by day)) end as r
            from market, now where day >= d - {window} and day < d))"""


MARKET: dict[str, str] = {
    "index_level": _level(),
    **{f"index_change_{w}d": index_change(w) for w in (30, 90)},
    **{f"index_volatility_{w}d": volatility(w) for w in (30, 90)},
    "index_drawdown_180d": """(
        select case when max(close) > 0 then 1 - arg_max(close, day) / max(close) end
        from market, now
        where day >= d - 180 and day < d)""",
    "value_change_beyond_market_90d": (
        f"({PORTFOLIO['holdings_value_change_90d']}) - {index_change(90)}"
    ),
}
"""Family market."""
