"""Verbs of the rules that fire at once, from contract rows as they arrive.

`apply` runs in the transaction that accepts the rows. A row counts once however often it is sent:
what a rule looked at is remembered by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.frame.locks import CLIENT, hold
from keepwell.frame.logs import logger
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.alert import repo as alerts
from keepwell.intervene.alert.policy import TIERS, AlertReason, WakeEvent
from keepwell.intervene.alert.raising import end
from keepwell.intervene.alert.repo import BookFacts
from keepwell.intervene.alert.service import raise_alert, wake_by_event
from keepwell.intervene.alert.tiers import raise_by_rule
from keepwell.intervene.clock.service import regate
from keepwell.intervene.rule import repo
from keepwell.intervene.rule.model import Complaint, RuleSignal
from keepwell.intervene.rule.policy import (
    CLOSED,
    asks_to_close,
    is_fresh,
    leaves,
    row_key,
    size,
)
from keepwell.jobs.service import cancel, enqueue
from keepwell.observe.contract import TABLES
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record
from keepwell.warn.tier import RaiseRule

_log = logger("keepwell.rule")

Row = Mapping[str, Any]

_WAKES: Final[dict[str, WakeEvent]] = {
    "contact": WakeEvent.NEXT_CONTACT,
    "session": WakeEvent.NEXT_LOGIN,
    "cash_flow": WakeEvent.NEXT_FLOW,
    "custody_transfer": WakeEvent.NEXT_FLOW,
}


def apply(tx: Tx, table: str, rows: list[dict[str, Any]]) -> int:
    """Let the rules look at accepted contract rows.

    A row that contradicts what the desk knows does not hold up those behind it: it is logged and
    kept as evidence for somebody to look into.

    Args:
        tx: the unit of work that accepts them.
        table: of the contract.
        rows: instants as aware datetimes, money in minor units.

    Returns:
        How many rows were refused.
    """
    refused = 0
    if table in _STATES:
        hold(tx, CLIENT, [str(row["client_id"]) for row in rows])
        for row in rows:
            refused += _state(tx, table, row)
    elif table in _RULES:
        matters, act = _RULES[table]
        some: list[Row] = [row for row in rows if matters(tx, row)]
        clients = sorted({str(row["client_id"]) for row in some})
        hold(tx, CLIENT, clients)
        if len(clients) > 1 and act in (_consent, _refusal):
            _foresee(tx, clients)
        _each_once(tx, table, some, act)
    if table in _WAKES:
        newest: dict[str, datetime] = {}
        for row in rows:
            client, at = str(row["client_id"]), row["at"]
            newest[client] = max(at, newest.get(client, at))
        wake_by_event(tx, _WAKES[table], newest)
    tx.session.flush()
    return refused


def _foresee(tx: Tx, clients: list[str]) -> None:
    """Look up what is asked when a client's word changes, for many at once."""
    from keepwell.intervene.case import repo as cases
    from keepwell.trust.consent.service import foresee

    foresee(tx, clients)
    cases.foresee(tx, clients)


def _state(tx: Tx, table: str, row: Row) -> bool:
    """Take over a state; whether it was refused."""
    try:
        with tx.session.begin_nested():  # a row that is refused leaves nothing half done
            _STATES[table](tx, row)
    except (Conflict, NotFound, Unprocessable) as error:
        subject = str(row[TABLES[table].key[0]])
        record(
            tx, SYSTEM, EvidenceKind.EVENT_REFUSED, client_id=str(row["client_id"]),
            subject=subject, data={"table": table, "code": error.code},
        )  # fmt: skip
        _log.warning("event.row-refused", table=table, code=error.code)
        return True
    return False


def _each_once(
    tx: Tx, table: str, rows: list[Row], act: Callable[[Tx, Row, RuleSignal], None]
) -> None:
    """Act on rows not looked at before, oldest first, and remember them."""
    key = TABLES[table].key
    by_key = {row_key(row, key): row for row in rows}
    seen = repo.known(tx, table, list(by_key))
    fresh = [(name, row) for name, row in by_key.items() if name not in seen]
    for name, row in sorted(fresh, key=lambda item: (item[1]["at"], item[0])):
        signal = RuleSignal(
            table_name=table, row_key=name, client_id=str(row["client_id"]), at=row["at"],
            value=None, large=False, rule=None, until=None, recorded_at=tx.at,
        )  # fmt: skip
        act(tx, row, signal)
        if signal not in tx.session:
            tx.session.add(signal)


