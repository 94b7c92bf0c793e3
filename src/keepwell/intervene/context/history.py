"""What the desk itself knows to have happened with a client, in words, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.case.model import CaseEvent
from keepwell.intervene.case.policy import (
    CLOSE_TITLES,
    REASON_TITLES,
    SCORE_REASONS,
    STATE_TITLES,
    CaseReason,
    CloseReason,
    EventKind,
    State,
)
from keepwell.intervene.contact import repo as contacts
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import (
    CHANNEL_TITLES,
    DIRECTION_TITLES,
    RESULT_TITLES,
    Channel,
    Direction,
    Result,
)
from keepwell.intervene.contact.schema import ContactOut
from keepwell.intervene.context import repo
from keepwell.intervene.exit import repo as exits
from keepwell.intervene.exit.model import ExitHold, ExitRequest
from keepwell.intervene.exit.policy import HOLD_TITLES, KIND_TITLES, ExitKind, HoldCode
from keepwell.intervene.outcome import service as outcomes
from keepwell.intervene.outcome.show import words_of
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book.service import get_client
from keepwell.trust.consent.model import Consent
from keepwell.trust.consent.policy import TITLES as PURPOSE_TITLES
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import history as consents
from keepwell.trust.consent.service import refused

KINDS: Final[dict[str, str]] = {
    "case": "Cases", "contact": "Contacts", "alert": "Alerts", "exit": "The client's exit requests",
    "consent": "Consent",
}  # fmt: skip
"""What an entry is about, in English."""

_MOST: Final = 200
"""Alerts and exit requests of one client that are looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened.

    Attributes:
        at: when.
        kind: a key of `KINDS`.
        title: what, in the reader's language.
        text: what was written about it.
        who: who did it, where that is known.
        case_id: in which case.
        mark: what it is on a chart; '' for lesser things.
    """

    at: datetime
    kind: str
    title: str
    text: str = ""
    who: str = ""
    case_id: str | None = None
    mark: str = ""


def history(tx: Tx, actor: Actor, client_id: str, limit: int) -> list[Entry]:
    """The newest entries of what the actor may know, newest first.

    Of a client who refuses profiling, what came from profiling is left out (rule PI-4).

    Args:
        tx: the unit of work.
        actor: whose scope, permissions and language.
        client_id: about whom.
        limit: at most so many.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
    """
    get_client(tx, actor, client_id)
    hidden = SCORE_REASONS if refused(tx, client_id, Purpose.PROFILING) else frozenset()
    found: list[Entry] = []
    if actor.may(Permission.CASE_READ):
        found += _cases(tx, actor, client_id, limit, hidden)
        rows = contacts.newest_of(tx, actor, client_id, limit)
        found += [_contact(row, actor.locale) for row in rows]
    if actor.may(Permission.ALERT_READ):
        for alert in repo.alerts_shown(tx, actor, client_id, _MOST):
            if alert.reason not in hidden:
                found += _alert(alert, actor.locale)
    if actor.may(Permission.EXIT_READ):
        requests = exits.page(tx, actor, client_id, None, _MOST, None)
        holds = exits.holds_of(tx, [request.request_id for request in requests])
        for request in requests:
            found += _exit(request, holds.get(request.request_id, []), actor.locale)
    if actor.may(Permission.CONSENT_READ):
        found += [_consent(word, actor.locale) for word in consents(tx, actor, client_id)]
    if actor.may(Permission.OUTCOME_READ):
        zone = tx.frame.zone
        for row in outcomes.of_client(tx, actor, client_id):
            title = words_of(row, actor.locale, zone)
            found.append(Entry(row.matured_at, "case", title, case_id=row.case_id))
    found.sort(key=lambda entry: entry.at, reverse=True)
    return found[:limit]


def _cases(
    tx: Tx, actor: Actor, client_id: str, limit: int, hidden: frozenset[CaseReason]
) -> Iterator[Entry]:
    for line, reason, name in repo.case_lines(tx, actor, client_id, limit):
        if reason not in hidden:
            title, text = _line(line, reason, actor.locale)
            mark = "case" if line.kind in (EventKind.OPENED, EventKind.CLOSED) else ""
            yield Entry(line.at, "case", title, text, name or "", line.case_id, mark)
    for note, reason in repo.notes(tx, actor, client_id, limit):
        if reason not in hidden:
            title = tr("Note in a case", actor.locale)
            yield Entry(note.at, "case", title, note.text, note.author, note.case_id)


_LINES: Final[dict[str, str]] = {
    EventKind.ALERTED: "Another alert joined the case",
    EventKind.ATTACHED: "File attached to a case",
    EventKind.EDITED: "Title or plan of a case written",
    EventKind.ESCALATED: "Case passed up",
    EventKind.LIMITED: "Number of contacts to keep the client changed",
    EventKind.REASSIGNED: "Case given to somebody else",
    EventKind.TASK_ADDED: "Task added to a case",
    EventKind.TASK_CHANGED: "Task of a case changed",
}
"""Lines of a case's history that need no facts, in English."""


