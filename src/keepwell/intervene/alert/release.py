"""The ceiling: share out a manager's room of the day by urgency; the rest waits, visibly."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from keepwell.frame.database import TURN, Tx
from keepwell.frame.locks import CLIENT, hold
from keepwell.intervene.alert import repo
from keepwell.intervene.alert.foresight import LEAST, foresee
from keepwell.intervene.alert.policy import Cause, Decision, Status, day_of
from keepwell.intervene.alert.raising import hold_back, log_of, release, room
from keepwell.learn.holdout.service import arm_of
from keepwell.trust.access.policy import SYSTEM

CHUNK: Final = 200
"""Managers looked at in one transaction."""

ALERTS: Final = 50
"""At most so many alerts are changed in one transaction."""


def owners(tx: Tx, since: datetime, after: str) -> list[str]:
    """The next managers for whom there is something to release or to decide.

    Args:
        tx: the unit of work.
        since: alerts not decided yet that were raised later belong to a sweep still at work.
        after: the manager before the first.
    """
    usual = tx.frame.settings.alert.per_manager_per_day
    return repo.waiting_owners(tx, day_of(tx.at, tx.frame.zone), usual, since, after, CHUNK)


def release_for(tx: Tx, owner_id: str, since: datetime) -> bool:
    """Show a manager the most urgent alerts that wait, as far as the day's ceiling allows.

    Args:
        tx: the unit of work.
        owner_id: the manager.
        since: as of `owners`.

    Returns:
        Whether there is more to do.
    """
    # Clients are held before anything of theirs is locked or judged.
    urgent = repo.waiting_clients(tx, owner_id, since, ALERTS)
    open_ones = repo.waiting_clients(tx, owner_id, since, ALERTS, undecided=True)
    hold(tx, CLIENT, {*urgent, *open_ones})
    left = room(tx, owner_id)
    first = repo.held_back(tx, owner_id, since, min(left, ALERTS), urgent) if left else []
    books = repo.book_facts(tx, [alert.client_id for alert in first])
    foresee(tx, set(books), [owner_id])
    for number, alert in enumerate(first):
        if number >= LEAST and tx.lasted > TURN:
            break
        book = books[alert.client_id]
        if book.manager_id is not None and book.manager_id != owner_id:
            # The client changed hands while it waited; it waits for the new manager.
            alert.owner_id = book.manager_id
            alert.version += 1
        else:
            release(tx, SYSTEM, alert, book)
    tx.session.flush()
    if first:
        return True  # some may have gone another way and left room
    rest = repo.held_back(tx, owner_id, since, ALERTS, open_ones, undecided=True)
    books = repo.book_facts(tx, [alert.client_id for alert in rest])
    foresee(tx, set(books), [owner_id])
    for number, alert in enumerate(rest):
        if number >= LEAST and tx.lasted > TURN:
            return True
        book = books[alert.client_id]
        if alert.status == Status.HELD_BACK:
            arm = arm_of(tx, book.client_id, book.manager_id)
            log_of(tx, alert, book, Decision.HELD_BACK, Cause.CEILING, arm)
        hold_back(tx, SYSTEM, alert)
    return len(rest) == ALERTS
