"""The oracle's SQL for clients among their peers."""

from __future__ import annotations

import duckdb

from .sql_contacts import SERVICE_MORE
from .sql_digital import DIGITAL
from .sql_funding import FUNDING
from .sql_money import ACTIVITY_MORE, FUNDING_MORE, PERFORMANCE
from .sql_portfolio import CLIENT
from .sql_service import SERVICE
from .sql_trading import TRADING

LEAST = 2
"""Peers below which nothing is said; the product says 20, which small worlds never have."""

_KNOWN = {
    **TRADING, **FUNDING, **DIGITAL, **SERVICE, **CLIENT, **ACTIVITY_MORE, **FUNDING_MORE,
    **PERFORMANCE, **SERVICE_MORE,
}  # fmt: skip
_ASSETS, _LEVEL = _KNOWN["total_assets"], _KNOWN["client_risk_level"]
_DAYS = (30, 90, 365)
_BASES = {
    **{f"return_beyond_peers_{w}d": f"return_{w}d" for w in _DAYS},
    "trading_beyond_peers_90d": "trade_rate_change_90d",
    "logins_beyond_peers_30d": "login_change_30d",
    "net_flow_beyond_peers_90d": "net_flow_share_90d",
    "assets_beyond_peers_90d": "total_assets_change_90d",
}
_RATIOS = {
    "commission_over_peers_90d": "commission_rate_90d",
    "wait_over_peers_90d": "mean_wait_90d",
}
_RANKS = {f"return_rank_{w}d": f"return_{w}d" for w in _DAYS[1:]}
_COMPARED = sorted({*_BASES.values(), *_RATIOS.values(), *_RANKS.values()})


def _among(base: str, what: str) -> str:
    """An aggregate over the peers' values ``y`` of an indicator, beside the client's ``p``."""
    return f"""(
        select case when count(y) >= {LEAST} then {what} end
        from (select {base} as y, level, fifth from norms) as z
        where z.level = {_LEVEL} and z.fifth = case when {_ASSETS} > 0 then (
            select count(*) from edges where edge < {_ASSETS}) end)"""


def _rank(base: str) -> str:
    own = _KNOWN[base]
    below = f"count(*) filter (where y < {own}) + count(*) filter (where y = {own}) / 2"
    return f"case when {own} is not null then {_among(base, f'({below}) / count(y)')} end"


PEERS: dict[str, str] = {
    **{id: f"({_KNOWN[x]}) - {_among(x, 'median(y)')}" for id, x in _BASES.items()},
    **{id: f"({_KNOWN[x]}) / nullif({_among(x, 'median(y)')}, 0)" for id, x in _RATIOS.items()},
    **{id: _rank(x) for id, x in _RANKS.items()},
}


USED = " ".join(_KNOWN[id] for id in (*_COMPARED, "total_assets", "client_risk_level"))
"""The SQL that the norms rest on."""


def note_norms(con: duckdb.DuckDBPyConnection) -> None:
    """Keeps what is seen now as the peers' numbers: ``edges`` of the fifths, and ``norms``."""
    columns = ", ".join(f"({_KNOWN[id]})::double as {id}" for id in _COMPARED)
    con.execute(f"""
        create or replace temp table crowd as
        select ({_LEVEL}) as level, ({_ASSETS}) as assets, {columns}
        from people as c join measures as m using (client_id)""")
    con.execute("""
        create or replace temp table edges as
        with funded as (
            select assets, row_number() over (order by assets) as place, count(*) over () as n
            from crowd where assets > 0)
        select k, assets as edge
        from funded, (select unnest([1, 2, 3, 4]) as k) where place = (k * n + 4) // 5""")
    con.execute("""
        create or replace temp table norms as
        select *, case when assets > 0 then (
            select count(*) from edges where edge < x.assets) end as fifth
        from crowd as x""")
