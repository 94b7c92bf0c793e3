"""What happened with a client, as far as a person cares: the newest rows of many tables."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from keepwell.learn.panel.making import Making

LIMIT: Final = 200
"""Facts kept per client, newest first."""

ROWS: Final = 1_024
"""Rows per row group; fewer than elsewhere, for these carry texts."""

SCHEMA: Final = pa.schema(
    [
        ("client_id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("kind", pa.string()),
        ("detail", pa.string()), ("amount", pa.int64()), ("text", pa.string()),
        ("channel", pa.string()), ("number", pa.int64()),
    ]
)  # fmt: skip

_ERRORS: Final = 3
"""Errors in one day's sessions from which on a person would speak of it."""

_OF_A_KIND: Final = {"bought": 30, "sold": 30, "touch": 60, "session_errors": 20}
"""Kinds of which there are so many that they would crowd out the others."""


def write_facts(making: Making, limit: int = LIMIT) -> None:
    """Write the facts of all clients, newest first; no file where no table tells any.

    Args:
        making: the writing, its relation `moved` prepared.
        limit: facts kept per client.
    """
    parts = [
        f'select client_id, "at", {kind} as kind, {detail} as detail, {amount} as amount, '
        f"{text} as text, {channel} as channel, {number} as number from {relation}"
        for table, rows in _TABLES.items()
        if making.has(table)
        for relation, kind, detail, amount, text, channel, number in rows(making)
    ]
    if not parts:
        return
    caps = " ".join(f"when '{kind}' then {most}" for kind, most in _OF_A_KIND.items())
    making.write(
        "facts",
        f"""with told as (
            select * from ({" union all ".join(parts)}) semi join book using (client_id)
            qualify row_number() over (partition by client_id, kind order by "at" desc)
                <= case kind {caps} else {limit} end)
        select * from told
        qualify row_number() over (partition by client_id order by "at" desc, kind) <= {limit}
        order by client_id, "at" desc, kind""",
        ROWS,
        SCHEMA,
    )


_Row = tuple[str, str, str, str, str, str, str]
"""Relation, then SQL of kind, detail, amount, text, channel and number."""


def _of(
    relation: str,
    kind: str,
    detail: str = "null",
    amount: str = "null",
    text: str = "null",
    channel: str = "null",
    number: str = "null",
) -> _Row:
    return relation, kind, detail, amount, text, channel, number


def _dated(relation: str, instant: str, where: str = "true") -> str:
    """A relation whose rows happened at another of their instants."""
    return f'(select * exclude ("at"), {instant} as "at" from {relation} where {where})'


def _daily(relation: str, columns: str, day: str, group: str = "") -> str:
    """Rows of a day as one, dated by the newest of them."""
    return (
        f'(select client_id, max("at") as "at", {columns} from {relation} '
        f"group by client_id, {day}{group})"
    )


def _contact(making: Making) -> list[_Row]:
    seen = making.seen("contact")
    return [_of(seen, "'contact'", "topic", text='"text"', channel="channel", number="csat")]


def _complaint(making: Making) -> list[_Row]:
    seen, now = making.seen("complaint"), f"timestamptz '{making.as_of.isoformat(sep=' ')}'"
    ended = _dated(seen, "closed_at", f"closed_at < {now}")
    kind = "case when status = 'withdrawn' then 'complaint_withdrawn' else 'complaint_closed' end"
    return [_of(seen, "'complaint'", "topic", text='"text"'), _of(ended, kind, "topic")]


def _survey(making: Making) -> list[_Row]:
    seen = making.seen("survey")
    return [_of(seen, "'survey_' || kind", "touchpoint", text='"text"', number="score")]


def _touch(making: Making) -> list[_Row]:
    kind = (
        "case when refused then 'touch_refused' when replied then 'touch_replied' "
        "when delivered = false then 'touch_unreached' else 'touch' end"
    )
    return [_of(making.seen("touch"), kind, "campaign", channel="channel")]


def _transfer(making: Making) -> list[_Row]:
    del making  # `moved` is of this writing already
    relation = _daily(
        "moved",
        "direction, other_broker, count(*) as pieces, "
        "case when bool_and(value is not null) then sum(value) end as value",
        "day", ", direction, other_broker",
    )  # fmt: skip
    return [_of(relation, "'transfer_' || direction", "other_broker", "value", number="pieces")]


def _exit(making: Making) -> list[_Row]:
    seen, now = making.seen("exit_request"), f"timestamptz '{making.as_of.isoformat(sep=' ')}'"
    done = _dated(seen, "completed_at", f"completed_at < {now}")
    return [_of(seen, "'exit_' || kind"), _of(done, "'exit_done'", "kind")]


def _flow(making: Making) -> list[_Row]:
    seen = making.seen("cash_flow")
    moved = f"(select * from {seen} where kind in ('deposit', 'withdrawal'))"
    kind = "kind || case when failure_reason is null then '' else '_failed' end"
    return [_of(moved, kind, "failure_reason", "amount")]


def _subscription(making: Making) -> list[_Row]:
    # Applied for and lost is every issue's daily news.
    seen = making.seen("subscription")
    told = f"(select * from {seen} where state in ('won', 'unpaid', 'active', 'ended'))"
    kind = "case when kind = 'ipo' then 'ipo_' else 'plan_' end || state"
    amount = "case when amount > 0 then amount end"
    return [_of(told, kind, "product", amount)]


def _session(making: Making) -> list[_Row]:
    day = making.local_date('"at"')
    since = f"(select * from {making.seen('session')} where {day} > date '{making.last_day}' - 90)"
    daily = _daily(since, "sum(errors) as errors", day)
    return [
        _of(f"(select * from {daily} where errors >= {_ERRORS})", "'session_errors'",
            number="errors")
    ]  # fmt: skip


def _trade(making: Making) -> list[_Row]:
    day = making.local_date('"at"')
    since = f"(select * from {making.seen('trade')} where {day} > date '{making.last_day}' - 366)"
    name = "instrument_id"
    if making.has("instrument"):
        since = (
            f"(select t.*, coalesce(i.name, t.instrument_id) as known from {since} t left join "
            f"(select instrument_id, name from {making.seen('instrument')}) i "
            "using (instrument_id))"
        )
        name = "known"
    columns = (
        f"side, count(distinct instrument_id) as pieces, "
        f"case when count(distinct instrument_id) = 1 then max({name}) end as what, "
        "sum(amount) as amount"
    )
    daily = _daily(since, columns, day, ", side")
    kind = "case when side = 'buy' then 'bought' else 'sold' end"
    return [_of(daily, kind, "what", "amount", number="pieces")]


def _service(making: Making) -> list[_Row]:
    changed = f"""(
        select client_id, valid_from as "at", manager_id from {making.seen("service")}
        where manager_id is not null
        qualify manager_id <> lag(manager_id) over (partition by client_id order by valid_from))"""
    return [_of(changed, "'manager_changed'", "manager_id")]


_TABLES: Final = {
    "contact": _contact, "complaint": _complaint, "survey": _survey, "touch": _touch,
    "custody_transfer": _transfer, "exit_request": _exit, "cash_flow": _flow,
    "subscription": _subscription, "session": _session, "trade": _trade, "service": _service,
}  # fmt: skip
"""Contract table to the facts that it tells."""
