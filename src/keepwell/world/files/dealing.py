"""Events of money and positions as rows of the contract: trades, flows, transfers, day's closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from keepwell.world import terms
from keepwell.world.files.columns import (
    DAY_US,
    Numbers,
    Words,
    date,
    flag,
    instant,
    instants,
    money,
    quantity,
    ratio,
    same_date,
    same_instant,
    whole,
)
from keepwell.world.files.naming import Names

Columns = dict[str, pa.Array]
Builder = Callable[[Names, Any, int, int], Columns]
"""(names, events of one kind, day number, days since the start) to columns with `known_at`."""

MARGIN_RATE = 0.0635
"""Yearly rate on margin debt; of the size that brokers on XSHG list (assumption)."""

MARGIN_TERM = 180
"""Days of a margin contract: at most six months by the exchange's rules."""

ALLOTTED = 2 * DAY_US
"""Microseconds until the result of an issue is known; the row tells it, so it is known then."""

_SIDES = Words(terms.SIDES)
_TRADE_CHANNELS = Words(terms.TRADE_CHANNELS)
_FLOWS = Words(terms.FLOWS)
_BANKS = Words(terms.BANKS)
_FAILURES = Words(terms.FAILURES)
_DIRECTIONS = Words(terms.DIRECTIONS)
_BROKERS = Words(terms.BROKERS)
_EXIT_KINDS = Words(terms.EXIT_KINDS)
_BLOCKERS = Words(terms.BLOCKERS)
_SUBSCRIPTIONS = Words(terms.SUBSCRIPTIONS)
_SUBSCRIPTION_STATES = Words(terms.SUBSCRIPTION_STATES)


def happened(day: int, second: Numbers) -> Columns:
    """`at` and `known_at` of events that are known when they happen."""
    at = instant(instants(day, second))
    return {"at": at, "known_at": at}


def closing(day: int, rows: int) -> Columns:
    """`day` and `known_at` of a day's close, known at the next local midnight."""
    known = int(instants(day + 1, 0))
    return {"day": same_date(day, rows), "known_at": same_instant(known, rows)}


def trade(names: Names, e: Any, day: int, t: int) -> Columns:
    """Executed trades; quantity and amount without a sign."""
    return {
        "trade_id": names.rows("T", t, len(e)),
        "client_id": names.clients.column(e["client"]),
        **happened(day, e["second"]),
        "instrument_id": names.instruments.column(e["instrument"]),
        "side": _SIDES.column(e["side"]),
        "quantity": quantity(e["quantity"]),
        "amount": money(e["amount"]),
        "commission": money(e["commission"]),
        "channel": _TRADE_CHANNELS.column(e["channel"]),
    }


def cash_flow(names: Names, e: Any, day: int, t: int) -> Columns:
    """Cash moved, or not moved for a reason; a bank only where one takes part."""
    return {
        "flow_id": names.rows("F", t, len(e)),
        "client_id": names.clients.column(e["client"]),
        **happened(day, e["second"]),
        "kind": _FLOWS.column(e["kind"]),
        "amount": money(e["amount"]),
        "bank": _BANKS.column(e["bank"], e["kind"] <= terms.WITHDRAWAL),
        "failure_reason": _FAILURES.column(e["failure"]),
    }


def custody_transfer(names: Names, e: Any, day: int, t: int) -> Columns:
    """Securities moved from or to another broker."""
    return {
        "transfer_id": names.rows("X", t, len(e)),
        "client_id": names.clients.column(e["client"]),
        **happened(day, e["second"]),
        "direction": _DIRECTIONS.column(e["direction"]),
        "instrument_id": names.instruments.column(e["instrument"]),
        "quantity": quantity(e["quantity"]),
        "other_broker": _BROKERS.column(e["broker"]),
    }


def exit_request(names: Names, e: Any, day: int, t: int) -> Columns:
    """Requests to leave; carried out, they come again as revision 1, known then."""
    del t
    done = e["revision"] > 0
    asked_day = np.where(done, e["day"], day)
    asked_second = np.where(done, e["asked_second"], e["second"])
    now = instants(day, e["second"])
    return {
        "request_id": names.case("Q", e["client"], asked_day, asked_second),
        "client_id": names.clients.column(e["client"]),
        "at": instant(instants(asked_day, asked_second)),
        "kind": _EXIT_KINDS.column(e["kind"]),
        "blockers": _BLOCKERS.column(e["blocker"]),
        "completed_at": instant(now, done),
        "known_at": instant(now),
        "revision": whole(e["revision"]),
    }


def margin(names: Names, e: Any, day: int, t: int) -> Columns:
    """Margin accounts at the close; contracts are renewed every half year, each on its own day."""
    due = day + MARGIN_TERM - (t + e["client"] * 37) % MARGIN_TERM
    return {
        "client_id": names.clients.column(e["client"]),
        **closing(day, len(e)),
        "debt": money(e["debt"]),
        "credit_limit": money(e["limit"]),
        "maintenance_ratio": ratio(e["ratio"]),
        "rate": ratio(np.full(len(e), MARGIN_RATE)),
        "due_on": date(due, e["debt"] > 0),
    }


def subscription(names: Names, e: Any, day: int, t: int) -> Columns:
    """Subscriptions; units and allotment only where there are any."""
    del t
    return {
        "client_id": names.clients.column(e["client"]),
        "product": names.products(e["kind"], e["product"]),
        **happened(day, e["second"]),
        "known_at": instant(instants(day, e["second"]) + (e["kind"] == 0) * ALLOTTED),
        "kind": _SUBSCRIPTIONS.column(e["kind"]),
        "state": _SUBSCRIPTION_STATES.column(e["state"]),
        "quota": quantity(e["quota"], e["quota"] > 0),
        "won": quantity(e["won"], (e["won"] > 0) | (e["quota"] > 0)),
        "amount": money(e["amount"]),
    }


def balance(names: Names, e: Any, day: int, t: int) -> Columns:
    """Totals at the close."""
    del t
    return {
        "client_id": names.clients.column(e["client"]),
        **closing(day, len(e)),
        "cash": money(e["cash"]),
        "securities": money(e["securities"]),
        "margin_debt": money(e["debt"]),
        "positions": whole(e["positions"]),
        "top_weight": ratio(np.clip(e["top"], 0.0, 1.0)),
    }


def holding(names: Names, e: Any, day: int, t: int) -> Columns:
    """Positions at the close."""
    del t
    return {
        "client_id": names.clients.column(e["client"]),
        **closing(day, len(e)),
        "instrument_id": names.instruments.column(e["instrument"]),
        "quantity": quantity(e["quantity"]),
        "cost": money(e["cost"]),
        "value": money(e["value"]),
    }


def consent(names: Names, e: Any, day: int, t: int) -> Columns:
    """A word given or taken back."""
    del t
    return {
        "client_id": names.clients.column(e["client"]),
        "purpose": PURPOSES.column(e["purpose"]),
        **happened(day, e["second"]),
        "granted": flag(e["granted"]),
    }


PURPOSES = Words(terms.PURPOSES)
"""Purposes of consent, by their code."""

DEALING: dict[str, Builder] = {
    "trade": trade,
    "cash_flow": cash_flow,
    "custody_transfer": custody_transfer,
    "exit_request": exit_request,
    "margin": margin,
    "subscription": subscription,
    "balance": balance,
    "holding": holding,
}
"""Contract tables that follow from one kind of event alone."""