def _is_transfer(tx: Tx, row: Row) -> bool:  # noqa: ARG001
    return leaves(row)


def _transfer(tx: Tx, row: Row, signal: RuleSignal) -> None:
    """First large transfer out."""
    settings = tx.frame.settings.alert
    amount = row.get("amount")
    signal.value = int(amount) if amount is not None else None
    book = alerts.book_facts(tx, [signal.client_id])[signal.client_id]
    day = signal.at.astimezone(tx.frame.zone).date()
    morning = datetime.combine(day, time(), tx.frame.zone).astimezone(UTC)
    earlier = repo.moved_since(tx, signal.client_id, morning, signal.at)
    judged = size(signal.value, earlier, book.assets, settings)
    span = timedelta(days=settings.large_transfer_days)
    first = judged.large and not repo.large_before(tx, signal.client_id, signal.at, span)
    signal.large = judged.large
    if first and is_fresh(signal.at, tx.at):
        _fire(tx, book, RaiseRule.FIRST_LARGE_TRANSFER, signal, judged.facts)


def _is_closing(tx: Tx, row: Row) -> bool:
    return asks_to_close(row.get("topic"), tx.frame.settings.alert.closing_topics)


def _closing(tx: Tx, row: Row, signal: RuleSignal) -> None:
    if is_fresh(signal.at, tx.at):
        book = alerts.book_facts(tx, [signal.client_id])[signal.client_id]
        facts = {"table": signal.table_name, "topic": str(row["topic"])[:100]}
        _fire(tx, book, RaiseRule.CLOSING_QUESTION, signal, facts)


def _fire(
    tx: Tx, book: BookFacts, rule: RaiseRule, signal: RuleSignal, facts: dict[str, Any]
) -> None:
    """A rule fires: the tier rises as far as the rule says, and an alert is raised.

    Of a client who refuses profiling neither is kept (rule PI-4), except mandatory service.
    """
    refused = bool(alerts.refusing_of(tx, [book.client_id]))
    if not refused:
        signal.rule = rule.code
        if rule is not RaiseRule.COMPLAINT_OVERDUE:
            signal.until = tx.at + timedelta(days=tx.frame.settings.alert.rule_days)
        tx.session.add(signal)
        tx.session.flush()
        raise_by_rule(tx, book, rule)
    raise_alert(
        tx, SYSTEM, client_id=book.client_id, reason=AlertReason(rule.code),
        tier=dict(TIERS.raises)[rule].code, facts=facts, at=signal.at,
    )  # fmt: skip


def _complain(tx: Tx, row: Row) -> None:
    """Keep a complaint's state; a timer looks again when it would be overdue."""
    complaint_id = str(row["complaint_id"])
    complaint = repo.complaint(tx, complaint_id)
    if complaint is None:
        complaint = Complaint(
            complaint_id=complaint_id, client_id=str(row["client_id"]), at=row["at"],
            overdue_at=None, closed_at=None, recorded_at=tx.at,
        )  # fmt: skip
        tx.session.add(complaint)
        tx.session.flush()
    if complaint.closed_at is not None:
        return  # closed is the end; an older row that comes late changes nothing
    _follow(tx, complaint, row)
    regate(tx, complaint.client_id)


def _follow(tx: Tx, complaint: Complaint, row: Row) -> None:
    complaint_id = complaint.complaint_id
    if row.get("closed_at") is not None or row.get("status") in CLOSED:
        complaint.closed_at = row.get("closed_at") or tx.at
        tx.session.flush()
        cancel(tx, _timer(complaint_id))
        _calm(tx, complaint)
    elif complaint.overdue_at is None:
        days = tx.frame.settings.alert.complaint_overdue_days
        enqueue(
            tx, "rule.complaint-overdue", {"complaint_id": complaint_id},
            key=_timer(complaint_id), due_at=complaint.at + timedelta(days=days),
        )  # fmt: skip


