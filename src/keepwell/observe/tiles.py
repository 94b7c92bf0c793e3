"""Tiles: what we keep of each event table per client and day.

A tile row is (client, day, known day, gone day) with *measures*: mergeable summaries of the events
of one client on one local day. Everything windowed is computed from tiles, so a measure that is not
listed here cannot be asked for. Sums and counts are whole numbers (money in minor units), which
makes every result independent of the order in which events arrived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Merge = Literal["sum", "max", "min", "or", "last"]
"""How two tile rows of one client and day become one."""

BLANK = -(2**63)
"""Stands for "no value" in a measure that merges by max, min or last."""

NEVER = 2**31 - 1
"""Gone day of a row that is still valid."""

ALWAYS = -(2**31)
"""Known day of a row that is visible whatever the as-of day (the open tail of today)."""


@dataclass(frozen=True)
class Measure:
    """One mergeable summary.

    Attributes:
        name: what indicators ask for.
        sql: aggregate over the events of one client-day, in DuckDB's dialect, over bare contract
            columns.
        merge: how rows merge.
        unit: unit of the value.
        doc: one sentence for the reference page.
        narrow: sums that fit 32 bits in practice are stored so (the store widens by itself when one
            does not).
        real: a `last` measure that is a float64, kept bit for bit.
    """

    name: str
    sql: str
    merge: Merge
    unit: str
    doc: str
    narrow: bool = False
    real: bool = False


@dataclass(frozen=True)
class TileSpec:
    """The tile of one contract table.

    Attributes:
        table: contract table.
        measures: what is kept.
        clock: the column that dates a row: an instant ("at") or a close-of-day date ("day").
        entity: the column whose dictionary the rows are sorted by.
    """

    table: str
    measures: tuple[Measure, ...]
    clock: Literal["at", "day"] = "at"
    entity: str = "client_id"
    index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {m.name: i for i, m in enumerate(self.measures)})

    def measure(self, name: str) -> Measure:
        """The measure of that name.

        Raises:
            KeyError: there is none.
        """
        return self.measures[self.index[name]]


def _count(name: str, condition: str, unit: str, doc: str) -> Measure:
    sql = f"count(CASE WHEN {condition} THEN 1 END)" if condition else "count(*)"
    return Measure(name, sql, "sum", unit, doc, narrow=True)


def _total(name: str, column: str, unit: str, doc: str, condition: str = "") -> Measure:
    value = f"CASE WHEN {condition} THEN {column} END" if condition else column
    return Measure(name, f"sum({value})", "sum", unit, doc, narrow=unit != "minor units")


def _extreme(name: str, column: str, unit: str, doc: str, merge: Merge = "max") -> Measure:
    return Measure(name, f"{merge}({column})", merge, unit, doc)


def hashed_bit(column: str) -> str:
    """SQL of one of 64 bits, chosen by the first byte of the text's MD5, modulo 64.

    MD5 is there because every engine has it; 64 bits saturate, so a distinct count from them is a
    lower bound that is near the truth up to some 30 different values.
    """
    digit = "strpos('0123456789abcdef', substr(md5({c}), {i}, 1)) - 1"
    high, low = digit.format(c=column, i=1), digit.format(c=column, i=2)
    bit = f"CAST((({high}) % 4) * 16 + ({low}) AS INTEGER)"
    sign = "CAST('-9223372036854775808' AS BIGINT)"  # bit 63: a shift by 63 overflows
    return f"CASE WHEN {bit} = 63 THEN {sign} ELSE CAST(1 AS BIGINT) << {bit} END"


def _last(name: str, unit: str, doc: str, real: bool = False) -> Measure:
    return Measure(name, f"max({name})", "last", unit, doc, real=real)


_MINOR = "minor units"

TRADE = TileSpec(
    "trade",
    (
        _count("count", "", "trades", "Trades."),
        _count("buys", "side = 'buy'", "trades", "Buy trades."),
        _count("sells", "side = 'sell'", "trades", "Sell trades."),
        _count("known", "amount IS NOT NULL", "trades", "Trades whose amount is known."),
        _total("amount", "amount", _MINOR, "Traded amount, buys plus sells, known ones."),
        _total("buy_amount", "amount", _MINOR, "Bought amount, known ones.", "side = 'buy'"),
        _total("sell_amount", "amount", _MINOR, "Sold amount, known ones.", "side = 'sell'"),
        _total("commission", "commission", _MINOR, "Commission paid, known ones."),
        _extreme("max_amount", "amount", _MINOR, "Largest single trade with a known amount."),
        Measure(
            "instruments",
            f"bit_or({hashed_bit('instrument_id')})",
            "or",
            "instruments",
            "Different instruments traded, hashed to 64 bits.",
        ),
    ),
)
_DONE = "failure_reason IS NULL"
_IN, _OUT = f"kind = 'deposit' AND {_DONE}", f"kind = 'withdrawal' AND {_DONE}"
CASH_FLOW = TileSpec(
    "cash_flow",
    (
        _count("count", "", "flows", "Cash flows of any kind, attempts included."),
        _count("deposits", _IN, "flows", "Deposits that succeeded."),
        _count("withdrawals", _OUT, "flows", "Withdrawals that succeeded."),
        _total("deposit_amount", "amount", _MINOR, "Money paid in.", _IN),
        _total("withdrawal_amount", "amount", _MINOR, "Money taken out.", _OUT),
        _total("fee_amount", "amount", _MINOR, "Fees charged.", f"kind = 'fee' AND {_DONE}"),
        _extreme(
            "max_withdrawal", f"CASE WHEN {_OUT} THEN amount END", _MINOR, "Largest withdrawal."
        ),
        _count("failed", "failure_reason IS NOT NULL", "flows", "Flows that failed."),
    ),
)
SESSION = TileSpec(
    "session",
    (
        _count("count", "", "sessions", "Sessions."),
        _count("app", "channel = 'app'", "sessions", "Sessions in the app."),
        _count("web", "channel = 'web'", "sessions", "Sessions on the web."),
        _total("seconds", "seconds", "seconds", "Time spent."),
        _total("pages", "pages", "pages", "Pages seen."),
        _total("errors", "errors", "errors", "Errors met."),
        _total("latency_ms", "latency_ms", "milliseconds", "Sum of the sessions' mean latencies."),
        _count("timed", "latency_ms IS NOT NULL", "sessions", "Sessions with a known latency."),
        _extreme("max_seconds", "seconds", "seconds", "Longest session."),
    ),
)
CONTACT = TileSpec(
    "contact",
    (
        _count("count", "", "contacts", "Contacts that the client began."),
        _total("wait_s", "wait_s", "seconds", "Time waited."),
        _count("waited", "wait_s IS NOT NULL", "contacts", "Contacts with a known wait."),
        _total("resolve_s", "resolve_s", "seconds", "Time until resolved."),
        _count("resolved", "resolve_s IS NOT NULL", "contacts", "Contacts resolved."),
        _count("first_time", "first_time", "contacts", "Contacts resolved at the first attempt."),
        _count("judged", "first_time IS NOT NULL", "contacts", "Contacts known to be so or not."),
        _total("csat", "csat", "points", "Sum of satisfaction marks."),
        _count("rated", "csat IS NOT NULL", "contacts", "Contacts with a mark."),
        _extreme("max_wait_s", "wait_s", "seconds", "Longest wait."),
        _extreme("min_csat", "csat", "points", "Lowest mark.", "min"),
    ),
)
BALANCE = TileSpec(
    "balance",
    (
        _count("count", "", "days", "Days with a balance."),
        _last("cash", _MINOR, "Cash at the close of the day."),
        _last("securities", _MINOR, "Value of securities at the close of the day."),
        _last("margin_debt", _MINOR, "Borrowed money at the close of the day."),
        _last("positions", "positions", "Number of positions at the close of the day."),
        _last("top_weight", "share", "Share of the largest position.", real=True),
        Measure(
            "assets",
            "max(cash + securities)",
            "last",
            _MINOR,
            "Cash plus securities at the close of the day.",
        ),
    ),
    clock="day",
)
FIRST_PURCHASE = TileSpec(
    "first_purchase",
    (_count("count", "", "purchases", "First purchases of an instrument."),),
)
PRICE = TileSpec(
    "price",
    (Measure("close", "max(close)", "last", "1e-8 of a currency unit", "Close of the day."),),
    clock="day",
    entity="series",
)

TILES: dict[str, TileSpec] = {
    spec.table: spec for spec in (TRADE, FIRST_PURCHASE, CASH_FLOW, SESSION, CONTACT, BALANCE)
}
"""Tiles that indicators may ask, by table."""
