"""Rules of cases as data: states and moves, outcomes and their reasons, levels, replay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Final


class CaseReason(StrEnum):
    """Why a case was opened: an alert's reason, or a person's judgement."""

    RISK = "risk"
    FIRST_LARGE_TRANSFER = "first-large-transfer"
    CLOSING_QUESTION = "closing-question"
    COMPLAINT_OVERDUE = "complaint-overdue"
    EXIT_REQUEST = "exit-request"
    MANUAL = "manual"


class State(StrEnum):
    """Where a case stands; the live ones in their order, then the outcomes."""

    OPEN = "open"
    CONTACTED = "contacted"
    PLAN = "plan"
    SAVING = "saving"
    RECOVERED = "recovered"
    LOST = "lost"
    FALSE_ALARM = "false-alarm"
    WITHDRAWN = "withdrawn"


class Level(IntEnum):
    """Who answers for a case."""

    MANAGER = 0
    LEAD = 1
    DIRECTOR = 2


class Retention(StrEnum):
    """How many contacts may still try to keep the client; for showing, the gate decides."""

    FREE = "free"
    ONCE = "once"
    NONE = "none"


class CloseReason(StrEnum):
    """Why a case ended; each belongs to one outcome."""

    STAYED_AFTER_CONTACT = "stayed-after-contact"
    SERVICE_FIXED = "service-fixed"
    PRICE_EXPLAINED = "price-explained"
    ASSETS_RETURNED = "assets-returned"
    MOVED_TO_COMPETITOR = "moved-to-competitor"
    CLOSED_ACCOUNT = "closed-account"
    ASSETS_WITHDRAWN = "assets-withdrawn"
    NOT_REACHED = "not-reached"
    WANTS_NO_CONTACT = "wants-no-contact"
    NO_INTENTION = "no-intention"
    PLANNED_USE = "planned-use"
    DATA_FAULT = "data-fault"
    DUPLICATE = "duplicate"
    PROFILING_REFUSED = "profiling-refused"


class EventKind(StrEnum):
    """What a line of a case's history says."""

    ALERTED = "alerted"
    ATTACHED = "attached"
    CLOSED = "closed"
    CONTACTED = "contacted"
    EDITED = "edited"
    ESCALATED = "escalated"
    LIMITED = "limited"
    MOVED = "moved"
    NOTED = "noted"
    OPENED = "opened"
    REASSIGNED = "reassigned"
    REOPENED = "reopened"
    TASK_ADDED = "task-added"
    TASK_CHANGED = "task-changed"


LIVE: Final = (State.OPEN, State.CONTACTED, State.PLAN, State.SAVING)
"""States of a case that somebody works on, in their order."""

OUTCOMES: Final[dict[State, tuple[CloseReason, ...]]] = {
    State.RECOVERED: (
        CloseReason.STAYED_AFTER_CONTACT, CloseReason.SERVICE_FIXED, CloseReason.PRICE_EXPLAINED,
        CloseReason.ASSETS_RETURNED,
    ),
    State.LOST: (
        CloseReason.MOVED_TO_COMPETITOR, CloseReason.CLOSED_ACCOUNT, CloseReason.ASSETS_WITHDRAWN,
        CloseReason.NOT_REACHED, CloseReason.WANTS_NO_CONTACT,
    ),
    State.FALSE_ALARM: (
        CloseReason.NO_INTENTION, CloseReason.PLANNED_USE, CloseReason.DATA_FAULT,
        CloseReason.DUPLICATE,
    ),
    State.WITHDRAWN: (CloseReason.PROFILING_REFUSED,),
}  # fmt: skip
"""Outcomes with the reasons that each may have."""

BY_SYSTEM: Final = frozenset({State.WITHDRAWN})
"""Outcomes that no person chooses."""

MOVES: Final[dict[State, tuple[State, ...]]] = {
    state: LIVE[position + 1 :] for position, state in enumerate(LIVE)
}
"""From each live state forward, with skips; never backwards. Closing is a verb of its own."""

SCORE_REASONS: Final = frozenset(
    {CaseReason.RISK, CaseReason.FIRST_LARGE_TRANSFER, CaseReason.CLOSING_QUESTION}
)
"""Reasons that come from profiling, by score or by rule: without it there is no such case (PI-4).

Complaints and exit requests are service that everybody gets; a case by hand is a person's."""

SERVICE_REASONS: Final = frozenset({CaseReason.COMPLAINT_OVERDUE, CaseReason.EXIT_REQUEST})
"""Reasons that are the client's own business; such a case keeps nobody."""

