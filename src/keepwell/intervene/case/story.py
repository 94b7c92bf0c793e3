"""What happened in a case, newest first: its history with what the lines speak of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.intervene.case import repo
from keepwell.intervene.case.model import CaseEvent, CaseFile, CaseNote, CaseTask
from keepwell.intervene.case.policy import EventKind
from keepwell.intervene.case.service import read_case
from keepwell.intervene.clock import repo as clocks
from keepwell.intervene.clock.model import ClockEvent
from keepwell.intervene.clock.state import Happening
from keepwell.intervene.contact import repo as contacts
from keepwell.intervene.contact.model import Contact
from keepwell.trust.access.policy import Actor

LINES: Final = 40
"""Lines of the history on a page."""

TOLD: Final = frozenset(
    {
        Happening.WARNED.value, Happening.BREACHED.value, Happening.PAUSED.value,
        Happening.RESUMED.value,
    }
)  # fmt: skip
"""What of the log of its clocks belongs to a case's story; the rest its own history says."""

_TASKS: Final = frozenset({EventKind.TASK_ADDED.value, EventKind.TASK_CHANGED.value})


@dataclass(slots=True)
class Story:
    """A page of what happened.

    Attributes:
        lines: of the history with the names of those who acted, newest first.
        ticks: of the clocks' logs likewise, from the same time.
        notes: that the lines speak of, by id.
        corrected: ids of the notes that a later one corrects.
        contacts: likewise.
        tasks: likewise, as they stand now.
        files: likewise.
        people: names of the staff that the lines speak of, by number.
        earlier: number of the newest line that is not on this page; None if there is none.
    """

    lines: list[tuple[CaseEvent, str | None]]
    ticks: list[tuple[ClockEvent, str | None]] = field(default_factory=list)
    notes: dict[str, CaseNote] = field(default_factory=dict)
    corrected: set[str] = field(default_factory=set)
    contacts: dict[str, Contact] = field(default_factory=dict)
    tasks: dict[str, CaseTask] = field(default_factory=dict)
    files: dict[str, CaseFile] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    earlier: int | None = None


def tell_story(
    tx: Tx, actor: Actor, case_id: str, clock_ids: Collection[str], upto: int | None = None
) -> Story:
    """A page of what happened in a case that the actor sees.

    Args:
        tx: the unit of work.
        actor: who reads.
        case_id: the case.
        clock_ids: of its clocks.
        upto: number of the newest line wanted; None: from the newest on.

    Raises:
        NotFound: no such case in scope.
    """
    read_case(tx, actor, case_id)
    # One line further up says until when the clocks' logs belong to this page.
    found = repo.history_back(tx, case_id, LINES + 2, None if upto is None else upto + 1)
    above = [line for line, _ in found if upto is not None and line.number > upto]
    rows = [row for row in found if upto is None or row[0].number <= upto]
    more = len(rows) > LINES
    story = Story(rows[:LINES], earlier=rows[LINES][0].number if more else None)
    _gather(tx, actor, case_id, story)
    since = story.lines[-1][0].at if more else None
    until = above[-1].at if above else None
    story.ticks = [
        (tick, name)
        for tick, name in clocks.logs(tx, clock_ids)
        if tick.kind in TOLD
        and (since is None or tick.at >= since)
        and (until is None or tick.at < until)
    ]
    return story


def _gather(tx: Tx, actor: Actor, case_id: str, story: Story) -> None:
    def named(*kinds: str) -> set[str]:
        return {line.reason for line, _ in story.lines if line.kind in kinds and line.reason}

    story.notes = repo.by_ids(tx, CaseNote, case_id, named(EventKind.NOTED))
    story.corrected = repo.corrected(tx, case_id, story.notes)
    story.contacts = contacts.by_ids(tx, actor, named(EventKind.CONTACTED))
    story.tasks = repo.by_ids(tx, CaseTask, case_id, named(*_TASKS))
    story.files = repo.by_ids(tx, CaseFile, case_id, named(EventKind.ATTACHED))
    story.people = repo.staff_names(tx, _staff(story.lines))


def _staff(lines: list[tuple[CaseEvent, str | None]]) -> set[str | None]:
    found: set[str | None] = set()
    for line, _ in lines:
        for told in (line.old, line.new):
            found |= {_text(told.get(n)) for n in ("owner_id", "escalated_to", "assignee_id")}
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
