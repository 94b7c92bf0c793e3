"""What happened in a case in plain words: one entry of the timeline for each line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from keepwell.intervene.case.model import CaseEvent
from keepwell.intervene.case.policy import (
    CLOSE_TITLES,
    REASON_TITLES,
    STATE_TITLES,
    EventKind,
    Level,
    Retention,
)
from keepwell.intervene.case.story import Story
from keepwell.intervene.clock.model import ClockEvent
from keepwell.intervene.clock.policy import PAUSE_TITLES
from keepwell.intervene.clock.state import Happening
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import (
    AIM_TITLES,
    CHANNEL_TITLES,
    DELIVERY_TITLES,
    DIRECTION_TITLES,
    MARK_TITLES,
    RESULT_TITLES,
    Aim,
    Delivery,
)
from keepwell.trust.access.policy import ROLES, Role
from keepwell.warn.tier import TITLES as TIER_TITLES
from keepwell.web.pages.tongue import Tongue

LEVEL_ROLES: Final = {Level.LEAD: ROLES[Role.LEAD], Level.DIRECTOR: ROLES[Role.DIRECTOR]}
"""Who answers for a case above the manager, in English."""

TIER_NAMES: Final = {tier.code: title for tier, title in TIER_TITLES.items()}
"""Names of the tiers by code, in English."""

RETENTION_WORDS: Final = {
    Retention.FREE: "Contacts to keep the client are possible again",
    Retention.ONCE: "The client asked to leave: one contact left to keep them",
    Retention.NONE: "Service only: do not try to keep the client",
}
"""How many contacts may still try to keep a client, in English."""


@dataclass(slots=True)
class Entry:
    """One entry of the timeline.

    Attributes:
        at: when.
        who: who did it.
        icon: that stands for it.
        words: what happened.
        text: what a person wrote about it.
        more: further facts in words.
        number: of the line in the case's history; None for an entry of a clock's log.
        note_id: of a note, which may be corrected.
        struck: whether a later note corrects it.
        file: the attached file.
        grave: whether it is something that should not have happened.
    """

    at: datetime
    who: str
    icon: str
    words: str
    text: str = ""
    more: list[str] = field(default_factory=list)
    number: int | None = None
    note_id: str = ""
    struck: bool = False
    file: Any = None
    grave: bool = False


def timeline(story: Story, clock_titles: dict[str, str], tongue: Tongue) -> list[Entry]:
    """The entries of a page of a case's story, newest first.

    Args:
        story: the page.
        clock_titles: titles of the case's clocks by id, in the reader's language.
        tongue: the reader's language.
    """
    told = [_line(story, line, name, tongue) for line, name in story.lines]
    ticks = [_tick(tick, name, clock_titles, tongue) for tick, name in story.ticks]
    # Both are sorted already; lines of one instant keep the order of their numbers.
    return sorted([*told, *ticks], key=lambda entry: entry.at, reverse=True)


def _line(story: Story, line: CaseEvent, name: str | None, tongue: Tongue) -> Entry:
    icon, words = _PLAIN.get(line.kind, ("circle-dot", ""))
    entry = Entry(line.at, _who(name, tongue), icon, tongue.t(words) if words else "")
    entry.number = line.number
    _FILL[EventKind(line.kind)](entry, story, line, tongue)
    return entry


def _who(name: str | None, tongue: Tongue) -> str:
    return name or tongue.t("The desk itself")


Fill = Callable[[Entry, Story, CaseEvent, Tongue], None]


def _opened(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    reason = tongue.names(REASON_TITLES, line.new.get("reason"))
    entry.words = tongue.t("Case opened: {reason}", reason=reason)
    entry.more = [_tier(line.new.get("tier"), tongue)]


def _alerted(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    if "alert_id" not in line.new:
        entry.words = tongue.t("The warning became graver")
    if "tier" in line.new:
        entry.more = [_change(_tier(line.old["tier"], tongue), _tier(line.new["tier"], tongue))]


def _reopened(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    before = tongue.names(STATE_TITLES, line.old.get("state"))
    entry.more = [tongue.t("It was closed as: {outcome}", outcome=before)]


def _closed(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    outcome = tongue.names(STATE_TITLES, line.new.get("state"))
    entry.words = tongue.t("Case closed: {outcome}", outcome=outcome)
    entry.more = [tongue.names(CLOSE_TITLES, line.new.get("close_reason"))]
    entry.text = line.new.get("close_note") or ""


def _moved(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    old, new = (tongue.names(STATE_TITLES, told.get("state")) for told in (line.old, line.new))
    entry.words = tongue.t("Moved on: {change}", change=_change(old, new))


def _edited(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    both = "title" in line.new and "plan" in line.new
    if both:
        entry.words = tongue.t("Title and plan written")
    elif "title" in line.new:
        entry.words = tongue.t("Title written")
    if "title" in line.new:
        entry.more = [str(line.new["title"])]
    entry.text = str(line.new.get("plan") or "")


def _escalated(entry: Entry, story: Story, line: CaseEvent, tongue: Tongue) -> None:
    to = line.new.get("escalated_to")
    if to:
        entry.words = tongue.t("Passed up to {name}", name=story.people.get(to, to))
    level = line.new.get("level")
    if level in LEVEL_ROLES:
        entry.more = [tongue.t(LEVEL_ROLES[level])]


def _limited(entry: Entry, _: Story, line: CaseEvent, tongue: Tongue) -> None:
    entry.words = tongue.names(RETENTION_WORDS, line.new.get("retention"))


def _noted(entry: Entry, story: Story, line: CaseEvent, tongue: Tongue) -> None:
    note = story.notes.get(line.reason)
    if note is None:
        return
    entry.text, entry.note_id = note.text, note.note_id
    entry.struck = note.note_id in story.corrected
    if note.corrects_id:
        entry.words = tongue.t("Note corrected")


def _contacted(entry: Entry, story: Story, line: CaseEvent, tongue: Tongue) -> None:
    contact = story.contacts.get(line.reason)
    if contact is not None:
        _contact(entry, contact, tongue)
    if "state" in line.new:
        state = tongue.names(STATE_TITLES, line.new["state"])
        entry.more.append(tongue.t("The case is now: {state}", state=state))


def _contact(entry: Entry, contact: Contact, tongue: Tongue) -> None:
    entry.words = tongue.t(
        "{direction} ({channel}): {result}",
        direction=tongue.names(DIRECTION_TITLES, contact.direction),
        channel=tongue.names(CHANNEL_TITLES, contact.channel),
        result=tongue.names(RESULT_TITLES, contact.result),
    )
    entry.text = contact.note
    if contact.aim == Aim.SERVICE:
        entry.more.append(tongue.names(AIM_TITLES, contact.aim))
    if contact.at != contact.recorded_at:
        entry.more.append(tongue.t("It was at {moment}", moment=tongue.moment(contact.at)))
    if contact.delivery == Delivery.UNKNOWN:
        entry.more.append(tongue.names(DELIVERY_TITLES, contact.delivery))
    if contact.breach:
        entry.grave = True
        entry.more.append(tongue.t("Made although it was forbidden; on record as a breach"))
    entry.more += [tongue.names(MARK_TITLES, mark) for mark in contact.marks]


def _reassigned(entry: Entry, story: Story, line: CaseEvent, tongue: Tongue) -> None:
    ids = (line.old.get("owner_id"), line.new.get("owner_id"))
    names = [story.people.get(i, i) if i else tongue.t("Nobody") for i in ids]
    entry.more = [_change(*names)]


def _attached(entry: Entry, story: Story, line: CaseEvent, _: Tongue) -> None:
    entry.file = story.files.get(line.reason)


def _task(entry: Entry, story: Story, line: CaseEvent, tongue: Tongue) -> None:
    task = story.tasks.get(line.reason)
    if "done" in (line.new.get("fields") or ()):
        done = line.new.get("done")
        entry.words = tongue.t("Task done") if done else tongue.t("Task opened again")
    if task is not None:
        entry.more = [task.title]


_FILL: Final[dict[EventKind, Fill]] = {
    EventKind.ALERTED: _alerted, EventKind.ATTACHED: _attached, EventKind.CLOSED: _closed,
    EventKind.CONTACTED: _contacted, EventKind.EDITED: _edited, EventKind.ESCALATED: _escalated,
    EventKind.LIMITED: _limited, EventKind.MOVED: _moved, EventKind.NOTED: _noted,
    EventKind.OPENED: _opened, EventKind.REASSIGNED: _reassigned,
    EventKind.REOPENED: _reopened, EventKind.TASK_ADDED: _task, EventKind.TASK_CHANGED: _task,
}  # fmt: skip

_PLAIN: Final[dict[str, tuple[str, str]]] = {
    EventKind.ALERTED: ("bell", "Another alert joined the case"),
    EventKind.ATTACHED: ("paperclip", "File attached"),
    EventKind.CLOSED: ("flag", ""),
    EventKind.CONTACTED: ("phone", "Contact recorded"),
    EventKind.EDITED: ("edit", "Plan written"),
    EventKind.ESCALATED: ("arrow-up", "Passed up"),
    EventKind.LIMITED: ("hand-stop", ""),
    EventKind.MOVED: ("arrow-right", ""),
    EventKind.NOTED: ("note", "Note written"),
    EventKind.OPENED: ("briefcase", ""),
    EventKind.REASSIGNED: ("users", "Given to somebody else"),
    EventKind.REOPENED: ("arrow-back-up", "Case reopened"),
    EventKind.TASK_ADDED: ("list-check", "Task added"),
    EventKind.TASK_CHANGED: ("list-check", "Task changed"),
}
"""Icon and words of each kind of line, in English; '' where the words need the line's facts."""


def _tick(
    tick: ClockEvent, name: str | None, titles: dict[str, str], tongue: Tongue
) -> Entry:  # fmt: skip
    title = titles.get(tick.clock_id, "")
    entry = Entry(tick.at, _who(name, tongue), "clock", "", text=tick.note or "")
    if tick.kind == Happening.WARNED:
        share = tongue.percent(float(tick.data.get("share", 0)))
        entry.words = tongue.t("{clock}: {share} of the time has passed", clock=title, share=share)
    elif tick.kind == Happening.BREACHED:
        entry.grave = True
        entry.words = tongue.t("{clock}: the promised time has passed", clock=title)
    elif tick.kind == Happening.PAUSED:
        entry.icon = "clock-pause"
        entry.words = tongue.t("{clock}: clock paused", clock=title)
        entry.more = [tongue.names(PAUSE_TITLES, tick.data.get("reason"))]
    else:
        entry.icon = "player-play"
        entry.words = tongue.t("{clock}: clock runs again", clock=title)
    return entry


def _tier(code: Any, tongue: Tongue) -> str:
    return tongue.t("Tier: {tier}", tier=tongue.names(TIER_NAMES, code))


def _change(old: str, new: str) -> str:
    return f"{old} → {new}"
