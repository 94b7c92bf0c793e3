"""The oracle's SQL for the family funding, from the catalogue's text."""

from __future__ import annotations

from .terms import count, divide, latest, over, own_normal, since, total

DEPOSIT = "x.kind = 'deposit' and x.failure_reason is null"
WITHDRAWAL = "x.kind = 'withdrawal' and x.failure_reason is null"
ASSETS = "x.cash + x.securities"


def _paid_in(window: int) -> str:
    return total("cash_flow", "amount", window, where=DEPOSIT)


def _taken_out(window: int) -> str:
    return total("cash_flow", "amount", window, where=WITHDRAWAL)


def _share(window: int) -> str:
    base = f"({latest('balance', ASSETS, window)} + {_paid_in(window)})"
    return f"(case when {base} > 0 then {divide(_taken_out(window), base)} end)"


def _largest_share() -> str:
    base = latest("balance", ASSETS, 30)
    largest = over("cash_flow", f"coalesce(max(x.amount) filter (where {WITHDRAWAL}), 0)", 30)
    return f"(case when {base} > 0 then {divide(largest, base)} end)"


def _assets_change(window: int) -> str:
    before = latest("balance", ASSETS, window)
    return f"(case when {before} > 0 then {divide(latest('balance', ASSETS), before)} - 1 end)"


def _of_assets(what: str) -> str:
    return latest("balance", f"case when {ASSETS} > 0 then {divide(what, ASSETS)} end")


FUNDING: dict[str, str] = {
    **{f"deposit_value_{w}d": _paid_in(w) for w in (30, 90)},
    **{f"withdrawal_value_{w}d": _taken_out(w) for w in (30, 90)},
    **{f"net_flow_{w}d": f"{_paid_in(w)} - {_taken_out(w)}" for w in (30, 90)},
    **{f"withdrawal_share_{w}d": _share(w) for w in (30, 90)},
    "largest_withdrawal_share_30d": _largest_share(),
    "deposit_change_90d": own_normal("cash_flow", _paid_in(90), _paid_in(365), 90),
    "withdrawal_change_90d": own_normal("cash_flow", _taken_out(90), _taken_out(365), 90),
    "failed_flows_30d": count("cash_flow", 30, where="x.failure_reason is not null"),
    "days_since_flow": since("cash_flow"),
    "total_assets": latest("balance", ASSETS),
    **{f"total_assets_change_{w}d": _assets_change(w) for w in (30, 90)},
    "cash_share": _of_assets("x.cash"),
    "margin_share": _of_assets("x.margin_debt"),
}
"""Family funding."""
