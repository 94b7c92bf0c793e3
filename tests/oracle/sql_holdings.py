"""The oracle's SQL for what came with version 0.2 in portfolio and relationship."""

from __future__ import annotations

from .sql_money import RATE
from .sql_portfolio import CLIENT
from .terms import closest, count, divide, held, over, since

PAIRED = "x.quantity > 0 and x.cost > 0 and x.value is not null"
LOSING = f"{PAIRED} and x.value < x.cost"


def _latest_day(what: str, ago: int = 0) -> str:
    """An aggregate over the holding rows of the client's latest day with any before D - ago."""
    return closest("day", "holding", what, ago)


def _gain(ago: int = 0) -> str:
    return _latest_day(
        f"sum(x.value - x.cost) filter (where {PAIRED})::double "
        f"/ nullif(sum(x.cost) filter (where {PAIRED}), 0)",
        ago,
    )


def _under_water() -> str:
    told = closest("ever", "holding", "count(x.day)")
    return f"""(case when {told} > 0 then (
        select case when arg_max(gain, day) >= 0 then 0
                    else c.d - min(day) filter (where safe is null or day > safe) end
        from (
            select day, gain, max(day) filter (where gain >= 0) over () as safe
            from (
                select x.day, coalesce(sum(x.value - x.cost) filter (where {PAIRED}), 0) as gain
                from holding as x where x.client_id = c.client_id group by x.day))) end)"""


def _part(rule: str, ago: int = 0, of: str = "") -> str:
    """Share of the value of the positions of which a rule holds; ``of`` narrows the whole."""
    whole = "sum(v.value)" + (f" filter (where {of})" if of else "")
    inside = f"{rule} and {of}" if of else rule
    known = "(select instrument and price from mapped)"
    return f"""(case when {known} and {held("value", ago)} is not null then (
        select coalesce(sum(v.value) filter (where {inside}), 0) / nullif({whole}, 0)
        from worth as v where v.client_id = c.client_id and v.ago = {ago}) end)"""


def _kind(prefix: str, ago: int = 0) -> str:
    return _part(f"starts_with(v.category, '{prefix}')", ago)


def _risk(ago: int = 0) -> str:
    known = "(select instrument and price from mapped)"
    return f"""(case when {known} and {held("positions", ago)} is not null then (
        select sum(v.value * v.risk) / nullif(sum(v.value), 0) from worth as v
        where v.client_id = c.client_id and v.ago = {ago} and v.risk is not null) end)"""


def _sector() -> str:
    known = "(select instrument and price from mapped)"
    return f"""(case when {known} and {held("positions")} is not null then (
        select max(s) / nullif(sum(s), 0) from (
            select sum(v.value) as s from worth as v
            where v.client_id = c.client_id and v.ago = 0 and v.sector is not null
            group by v.sector)) end)"""


def _drift() -> str:
    known = "(select instrument and price from mapped)"
    now, then = held("value"), held("value", 180)
    return f"""(case when {known} and {now} > 0 and {then} > 0 then (
        select sum(round(abs(a / {now} - b / {then}), 9)) / 2 from (
            select coalesce(v.category, '?') as k,
                   coalesce(sum(v.value) filter (where v.ago = 0), 0) as a,
                   coalesce(sum(v.value) filter (where v.ago = 180), 0) as b
            from worth as v where v.client_id = c.client_id group by 1)) end)"""


def _maturing(what: str, where: str) -> str:
    known = "(select instrument from mapped)"
    return f"""(case when {known} and {held("positions")} is not null then (
        select {what} from worth as v
        where v.client_id = c.client_id and v.ago = 0 and {where}) end)"""


SOON = "v.matures >= c.d and v.matures <= c.d + 29"
KNOWN_RISK = "v.risk is not null"

