"""Verbs of incidents: bring in what the monitors found, tell the owners, acknowledge, close.

The workspace's own file says what the monitors see; the desk's rows say who was told and who works
on it. The file leads: a crash between the two is made good by the next time it is brought in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keepwell.core.errors import UsageError
from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotAllowed, NotFound
from keepwell.intervene.incident import repo
from keepwell.intervene.incident.model import Incident
from keepwell.intervene.incident.policy import LIVE, State, incident_id, read_by
from keepwell.intervene.incident.repo import Wanted
from keepwell.intervene.incident.schema import FindingOut, IncidentDetail, IncidentOut
from keepwell.intervene.incident.tell import tell
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors import incidents as watched
from keepwell.observe.monitors.finding import Finding, finding_from
from keepwell.observe.monitors.words import REMEDIES, TITLES, told
from keepwell.trust.access.call import Reply, check_version
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

_SAME = (
    "incident_id", "number", "source", "kind", "state", "opened_at", "told_at", "acknowledged_at",
    "acknowledged_by", "note", "closed_at", "closed_by", "called_right", "reason",
)  # fmt: skip


def findings_of(row: Incident) -> tuple[Finding, ...]:
    """What an incident's monitor found when it was last seen."""
    return tuple(finding_from(one) for one in row.findings)


def list_incidents(
    tx: Tx, actor: Actor, wanted: Wanted, limit: int, cursor: str | None
) -> dict[str, Any]:
    """A page of incidents, the newest first: all, or those of sources one answers for.

    Args:
        tx: the unit of work.
        actor: whose.
        wanted: which.
        limit: rows.
        cursor: of the page before.
    """
    found = repo.page(tx, actor, wanted, limit, cursor)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "items": outs(tx, actor, found[:limit]),
        "next": encode_cursor([last.opened_at, last.incident_id]) if last else None,
    }


def outs(tx: Tx, actor: Actor, rows: Iterable[Incident]) -> list[IncidentOut]:
    """Incidents as the API tells them."""
    rows = list(rows)
    ids = [row.incident_id for row in rows]
    owners, workable = repo.owners(tx, ids), repo.may_work(tx, actor, ids)
    generation = repo.in_force(tx)
    stale = repo.marked_in(tx, generation.generation_id) if generation else set[str]()
    return [
        _out(
            row, actor.locale, owners.get(row.incident_id, []), row.incident_id in workable,
            None if generation is None
            else generation.scored if row.incident_id in stale and not row.called_right else 0,
        )
        for row in rows
    ]  # fmt: skip


def _out(
    row: Incident, locale: str, owners: list[str], workable: bool, scores: int | None
) -> IncidentOut:
    findings = findings_of(row)
    tables = list(dict.fromkeys(one.table for one in findings))
    return IncidentOut(
        **{name: getattr(row, name) for name in _SAME},
        title=tr(TITLES[MonitorKind(row.kind)], locale), owners=owners, tables=tables,
        findings=[
            FindingOut(
                words=told(one, locale),
                **{name: getattr(one, name) for name in FindingOut.model_fields if name != "words"},
            )
            for one in findings
        ],
        indicators=len(read_by(tables)), scores=scores, may_work=workable, version=row.row_version,
    )  # fmt: skip


def read_incident(tx: Tx, actor: Actor, number: str) -> Reply:
    """An incident with what rests on it.

    Args:
        tx: the unit of work.
        actor: whose.
        number: its id.

    Raises:
        NotFound: there is none, or it is of a source that the actor does not answer for.
    """
    return _reply(tx, actor, _found(tx, actor, number))


def _found(tx: Tx, actor: Actor, number: str, expected: int | None = None) -> Incident:
    row = repo.one(tx, actor, number, lock=expected is not None)
    if row is None:
        raise NotFound("incident.unknown")
    if expected is not None:
        if number not in repo.may_work(tx, actor, [number]):
            raise NotAllowed("incident.not-yours")
        check_version(row.row_version, expected)
        if row.state not in LIVE:
            raise Conflict("incident.over")
    return row


