"""Tables about money and positions: trades, flows, transfers, balances, holdings."""

from __future__ import annotations

from keepwell.observe.contract_types import (
    Column,
    Kind,
    Table,
    at,
    choice,
    client_id,
    close_of,
    currency,
    money,
    text,
)


def _quantity(name: str, meaning: str, signed: bool = False, required: bool = False) -> Column:
    return Column(name, Kind.QUANTITY, meaning, "units", required, "personal", signed=signed)


def _instrument(required: bool = False) -> Column:
    return text("instrument_id", "Instrument's code.", "key", "public", required)


DEALING: tuple[Table, ...] = (
    Table(
        "trade",
        "One executed trade.",
        ("trade_id",),
        "at",
        True,
        (
            text("trade_id", "Trade's number.", "key", required=True),
            client_id(),
            at("When it was executed."),
            _instrument(),
            choice("side", "Bought or sold.", ("buy", "sell"), required=True),
            _quantity("quantity", "Units traded; the side gives the direction."),
            money("amount", "Value traded, without costs; the side gives the direction."),
            money("commission", "Commission paid; negative for a rebate.", signed=True),
            text("channel", "Channel of the order."),
            currency(),
        ),
    ),
    Table(
        "first_purchase",
        "A client's first purchase of an instrument, where that is known although the trades "
        "themselves are not.",
        ("client_id", "instrument_id"),
        "at",
        True,
        (
            client_id(),
            _instrument(required=True),
            at("When it was bought, or the last day on which it can have been."),
        ),
    ),
    Table(
        "cash_flow",
        "One movement of cash on a client's account, or an attempt at one.",
        ("flow_id",),
        "at",
        True,
        (
            text("flow_id", "Movement's number.", "key", required=True),
            client_id(),
            at("When it was booked, or refused."),
            choice(
                "kind",
                "Kind of movement; it gives the direction.",
                ("deposit", "withdrawal", "dividend", "fee", "interest"),
                required=True,
            ),
            money("amount", "Amount moved, never negative.", required=True),
            text("bank", "The client's bank.", "display", "personal"),
            text("failure_reason", "Why it failed; absent when it succeeded."),
            currency(),
        ),
    ),
    Table(
        "custody_transfer",
        "Securities moved from or to another broker.",
        ("transfer_id",),
        "at",
        True,
        (
            text("transfer_id", "Transfer's number.", "key", required=True),
            client_id(),
            at("When it was booked."),
            choice(
                "direction", "In from another broker, or out to one.", ("in", "out"), required=True
            ),
            _instrument(),
            _quantity("quantity", "Units moved; the direction says which way."),
            text("other_broker", "The other broker."),
        ),
    ),
    Table(
        "exit_request",
        "A client's request to leave.",
        ("request_id",),
        "at",
        True,
        (
            text("request_id", "Request's number.", "key", required=True),
            client_id(),
            at("When it was made."),
            choice(
                "kind",
                "Kind of request.",
                ("close", "transfer", "revoke_designation"),
                required=True,
            ),
            text("blockers", "What stands against it, separated by commas."),
            Column(
                "settled_at",
                Kind.INSTANT,
                "Since when application and settlement are complete.",
                past=True,
            ),
            Column("completed_at", Kind.INSTANT, "When it was carried out.", past=True),
        ),
    ),
    Table(
        "margin",
        "A client's margin account at a day's close.",
        ("client_id", "day"),
        "day",
        False,
        (
            client_id(),
            close_of(),
            money("debt", "Debt outstanding."),
            money("credit_limit", "Credit limit."),
            Column("maintenance_ratio", Kind.RATIO, "Collateral over debt.", "share", low=0),
            Column("rate", Kind.RATIO, "Yearly interest rate.", "share"),
            Column("due_on", Kind.DAY, "Day the contract falls due."),
            currency(),
        ),
    ),
    Table(
        "subscription",
        "A subscription to an issue, a contract, a data level or a plan.",
        ("client_id", "product", "at"),
        "at",
        True,
        (
            client_id(),
            text("product", "What was subscribed to.", "key", required=True),
            at("When it was subscribed, renewed or ended."),
            choice("kind", "Kind of product.", ("ipo", "advice", "market_data", "plan")),
            choice(
                "state", "What happened.", ("applied", "won", "lost", "unpaid", "active", "ended")
            ),
            _quantity("quota", "Units applied for."),
            _quantity("won", "Units allotted."),
            money("amount", "Amount paid or payable."),
            currency(),
        ),
    ),
    Table(
        "balance",
        "A client's totals at a day's close.",
        ("client_id", "day"),
        "day",
        False,
        (
            client_id(),
            close_of(),
            money("cash", "Cash; negative when overdrawn.", signed=True),
            money("securities", "Value of securities; negative when short.", signed=True),
            money("margin_debt", "Debt to the broker."),
            Column("positions", Kind.INT, "Number of instruments held.", "count", low=0),
            Column(
                "top_weight",
                Kind.RATIO,
                "Share of the largest position.",
                "share",
                low=0,
                high=1,
                sensitivity="personal",
            ),
            currency(),
        ),
    ),
    Table(
        "holding",
        "A client's position in one instrument at a day's close; the rows of a client and day are "
        "complete.",
        ("client_id", "day", "instrument_id"),
        "day",
        False,
        (
            client_id(),
            close_of(),
            _instrument(required=True),
            _quantity(
                "quantity",
                "Units held; negative when more was sold than is on record.",
                signed=True,
                required=True,
            ),
            money("cost", "What the position cost.", signed=True),
            money("value", "Market value.", signed=True),
            currency(),
        ),
    ),
)
"""Tables about money and positions."""
