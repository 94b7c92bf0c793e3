"""Whether a score rests on data that are late or unusual.

A generation's scores keep their marks until the next publication: that the rows were corrected
since does not mend what was computed of them before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keepwell.core.days import local_day, to_date
from keepwell.frame.database import Tx
from keepwell.intervene.context.schema import StaleOut
from keepwell.intervene.incident import repo as incidents
from keepwell.intervene.incident.bring import trades_on
from keepwell.intervene.incident.policy import State, concerning
from keepwell.observe.monitors.affected import indicators_on, standing
from keepwell.observe.monitors.finding import Finding, finding_from
from keepwell.observe.monitors.words import told
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client


@dataclass(frozen=True, slots=True)
class Mark:
    """Why scores of a generation may be wrong.

    Attributes:
        finding: what was found.
        incident_id: the incident; None where the desk has not brought it in yet.
        mended_at: since when the data are whole again; None while they are not.
    """

    finding: Finding
    incident_id: str | None = None
    mended_at: datetime | None = None


def stale(tx: Tx, actor: Actor, client: Client) -> list[StaleOut]:
    """Data that a client's score may rest on and that are, or were, late or unusual.

    Args:
        tx: the unit of work.
        actor: whose language.
        client: of the book; without a score nothing rests on anything.
    """
    if client.score is None:
        return []
    return [_shown(mark, client, actor.locale) for mark in unusual(tx)]


def unusual(tx: Tx) -> tuple[Mark, ...]:
    """What the scores in force rest on that is late or unusual, or was when they were made."""
    generation = incidents.in_force(tx)
    if generation is None:
        return ()
    found = [
        Mark(
            finding_from(mark.finding), mark.incident_id,
            incident.closed_at if incident and incident.state == State.CLOSED else None,
        )
        for mark, incident in incidents.marks(tx, generation.generation_id)
    ]  # fmt: skip
    marked = {(one.finding.table, one.finding.kind) for one in found if one.mended_at is None}
    now = standing(tx.frame.workspace, tx.at, trades_on(tx.frame))
    day = to_date(local_day(generation.as_of, tx.frame.zone))
    fresh = [
        Mark(one) for one in concerning(now, day) if (one.table, one.kind) not in marked
    ]  # fmt: skip
    again = {(one.finding.table, one.finding.kind) for one in fresh}
    # What is unusual once more is told as it is now.
    kept = [one for one in found if (one.finding.table, one.finding.kind) not in again]
    return (*kept, *fresh)


def _shown(mark: Mark, client: Client, locale: str) -> StaleOut:
    found = mark.finding
    readers = indicators_on(found.table)
    reasons = [
        str(reason["code"]) for reason in client.reasons
        if (reason.get("facts") or {}).get("indicator") in readers
    ]  # fmt: skip
    return StaleOut(
        table=found.table, kind=found.kind, since=found.since, words=told(found, locale),
        owner=found.owner, indicators=len(readers), reasons=reasons,
        incident_id=mark.incident_id, mended_at=mark.mended_at,
    )  # fmt: skip


__all__ = ["Mark", "stale", "unusual"]
