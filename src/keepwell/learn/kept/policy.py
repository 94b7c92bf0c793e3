"""Rules of proofs and budgets: pure functions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from keepwell.core.days import add_span, local_day, midnight

if TYPE_CHECKING:
    from keepwell.observe.engines.base import Engine

CONFIDENCE: Final = 0.95
"""Of the intervals of a proof."""

VALID: Final = timedelta(days=30)
"""A proposed budget that nobody decided on for so long has expired."""

TABLES: Final = ("trade", "holding", "balance", "cash_flow", "custody_transfer")
"""Tables that tell who stayed and what was moved."""

_FIRST: Final = re.compile(r".*/1[b-d]?(\.\d+)?", re.DOTALL)


class ProposalState(StrEnum):
    """Where a proposed budget stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Answer(StrEnum):
    """What a person says to a proposed budget."""

    APPROVE = "approve"
    REJECT = "reject"


class Fault(StrEnum):
    """Why nothing is read out of a draw."""

    RATIO = "ratio"
    ARMS_LOST = "arms-lost"


class Lack(StrEnum):
    """Why a measure is not among those of a proof."""

    PROBABILITY = "probability-missing"
    MODEL = "model-missing"
    INCOME = "income-unknown"
    FLOWS = "flows-uncovered"


def is_first(stratum: str) -> bool:
    """Whether a block belongs to a period's first draw, that of the whole book.

    Example:
        >>> is_first("m1/1"), is_first("m1/1b.3"), is_first("m1/2"), is_first("m1/-")
        (True, True, False, False)
    """
    return _FIRST.fullmatch(stratum) is not None


def manager_of(stratum: str) -> str:
    """The manager of a block; '' for clients without one.

    Example:
        >>> manager_of("m1/1.2"), manager_of("/1")
        ('m1', '')
    """
    return stratum.rpartition("/")[0]


def complete_until(engine: Engine, now: datetime) -> int:
    """The first day that the lake is not complete for, as a day number; never after today.

    The earliest end of what is declared complete, and of what has arrived: trades arrive late by
    their source's usual delay, unless a full list of positions tells the same.

    Args:
        engine: whose manifest is asked.
        now: the desk's present.
    """
    from keepwell.warn.label import all_known  # the tables of the desk need no engine

    zone, tables = engine.zone, engine.manifest.tables
    bound = min(local_day(all_known(engine), zone), local_day(now, zone))
    told = {name: tables[name] for name in TABLES if name in tables}
    known = [state.last_known_at for state in told.values() if state.last_known_at]
    arrived = local_day(max(known), zone) if known else bound
    mapped = engine.workspace.mapping.tables.get("trade")
    if "trade" in told and mapped is not None:
        listed = -1
        holding = told.get("holding")
        if holding is not None and holding.full_days and holding.last is not None:
            listed = _day(holding.last, engine) + 1
        arrived = max(arrived - int(mapped.delay_days), listed)
    for state in told.values():
        ends = [end for _, end in state.coverage]
        if ends and None not in ends:
            bound = min(bound, max(end for end in ends if end is not None))
    return min(bound, arrived)


def _day(moment: Any, engine: Engine) -> int:
    from keepwell.core.days import day_number

    return local_day(moment, engine.zone) if isinstance(moment, datetime) else day_number(moment)


def span_of(engine: Engine, since: datetime, first_open: int) -> tuple[datetime, int]:
    """The longest span of whole days from an instant that ends before a day's beginning.

    Args:
        engine: for the exchange's zone.
        since: beginning (UTC).
        first_open: day number that may not be entered.

    Returns:
        Its end (UTC), and its days; 0 or fewer where there is none.
    """
    days = first_open - local_day(since, engine.zone)
    while days > 0 and add_span(since, f"{days}d", engine.zone) > midnight(first_open, engine.zone):
        days -= 1
    return (add_span(since, f"{days}d", engine.zone) if days > 0 else since), days
