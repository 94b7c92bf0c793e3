"""From a signal to an alert, shown or not, and the log of every such decision.

What is decided about people in the hold-out never leaves this room but through the log of
treatments: no event, no case, no list of alerts tells of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, emit
from keepwell.intervene.alert import repo
from keepwell.intervene.alert.model import Alert, AlertSignal, Treatment
from keepwell.intervene.alert.policy import (
    MANDATORY,
    SEEN,
    AlertReason,
    Cause,
    Decision,
    Status,
    Verdict,
    day_of,
    decide,
    looks,
    policy_hash,
    service_weight,
    tier_by_code,
    weight,
)
from keepwell.intervene.alert.repo import BookFacts
from keepwell.jobs.service import cancel
from keepwell.learn.holdout.service import Assignment, arm_of, outside, present
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record, sealed
from keepwell.warn.tier import Tier


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that warns.

    Attributes:
        reason: why.
        tier: how grave.
        at: when it happened.
        score: the score behind it, if any.
        facts: numbers and codes that tell it.
        generation_id: the generation whose score it is.
    """

    reason: AlertReason
    tier: Tier
    at: datetime
    score: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    generation_id: int | None = None


def take(
    tx: Tx,
    actor: Actor,
    book: BookFacts,
    signal: Signal,
    live: Alert | None,
    *,
    later: bool = False,
) -> Alert | None:
    """Turn a signal into an alert, or add it to the live one of the same client and reason.

    Args:
        tx: the unit of work.
        actor: who or what warns.
        book: about whom, as the book says.
        signal: what happened.
        live: the live alert of this client and reason, if there is one.
        later: leave it to the release to share out the ceiling by urgency; for many at once.

    Returns:
        The alert; None when none is kept.
    """
    if live is not None:
        return _again(tx, actor, book, signal, live, later)
    verdict, arm = _decide(tx, book, signal, later)
    if verdict.status is None:
        _log(tx, book, signal, verdict, arm, None)
        return None
    alert = Alert(
        alert_id=new_id("alert", tx.at), client_id=book.client_id, reason=signal.reason,
        status=verdict.status, tier=signal.tier.code, tier_rank=int(signal.tier),
        weight=_weight(book, signal), score=signal.score,
        owner_id=book.manager_id, period=arm.period, raised_at=tx.at, signal_at=signal.at,
        signals=0, generation_id=_generation(tx, signal), version=1,
    )  # fmt: skip
    tx.session.add(alert)
    _add_signal(tx, alert, signal)
    _settle(tx, actor, book, signal, alert, verdict, arm, later)
    return alert


def _decide(tx: Tx, book: BookFacts, signal: Signal, later: bool) -> tuple[Verdict, Assignment]:
    from keepwell.intervene.exit.service import open_request, word_of
    from keepwell.trust.consent.policy import Purpose
    from keepwell.trust.consent.service import refused

    # Mandatory service asks nothing of the hold-out: a fault there must not refuse it (R-EXIT-1).
    exempt = signal.reason in MANDATORY
    arm = outside(tx) if exempt else arm_of(tx, book.client_id, book.manager_id)
    verdict = decide(
        signal.reason,
        signal.tier,
        held_out=arm.held_out,
        propensity=arm.propensity,
        refused=not exempt and refused(tx, book.client_id, Purpose.PROFILING),
        exiting=not exempt
        and (open_request(tx, book.client_id) is not None or word_of(tx, book.client_id).left),
        room=book.manager_id is None or (not later and room(tx, book.manager_id) > 0),
    )
    return verdict, arm


def room(tx: Tx, owner_id: str) -> int:
    """How many more alerts may be shown to a person today."""
    own = repo.capacity(tx, owner_id)
    ceiling = tx.frame.settings.alert.per_manager_per_day if own is None else own
    return max(0, ceiling - repo.shown_on(tx, owner_id, day_of(tx.at, tx.frame.zone)))


