"""Verbs of alerts: raise, read, acknowledge, put to sleep, wake; and the log of treatments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select

from keepwell.frame.database import Tx
from keepwell.frame.events import EventName
from keepwell.frame.locks import CLIENT, hold
from keepwell.frame.paging import Page, encode_cursor, page_of, sort_key
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.alert import repo
from keepwell.intervene.alert.model import Alert, Treatment
from keepwell.intervene.alert.policy import (
    LOOKS_HELD_BACK,
    SEEN,
    AlertReason,
    Decision,
    Status,
    WakeEvent,
    day_of,
    looks,
    tier_by_code,
)
from keepwell.intervene.alert.raising import Signal, take, tell, wake
from keepwell.intervene.alert.schema import (
    AlertDetail,
    AlertOut,
    CeilingOut,
    SignalOut,
    TreatmentOut,
)
from keepwell.jobs.service import enqueue, reschedule
from keepwell.trust.access.call import Reply, check_version
from keepwell.trust.access.export import MOST_ROWS
from keepwell.trust.access.mask import sees_bands
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.evidence.policy import EvidenceKind

LONGEST: Final = timedelta(days=366)
"""The longest sleep."""

PATIENCE: Final = timedelta(days=90)
"""An alert that waits for an event wakes after so long in any case."""

ALERT_HEADS: Final = tuple(AlertOut.model_fields)
TREATMENT_HEADS: Final = tuple(TreatmentOut.model_fields)


def raise_alert(
    tx: Tx,
    actor: Actor,
    *,
    client_id: str,
    reason: AlertReason,
    tier: str,
    facts: dict[str, Any],
    score: float | None = None,
    at: datetime | None = None,
) -> Alert | None:
    """Raise an alert, or add a signal to the live one of the same client and reason.

    Whether it is shown depends on the hold-out, the client's refusal of profiling, an exit request
    and the owner's ceiling of the day; the decision is logged. Mandatory service is always shown.

    Args:
        tx: the unit of work.
        actor: who or what warns.
        client_id: about whom.
        reason: why.
        tier: none, mild, moderate or severe.
        facts: codes and numbers that tell it; no names, no free text.
        score: the score behind it, if any.
        at: when it happened; default: now.

    Returns:
        The alert, shown or not; None when none is kept.
    """
    hold(tx, CLIENT, [client_id])
    book = repo.book_facts(tx, [client_id])[client_id]
    live = repo.live(tx, [client_id])[client_id].get(reason)
    signal = Signal(AlertReason(reason), tier_by_code(tier), at or tx.at, score, facts)
    return take(tx, actor, book, signal, live)


def is_current(tx: Tx, generation_id: int) -> bool:
    """Whether a generation is the one in force."""
    return repo.current(tx) == generation_id


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts a list shows.

    Attributes:
        status: among these; default: all that are live.
        tier: among these.
        reason: among these.
        owner: staff number of the owner.
        client: id.
        since: raised then or later.
    """

    status: tuple[Status, ...] = ()
    tier: tuple[str, ...] = ()
    reason: tuple[AlertReason, ...] = ()
    owner: str | None = None
    client: str | None = None
    since: datetime | None = None

    def given(self) -> dict[str, Any]:
        """What is asked for, by the names that `repo.list_alerts` knows."""
        asked = {name: value for name in self.__slots__ if (value := getattr(self, name))}
        if Status.HELD_BACK in self.status:
            asked["status"] = (*self.status, *LOOKS_HELD_BACK)
        return {n: list(v) if isinstance(v, tuple) else v for n, v in asked.items()}


