"""What exit requests tell experiments: how late they were carried out; exits know none of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from keepwell.frame.database import Tx
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.policy import CalendarName
from keepwell.intervene.exit import repo
from keepwell.learn.experiment.doors import counts

LONGEST: Final = 250
"""Trading days after which a delay is not counted on: a year."""


@counts("exit_delay_days")
def delays(tx: Tx, since: datetime, until: datetime) -> dict[str, float]:
    """Trading days beyond the time limit, by client, of requests that fell due within a span.

    Args:
        tx: the unit of work.
        since: from when (UTC).
        until: until when; what is not carried out by then is late until then.
    """
    calendar = calendar_of(tx.frame, CalendarName.EXCHANGE)
    found: dict[str, float] = {}
    for client, due, completed in repo.fallen_due(tx, since, until):
        end, days = min(completed or until, until), 0
        at = due
        while at < end and days < LONGEST:
            days += 1
            at = calendar.add_days(due, days)
        if days:
            found[client] = found.get(client, 0.0) + days
    return found