TIERS: Final = ("none", "mild", "moderate", "severe")
"""Tiers, in rising order."""

REASON_TITLES: Final[dict[CaseReason, str]] = {
    CaseReason.RISK: "Risk of leaving",
    CaseReason.FIRST_LARGE_TRANSFER: "First large transfer out",
    CaseReason.CLOSING_QUESTION: "Asked how to close the account",
    CaseReason.COMPLAINT_OVERDUE: "Complaint is overdue",
    CaseReason.EXIT_REQUEST: "Asked to leave",
    CaseReason.MANUAL: "Opened by hand",
}
"""What opens a case, in English."""

STATE_TITLES: Final[dict[State, str]] = {
    State.OPEN: "Open",
    State.CONTACTED: "Contacted",
    State.PLAN: "Plan agreed",
    State.SAVING: "Saving under way",
    State.RECOVERED: "Recovered",
    State.LOST: "Lost",
    State.FALSE_ALARM: "False alarm",
    State.WITHDRAWN: "Withdrawn",
}
"""States, in English."""

CLOSE_TITLES: Final[dict[CloseReason, str]] = {
    CloseReason.STAYED_AFTER_CONTACT: "Stayed after the contact",
    CloseReason.SERVICE_FIXED: "The cause was mended",
    CloseReason.PRICE_EXPLAINED: "Fees were explained",
    CloseReason.ASSETS_RETURNED: "Assets came back",
    CloseReason.MOVED_TO_COMPETITOR: "Went to another broker",
    CloseReason.CLOSED_ACCOUNT: "Closed the account",
    CloseReason.ASSETS_WITHDRAWN: "Took the assets out",
    CloseReason.NOT_REACHED: "Never reached",
    CloseReason.WANTS_NO_CONTACT: "Wants no contact",
    CloseReason.NO_INTENTION: "Never meant to leave",
    CloseReason.PLANNED_USE: "Planned use of the money",
    CloseReason.DATA_FAULT: "The data were wrong",
    CloseReason.DUPLICATE: "Belongs to another case",
    CloseReason.PROFILING_REFUSED: "Refused profiling",
}
"""Reasons of closing, in English."""

NOT_DUE: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for 'nothing is due', so that lists sort without nulls."""

PROJECTED: Final = (
    "client_id", "reason", "tier", "title", "plan", "state", "live", "owner_id", "level",
    "escalated_to", "retention", "alerts", "alert_id", "previous_id", "opened_at", "state_at",
    "contacted_at", "closed_at", "close_reason", "close_note",
)  # fmt: skip
"""Columns of a case that its history alone determines."""


def may_move(old: str, new: str) -> bool:
    """Whether a case may go from one live state to another.

    Example:
        >>> may_move("open", "plan"), may_move("plan", "open")
        (True, False)
    """
    return old in LIVE and new in MOVES[State(old)]


def may_close(outcome: State, reason: CloseReason) -> bool:
    """Whether a reason belongs to an outcome."""
    return reason in OUTCOMES.get(outcome, ())


def higher(old: str, new: str) -> str:
    """The higher of two tiers.

    Example:
        >>> higher("mild", "severe")
        'severe'
    """
    return max(old, new, key=TIERS.index)


def urgency(tier: str) -> int:
    """A tier as a number that sorts the most urgent first: 0 is severe."""
    return len(TIERS) - 1 - TIERS.index(tier)


def plain(value: Any) -> Any:
    """A column's value as history keeps it: instants as ISO 8601 text."""
    return value.isoformat() if isinstance(value, datetime) else value


def replay(changes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The present state of a case from its history.

    Args:
        changes: what each entry set, oldest first.

    Returns:
        The columns in `PROJECTED`, as `plain` gives them.
    """
    row: dict[str, Any] = dict.fromkeys(PROJECTED)
    for change in changes:
        row |= change
    return row


def spread(load: Mapping[str, int], cases: Iterable[str]) -> dict[str, str]:
    """Give each case to whoever has the fewest then.

    Args:
        load: live cases of each member of staff.
        cases: ids, in the order in which they are given out.

    Example:
        >>> spread({"a": 2, "b": 0}, ["x", "y", "z"])
        {'x': 'b', 'y': 'b', 'z': 'a'}
    """
    held = dict(load)
    plan: dict[str, str] = {}
    for case_id in cases:
        taker = min(held, key=lambda staff: (held[staff], staff))
        held[taker] += 1
        plan[case_id] = taker
    return plan