PORTFOLIO_MORE: dict[str, str] = {
    "unrealised_gain": _gain(),
    "unrealised_gain_change_90d": f"{_gain()} - {_gain(90)}",
    "under_water_depth": _latest_day(
        f"coalesce(sum(x.cost - x.value) filter (where {LOSING}), 0)::double "
        f"/ nullif(sum(x.cost) filter (where {PAIRED}), 0)"
    ),
    "days_under_water": _under_water(),
    "positions_under_water_share": _latest_day(
        f"count(*) filter (where {LOSING})::double / nullif(count(*) filter (where {PAIRED}), 0)"
    ),
    "deepest_loss": _latest_day(
        f"case when count(*) filter (where {PAIRED}) > 0 then coalesce("
        f"max(((x.cost - x.value)::hugeint * 1000000) // x.cost) filter (where {LOSING}), 0)"
        "::double / 1000000 end"
    ),
    "stock_value_share": _kind("stock"),
    "bond_value_share": _kind("bond"),
    "fund_value_share": _kind("fund"),
    "money_fund_value_share": _kind("fund_money"),
    "move_into_money_funds_90d": f"{_kind('fund_money')} - {_kind('fund_money', 90)}",
    "move_into_shares_90d": f"{_kind('stock')} - {_kind('stock', 90)}",
    "products_maturing_30d": _maturing("count(*)", SOON),
    "maturing_share_30d": _part(f"({SOON})"),
    "days_to_next_maturity": _maturing("min(v.matures) - c.d", "v.matures >= c.d"),
    "product_risk": _risk(),
    "product_risk_change_90d": f"{_risk()} - {_risk(90)}",
    "product_risk_above_profile": f"{_risk()} - {CLIENT['client_risk_level']}",
    "risky_value_share": _part("v.risk >= 4", of=KNOWN_RISK),
    "sector_concentration": _sector(),
    "style_drift_180d": _drift(),
}


def _mapped(name: str, what: str) -> str:
    return f"(case when (select {name} from mapped) then {what} end)"


def _accounts(what: str) -> str:
    rows = f"""(
        select {what} from account as x
        where x.client_id = c.client_id and x.state is distinct from 'closed')"""
    return _mapped("account", rows)


def _served(what: str, where: str = "true") -> str:
    return f"""(
        select case when count(*) > 0 then {what} end from served as x
        where x.client_id = c.client_id and {where})"""


def _changes(column: str, before: str, window: int) -> str:
    return _served(f"count(*) filter (where x.{column} <> x.{before} and x.day >= c.d - {window})")


def _ties(what: str, where: str) -> str:
    return _mapped("relation", f"(select count(distinct {what}) from ties as x where {where})")


FEE_RATE = _accounts("min(x.fee_rate)")
PENDING = "x.completed_at is null"
LEFT = """(
    select count(distinct o.client_id) from profile as o join (
        select x.other_id as tied from ties as x where x.client_id = c.client_id
        union all
        select x.client_id as tied from ties as x where x.other_id = c.client_id) as y
      on y.tied = o.client_id
    where o.closed_on - date '1970-01-01' < c.d)"""

RELATIONSHIP: dict[str, str] = {
    "exit_requests_180d": count("exit_request", 180),
    "pending_exit_requests_365d": count("exit_request", 365, where=PENDING),
    "exit_blockers_365d": over(
        "exit_request",
        f"coalesce(sum(len(string_split(x.blockers, ','))) filter (where {PENDING}), 0)",
        365,
    ),
    "blocked_exit_share_365d": divide(
        count("exit_request", 365, where=f"{PENDING} and x.blockers is not null"),
        count("exit_request", 365),
    ),
    "days_since_exit_request": since("exit_request"),
    "open_accounts": _accounts("count(*)"),
    "account_kinds": _accounts("count(distinct x.kind)"),
    "trading_permissions": _accounts("max(len(string_split(x.permissions, ',')))"),
    "published_fee_rate": FEE_RATE,
    "commission_over_tier_90d": divide(RATE, FEE_RATE),
    "manager_changes_365d": _changes("manager_id", "manager_before", 365),
    "adviser_changes_365d": _changes("adviser_id", "adviser_before", 365),
    "days_with_manager": _served(
        "c.d - coalesce(max(x.day) filter (where x.manager_id <> x.manager_before), "
        "min(x.day) filter (where x.place = 1))"
    ),
    "wecom_connected": _served("max(x.wecom::integer)", "x.newest"),
    "wecom_removed_90d": _served(
        "count(*) filter (where not x.wecom and x.wecom_before and x.day >= c.d - 90)"
    ),
    "household_size": _ties(
        "x.other_id",
        "x.client_id = c.client_id and x.kind <> 'referrer'",
    ),
    "referred_clients": _ties("x.client_id", "x.other_id = c.client_id and x.kind = 'referrer'"),
    "tied_clients_left": _mapped("relation", _mapped("client", LEFT)),
}
