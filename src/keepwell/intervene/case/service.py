"""Verbs of cases: open or append, read, list, move on, edit, close, reopen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import EventName
from keepwell.frame.locks import CLIENT, hold
from keepwell.frame.paging import encode_cursor, unknown_sort
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.case import repo
from keepwell.intervene.case.history import begin, change, tell
from keepwell.intervene.case.lend import lend_to_holders, take_back
from keepwell.intervene.case.model import Case
from keepwell.intervene.case.policy import (
    NOT_DUE,
    SCORE_REASONS,
    CaseReason,
    CloseReason,
    EventKind,
    Level,
    Retention,
    State,
    higher,
    may_close,
    may_move,
    urgency,
)
from keepwell.intervene.case.repo import CaseFilter
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import Actor
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import refused
from keepwell.trust.evidence.policy import EvidenceKind


def open_or_append(
    tx: Tx,
    actor: Actor,
    *,
    client_id: str,
    reason: str,
    tier: str,
    alert_id: str | None,
    owner_id: str | None,
) -> Case:
    """Bring an alert into the one live case of its client and reason.

    A live case gets the alert appended; one closed within `case.reopen_days` is reopened; else a
    new one is opened and linked to the one before. The same alert twice has one effect.

    Args:
        tx: the unit of work.
        actor: who or what raised it.
        client_id: whom it is about.
        reason: an alert's reason, or 'manual'.
        tier: none, mild, moderate or severe.
        alert_id: the alert; None for a case opened by hand.
        owner_id: staff number of the client's manager.

    Raises:
        Conflict: the reason comes from the score and the client refuses profiling (rule PI-4).
    """
    hold(tx, CLIENT, [client_id])
    why = _permitted(tx, client_id, reason)
    case = repo.latest(tx, client_id, why)
    if case is None or not _live_soon(tx, case):
        # Nobody opens another one meanwhile: the client is held.
        return _open(tx, actor, case, client_id, why, tier, alert_id, owner_id)
    if case.live:
        return _append(tx, actor, case, tier, alert_id)
    return _reopen(tx, actor, case, tier=tier, alert_id=alert_id, owner_id=owner_id)


def open_manually(
    tx: Tx, actor: Actor, client_id: str, reason: CaseReason, tier: str, title: str
) -> Case:
    """Open a case by hand for a client whom the actor sees; its owner is the client's manager.

    Raises:
        NotFound: no such client in the actor's scope.
        Conflict: there is a live case already, or rule PI-4 forbids it.
    """
    from keepwell.intervene.alert.raising import log_by_hand

    if not repo.visible_client(tx, actor, client_id):
        raise NotFound("access.client-unknown")
    hold(tx, CLIENT, [client_id])
    why = _permitted(tx, client_id, reason)
    known = repo.latest(tx, client_id, why)
    if known is not None and known.live:
        raise Conflict("case.case-live", case=known.case_id)
    manager = repo.carers(tx, client_id)[0]
    owner = manager or actor.staff_id
    case = open_or_append(
        tx, actor, client_id=client_id, reason=why, tier=tier, alert_id=None, owner_id=owner
    )
    log_by_hand(tx, client_id, reason=why.value, tier=tier)
    return _edit(tx, actor, case, {"title": title}) if title else case


def _permitted(tx: Tx, client_id: str, reason: str) -> CaseReason:
    why = CaseReason(reason)
    if why in SCORE_REASONS and refused(tx, client_id, Purpose.PROFILING):
        raise Conflict("case.profiling-refused")
    return why


def _live_soon(tx: Tx, case: Case) -> bool:
    """Whether the case is live or closed so shortly ago that it is reopened."""
    if case.live or case.closed_at is None:
        return True
    return tx.at - case.closed_at < timedelta(days=tx.frame.settings.case.reopen_days)


def _open(
    tx: Tx,
    actor: Actor,
    previous: Case | None,
    client_id: str,
    reason: CaseReason,
    tier: str,
    alert_id: str | None,
    owner_id: str | None,
) -> Case:
    case = Case(
        case_id=new_id("case", tx.at), client_id=client_id, reason=reason.value, tier=tier,
        urgency=urgency(tier), title="", plan="", state=State.OPEN.value, live=True,
        owner_id=owner_id, level=int(Level.MANAGER), escalated_to=None,
        retention=retention_of(tx, client_id).value, alerts=int(alert_id is not None),
        alert_id=alert_id, previous_id=previous.case_id if previous else None,
        opened_at=tx.at, state_at=tx.at, next_due_at=NOT_DUE, version=1,
    )  # fmt: skip
    repo.add(tx, case)
    begin(tx, actor, case, alert_id or "")
    lend_to_holders(tx, actor, case)
    more = {"alert_id": alert_id, "previous_id": case.previous_id}
    tell(tx, actor, case, EventName.CASE_OPENED, EvidenceKind.CASE_OPENED, more)
    return case


def retention_of(tx: Tx, client_id: str) -> Retention:
    """How many contacts may still try to keep a client."""
    from keepwell.intervene.exit.service import open_request, word_of

    word = word_of(tx, client_id)
    if refused(tx, client_id, Purpose.MARKETING) or word.refused:
        return Retention.NONE
    request = open_request(tx, client_id)
    if request is None:
        return Retention.NONE if word.left else Retention.FREE
    return Retention.NONE if request.retention_contacts else Retention.ONCE


def _append(tx: Tx, actor: Actor, case: Case, tier: str, alert_id: str | None) -> Case:
    top = higher(case.tier, tier)
    rose = top != case.tier
    further = alert_id is not None and alert_id != case.alert_id
    if not further and not rose:
        return case
    before = case.tier
    new: dict[str, Any] = {"tier": top} if rose else {}
    if further:
        new |= {"alert_id": alert_id, "alerts": case.alerts + 1}
    change(tx, actor, case, EventKind.ALERTED, alert_id or "", **new)
    more = {"alert_id": alert_id, "rose": rose, "old_tier": before}
    tell(tx, actor, case, EventName.CASE_ALERTED, EvidenceKind.CASE_ALERTED, more)
    return case


def _reopen(
    tx: Tx, actor: Actor, case: Case, *, tier: str, alert_id: str | None, owner_id: str | None
) -> Case:
    outcome = case.state
    change(
        tx, actor, case, EventKind.REOPENED, alert_id or "", state=State.OPEN.value, live=True,
        state_at=tx.at, closed_at=None, close_reason=None, close_note=None, contacted_at=None,
        tier=tier, level=int(Level.MANAGER), escalated_to=None,
        owner_id=owner_id or case.owner_id, retention=retention_of(tx, case.client_id).value,
        alerts=case.alerts + int(alert_id is not None), alert_id=alert_id or case.alert_id,
    )  # fmt: skip
    lend_to_holders(tx, actor, case)
    more = {"alert_id": alert_id, "outcome": outcome}
    tell(tx, actor, case, EventName.CASE_REOPENED, EvidenceKind.CASE_REOPENED, more)
    return case


def read_case(tx: Tx, actor: Actor, case_id: str) -> Case:
    """A case that the actor may see.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
    """
    found = repo.find(tx, actor, case_id)
    if found is None:
        raise NotFound("case.case-unknown")
    return found


def lock_case(tx: Tx, actor: Actor, case_id: str, version: int | None = None) -> Case:
    """A case that the actor may see, held until the unit of work ends.

    Args:
        tx: the unit of work.
        actor: who asks.
        case_id: which.
        version: the version that the caller read; None where nothing of the row is overwritten.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
        Stale: somebody changed it since.
    """
    found = repo.find(tx, actor, case_id, lock=True)
    if found is None:
        raise NotFound("case.case-unknown")
    if version is not None:
        check_version(found.version, version)
    return found


def list_cases(
    tx: Tx, actor: Actor, chosen: CaseFilter, sort: str, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """A page of cases, as rows with `owner_name`, and the cursor of the next.

    Raises:
        Unprocessable: an unknown sort or a cursor of another list.
    """
    if sort not in repo.SORTS:
        raise unknown_sort(sort, list(repo.SORTS))
    rows = repo.list_cases(tx, actor, chosen, sort, limit, cursor)
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    columns = repo.SORTS[sort][0]
    return rows[:limit], encode_cursor([getattr(last, column.key) for column, _ in columns])


def move(tx: Tx, actor: Actor, case_id: str, version: int, state: State) -> Case:
    """Take a case forward, skipping states or not.

    Raises:
        NotFound: no such case in scope.
        Stale: somebody changed it since it was read.
        Conflict: it is closed, or the move goes backwards.
    """
    case = lock_case(tx, actor, case_id, version)
    before = case.state
    if not case.live:
        raise Conflict("case.case-closed")
    if not may_move(before, state):
        raise Conflict("case.move-backward", old=before, new=state.value)
    change(tx, actor, case, EventKind.MOVED, state=state.value, state_at=tx.at)
    more = {"old_state": before}
    tell(tx, actor, case, EventName.CASE_MOVED, EvidenceKind.CASE_MOVED, more)
    return case


def edit(
    tx: Tx, actor: Actor, case_id: str, version: int, title: str | None, plan: str | None
) -> Case:
    """Change title or plan; None leaves it.

    Raises:
        NotFound: no such case in scope.
        Stale: somebody changed it since it was read.
        Conflict: it is closed.
    """
    case = lock_case(tx, actor, case_id, version)
    if not case.live:
        raise Conflict("case.case-closed")
    given = {"title": title, "plan": plan}
    return _edit(tx, actor, case, {k: v for k, v in given.items() if v is not None})


def _edit(tx: Tx, actor: Actor, case: Case, given: dict[str, str]) -> Case:
    new = {k: v for k, v in given.items() if v != getattr(case, k)}
    if not new:
        return case
    change(tx, actor, case, EventKind.EDITED, **new)
    more = {"fields": sorted(new)}
    tell(tx, actor, case, EventName.CASE_NOTED, EvidenceKind.CASE_EDITED, more, personal=new)
    return case


def close(
    tx: Tx,
    actor: Actor,
    case_id: str,
    version: int,
    outcome: State,
    reason: CloseReason,
    note: str,
) -> Case:
    """End a case.

    Raises:
        NotFound: no such case in scope.
        Stale: somebody changed it since it was read.
        Unprocessable: the reason does not belong to the outcome.
        Conflict: it is closed already.
    """
    if not may_close(outcome, reason):
        raise Unprocessable("case.reason-mismatch", reason=reason.value, outcome=outcome.value)
    case = lock_case(tx, actor, case_id, version)
    if not case.live:
        raise Conflict("case.case-closed")
    return end(tx, actor, case, outcome, reason, note)


def end(
    tx: Tx, actor: Actor, case: Case, outcome: State, reason: CloseReason, note: str = ""
) -> Case:
    """Close a live, locked case and take back what it lent."""
    before = case.state
    change(
        tx, actor, case, EventKind.CLOSED, reason.value, state=outcome.value, live=False,
        state_at=tx.at, closed_at=tx.at, close_reason=reason.value, close_note=note,
    )  # fmt: skip
    take_back(tx, actor, case)
    more = {"old_state": before, "close_reason": reason.value}
    tell(
        tx, actor, case, EventName.CASE_CLOSED, EvidenceKind.CASE_CLOSED, more,
        personal={"note": note} if note else None,
    )  # fmt: skip
    return case


def reopen(tx: Tx, actor: Actor, case_id: str, version: int) -> Case:
    """Make a closed case live again, within `case.reopen_days`.

    Raises:
        NotFound: no such case in scope.
        Stale: somebody changed it since it was read.
        Conflict: it is live, closed too long ago, another one is live, or rule PI-4 forbids it.
    """
    hold(tx, CLIENT, [read_case(tx, actor, case_id).client_id])
    case = lock_case(tx, actor, case_id, version)
    if case.live:
        raise Conflict("case.case-live", case=case.case_id)
    _permitted(tx, case.client_id, case.reason)
    if not _live_soon(tx, case):
        raise Conflict("case.reopen-late", days=tx.frame.settings.case.reopen_days)
    other = repo.latest(tx, case.client_id, case.reason)
    if other is not None and other.live:
        raise Conflict("case.case-live", case=other.case_id)
    return _reopen(tx, actor, case, tier=case.tier, alert_id=None, owner_id=None)


def set_next_due(tx: Tx, case_id: str, at: datetime | None) -> None:
    """Tell when the first clock of a case is due, for sorting; None when none runs.

    It is no change by a person: neither version nor history say so.
    """
    case = repo.unlocked(tx, case_id)
    if case is not None:
        case.next_due_at = at or NOT_DUE