def _settle(
    tx: Tx,
    actor: Actor,
    book: BookFacts,
    signal: Signal,
    alert: Alert,
    verdict: Verdict,
    arm: Assignment,
    later: bool,
) -> None:
    """Do what was decided about an alert that is kept, and log it."""
    if verdict.decision is Decision.HELD_BACK and later:
        alert.status, alert.held_at, alert.period = Status.HELD_BACK, None, arm.period
        return  # the release decides, within the same sweep
    alert.period = arm.period
    _log(tx, book, signal, verdict, arm, alert)
    if verdict.status is Status.SHOWN:
        show(tx, actor, alert)
    elif verdict.status is Status.HELD_BACK:
        hold_back(tx, actor, alert)
    else:
        alert.status = Status.HELD_OUT
        if not later or book.manager_id is None:
            hold_back(tx, actor, alert)
        # Else the release tells of it as of what the ceiling keeps back.


def _again(
    tx: Tx, actor: Actor, book: BookFacts, signal: Signal, alert: Alert, later: bool
) -> Alert:
    """Add a signal to a live alert; a higher tier wakes it."""
    _add_signal(tx, alert, signal)
    rose = signal.tier > tier_by_code(alert.tier)
    if rose:
        alert.tier, alert.tier_rank = signal.tier.code, int(signal.tier)
    if signal.score is not None:
        alert.score = signal.score
    if signal.reason not in MANDATORY:
        alert.weight = _weight(book, signal)
    alert.generation_id = _generation(tx, signal)
    alert.version += 1
    tx.session.flush()
    data = {"reason": alert.reason, "rose": rose, "signals": alert.signals}
    record(
        tx, actor, EvidenceKind.ALERT_MERGED, client_id=alert.client_id, subject=alert.alert_id,
        data=data, personal=sealed(tier=alert.tier, score=alert.score),
    )  # fmt: skip
    if alert.status == Status.HELD_OUT:
        if arm_of(tx, book.client_id, book.manager_id).period != alert.period:
            verdict, arm = _decide(tx, book, signal, later)
            if verdict.status is not None:
                _settle(tx, actor, book, signal, alert, verdict, arm, later)
    elif rose and alert.status == Status.HELD_BACK and signal.tier is Tier.SEVERE:
        release(tx, actor, alert, book)
    elif rose and alert.status in SEEN:
        if alert.status == Status.SNOOZED:
            wake(tx, actor, alert, "tier")
        alert.status = Status.SHOWN
        _open_case(tx, actor, alert)
    return alert


def _weight(book: BookFacts, signal: Signal) -> float:
    if signal.reason in MANDATORY:
        return service_weight(signal.at)
    return weight(book.score if signal.score is None else signal.score, book.assets)


def _add_signal(tx: Tx, alert: Alert, signal: Signal) -> None:
    source = "score" if signal.reason is AlertReason.RISK else signal.reason.value
    tx.session.add(
        AlertSignal(
            signal_id=new_id("signal", tx.at), alert_id=alert.alert_id, at=signal.at,
            source=source, tier=signal.tier.code, score=signal.score, facts=signal.facts,
        )
    )  # fmt: skip
    alert.signals += 1
    alert.signal_at = max(alert.signal_at, signal.at)


def _log(
    tx: Tx,
    book: BookFacts,
    signal: Signal,
    verdict: Verdict,
    arm: Assignment,
    alert: Alert | None,
) -> None:
    """Log a decision, shown or not, with its propensity."""
    hidden = verdict.decision is Decision.PROFILING_REFUSED  # rule PI-4: neither score nor tag
    facts: dict[str, Any] = {
        "alert_id": alert.alert_id if alert else None, "reason": signal.reason,
        "tier": Tier.NONE.code if hidden else signal.tier.code,
        "score": None if hidden else signal.score, "generation_id": _generation(tx, signal),
    }  # fmt: skip
    _write(tx, book, verdict, arm, facts)