def _line(line: CaseEvent, reason: str, locale: str) -> tuple[str, str]:
    why = tr(REASON_TITLES[CaseReason(reason)], locale)
    if line.kind == EventKind.OPENED:
        return tr("Case opened: {reason}", locale, reason=why), ""
    if line.kind == EventKind.REOPENED:
        return tr("Case reopened: {reason}", locale, reason=why), ""
    if line.kind == EventKind.MOVED:
        state = tr(STATE_TITLES[State(line.new["state"])], locale)
        return tr("Case moved on: {state}", locale, state=state), ""
    if line.kind == EventKind.CLOSED:
        state = tr(STATE_TITLES[State(line.new["state"])], locale)
        cause = tr(CLOSE_TITLES[CloseReason(line.new["close_reason"])], locale)
        title = tr("Case closed: {outcome}", locale, outcome=f"{state}, {cause}")
        return title, line.new.get("close_note") or ""
    return tr(_LINES[line.kind], locale), ""


def contact_title(row: Contact | ContactOut, locale: str) -> str:
    """A recorded contact in one line, with channel and result.

    Args:
        row: the contact.
        locale: 'en' or 'zh'.
    """
    return tr(
        "{direction} ({channel}): {result}", locale,
        direction=tr(DIRECTION_TITLES[Direction(row.direction)], locale),
        channel=tr(CHANNEL_TITLES[Channel(row.channel)], locale),
        result=tr(RESULT_TITLES[Result(row.result)], locale),
    )  # fmt: skip


def _contact(row: Contact, locale: str) -> Entry:
    title = contact_title(row, locale)
    return Entry(row.at, "contact", title, row.note, row.staff_id or "", row.case_id, "contact")


def _alert(alert: Alert, locale: str) -> Iterator[Entry]:
    why = AlertReason(alert.reason).title(locale)
    assert alert.shown_at is not None
    title = tr("Alert: {reason}", locale, reason=why)
    yield Entry(alert.shown_at, "alert", title, "", "", alert.case_id, "alert")
    if alert.closed_at is not None and alert.closed_at >= alert.shown_at:
        title = tr("Alert ended: {reason}", locale, reason=why)
        yield Entry(alert.closed_at, "alert", title, "", "", alert.case_id)


def _exit(request: ExitRequest, holds: Sequence[ExitHold], locale: str) -> Iterator[Entry]:
    what = tr(KIND_TITLES[ExitKind(request.kind)], locale)
    title = tr("Exit request: {kind}", locale, kind=what)
    yield Entry(request.requested_at, "exit", title, mark="exit")
    for at, words in (
        (request.settled_at, "Exit request settled: {kind}"),
        (request.refused_at, "Wants no contact about the exit request: {kind}"),
        (request.completed_at, "Exit request completed: {kind}"),
        (request.cancelled_at, "Exit request taken back: {kind}"),
    ):
        if at is not None:
            yield Entry(at, "exit", tr(words, locale, kind=what))
    for hold in holds:
        why = tr(HOLD_TITLES[HoldCode(hold.code)], locale)
        yield Entry(hold.placed_at, "exit", tr("Exit request held: {reason}", locale, reason=why))
        if hold.lifted_at is not None:
            title = tr("Hold lifted: {reason}", locale, reason=why)
            yield Entry(hold.lifted_at, "exit", title)


def _consent(word: Consent, locale: str) -> Entry:
    purpose = tr(PURPOSE_TITLES[Purpose(word.purpose)], locale)
    said = "Agreed: {purpose}" if word.granted else "Refused: {purpose}"
    return Entry(
        word.at, "consent", tr(said, locale, purpose=purpose), source_words(word.source, locale)
    )


def source_words(source: str, locale: str) -> str:
    """Where a client's word was said, in a language; what people wrote stays as it is.

    Args:
        source: of the recorded word.
        locale: 'en' or 'zh'.
    """
    if source == "touch" or source.startswith("contact:"):
        return tr("In a recorded contact", locale)
    known = {"events": "Broker's data", "desk": "keepwell desk"}.get(source)
    return tr(known, locale) if known else source