def list_alerts(
    tx: Tx, actor: Actor, chosen: AlertFilter, sort: str, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """A page of the alerts that the actor may see, as rows, and the cursor of the next.

    Args:
        tx: the unit of work.
        actor: whose clients.
        chosen: which of them.
        sort: 'urgency' or 'raised_at'; '-' before it descends.
        limit: rows.
        cursor: of the page before.
    """
    name, descends = sort_key(sort, list(repo.SORTS))
    rows = repo.list_alerts(tx, actor, chosen.given(), (name, descends), limit, cursor)
    end = None
    if len(rows) > limit:
        last = rows[limit - 1]
        end = encode_cursor([getattr(last, column.key) for column, _ in repo.SORTS[name]])
    return rows[:limit], end


def export_alerts(tx: Tx, actor: Actor, chosen: AlertFilter, sort: str) -> Iterator[list[Any]]:
    """The rows of the same list for a file, one more than may be handed out at most."""
    order = sort_key(sort, list(repo.SORTS))
    for row in repo.list_alerts(tx, actor, chosen.given(), order, MOST_ROWS, None):
        yield [getattr(row, head) for head in ALERT_HEADS]


def read_alert(tx: Tx, actor: Actor, alert_id: str) -> Reply:
    """An alert with its newest signals.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
    """
    alert = _find(tx, actor, alert_id)
    return _detail(tx, actor, alert)


def acknowledge(tx: Tx, actor: Actor, alert_id: str, version: int) -> Reply:
    """Say that one has seen an alert; a sleeping one wakes to it.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
        Conflict: it is held back or closed.
        Stale: somebody changed it meanwhile.
    """
    alert = _fit(tx, actor, alert_id, version, "acknowledged")
    if alert.status == Status.ACKNOWLEDGED:
        return _detail(tx, actor, alert)
    if alert.status == Status.SNOOZED:
        wake(tx, actor, alert, "person")
    alert.status, alert.acknowledged_at = Status.ACKNOWLEDGED, tx.at
    alert.acknowledged_by = actor.user_id
    alert.version += 1
    tell(tx, actor, alert, EventName.ALERT_ACKNOWLEDGED, EvidenceKind.ALERT_ACKNOWLEDGED)
    return _detail(tx, actor, alert)


def snooze(
    tx: Tx,
    actor: Actor,
    alert_id: str,
    version: int,
    *,
    until: datetime | None,
    event: WakeEvent | None,
    reason: str,
) -> Reply:
    """Put an alert to sleep until a date, an event, or whichever comes first.

    It still takes signals, and a higher tier wakes it.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
        Unprocessable: neither a date nor an event, or a date out of range.
        Conflict: it is held back or closed.
        Stale: somebody changed it meanwhile.
    """
    if until is None and event is None:
        raise Unprocessable("alert.snooze-empty")
    if until is not None and not tx.at < until <= tx.at + LONGEST:
        raise Unprocessable("alert.date-invalid", until=until.isoformat(), most=LONGEST.days)
    alert = _fit(tx, actor, alert_id, version, "put to sleep")
    alert.status, alert.snoozed_at, alert.snooze_reason = Status.SNOOZED, tx.at, reason
    alert.wake_at = until or tx.at + PATIENCE
    alert.wake_on = event.value if event is not None else None
    alert.version += 1
    key = f"alert:{alert.alert_id}:wake"
    if not reschedule(tx, key, alert.wake_at):
        enqueue(tx, "alert.wake", {"alert_id": alert.alert_id}, key=key, due_at=alert.wake_at)
    tell(
        tx, actor, alert, EventName.ALERT_SNOOZED, EvidenceKind.ALERT_SNOOZED,
        until=alert.wake_at.isoformat(), on=alert.wake_on,
    )  # fmt: skip
    return _detail(tx, actor, alert)


def wake_alert(tx: Tx, actor: Actor, alert_id: str, version: int) -> Reply:
    """Wake a sleeping alert.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
        Conflict: it does not sleep.
        Stale: somebody changed it meanwhile.
    """
    alert = _fit(tx, actor, alert_id, version, "woken")
    if alert.status != Status.SNOOZED:
        raise Conflict("alert.state-unfit", status=alert.status, verb="woken")
    wake(tx, actor, alert, "person")
    return _detail(tx, actor, alert)


def wake_by_date(tx: Tx, alert_id: str) -> None:
    """Wake an alert whose date has come, if it still sleeps."""
    alert = repo.lock(tx, alert_id)
    if alert is None or alert.status != Status.SNOOZED or alert.wake_at is None:
        return
    if alert.wake_at <= tx.at:
        wake(tx, SYSTEM, alert, "date")


def wake_by_event(tx: Tx, event: WakeEvent, clients: Mapping[str, datetime]) -> None:
    """Wake the alerts of clients that sleep until something happens that did.

    Args:
        tx: the unit of work.
        event: what happened.
        clients: to whom, and when last.
    """
    ids = sorted(clients)
    for first in range(0, len(ids), 500):
        for alert in repo.sleeping(tx, event, ids[first : first + 500]):
            if alert.snoozed_at is None or clients[alert.client_id] >= alert.snoozed_at:
                wake(tx, SYSTEM, alert, event.value)


def list_ceilings(tx: Tx, actor: Actor, limit: int, cursor: str | None) -> Page[CeilingOut]:
    """Ceilings of the managers in scope: capacity, shown today, held back."""
    statement = repo.ceilings(actor, day_of(tx.at, tx.frame.zone))
    rows = list(
        tx.session.execute(page_of(statement, [(Staff.staff_id, False)], [str], limit, cursor))
    )
    usual = tx.frame.settings.alert.per_manager_per_day
    items = [
        CeilingOut(
            manager_id=manager, capacity=usual if own is None else own, shown_today=shown,
            held_back=waiting,
        )
        for manager, own, shown, waiting in rows[:limit]
    ]  # fmt: skip
    end = encode_cursor([items[-1].manager_id]) if len(rows) > limit else None
    return Page[CeilingOut](items=items, next=end)


@dataclass(frozen=True, slots=True)
class TreatmentFilter:
    """Which treatments a list shows.

    Attributes:
        decision: among these.
        client: id.
        period: of the hold-out.
        since: decided then or later.
    """

    decision: tuple[Decision, ...] = ()
    client: str | None = None
    period: str | None = None
    since: datetime | None = None

    def narrow(self, statement: Select[Any]) -> Select[Any]:
        """The statement with the filter's conditions."""
        if self.decision:
            statement = statement.where(Treatment.decision.in_(self.decision))
        if self.client is not None:
            statement = statement.where(Treatment.client_id == self.client)
        if self.period is not None:
            statement = statement.where(Treatment.period == self.period)
        if self.since is not None:
            statement = statement.where(Treatment.at >= self.since)
        return statement


_LOG: Final[list[tuple[Any, bool]]] = [(Treatment.at, True), (Treatment.treatment_id, True)]


def list_treatments(
    tx: Tx, actor: Actor, chosen: TreatmentFilter, limit: int, cursor: str | None
) -> Page[TreatmentOut]:
    """A page of the log of treatments, newest first; the only place that tells who is held out."""
    statement = chosen.narrow(repo.treatments(tx, actor))
    rows = list(tx.session.scalars(page_of(statement, _LOG, [datetime, str], limit, cursor)))
    end = None
    if len(rows) > limit:
        end = encode_cursor([rows[limit - 1].at, rows[limit - 1].treatment_id])
    items = [TreatmentOut.model_validate(row) for row in rows[:limit]]
    return Page[TreatmentOut](items=items, next=end)


def export_treatments(tx: Tx, actor: Actor, chosen: TreatmentFilter) -> Iterator[list[Any]]:
    """The rows of the same log for a file, one more than may be handed out at most."""
    statement = page_of(chosen.narrow(repo.treatments(tx, actor)), _LOG, [], MOST_ROWS, None)
    for row in tx.session.scalars(statement):
        shown = TreatmentOut.model_validate(row)
        yield [getattr(shown, head) for head in TREATMENT_HEADS]


def alert_out(alert: Alert) -> AlertOut:
    """An alert as the API shows it."""
    return AlertOut.model_validate(alert)


def _find(tx: Tx, actor: Actor, alert_id: str, lock: bool = False) -> Alert:
    alert = repo.find(tx, actor, alert_id, lock)
    if alert is None:
        raise NotFound("alert.alert-unknown")
    return alert


def _fit(tx: Tx, actor: Actor, alert_id: str, version: int, verb: str) -> Alert:
    alert = _find(tx, actor, alert_id, lock=True)
    check_version(alert.version, version)
    if alert.status not in SEEN:
        raise Conflict("alert.state-unfit", status=looks(alert.status), verb=verb)
    return alert


def _detail(tx: Tx, actor: Actor, alert: Alert) -> Reply:
    tx.session.flush()
    signals = [SignalOut.model_validate(row) for row in repo.signals(tx, alert.alert_id)]
    if sees_bands(actor):
        for signal in signals:
            signal.facts = {}  # amounts and shares of assets, as with reasons
    content = AlertDetail(**alert_out(alert).model_dump(), history=signals)
    return Reply(content, version=alert.version)