def _write(
    tx: Tx, book: BookFacts, verdict: Verdict, arm: Assignment, facts: dict[str, Any]
) -> None:
    treatment = Treatment(
        treatment_id=new_id("treatment", tx.at), at=tx.at, client_id=book.client_id,
        decision=verdict.decision, cause=verdict.cause, arm=arm.arm,
        propensity=verdict.propensity, period=arm.period, owner_id=book.manager_id,
        policy=policy_hash(tx.frame.settings), **facts,
    )  # fmt: skip
    tx.session.add(treatment)
    attest(tx, book.client_id, treatment)
    # The entry proves the decision without telling it: who reads the evidence log need not be
    # among those who may know the hold-out.
    record(
        tx, SYSTEM, EvidenceKind.TREATMENT_ASSIGNED, client_id=book.client_id,
        subject=treatment.treatment_id, data={"policy": treatment.policy},
        personal={"decision": verdict.decision.value, "propensity": repr(verdict.propensity)},
    )  # fmt: skip


def log_of(
    tx: Tx, alert: Alert, book: BookFacts, decision: Decision, cause: Cause, arm: Assignment
) -> None:
    """Log a later decision about an alert that was held back."""
    drawn = decision in (Decision.SHOWN, Decision.HELD_OUT)
    propensity = arm.propensity if drawn else 0.0
    signal = Signal(
        AlertReason(alert.reason), tier_by_code(alert.tier), alert.signal_at, alert.score,
        generation_id=alert.generation_id,
    )  # fmt: skip
    _log(tx, book, signal, Verdict(decision, cause, propensity, None), arm, alert)


def log_by_hand(tx: Tx, client_id: str, *, reason: str, tier: str) -> None:
    """Log that a person turned to a client of their own accord, whichever arm the draw gave.

    Of people in the hold-out this is non-compliance with the draw. It is logged for both arms
    alike: whether there is such an entry must not tell the arm.

    Args:
        tx: the unit of work.
        client_id: to whom.
        reason: the case's.
        tier: the case's.
    """
    book = repo.book_facts(tx, [client_id])[client_id]
    arm = arm_of(tx, client_id, book.manager_id)
    verdict = Verdict(Decision.BY_HAND, Cause.PERSON, 0.0, None)
    facts = {"reason": reason, "tier": tier, "generation_id": repo.current(tx)}
    _write(tx, book, verdict, arm, facts)


def note_touch(tx: Tx, client_id: str, *, reason: str, tier: str) -> None:
    """Log a retention contact as by hand unless an alert of the present period led to it.

    Args:
        tx: the unit of work.
        client_id: with whom.
        reason: of the case.
        tier: of the case.
    """
    if not repo.was_shown(tx, client_id, present(tx).period):
        log_by_hand(tx, client_id, reason=reason, tier=tier)


def show(tx: Tx, actor: Actor, alert: Alert) -> None:
    """Show an alert to its owner and bring it into a case."""
    alert.status, alert.shown_at = Status.SHOWN, tx.at
    alert.shown_day = day_of(tx.at, tx.frame.zone)
    tell(tx, actor, alert, EventName.ALERT_RAISED, EvidenceKind.ALERT_RAISED)
    _open_case(tx, actor, alert)


def hold_back(tx: Tx, actor: Actor, alert: Alert) -> None:
    """Let an alert wait, visibly; one of the hold-out looks as if the ceiling kept it back."""
    alert.held_at = tx.at
    tell(tx, actor, alert, EventName.ALERT_HELD_BACK, EvidenceKind.ALERT_HELD_BACK)


def release(tx: Tx, actor: Actor, alert: Alert, book: BookFacts) -> bool:
    """Show an alert that waited, unless the client is in the hold-out of a new period by now.

    Returns:
        Whether it is shown.
    """
    arm = arm_of(tx, book.client_id, book.manager_id)
    if arm.held_out and arm.period != alert.period:
        # Nothing of it is to be seen, not even another version.
        alert.status, alert.period = Status.HELD_OUT, arm.period
        tx.session.flush()
        log_of(tx, alert, book, Decision.HELD_OUT, Cause.DRAW, arm)
        return False
    alert.version += 1
    cause = Cause.DRAW if alert.held_at is None else Cause.RELEASE
    alert.period = arm.period
    log_of(tx, alert, book, Decision.SHOWN, cause, arm)
    show(tx, actor, alert)
    return True