def _timer(complaint_id: str) -> str:
    return f"complaint:{row_key({'id': complaint_id}, ['id'])[:32]}:overdue"


def overdue(tx: Tx, complaint_id: str) -> None:
    """A complaint's time is up: warn if it is still open and was not found overdue before."""
    found = repo.complaint(tx, complaint_id)
    if found is not None:
        hold(tx, CLIENT, [found.client_id])
    complaint = repo.complaint(tx, complaint_id, lock=True)
    if complaint is None or complaint.closed_at is not None or complaint.overdue_at is not None:
        return
    complaint.overdue_at = tx.at
    signal = RuleSignal(
        table_name="complaint", row_key=row_key({"id": complaint_id}, ["id"]),
        client_id=complaint.client_id, at=tx.at, value=None, large=False, rule=None,
        until=None, recorded_at=tx.at,
    )  # fmt: skip
    book = alerts.book_facts(tx, [complaint.client_id])[complaint.client_id]
    days = (tx.at - complaint.at).days
    facts = {"days_open": days, "open": repo.open_complaints(tx, complaint.client_id)}
    _fire(tx, book, RaiseRule.COMPLAINT_OVERDUE, signal, facts)
    if signal not in tx.session:
        tx.session.add(signal)


def _calm(tx: Tx, complaint: Complaint) -> None:
    """A complaint is closed: its rule no longer holds; with the last one the alert ends."""
    repo.end_row(tx, "complaint", row_key({"id": complaint.complaint_id}, ["id"]))
    if repo.overdue_complaints(tx, complaint.client_id):
        return
    live = alerts.live(tx, [complaint.client_id])[complaint.client_id]
    alert = live.get(AlertReason.COMPLAINT_OVERDUE)
    if alert is not None:
        end(tx, SYSTEM, alert, "complaint-closed")


def open_complaints(tx: Tx, client_id: str) -> int:
    """How many complaints of a client are open (rule CT-2)."""
    return repo.open_complaints(tx, client_id)


def _always(tx: Tx, row: Row) -> bool:  # noqa: ARG001
    return True


def _exit(tx: Tx, row: Row) -> None:
    """Hand an exit request on; its own number makes a repeated row harmless."""
    from keepwell.intervene.exit.service import take_from_feed

    take_from_feed(
        tx, SYSTEM, client_id=str(row["client_id"]), request_id=str(row["request_id"]),
        kind=str(row["kind"]), at=min(row["at"], tx.at), completed_at=row.get("completed_at"),
        settled_at=row.get("settled_at"), blockers=row.get("blockers"),
    )  # fmt: skip


def _consent(tx: Tx, row: Row, signal: RuleSignal) -> None:
    from keepwell.trust.consent.service import record_consent

    purpose = str(row["purpose"]).strip().lower()
    if purpose in {p.value for p in Purpose}:
        record_consent(
            tx, SYSTEM, signal.client_id, Purpose(purpose), bool(row["granted"]),
            min(signal.at, tx.at), "events",
        )  # fmt: skip


def _is_refusal(tx: Tx, row: Row) -> bool:  # noqa: ARG001
    return bool(row.get("refused"))


def _refusal(tx: Tx, row: Row, signal: RuleSignal) -> None:
    """Whoever refuses one contact refuses all of them (rule CT-1)."""
    from keepwell.trust.consent.service import record_consent

    del row
    record_consent(
        tx, SYSTEM, signal.client_id, Purpose.MARKETING, False, min(signal.at, tx.at), "touch"
    )


_RULES: Final[
    dict[str, tuple[Callable[[Tx, Row], bool], Callable[[Tx, Row, RuleSignal], None]]]
] = {
    "cash_flow": (_is_transfer, _transfer),
    "custody_transfer": (_is_transfer, _transfer),
    "contact": (_is_closing, _closing),
    "view": (_is_closing, _closing),
    "consent": (_always, _consent),
    "touch": (_is_refusal, _refusal),
}

_STATES: Final[dict[str, Callable[[Tx, Row], None]]] = {
    "complaint": _complain,
    "exit_request": _exit,
}
"""Tables whose rows come again with a new state; what acts on them tells repeats itself."""
