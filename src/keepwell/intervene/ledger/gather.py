"""The lines of a client's ledger, from the rooms' own tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.action.record import decision_from
from keepwell.intervene.alert.model import Treatment
from keepwell.intervene.alert.policy import DECISION_TITLES, Decision
from keepwell.intervene.case.model import CaseEvent
from keepwell.intervene.case.policy import CLOSE_TITLES, STATE_TITLES, CloseReason, EventKind, State
from keepwell.intervene.contact.model import Contact, ContactDelivery
from keepwell.intervene.contact.policy import (
    CHANNEL_TITLES,
    DELIVERY_TITLES,
    DIRECTION_TITLES,
    RESULT_TITLES,
    Channel,
    Delivery,
    Direction,
    Result,
)
from keepwell.intervene.ledger import repo
from keepwell.intervene.ledger.policy import Kind, Line, Refusal, ordered
from keepwell.intervene.outcome.service import readable
from keepwell.intervene.outcome.show import words_of
from keepwell.learn.outcome import repo as outcomes
from keepwell.learn.outcome.model import Outcome
from keepwell.trust.access.policy import Actor, Permission

EVENT_TITLES = {
    EventKind.ALERTED: "Another alert joined the case",
    EventKind.ATTACHED: "File attached to a case",
    EventKind.CONTACTED: "Contact in a case",
    EventKind.EDITED: "Title or plan of a case written",
    EventKind.ESCALATED: "Case passed up",
    EventKind.LIMITED: "Number of contacts to keep the client changed",
    EventKind.NOTED: "Note in a case",
    EventKind.OPENED: "Case opened",
    EventKind.REASSIGNED: "Case given to somebody else",
    EventKind.REOPENED: "Case reopened",
    EventKind.TASK_ADDED: "Task added to a case",
    EventKind.TASK_CHANGED: "Task of a case changed",
}
"""Lines of a case's history that need no facts, in English."""


def lines_of(tx: Tx, actor: Actor, client_id: str) -> list[Line]:
    """The ledger of a client, in the order of time.

    Decisions, and outcomes of what was withheld, are only for readers of the hold-out.

    Args:
        tx: the unit of work.
        actor: whose scope, permissions and language.
        client_id: about whom.
    """
    locale = actor.locale
    found: list[Line] = []
    if actor.may(Permission.HOLDOUT_READ):
        found += [_decision(row, locale) for row in repo.treatments(tx, actor, client_id)]
    found += [_event(row, locale) for row, _ in repo.case_events(tx, actor, client_id)]
    found += [_advice(row, locale) for row in repo.recommendations(tx, actor, client_id)]
    found += [_contact(row, locale) for row in repo.contacts(tx, actor, client_id)]
    found += [_delivery(row, locale) for row in repo.deliveries(tx, actor, client_id)]
    seen = readable(actor)
    for outcome in outcomes.all_of(tx, actor, client_id):
        if seen is None or outcome.decision in seen:
            found.append(_outcome(tx, outcome, actor))
    return ordered(found)


def _decision(row: Treatment, locale: str) -> Line:
    title = tr(DECISION_TITLES[Decision(row.decision)], locale)
    words = tr("{decision}, propensity {propensity}", locale, decision=title,
               propensity=f"{row.propensity:g}")  # fmt: skip
    facts = _facts(row, "decision", "cause", "arm", "propensity", "period", "reason", "alert_id",
                   "owner_id", "generation_id", "policy")  # fmt: skip
    return Line(row.at, Kind.DECISION, row.treatment_id, words, facts, row)


def _event(row: CaseEvent, locale: str) -> Line:
    kind = EventKind(row.kind)
    if kind in (EventKind.MOVED, EventKind.CLOSED):
        words = tr(STATE_TITLES[State(row.new["state"])], locale)
        if reason := row.new.get("close_reason"):
            why = tr(CLOSE_TITLES[CloseReason(reason)], locale)
            words = tr("Staff closed it as: {outcome}", locale, outcome=f"{words}, {why}")
        else:
            words = tr("Case moved on: {state}", locale, state=words)
    else:
        words = tr(EVENT_TITLES[kind], locale)
    return Line(
        row.at, Kind.CASE, row.event_id, words, _facts(row, "case_id", "number", "kind"), row
    )


def _advice(row: Recommended, locale: str) -> Line:
    facts = _facts(row, "case_id", "number", "best_id", "best_version", "next_id", "next_version",
                   "channel", "script_id")  # fmt: skip
    if row.record is None:
        words = tr("What was recommended was removed: the client refuses profiling.", locale)
        return Line(row.at, Kind.RECOMMENDATION, row.recommendation_id, words, facts, row)
    made = row.record["made"]
    first = made["best"] or ", ".join(made["owed"])
    words = tr("Recommended: {action}", locale, action=first) if first else tr(
        "Nothing was recommended.", locale)  # fmt: skip
    return Line(
        row.at, Kind.RECOMMENDATION, row.recommendation_id, words, facts, row,
        tuple(_refusals(made, locale)),
    )  # fmt: skip


def _refusals(made: dict[str, Any], locale: str) -> Iterator[Refusal]:
    for option in made["options"]:
        decision = decision_from(option)
        if decision.code and decision.stage is not None:
            yield Refusal(
                option["action"], decision.code, tuple(decision.rules), decision.words(locale)
            )


def _contact(row: Contact, locale: str) -> Line:
    words = tr(
        "{direction} ({channel}): {result}", locale,
        direction=tr(DIRECTION_TITLES[Direction(row.direction)], locale),
        channel=tr(CHANNEL_TITLES[Channel(row.channel)], locale),
        result=tr(RESULT_TITLES[Result(row.result)], locale),
    )  # fmt: skip
    facts = _facts(
        row, "case_id", "channel", "direction", "aim", "result", "breach", "action_id",
        "action_version", "script_id", "propensity", "unassigned", "delivery",
    ) | {"happened_at": row.at}  # fmt: skip
    return Line(row.recorded_at, Kind.CONTACT, row.contact_id, words, facts, row)


def _delivery(row: ContactDelivery, locale: str) -> Line:
    words = tr(DELIVERY_TITLES[Delivery(row.delivery)], locale)
    facts = _facts(row, "contact_id", "number", "delivery") | {"happened_at": row.at}
    return Line(row.recorded_at, Kind.DELIVERY, row.delivery_id, words, facts, row)


def _outcome(tx: Tx, row: Outcome, actor: Actor) -> Line:
    facts = _facts(row, "day", "decision", "case_id", "label", "label_version", "horizon", "y",
                   "why", "left_day", "matured_at", "revision", "manifest")  # fmt: skip
    if actor.may(Permission.HOLDOUT_READ):
        facts |= _facts(row, "arm", "propensity", "treatment_id")
    words = words_of(row, actor.locale, tx.frame.zone)
    return Line(row.recorded_at, Kind.OUTCOME, row.outcome_id, words, facts, row)


def _facts(row: Any, *names: str) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