def wake(tx: Tx, actor: Actor, alert: Alert, by: str) -> None:
    """Wake a sleeping alert.

    Args:
        tx: the unit of work.
        actor: who or what wakes it.
        alert: one that sleeps.
        by: 'date', 'tier', 'person' or the event's code.
    """
    alert.status = Status.SHOWN
    alert.wake_at = alert.wake_on = alert.snooze_reason = alert.snoozed_at = None
    alert.version += 1
    cancel(tx, f"alert:{alert.alert_id}:wake")
    tell(tx, actor, alert, EventName.ALERT_WOKEN, EvidenceKind.ALERT_WOKEN, by=by)


def end(tx: Tx, actor: Actor, alert: Alert, why: str) -> None:
    """Close a live alert.

    Args:
        tx: the unit of work.
        actor: who or what closes it.
        alert: live.
        why: code, such as 'tier-fell' or 'case-closed'.
    """
    hidden = alert.shown_at is None and alert.held_at is None
    if hidden and alert.status == Status.HELD_BACK:
        _log_end(tx, alert, why)
    if alert.status == Status.SNOOZED:
        cancel(tx, f"alert:{alert.alert_id}:wake")
    alert.status, alert.closed_at, alert.closed_reason = Status.CLOSED, tx.at, why
    alert.version += 1
    if hidden:
        tx.session.flush()
        record(
            tx, actor, EvidenceKind.ALERT_CLOSED, client_id=alert.client_id,
            subject=alert.alert_id, data={"why": why},
        )  # fmt: skip
        return
    tell(tx, actor, alert, EventName.ALERT_CLOSED, EvidenceKind.ALERT_CLOSED, why=why)


_WHY_NOT: Final = {
    "profiling-refused": (Decision.PROFILING_REFUSED, Cause.PROFILING),
    "exit-requested": (Decision.EXIT_REQUESTED, Cause.EXIT),
    "exit-completed": (Decision.EXIT_REQUESTED, Cause.EXIT),
}


def _log_end(tx: Tx, alert: Alert, why: str) -> None:
    """Log that an alert ended before it was decided whether to show it."""
    book = repo.book_facts(tx, [alert.client_id])[alert.client_id]
    decision, cause = _WHY_NOT.get(why, (Decision.ENDED, Cause.SIGNAL))
    log_of(tx, alert, book, decision, cause, arm_of(tx, book.client_id, book.manager_id))


def _generation(tx: Tx, signal: Signal) -> int | None:
    return repo.current(tx) if signal.generation_id is None else signal.generation_id


def tell(
    tx: Tx, actor: Actor, alert: Alert, event: EventName, kind: EvidenceKind, **more: Any
) -> None:
    """Record what happened to an alert that people may see, and tell the other rooms."""
    data = {
        "reason": alert.reason, "status": looks(alert.status), "owner_id": alert.owner_id,
        "signals": alert.signals, **more,
    }  # fmt: skip
    record(
        tx, actor, kind, client_id=alert.client_id, subject=alert.alert_id, data=data,
        personal=sealed(tier=alert.tier, score=alert.score),
    )  # fmt: skip
    told = {**data, "tier": alert.tier}
    emit(tx, Event(event, alert.alert_id, actor.user_id, alert.client_id, told))


def _open_case(tx: Tx, actor: Actor, alert: Alert) -> None:
    from keepwell.intervene.case.service import open_or_append

    case = open_or_append(
        tx, actor, client_id=alert.client_id, reason=alert.reason, tier=alert.tier,
        alert_id=alert.alert_id, owner_id=alert.owner_id,
    )  # fmt: skip
    alert.case_id = case.case_id
