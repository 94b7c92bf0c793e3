"""Tiers in force: the sweep over a new generation, and rules that raise at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from keepwell.frame.database import TURN, Tx
from keepwell.frame.locks import CLIENT, hold
from keepwell.intervene.alert import repo
from keepwell.intervene.alert.foresight import LEAST, foresee
from keepwell.intervene.alert.model import Alert, TierRow
from keepwell.intervene.alert.policy import MANDATORY, TIERS, AlertReason, Status, tier_by_code
from keepwell.intervene.alert.raising import Signal, end, take
from keepwell.intervene.alert.repo import BookFacts
from keepwell.intervene.rule import repo as rules
from keepwell.learn.holdout.service import present
from keepwell.trust.access.policy import SYSTEM
from keepwell.warn.tier import RaiseRule, Tier, TierState, next_state

CHUNK: Final = 40
"""At most so many clients are looked at in one transaction of the sweep."""

_BY_CODE = {rule.code: rule for rule in RaiseRule}


def sweep_part(
    tx: Tx, generation_id: int, after: tuple[float, str] | None
) -> tuple[float, str] | None:
    """Look at the next clients of a generation whose score reaches a tier.

    Args:
        tx: the unit of work.
        generation_id: the generation in force.
        after: rank score and id of the last client looked at; None at the beginning.

    Returns:
        Where to go on; None at the end.
    """
    found = repo.candidates(tx, generation_id, TIERS.cuts[0], after, CHUNK)
    hold(tx, CLIENT, [book.client_id for book in found])
    done = _look(tx, generation_id, found)
    if done == len(found) < CHUNK or found[done - 1].score is None:
        return None
    last = found[done - 1]
    return last.score or 0.0, last.client_id


def sweep_rest(tx: Tx, generation_id: int) -> bool:
    """Look at the next clients who have a tier but no score that reaches one.

    Returns:
        Whether there may be more.
    """
    clients = repo.leftover(tx, generation_id, CHUNK)
    hold(tx, CLIENT, clients)
    done = _look(tx, generation_id, list(repo.book_facts(tx, clients).values()))
    return done < len(clients) or len(clients) == CHUNK


def _look(tx: Tx, generation_id: int, clients: list[BookFacts]) -> int:
    """Look at clients until the turn is over; at how many."""
    ids = [book.client_id for book in clients]
    states = repo.states(tx, ids)
    fired = rules.in_force(tx, ids)
    live = repo.live(tx, ids)
    refusing = repo.refusing_of(tx, ids)
    period = present(tx).period
    foresee(tx, ids, [book.manager_id for book in clients])
    done = 0
    for book in clients:
        if done >= LEAST and tx.lasted > TURN:
            break
        done += 1
        if book.client_id in refusing:
            book = BookFacts(book.client_id, book.manager_id, book.assets)
        _look_at(
            tx, generation_id, book, states.get(book.client_id),
            fired.get(book.client_id, []), live[book.client_id], period,
        )  # fmt: skip
    tx.session.flush()
    return done


def _look_at(
    tx: Tx,
    generation_id: int,
    book: BookFacts,
    row: TierRow | None,
    fired: Sequence[RaiseRule],
    live: dict[str, Alert],
    period: str,
) -> None:
    """One client under a new generation."""
    before = Tier.NONE if row is None else tier_by_code(row.tier)
    if book.score is None and not fired:
        _drop(tx, row, live, "not-scored")
        return
    state = next_state(book.score or 0.0, _not_before(tx, row), _state(row), TIERS, fired)
    if state.tier is Tier.NONE:
        _drop(tx, row, live, "tier-fell")
        return
    _store(tx, book.client_id, row, state, generation_id)
    risk = live.get(AlertReason.RISK)
    by_score = state.raised_by is None and book.score is not None
    redrawn = risk is not None and risk.status == Status.HELD_OUT and risk.period != period
    if by_score and (state.tier > before or redrawn):
        facts = {"from": before.code, "to": state.tier.code, "generation_id": generation_id}
        signal = Signal(AlertReason.RISK, state.tier, tx.at, book.score, facts, generation_id)
        take(tx, SYSTEM, book, signal, risk, later=True)
    elif risk is not None:
        _follow(risk, state, book)


def _follow(risk: Alert, state: TierState, book: BookFacts) -> None:
    """Keep a live alert's score; it also falls with the tier, without a signal."""
    risk.score = book.score
    if state.raised_by is None and int(state.tier) < risk.tier_rank:
        risk.tier, risk.tier_rank = state.tier.code, int(state.tier)
        risk.version += 1


