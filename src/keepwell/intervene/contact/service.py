"""Verbs of contacts: ask the gate, record what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import EventName
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.case import repo as cases
from keepwell.intervene.case.history import added, change, next_number, tell
from keepwell.intervene.case.listen import restrict
from keepwell.intervene.case.model import Case
from keepwell.intervene.case.policy import (
    SCORE_REASONS,
    SERVICE_REASONS,
    EventKind,
    Retention,
    State,
)
from keepwell.intervene.case.service import lock_case, read_case
from keepwell.intervene.clock.service import regate
from keepwell.intervene.contact import repo
from keepwell.intervene.contact.model import Contact, ContactDelivery
from keepwell.intervene.contact.policy import (
    NO_USE,
    SUCCESSES,
    Aim,
    Channel,
    Delivery,
    Direction,
    Facts,
    Mark,
    Result,
    Unassigned,
    Use,
    Verdict,
    delivery_of,
    may_contact,
)
from keepwell.intervene.contact.schema import ContactOut
from keepwell.trust.access.policy import Actor
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import given, look_up, record_consent, refused
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

# Clocks of two systems differ a little; a contact of tomorrow is a fault in the sender.
_SKEW = timedelta(minutes=5)
# Whoever hangs up and writes it down has done it at once.
_AT_ONCE = timedelta(minutes=15)


def facts_of(
    tx: Tx,
    client_id: str,
    aim: Aim,
    *,
    at: datetime | None = None,
    direction: Direction = Direction.OUT,
    from_score: bool = True,
) -> Facts:
    """Gather what the gate must know about a client now.

    Args:
        tx: the unit of work.
        client_id: whom the contact is with.
        aim: what for.
        at: when it is made; default: now.
        direction: who begins.
        from_score: whether it follows from the score; unknown counts as yes.
    """
    from keepwell.intervene.exit.service import standing
    from keepwell.intervene.rule.service import open_complaints

    look_up(tx, client_id)
    request, word = standing(tx, client_id)
    settings = tx.frame.settings.contact
    now = tx.at.astimezone(tx.frame.zone).time()
    return Facts(
        aim=aim, direction=direction, local=(at or tx.at).astimezone(tx.frame.zone).time(),
        recorded=now if at is not None and at < tx.at - _AT_ONCE else None,
        quiet_from=settings.quiet_from, quiet_until=settings.quiet_until,
        require_consent=settings.require_consent,
        marketing_refused=refused(tx, client_id, Purpose.MARKETING),
        marketing_given=given(tx, client_id, Purpose.MARKETING),
        service_refused=refused(tx, client_id, Purpose.SERVICE),
        profiling_refused=refused(tx, client_id, Purpose.PROFILING),
        from_score=from_score, complaints=open_complaints(tx, client_id),
        exiting=request is not None,
        exit_contacts=request.retention_contacts if request else 0,
        exit_refused=word.refused, left=word.left,
    )  # fmt: skip


def shut(tx: Tx, client_id: str, reason: str) -> str | None:
    """Code of what forbids a case every contact to keep the client, at whatever time of day.

    Args:
        tx: the unit of work.
        client_id: whom the case is about.
        reason: the case's; one about a complaint or an exit is service, which nothing stops.
    """
    if reason in SERVICE_REASONS:
        return None
    facts = facts_of(tx, client_id, Aim.RETENTION, from_score=reason in SCORE_REASONS)
    return may_contact(replace(facts, quiet_until=facts.quiet_from)).code


def ask(tx: Tx, actor: Actor, client_id: str, aim: Aim) -> Verdict:
    """Ask the gate before a contact with a client whom the actor sees.

    Raises:
        NotFound: no such client in the actor's scope.
    """
    if not cases.visible_client(tx, actor, client_id):
        raise NotFound("access.client-unknown")
    return may_contact(facts_of(tx, client_id, aim))


def log_touch(
    tx: Tx,
    actor: Actor,
    case_id: str,
    *,
    channel: Channel,
    direction: Direction,
    aim: Aim,
    result: Result,
    at: datetime | None = None,
    note: str = "",
    happened: bool = False,
    use: Use = NO_USE,
    delivery: Delivery | None = None,
) -> Contact:
    """Record a contact in a case; the first success takes an open case on to contacted.

    Args:
        tx: the unit of work.
        actor: who made or received it.
        case_id: the case.
        channel: by which way.
        direction: who began.
        aim: to keep the client, or for the client's own business.
        result: how it went; 'refused' is honoured at once.
        at: when; default: now.
        note: in words.
        happened: it was made although the gate forbids it; it is recorded as a breach.
        use: the action that it carried out, whose own gate is asked again, and the script.
        delivery: whether it arrived; default: as far as the result says so.

    Raises:
        NotFound: no such case in scope.
        Unprocessable: it lies in the future, or the action or script is not what it says.
        Conflict: the gate forbids it and it has not happened; the code says which rule.
    """
    when = at or tx.at
    if when > tx.at + _SKEW:
        raise Unprocessable("contact.at-future")
    # What follows may touch the client's other cases: all are locked, in one order for everybody.
    cases.live_of(tx, read_case(tx, actor, case_id).client_id, case_id)
    case = lock_case(tx, actor, case_id)
    facts = facts_of(
        tx, case.client_id, aim, at=when, direction=direction,
        from_score=case.reason in SCORE_REASONS,
    )  # fmt: skip
    verdict = _asked(tx, facts, happened)
    against = _used(tx, actor, case, use, channel, facts, when, happened)
    contact = Contact(
        contact_id=new_id("contact", tx.at), case_id=case_id,
        number=next_number(tx, case), client_id=case.client_id,
        channel=channel.value, direction=direction.value, aim=aim.value, result=result.value,
        at=when, note=note, staff_id=actor.staff_id, actor_id=actor.user_id, recorded_at=tx.at,
        breach=verdict.code or against, marks=_marks(tx, case, facts, when),
        action_id=use.action_id, action_version=use.version, script_id=use.script_id,
        delivery=(delivery or delivery_of(channel, direction, result)), **_treated(tx, case),
    )  # fmt: skip
    _store(tx, contact, happened)
    _follow(tx, actor, case, contact)
    return contact


def _asked(tx: Tx, facts: Facts, happened: bool) -> Verdict:
    """Ask the gate; what it forbids is recorded only where it has happened."""
    verdict = may_contact(facts)
    if not verdict.allowed and not happened:
        raise forbidden(tx, verdict)
    return verdict


def _treated(tx: Tx, case: Case) -> dict[str, Any]:
    """The decision of the log of treatments that led to a contact, and its propensity.

    Only an alert that was shown is in a case, so this tells nothing about who is held out.
    """
    from keepwell.intervene.alert import repo as alerts
    from keepwell.intervene.alert.policy import Decision

    found = alerts.newest_treatment(tx, case.alert_id) if case.alert_id else None
    told: dict[str, Any] = {
        "treatment_id": found.treatment_id if found else None, "propensity": None,
        "unassigned": None,
    }  # fmt: skip
    if found is None:
        told["unassigned"] = Unassigned.NO_ALERT.value
    elif found.decision == Decision.SHOWN:
        told["propensity"] = found.propensity
    elif found.decision == Decision.EXEMPT:
        told["unassigned"] = Unassigned.MANDATORY.value
    else:
        told["unassigned"] = Unassigned.NO_DRAW.value
    return told


def _used(
    tx: Tx, actor: Actor, case: Case, use: Use, channel: Channel, facts: Facts, at: datetime,
    happened: bool,
) -> str | None:  # fmt: skip
    """Ask the gate of the action that was used; the code of what is against it."""
    from keepwell.intervene.action.service import ActionRefused, checked_script, checked_use

    if use.script_id is not None:
        checked_script(tx, use.script_id)
    if use.action_id is None or use.version is None:
        return None
    ours = facts.direction is Direction.OUT
    decision = checked_use(
        tx, case, actor, action_id=use.action_id, version=use.version, channel=channel,
        aim=facts.aim, ours=ours, at=at,
    )  # fmt: skip
    if decision is None:
        return None
    if not happened:
        raise ActionRefused(decision)
    return decision.code


def _follow(tx: Tx, actor: Actor, case: Case, contact: Contact) -> None:
    """History, evidence and what the contact changes, in the order in which they must stand."""
    moves = case.live and case.contacted_at is None and contact.result in SUCCESSES
    if not moves:  # it only stands in the history
        added(tx, actor, case, EventKind.CONTACTED, contact.contact_id, _facts(contact))
    _evidence(tx, actor, contact)
    if moves:
        _progress(tx, actor, case, contact)
    _honour(tx, actor, case, contact)


def _marks(tx: Tx, case: Case, facts: Facts, at: datetime) -> list[str]:
    touch = facts.direction is Direction.OUT and facts.aim is Aim.RETENTION
    found = []
    if facts.direction is Direction.OUT and at < tx.at - _AT_ONCE:
        found.append(Mark.BACKDATED.value)
    # Nobody but who records it says that it was service, or that the client began.
    if not touch and shut(tx, case.client_id, case.reason):
        found.append(Mark.SELF_DECLARED.value)
    return found


def forbidden(tx: Tx, verdict: Verdict) -> Conflict:
    """The error that a verdict against a contact is."""
    settings = tx.frame.settings.contact
    if verdict.code == "contact.quiet-hours":
        return Conflict(
            "contact.quiet-hours", since=f"{settings.quiet_from:%H:%M}",
            until=f"{settings.quiet_until:%H:%M}",
        )  # fmt: skip
    return Conflict(str(verdict.code))


def _store(tx: Tx, contact: Contact, happened: bool) -> None:
    """Add the row; where it is the retention contact about an exit request, only one can be."""
    from keepwell.intervene.exit.service import note_contact, open_request

    request = open_request(tx, contact.client_id) if _is_touch(contact) else None
    if request is not None:
        contact.exit_request_id = request.request_id
    try:
        with tx.session.begin_nested():
            tx.session.add(contact)
    except IntegrityError:
        # Somebody else made the one contact between our look and our insert.
        if not happened:
            raise Conflict("contact.exit-contacted") from None
        contact.breach = "contact.exit-contacted"
        tx.session.add(contact)
        tx.session.flush()
    if request is not None:
        note_contact(tx, request.request_id, contact.result == Result.REFUSED)


def _is_touch(contact: Contact) -> bool:
    return contact.direction == Direction.OUT and contact.aim == Aim.RETENTION


def _evidence(tx: Tx, actor: Actor, contact: Contact) -> None:
    data = {
        "case_id": contact.case_id, "channel": contact.channel, "direction": contact.direction,
        "aim": contact.aim, "result": contact.result, "at": contact.at,
        "exit_request_id": contact.exit_request_id, "breach": contact.breach,
        "marks": contact.marks, "delivery": contact.delivery, "propensity": contact.propensity,
        "unassigned": contact.unassigned,
    }  # fmt: skip
    used = {
        "action_id": contact.action_id, "action_version": contact.action_version,
        "script_id": contact.script_id,
    }  # fmt: skip
    data |= {name: value for name, value in used.items() if value is not None}
    kind = EvidenceKind.CONTACT_BREACHED if contact.breach else EvidenceKind.TOUCH_LOGGED
    attest(tx, contact.client_id, contact)
    record(
        tx, actor, kind, client_id=contact.client_id, subject=contact.contact_id, data=data,
        personal={"note": contact.note} if contact.note else None,
    )  # fmt: skip


def _progress(tx: Tx, actor: Actor, case: Case, contact: Contact) -> None:
    """The first success moves an open case on."""
    before = case.state
    new: dict[str, Any] = {"contacted_at": max(contact.at, case.opened_at)}
    if before == State.OPEN:
        new |= {"state": State.CONTACTED.value, "state_at": tx.at}
    change(tx, actor, case, EventKind.CONTACTED, contact.contact_id, **new)
    more = {
        **_facts(contact), "contact_id": contact.contact_id, "old_state": before,
        "contacted_at": new["contacted_at"].isoformat(),
    }  # fmt: skip
    tell(tx, actor, case, EventName.CASE_CONTACTED, EvidenceKind.CASE_MOVED, more)


def _facts(contact: Contact) -> dict[str, Any]:
    return {
        "channel": contact.channel, "direction": contact.direction, "aim": contact.aim,
        "result": contact.result,
    }  # fmt: skip


def _honour(tx: Tx, actor: Actor, case: Case, contact: Contact) -> None:
    """A no stops all retention contacts at once; the one contact about an exit is used up.

    A contact that no alert led to is in the log of treatments, for the hold-out's sake.
    """
    from keepwell.intervene.alert.raising import note_touch

    if contact.result == Result.REFUSED:
        source = f"contact:{contact.contact_id}"
        record_consent(tx, actor, contact.client_id, Purpose.MARKETING, False, contact.at, source)
    if contact.exit_request_id is not None:
        for other in cases.live_of(tx, case.client_id):
            if other.retention == Retention.ONCE:
                restrict(tx, other, Retention.NONE, contact.contact_id)
        regate(tx, case.client_id)
    if _is_touch(contact):
        note_touch(tx, case.client_id, reason=case.reason, tier=case.tier)


def list_contacts(
    tx: Tx, actor: Actor, case_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[Contact], str | None]:
    """A page of the contacts in a case, oldest first, and the cursor of the next.

    Raises:
        NotFound: no such case in scope.
    """
    read_case(tx, actor, case_id)
    rows = repo.of_case(tx, actor, case_id, limit, cursor)
    more = encode_cursor([rows[limit - 1].number]) if len(rows) > limit else None
    return rows[:limit], more


def note_delivery(
    tx: Tx, actor: Actor, contact_id: str, delivery: Delivery, at: datetime | None = None
) -> ContactOut:
    """Add what became known later about whether a contact arrived; what was written stays.

    The same word again adds nothing.

    Args:
        tx: the unit of work.
        actor: who says so.
        contact_id: of a contact that the desk began.
        delivery: whether it arrived.
        at: when it did or failed; default: now.

    Raises:
        NotFound: no such contact in scope.
        Unprocessable: it was the client who began, or the instant lies before the contact or in
            the future.
    """
    contact = repo.by_ids(tx, actor, [contact_id]).get(contact_id)
    if contact is None:
        raise NotFound("contact.contact-unknown")
    lock_case(tx, actor, contact.case_id)
    when = at or tx.at
    if contact.direction == Direction.IN:
        raise Unprocessable("contact.delivery-inbound")
    if when > tx.at + _SKEW:
        raise Unprocessable("contact.at-future")
    if when < contact.at:
        raise Unprocessable("contact.delivery-early")
    known = repo.deliveries(tx, [contact_id]).get(contact_id)
    if (known.delivery if known else contact.delivery) != delivery:
        row = ContactDelivery(
            delivery_id=new_id("delivery", tx.at), contact_id=contact_id,
            number=known.number + 1 if known else 1, client_id=contact.client_id,
            delivery=delivery.value, at=when, actor_id=actor.user_id, recorded_at=tx.at,
        )  # fmt: skip
        tx.session.add(row)
        tx.session.flush()
        attest(tx, contact.client_id, row)
        record(
            tx, actor, EvidenceKind.TOUCH_LOGGED, client_id=contact.client_id, subject=contact_id,
            data={
                "case_id": contact.case_id, "delivery": delivery, "number": row.number, "at": when,
            },
        )  # fmt: skip
    return outs(tx, [contact])[0]


def outs(tx: Tx, rows: Sequence[Contact]) -> list[ContactOut]:
    """Contacts as the API shows them, with the newest word on whether each arrived.

    Args:
        tx: the unit of work.
        rows: contacts in the reader's scope.
    """
    newest = repo.deliveries(tx, [row.contact_id for row in rows])
    found = []
    for row in rows:
        out = ContactOut.model_validate(row)
        if (later := newest.get(row.contact_id)) is not None:
            out.delivery, out.delivery_at = Delivery(later.delivery), later.at
        found.append(out)
    return found
