"""What retention contacts took, for the proof of what was kept."""

from __future__ import annotations

from datetime import datetime

from keepwell.core.errors import UsageError
from keepwell.frame.database import Tx
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.gather import catalogue_of
from keepwell.intervene.contact import repo
from keepwell.intervene.contact.policy import Channel, Result
from keepwell.learn.kept.spent import Touched, reads_contacts

_HEARD = frozenset(
    {Result.REACHED.value, Result.REFUSED.value, Result.CALL_BACK.value, Result.DELIVERED.value}
)
"""The client heard of it: also who refused on the phone, or whose message arrived."""


@reads_contacts
def retention_contacts(tx: Tx, since: datetime, until: datetime) -> dict[str, Touched]:
    """Retention contacts that the desk began in a span, by client.

    A contact takes the minutes of its action. One of no action of the catalogue is counted with
    the longest time that any action by its channel takes, so that cost is not told too low.

    Args:
        tx: the unit of work.
        since: beginning (UTC).
        until: end, which does not belong to it.
    """
    catalogue = catalogue_of(tx)
    found: dict[str, Touched] = {}
    for client, channel, result, action_id, version in repo.retention_between(tx, since, until):
        minutes = _minutes(catalogue, action_id, version)
        had = found.get(client, Touched(0, 0, 0, False))
        found[client] = Touched(
            had.contacts + 1,
            had.minutes + (minutes if minutes is not None else _longest(catalogue, channel)),
            had.untimed + (minutes is None), had.reached or result in _HEARD,
        )  # fmt: skip
    return found


def _minutes(catalogue: Catalogue, action_id: str | None, version: int | None) -> int | None:
    if action_id is None or version is None:
        return None
    try:
        return catalogue.version(action_id, version).minutes
    except UsageError:  # taken out of the workspace's file since
        return None


def _longest(catalogue: Catalogue, channel: str) -> int:
    by = [a.minutes for a in catalogue.versions if Channel(channel) in a.channels]
    return max(by or [a.minutes for a in catalogue.versions], default=0)
