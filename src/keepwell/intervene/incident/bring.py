"""Brings the monitors' incidents to the desk, tells those who answer, marks the scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from keepwell.core.days import local_day, to_date
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.policy import CalendarName
from keepwell.intervene.incident import repo
from keepwell.intervene.incident.model import Incident
from keepwell.intervene.incident.policy import LIVE, concerning, incident_id, owners_of
from keepwell.intervene.incident.service import end, facts, findings_of
from keepwell.intervene.incident.tell import tell
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.observe.monitors.finding import Finding, finding_to
from keepwell.observe.monitors.incidents import MONITOR, incidents_of
from keepwell.observe.monitors.incidents import Incident as Watched
from keepwell.observe.rhythm import IsOpen
from keepwell.observe.workspace import Workspace
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

OLD: Final = timedelta(days=1)
"""What was over so long ago when the desk first looks is history, and not brought in."""


def trades_on(frame: Frame) -> IsOpen:
    """Whether the desk's exchange trades on a day."""
    calendar = calendar_of(frame, CalendarName.EXCHANGE)
    return lambda day: bool(calendar.sessions_of(day))


def lasting(workspace: Workspace) -> tuple[Finding, ...]:
    """What the monitors saw last, by the incidents that last."""
    known = incidents_of(workspace)
    return tuple(found for one in known if one.closed_at is None for found in one.findings)


def bring_in(frame: Frame) -> int:
    """Bring in what the workspace's monitors know, in one transaction; how many are new or over."""
    found = incidents_of(frame.workspace)
    with frame.write() as tx:
        return sync(tx, found)


def sync(tx: Tx, found: Sequence[Watched]) -> int:
    """Make the desk's rows say what the workspace's file says; repeated, it does nothing.

    Args:
        tx: a writing unit of work.
        found: all incidents that the workspace remembers.

    Returns:
        How many incidents were new or ended.
    """
    by_id = {incident_id(one): one for one in found}
    rows = repo.known(tx, list(by_id))
    told = 0
    for number, one in by_id.items():
        row = rows.get(number)
        if row is None:
            told += _new(tx, number, one)
        elif row.state in LIVE:
            told += _lasting(tx, row, one)
    for number, row in rows.items():
        if number not in by_id and row.state in LIVE:
            # The file was lost, or forgot it among hundreds: the monitors do not see it any more.
            _over(tx, row, None)
            told += 1
    _mark_in_force(tx)
    return told


def _new(tx: Tx, number: str, one: Watched) -> int:
    if one.closed_at is not None and one.closed_at < tx.at - OLD:
        return 0
    row = repo.add(
        tx,
        {
            "incident_id": number, "number": one.number, "source": one.source,
            "kind": str(one.kind), "findings": [finding_to(f) for f in one.findings],
            "state": "open", "opened_at": one.opened_at, "told_at": tx.at, "called_right": False,
            "row_version": 1,
        },
    )  # fmt: skip
    if row is None:
        return 0
    repo.set_owners(tx, number, owners_of(tx.frame.workspace, one))
    data = facts(row)
    record(tx, SYSTEM, EvidenceKind.INCIDENT_OPENED, subject=number, data=data)
    emit(tx, Event(EventName.INCIDENT_OPENED, number, SYSTEM.user_id, None, data))
    if one.closed_at is None:
        tell(tx, row, NoticeKind.INCIDENT_OPENED, data, SYSTEM)
    else:  # it came and went between two looks: on record, but nobody has to do anything
        _close(tx, row, one)
    return 1


def _lasting(tx: Tx, row: Incident, one: Watched) -> int:
    seen = [finding_to(f) for f in one.findings]
    if seen != row.findings:
        row.findings = seen
        row.row_version += 1
        tx.session.flush()
    owners = owners_of(tx.frame.workspace, one)
    if set(owners) != set(repo.owners(tx, [row.incident_id]).get(row.incident_id, [])):
        repo.set_owners(tx, row.incident_id, owners)
    if one.closed_at is None:
        return 0
    _over(tx, row, one)
    return 1


def _over(tx: Tx, row: Incident, one: Watched | None) -> None:
    tell(tx, row, NoticeKind.INCIDENT_CLOSED, _close(tx, row, one), SYSTEM)


def _close(tx: Tx, row: Incident, one: Watched | None) -> dict[str, Any]:
    by = one.closed_by if one else MONITOR
    right = by != MONITOR
    return end(tx, row, SYSTEM, by, one.reason if one and right else None, right)


def mark(tx: Tx, generation_id: int, as_of: datetime, findings: Iterable[Finding]) -> None:
    """Mark the scores of a generation that rest on what was found.

    Args:
        tx: a writing unit of work.
        generation_id: whose scores.
        as_of: their instant.
        findings: of the watch over the data that they were made of.
    """
    day = to_date(local_day(as_of, tx.frame.zone))
    repo.put_marks(
        tx,
        [
            {
                "generation_id": generation_id, "table_name": one.table, "kind": str(one.kind),
                "incident_id": repo.newest_of(tx, one.source, str(one.kind)),
                "finding": finding_to(one), "at": tx.at,
            }
            for one in concerning(findings, day)
        ],
    )  # fmt: skip


def _mark_in_force(tx: Tx) -> None:
    """Scores in force may rest on what was found after they were published."""
    generation = repo.in_force(tx)
    if generation is not None:
        live = [row for row in repo.known(tx, []).values() if row.state in LIVE]
        some = [one for row in live for one in findings_of(row)]
        mark(tx, generation.generation_id, generation.as_of, some)
