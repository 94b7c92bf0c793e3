"""Rules of exit requests: steps, lawful holds, due time. Pure, and blind to every score.

Rule R-EXIT-1: nothing that a score, an alert or a campaign knows can reach this room; the facts
below are all that decides about an exit, and a test holds the room to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from keepwell.core.calendars import BusinessCalendar


class ExitKind(StrEnum):
    """What the client asks for."""

    CLOSE = "close"
    REVOKE = "revoke"
    TRANSFER = "transfer"


KIND_TITLES: Final[dict[ExitKind, str]] = {
    ExitKind.CLOSE: "Close the account",
    ExitKind.REVOKE: "Revoke the designated broker",
    ExitKind.TRANSFER: "Transfer securities to another broker",
}
"""What each kind means, in English."""

FEED_KINDS: Final = {"revoke_designation": ExitKind.REVOKE}
"""Words of the data contract that differ from ours."""


class HoldCode(StrEnum):
    """The lawful reasons for which an exit may wait; there are no others."""

    AML_HOLD = "aml-hold"
    COURT_ORDER = "court-order"
    EXPLOITATION_HOLD = "exploitation-hold"
    MARGIN_DEBT = "margin-debt"
    PENDING_IPO = "pending-ipo"
    UNSETTLED_TRADES = "unsettled-trades"


HOLD_TITLES: Final[dict[HoldCode, str]] = {
    HoldCode.AML_HOLD: "Measures against money laundering",
    HoldCode.COURT_ORDER: "Order of a court",
    HoldCode.EXPLOITATION_HOLD: "Suspected exploitation of a vulnerable client",
    HoldCode.MARGIN_DEBT: "Margin debt that is not repaid",
    HoldCode.PENDING_IPO: "Subscription to a new issue that is pending",
    HoldCode.UNSETTLED_TRADES: "Trades that are not settled yet",
}
"""What each hold means, in English."""

LONGEST_HOLD: Final = timedelta(days=90)
"""How long holds may keep one request in all, however many are placed."""


class ExitState(StrEnum):
    """Where an exit request stands."""

    REQUESTED = "requested"
    SETTLED = "settled"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


OPEN: Final = (ExitState.REQUESTED, ExitState.SETTLED)


class ExitStep(StrEnum):
    """What is still to be done, in this order."""

    CLEAR_HOLDS = "clear-holds"
    SETTLE = "settle"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class ExitFacts:
    """All that decides about an exit request.

    Attributes:
        kind: what the client asks for.
        requested_at: when.
        settled_at: since when application and settlement are complete.
        completed_at: when it was carried out.
        cancelled_at: when the client took it back.
        holds: code and end of every hold that nobody has lifted.
    """

    kind: ExitKind
    requested_at: datetime
    settled_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    holds: Sequence[tuple[HoldCode, datetime]] = ()


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """Where an exit request stands and what is next.

    Attributes:
        state: where it stands.
        steps: what is still to be done.
        holds: codes of the holds in force.
        fields: what the client must give; the kind alone decides.
        due_at: by when it is carried out; None before it is settled.
    """

    state: ExitState
    steps: tuple[ExitStep, ...]
    holds: tuple[HoldCode, ...]
    fields: tuple[str, ...]
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Word:
    """What a client's exits, open or over, mean for contacts that would keep the client.

    Attributes:
        left: an exit was carried out, and the client has not agreed to contacts since.
        refused: the client said no to any contact about one, and has not agreed since.
    """

    left: bool = False
    refused: bool = False


_FIELDS: Final = {
    ExitKind.CLOSE: ("client_id",),
    ExitKind.REVOKE: ("client_id",),
    ExitKind.TRANSFER: ("client_id",),
}


def plan(facts: ExitFacts, at: datetime, calendar: BusinessCalendar, days: int) -> ExitPlan:
    """Where an exit request stands at an instant.

    Args:
        facts: all that decides.
        at: the instant.
        calendar: of the exchange.
        days: trading days within which it is carried out once settled (rule R-EXIT-2).
    """
    state = _state(facts)
    holds = tuple(sorted({code for code, until in facts.holds if until > at}))
    steps: tuple[ExitStep, ...] = ()
    if state is ExitState.REQUESTED:
        steps = (ExitStep.SETTLE, ExitStep.COMPLETE)
        if holds:
            steps = (ExitStep.CLEAR_HOLDS, *steps)
    elif state is ExitState.SETTLED:
        steps = (ExitStep.COMPLETE,)
    due_at = calendar.add_days(facts.settled_at, days) if facts.settled_at else None
    return ExitPlan(state, steps, holds, _FIELDS[facts.kind], due_at)


def held_for(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How long a request is held in all; times in which several holds stand count once.

    Args:
        spans: beginning and end of every hold.

    Example:
        >>> day = [datetime(2026, 3, n) for n in range(1, 10)]
        >>> held_for([(day[0], day[3]), (day[2], day[4]), (day[6], day[7])]).days
        5
    """
    total, until = timedelta(), None
    for start, end in sorted(spans):
        begin = start if until is None else max(start, until)
        if end > begin:
            total += end - begin
            until = end
    return total


def _state(facts: ExitFacts) -> ExitState:
    if facts.completed_at is not None:
        return ExitState.COMPLETED
    if facts.cancelled_at is not None:
        return ExitState.CANCELLED
    return ExitState.REQUESTED if facts.settled_at is None else ExitState.SETTLED


def lawful(codes: str | None) -> list[HoldCode]:
    """The lawful reasons among those that a feed names, separated by commas; others are nothing.

    Example:
        >>> [code.value for code in lawful("margin_debt, retention")]
        ['margin-debt']
    """
    words = {word.strip().lower().replace("_", "-") for word in (codes or "").split(",")}
    return [code for code in HoldCode if code.value in words]
