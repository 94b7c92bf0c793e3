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


def _different(name: str, column: str, unit: str, doc: str, condition: str = "") -> Measure:
    value = f"CASE WHEN {condition} THEN {column} END" if condition else column
    return Measure(name, f"bit_or({hashed_bit(value)})", "or", unit, doc)


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
        _different(
            "instruments",
            "instrument_id",
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
        _count("short", "seconds < 30", "sessions", "Sessions of less than 30 seconds."),
        _count(
            "market_hours",
            "tile_hour >= 9 AND tile_hour < 15",
            "sessions",
            "Sessions begun from 9 to 15 o'clock, by the exchange's clock.",
        ),
        _count(
            "night",
            "tile_hour >= 22 OR tile_hour < 6",
            "sessions",
            "Sessions begun from 22 to 6 o'clock.",
        ),
        _count(
            "weekend",
            "(tile_day + 3) % 7 >= 5",
            "sessions",
            "Sessions on Saturday or Sunday.",
        ),
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
        _count("topical", "topic IS NOT NULL", "contacts", "Contacts with a topic."),
        _different("topics", "topic", "topics", "Different topics, hashed to 64 bits."),
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
_STILL_OPEN = "closed_at IS NULL AND coalesce(status, 'open') IN ('open', 'answered')"
_PENDING = "completed_at IS NULL"
_BLOCKED = f"{_PENDING} AND blockers IS NOT NULL AND blockers <> ''"
_IPO, _CONTRACT = "kind = 'ipo'", "kind <> 'ipo'"
CUSTODY_TRANSFER = TileSpec(
    "custody_transfer",
    (
        _count("count", "", "transfers", "Custody transfers, in and out."),
        _count("out", "direction = 'out'", "transfers", "Transfers to another broker."),
        _count("come", "direction = 'in'", "transfers", "Transfers from another broker."),
        _different(
            "out_instruments",
            "instrument_id",
            "instruments",
            "Different instruments moved out, hashed to 64 bits.",
            "direction = 'out'",
        ),
    ),
)
EXIT_REQUEST = TileSpec(
    "exit_request",
    (
        _count("count", "", "requests", "Requests to leave."),
        _count("pending", _PENDING, "requests", "Requests that are not carried out."),
        _count(
            "blocked", _BLOCKED, "requests", "Of these, the ones that something stands against."
        ),
        Measure(
            "blockers",
            f"sum(CASE WHEN {_BLOCKED} "
            "THEN length(blockers) - length(replace(blockers, ',', '')) + 1 END)",
            "sum",
            "blockers",
            "What stands against them, counted.",
            narrow=True,
        ),
    ),
)
MARGIN = TileSpec(
    "margin",
    (
        _count("count", "", "days", "Days with a margin account."),
        _last("debt", _MINOR, "Debt outstanding at the close of the day."),
        _last("credit_limit", _MINOR, "Credit limit at the close of the day."),
        _last("maintenance_ratio", "share", "Collateral over debt.", real=True),
        _last("rate", "share", "Yearly interest rate.", real=True),
        Measure(
            "due_on",
            "max(date_diff('day', DATE '1970-01-01', due_on))",
            "last",
            "day number",
            "Day the contract falls due.",
        ),
    ),
    clock="day",
)
SUBSCRIPTION = TileSpec(
    "subscription",
    (
        _count("count", "", "subscriptions", "Subscriptions of any kind."),
        _count(
            "applied", f"{_IPO} AND state = 'applied'", "applications", "New issues applied for."
        ),
        _count("won", f"{_IPO} AND state = 'won'", "allotments", "New issues allotted."),
        _count("unpaid", f"{_IPO} AND state = 'unpaid'", "allotments", "Allotments not paid for."),
        _count("begun", f"{_CONTRACT} AND state = 'active'", "contracts", "Contracts begun."),
        _count("ended", f"{_CONTRACT} AND state = 'ended'", "contracts", "Contracts ended."),
    ),
)
VIEW = TileSpec(
    "view",
    (
        _count("count", "", "views", "Pages and features looked at."),
        _count("instrument", "topic = 'instrument'", "views", "Of instruments."),
        _count(
            "leaving",
            "topic = 'transfer_help' OR topic = 'close_help'",
            "views",
            "Of help on transferring or closing.",
        ),
        _count("compare", "topic = 'compare'", "views", "Of comparisons."),
        _count("fee", "topic = 'fee'", "views", "Of fees."),
        _different(
            "subjects",
            "subject",
            "instruments",
            "Different instruments looked at, hashed to 64 bits.",
            "topic = 'instrument'",
        ),
    ),
)
COMPLAINT = TileSpec(
    "complaint",
    (
        _count("count", "", "complaints", "Complaints."),
        _count("unsettled", _STILL_OPEN, "complaints", "Complaints neither closed nor withdrawn."),
        _count("topical", "topic IS NOT NULL", "complaints", "Complaints with a topic."),
        _different("topics", "topic", "topics", "Different topics, hashed to 64 bits."),
    ),
)
SURVEY = TileSpec(
    "survey",
    (
        _count("count", "", "answers", "Answers to surveys."),
        *(
            measure
            for kind in ("nps", "csat", "ces")
            for measure in (
                _total(f"{kind}_score", "score", "points", f"Sum of {kind} scores.",
                       f"kind = '{kind}'"),
                _count(f"{kind}_count", f"kind = '{kind}' AND score IS NOT NULL", "answers",
                       f"Answers with a score of kind {kind}."),
            )
        ),
        _count("detractor", "kind = 'nps' AND score <= 6", "answers", "NPS answers of 6 or less."),
    ),
)  # fmt: skip
TOUCH = TileSpec(
    "touch",
    (
        _count("count", "", "touches", "Contacts that the broker began."),
        _count("delivered", "delivered", "touches", "That reached the client."),
        _count("delivery_known", "delivered IS NOT NULL", "touches", "Known to have or not."),
        _count("opened", "opened", "touches", "Opened or answered."),
        _count("opening_known", "opened IS NOT NULL", "touches", "Known to be so or not."),
        _count("replied", "replied", "touches", "Replied to."),
        _count("reply_known", "replied IS NOT NULL", "touches", "Known to be so or not."),
        _count("refused", "refused", "touches", "At which the client asked for no more."),
    ),
)
_PAIRED = "quantity > 0 AND cost > 0 AND value IS NOT NULL"
_LOSING = f"{_PAIRED} AND value < cost"
HOLDING = TileSpec(
    "holding",
    (
        _count("count", "", "positions", "Rows of the day."),
        _count("paired", _PAIRED, "positions", "Positions with a cost above 0 and a value."),
        _count("losing", _LOSING, "positions", "Of these, the ones worth less than their cost."),
        _total("cost", "cost", _MINOR, "Cost of the positions that have both.", _PAIRED),
        _total("gain", "value - cost", _MINOR, "Value minus cost of these.", _PAIRED),
        _total("losing_cost", "cost", _MINOR, "Cost of those worth less than it.", _LOSING),
        _total("loss", "cost - value", _MINOR, "Cost minus value of those.", _LOSING),
        _extreme(
            "deepest",
            f"CASE WHEN {_LOSING} THEN ((cost - value) * 1000000) // cost END",
            "millionths",
            "Largest loss of one position as a share of its cost.",
        ),
    ),
    clock="day",
)
PRICE = TileSpec(
    "price",
    (Measure("close", "max(close)", "last", "1e-8 of a currency unit", "Close of the day."),),
    clock="day",
    entity="series",
)

TILES: dict[str, TileSpec] = {
    spec.table: spec
    for spec in (
        TRADE, FIRST_PURCHASE, CASH_FLOW, SESSION, CONTACT, BALANCE, CUSTODY_TRANSFER,
        EXIT_REQUEST, MARGIN, SUBSCRIPTION, VIEW, COMPLAINT, SURVEY, TOUCH, HOLDING,
    )
}  # fmt: skip
"""Tiles that indicators may ask, by table."""
