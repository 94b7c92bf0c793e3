"""The oracle's SQL for the families portfolio and client, from the catalogue's text."""

from __future__ import annotations

from .terms import divide, held


def _change(column: str, ago: int) -> str:
    return f"{divide(held(column), held(column, ago))} - 1"


def _left(now: int, then: int) -> str:
    """Instruments with a positive quantity ``now`` days ago and without one ``then`` days ago."""
    gone = f"""(
        select count(*) from held as h
        where h.client_id = c.client_id and h.ago = {now} and h.quantity > 0
          and not exists (
            select 1 from held as o
            where o.client_id = c.client_id and o.ago = {then} and o.quantity > 0
              and o.instrument_id = h.instrument_id))"""
    both = f"{held('positions', now)} is not null and {held('positions', then)} is not null"
    return f"(case when {both} then {gone} end)"


def _told(expression: str, *agos: int) -> str:
    """An expression on the positions, absent when they are at any of the times named."""
    known = " and ".join(f"{held('positions', ago)} is not null" for ago in (0, *agos))
    return f"(case when {known} then ({expression}) end)"


def _held(what: str, where: str = "true") -> str:
    """An aggregate over the positive positions ``h`` at as_of."""
    return _told(f"""
        select {what} from held as h
        where h.client_id = c.client_id and h.ago = 0 and h.quantity > 0 and ({where})""")


def _mapped(name: str) -> str:
    return f"(select {name} from mapped)"


def _kind_share(prefix: str) -> str:
    number = _held(f"count(*) filter (where starts_with(h.category, '{prefix}'))")
    return f"(case when {_mapped('instrument')} then {divide(number, held('positions'))} end)"


def _both(what: str) -> str:
    """An aggregate over instruments held at as_of and 180 days ago: ``h`` now, ``o`` then."""
    return _told(
        f"""
        select {what} from held as h join held as o using (client_id, instrument_id)
        where h.client_id = c.client_id and h.ago = 0 and h.quantity > 0
          and o.ago = 180 and o.quantity > 0""",
        180,
    )


RATIO = "greatest(-3, least(3, ln(h.quantity::double / o.quantity::double)))"


def _ever(what: str, where: str = "true") -> str:
    """An aggregate over the client's instruments ``f``, each with its first day."""
    rebuilt = f"({_mapped('holding')} or {_mapped('trade')})"
    return (
        f"(case when {rebuilt} then (select {what} from first_seen as f "
        f"where f.client_id = c.client_id and ({where})) end)"
    )


def _new(window: int) -> str:
    told = f"""(
        select bool_or(told) from cover
        where name in ('trade', 'first_purchase') and w = {window} and not prev)"""
    return f"(case when {told} then {_ever('count(*)', f'f.day >= c.d - {window}')} end)"


GIVEN_UP = _told(
    """
    select count(*) from first_seen as f
    where f.client_id = c.client_id and not exists (
        select 1 from held as h
        where h.client_id = f.client_id and h.instrument_id = f.instrument_id
          and h.ago = 0 and h.quantity > 0)"""
)
RETURNED = _told(
    """
    select count(*) from held as h
    where h.client_id = c.client_id and h.ago = 0 and h.quantity > 0 and h.first_day < c.d - 180
      and not exists (
        select 1 from held as o
        where o.client_id = h.client_id and o.instrument_id = h.instrument_id
          and o.ago = 180 and o.quantity > 0)""",
    180,
)
UNITS = "h.quantity / 1e8"
KINDS = {
    "stock_position_share": "stock",
    "large_cap_position_share": "stock_large_cap",
    "bond_position_share": "bond",
    "fund_position_share": "fund",
    "bond_fund_position_share": "fund_bond",
    "equity_fund_position_share": "fund_equity",
    "money_fund_position_share": "fund_money",
}

PORTFOLIO: dict[str, str] = {
    "position_count": held("positions"),
    "holdings_value": held("value"),
    **{f"position_count_change_{w}d": _change("positions", w) for w in (90, 180, 365)},
    **{f"holdings_value_change_{w}d": _change("value", w) for w in (90, 180)},
    "top_weight": divide(held("largest"), held("value")),
    "concentration": held("concentration"),
    "concentration_change_90d": f"{held('concentration')} - {held('concentration', 90)}",
    "categories_held": (
        f"(case when {_mapped('instrument')} then {_held('count(distinct h.category)')} end)"
    ),
    **{name: _kind_share(prefix) for name, prefix in KINDS.items()},
    **{f"instruments_dropped_{w}d": _left(w, 0) for w in (180, 365)},
    **{f"dropped_share_{w}d": divide(_left(w, 0), held("positions", w)) for w in (180, 365)},
    **{f"instruments_added_{w}d": _left(0, w) for w in (180, 365)},
    "mean_position_age": _held("avg(c.d - h.first_day)"),
    "largest_position_units": _held(f"max({UNITS})"),
    "smallest_position_units": _held(f"min({UNITS})"),
    "typical_position_units": f"exp({_held(f'avg(ln(1 + {UNITS}))')}) - 1",
    "position_size_change_180d": f"exp({_both(f'avg({RATIO})')}) - 1",
    "largest_cut_180d": f"exp({_both(f'min({RATIO})')}) - 1",
    "positions_increased_180d": _both("count(*) filter (where h.quantity > o.quantity)"),
    "positions_reduced_180d": _both("count(*) filter (where h.quantity < o.quantity)"),
    "instruments_ever_held": _ever("count(*)"),
    "instruments_given_up": GIVEN_UP,
    "given_up_share": divide(GIVEN_UP, _ever("count(*)")),
    "instruments_returned_180d": RETURNED,
    "days_since_new_instrument": _ever("c.d - max(f.day)"),
    **{f"new_instruments_{w}d": _new(w) for w in (30, 90, 180, 365)},
    "priced_share": divide(held("priced"), held("positions")),
}
"""Family portfolio."""


def _profile(what: str) -> str:
    return f"(select {what} from profile as p where p.client_id = c.client_id)"


CLIENT: dict[str, str] = {
    "tenure_days": _profile("c.d - (p.opened_on - date '1970-01-01')"),
    "age_years": _profile("year(date '1970-01-01' + c.d::integer) - p.birth_year"),
    "client_risk_level": _profile("substr(p.risk_level, 2, 1)::integer"),
    "days_since_assessed": _profile("c.d - (p.assessed_on - date '1970-01-01')"),
}
"""Family client."""