def _reply(tx: Tx, actor: Actor, row: Incident) -> Reply:
    (out,) = outs(tx, actor, [row])
    detail = IncidentDetail(
        **out.model_dump(), indicator_ids=read_by(out.tables),
        generations=list(repo.marked(tx, row.incident_id)),
        remedy=tr(REMEDIES[out.kind], actor.locale),
    )  # fmt: skip
    # Which scores rest on it changes with a publication, without another version.
    return Reply(detail, version=row.row_version, anew=True)


def acknowledge(tx: Tx, actor: Actor, number: str, expected: int, note: str | None) -> Reply:
    """Take an incident on; once more, to say something else about it.

    Args:
        tx: a writing unit of work.
        actor: who takes it on.
        number: its id.
        expected: version that the actor read.
        note: what is being done.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
        NotAllowed: somebody else answers for the source.
        Stale: it changed meanwhile.
        Conflict: it is over.
    """
    row = _found(tx, actor, number, expected)
    row.state, row.note = State.ACKNOWLEDGED.value, note
    row.acknowledged_at, row.acknowledged_by = tx.at, actor.user_id
    row.row_version += 1
    tx.session.flush()
    data = facts(row)
    record(tx, actor, EvidenceKind.INCIDENT_ACKNOWLEDGED, subject=number, data=data)
    emit(tx, Event(EventName.INCIDENT_ACKNOWLEDGED, number, actor.user_id, None, data))
    return _reply(tx, actor, row)


def close(
    tx: Tx, actor: Actor, number: str, expected: int, reason: str, right: bool = False
) -> Reply:
    """Close an incident that is over, or call right what it found.

    Args:
        tx: a writing unit of work.
        actor: who closes it.
        number: its id.
        expected: version that the actor read.
        reason: why it is over, or why what was found is right.
        right: what was found is right, and the usual from now on.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
        NotAllowed: somebody else answers for the source.
        Stale: it changed meanwhile.
        Conflict: it is over; or the monitor still sees it, and it is not called right.
    """
    row = _found(tx, actor, number, expected)
    known = watched.incidents_of(tx.frame.workspace)
    lasting = next(
        (one for one in known if incident_id(one) == number and one.closed_at is None), None
    )
    if lasting is not None and not right:
        raise Conflict("incident.lasts", what=_lasts(row, actor.locale))
    if lasting is not None:
        try:
            watched.close(
                tx.frame.workspace, lasting.number, actor.name or actor.user_id, reason, tx.at
            )
        except UsageError as error:
            # A watch of another process ended it just now.
            raise Conflict("incident.over") from error
    data = end(tx, row, actor, actor.user_id, reason, right and lasting is not None)
    tell(tx, row, NoticeKind.INCIDENT_CLOSED, data, actor)
    return _reply(tx, actor, row)


def _lasts(row: Incident, locale: str) -> str:
    return "; ".join(f"{one.table}: {told(one, locale)}" for one in findings_of(row)[:3])


def end(
    tx: Tx, row: Incident, actor: Actor, by: str, reason: str | None, right: bool
) -> dict[str, Any]:
    """Close a row, with its entry and event.

    Args:
        tx: a writing unit of work.
        row: the incident, which lasts.
        actor: on whose behalf.
        by: who is said to have closed it.
        reason: why; None for a monitor.
        right: what was found was called right.

    Returns:
        The facts of the event.
    """
    row.state, row.closed_at, row.closed_by = State.CLOSED.value, tx.at, by[:200]
    row.reason, row.called_right = reason, right
    row.row_version += 1
    tx.session.flush()
    data = facts(row) | {"by_monitor": by == watched.MONITOR, "called_right": right}
    record(tx, actor, EvidenceKind.INCIDENT_CLOSED, subject=row.incident_id, data=data)
    emit(tx, Event(EventName.INCIDENT_CLOSED, row.incident_id, actor.user_id, None, data))
    return data


def facts(row: Incident) -> dict[str, Any]:
    """An incident as events, entries and notices tell it: codes, numbers, no free text."""
    tables = list(dict.fromkeys(one["table"] for one in row.findings))
    return {
        "source": row.source, "monitor": row.kind, "number": row.number, "tables": tables,
        "opened_at": row.opened_at.isoformat(),
    }  # fmt: skip
