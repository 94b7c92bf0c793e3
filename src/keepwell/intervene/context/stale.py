"""Whether a score rests on data that are late or unusual."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.policy import CalendarName
from keepwell.intervene.context.schema import StaleOut
from keepwell.observe.monitors.affected import indicators_on, standing, touching
from keepwell.observe.monitors.finding import Finding
from keepwell.observe.monitors.words import told
from keepwell.observe.rhythm import IsOpen
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client


def stale(tx: Tx, actor: Actor, client: Client) -> list[StaleOut]:
    """Data that a client's score may rest on and that are late or unusual.

    Args:
        tx: the unit of work.
        actor: whose language.
        client: of the book; without a score nothing rests on anything.
    """
    if client.score is None:
        return []
    return [_shown(found, client, actor.locale) for found in unusual(tx)]


def unusual(tx: Tx) -> tuple[Finding, ...]:
    """What is late or unusual now, of tables that a model's inputs read."""
    calendar = calendar_of(tx.frame, CalendarName.EXCHANGE)
    is_open: IsOpen = lambda day: bool(calendar.sessions_of(day))  # noqa: E731
    return touching(standing(tx.frame.workspace, tx.at, is_open))


def _shown(found: Finding, client: Client, locale: str) -> StaleOut:
    readers = indicators_on(found.table)
    reasons = [
        str(reason["code"]) for reason in client.reasons
        if (reason.get("facts") or {}).get("indicator") in readers
    ]  # fmt: skip
    return StaleOut(
        table=found.table, kind=found.kind, since=found.since, words=told(found, locale),
        owner=found.owner, indicators=len(readers), reasons=reasons,
    )  # fmt: skip


__all__ = ["stale", "unusual"]
