"""The one way a case changes: row, version, history line, evidence and event together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.intervene.case import repo
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.intervene.case.policy import PROJECTED, EventKind, plain, urgency
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record, sealed


def change(
    tx: Tx, actor: Actor, case: Case, kind: EventKind, reason: str = "", **new: Any
) -> CaseEvent:
    """Set columns of a case and write the line of its history.

    Args:
        tx: the unit of work; the case is locked in it.
        actor: who does it.
        case: the case.
        kind: what happens.
        reason: a code or an id: what made it happen.
        **new: columns and their new values; none where only something is added to the case.
    """
    old = {name: plain(getattr(case, name)) for name in new}
    for name, value in new.items():
        setattr(case, name, value)
    if "tier" in new:
        case.urgency = urgency(case.tier)
    if new:
        case.version += 1
    return _line(tx, actor, case, kind, reason, old, {k: plain(v) for k, v in new.items()})


def begin(tx: Tx, actor: Actor, case: Case, reason: str) -> CaseEvent:
    """Write the first line of a new case's history, which says all of its columns."""
    new = {name: plain(getattr(case, name)) for name in PROJECTED}
    return _line(tx, actor, case, EventKind.OPENED, reason, {}, new, number=1)


def added(
    tx: Tx, actor: Actor, case: Case, kind: EventKind, reason: str, new: dict[str, Any]
) -> CaseEvent:
    """Write a line about something that belongs to a case but is no column of it.

    Args:
        tx: the unit of work; the case is locked in it.
        actor: who does it.
        case: the case.
        kind: what was added or changed.
        reason: id of the note, task or file.
        new: facts about it, none of them named like a column of the case.
    """
    return _line(tx, actor, case, kind, reason, {}, new)


def _line(
    tx: Tx,
    actor: Actor,
    case: Case,
    kind: EventKind,
    reason: str,
    old: dict[str, Any],
    new: dict[str, Any],
    number: int | None = None,
) -> CaseEvent:
    tx.session.flush()
    line = CaseEvent(
        event_id=new_id("caseev", tx.at), case_id=case.case_id,
        number=next_number(tx, case) if number is None else number, at=tx.at,
        actor_id=actor.user_id,
        kind=kind.value, old=old, new=new, reason=reason,
    )  # fmt: skip
    tx.session.add(line)
    attest(tx, case.client_id, line)
    return line


def next_number(tx: Tx, case: Case) -> int:
    """Number of the next line of a locked case's history."""
    return repo.last_number(tx, case.case_id) + 1


def facts(case: Case) -> dict[str, Any]:
    """What every event about a case says."""
    return {
        "reason": case.reason, "tier": case.tier, "state": case.state, "owner_id": case.owner_id,
        "level": case.level,
    }  # fmt: skip


def tell(
    tx: Tx,
    actor: Actor,
    case: Case,
    event: EventName,
    evidence: EvidenceKind,
    more: Mapping[str, Any] | None = None,
    personal: Mapping[str, str] | None = None,
) -> None:
    """Record what happened to a case as evidence and tell the other rooms.

    Args:
        tx: the unit of work.
        actor: who did it.
        case: the case, changed already.
        event: for the other rooms.
        evidence: for the log.
        more: further codes, ids and numbers for both.
        personal: free text; the log keeps commitments, the event nothing.
    """
    data = {**facts(case), **(more or {})}
    tiers = sealed(tier=case.tier, old_tier=data.get("old_tier"))
    record(
        tx, actor, evidence, client_id=case.client_id, subject=case.case_id,
        data={name: value for name, value in data.items() if name not in ("tier", "old_tier")},
        personal={**(personal or {}), **tiers},
    )  # fmt: skip
    tx.session.flush()
    emit(tx, Event(event, case.case_id, actor.user_id, case.client_id, data))