def _drop(tx: Tx, row: TierRow | None, live: dict[str, Alert], why: str) -> None:
    """A client's tier is none now."""
    if row is not None:
        tx.session.delete(row)
    for alert in live.values():
        if alert.reason not in MANDATORY:
            end(tx, SYSTEM, alert, why)


def come_back(tx: Tx, client_id: str, since: datetime) -> None:
    """Warn again of what an exit request silenced and what still holds now that it is taken back.

    Args:
        tx: the unit of work.
        client_id: who stays after all.
        since: when the request was recorded.
    """
    reasons = repo.silenced(tx, client_id, since)
    if not reasons or repo.refusing_of(tx, [client_id]):
        return
    book = repo.book_facts(tx, [client_id])[client_id]
    row = repo.states(tx, [client_id]).get(client_id)
    fired = rules.in_force(tx, [client_id]).get(client_id, [])
    state = next_state(book.score or 0.0, _not_before(tx, row), _state(row), TIERS, fired)
    if state.tier is Tier.NONE:
        return
    generation_id = 0 if row is None else row.generation_id
    _store(tx, client_id, row, state, generation_id)
    live = repo.live(tx, [client_id])[client_id]
    if AlertReason.RISK in reasons and state.raised_by is None and book.score is not None:
        facts = {"to": state.tier.code, "generation_id": generation_id}
        signal = Signal(AlertReason.RISK, state.tier, tx.at, book.score, facts, generation_id)
        take(tx, SYSTEM, book, signal, live.get(AlertReason.RISK))
    for rule in fired:
        reason = AlertReason(rule.code)
        if reason in reasons and reason not in MANDATORY:
            tier = dict(TIERS.raises)[rule]
            take(tx, SYSTEM, book, Signal(reason, tier, tx.at), live.get(reason))


def raise_by_rule(tx: Tx, book: BookFacts, rule: RaiseRule) -> None:
    """Raise a client's tier because a rule fired; its signal is stored already."""
    row = repo.states(tx, [book.client_id]).get(book.client_id)
    fired = {rule, *rules.in_force(tx, [book.client_id]).get(book.client_id, [])}
    state = next_state(book.score or 0.0, _not_before(tx, row), _state(row), TIERS, sorted(fired))
    if state.tier is not Tier.NONE:
        _store(tx, book.client_id, row, state, 0 if row is None else row.generation_id)


def _state(row: TierRow | None) -> TierState | None:
    if row is None:
        return None
    raised_by = None if row.raised_by is None else _BY_CODE[row.raised_by]
    return TierState(tier_by_code(row.tier), row.since, row.low_since, raised_by)


def _not_before(tx: Tx, row: TierRow | None) -> datetime:
    # Clocks of two servers differ a little; a state never begins before the one it follows.
    return tx.at if row is None else max(tx.at, row.since)


def _store(
    tx: Tx, client_id: str, row: TierRow | None, state: TierState, generation_id: int
) -> None:
    values: dict[str, Any] = {
        "tier": state.tier.code, "since": state.since, "low_since": state.low_since,
        "raised_by": state.raised_by.code if state.raised_by is not None else None,
        "generation_id": generation_id,
    }  # fmt: skip
    if row is None:
        tx.session.add(TierRow(client_id=client_id, **values))
        return
    for name, value in values.items():
        setattr(row, name, value)
