"""What retention contacts took, for the proof of what was kept."""

from __future__ import annotations

from datetime import datetime

from keepwell.core.errors import UsageError
from keepwell.frame.database import Tx
from keepwell.intervene.action.catalogue import Action, Catalogue, Who
from keepwell.intervene.action.gather import catalogue_of, minute_prices
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

    A contact takes the minutes of its action, at the price of who does it. One of no action of the
    catalogue is counted as a manager's, with the longest time that any action by its channel
    takes, so that cost is not told too low. Prices that nobody has set stay unknown.

    Args:
        tx: the unit of work.
        since: beginning (UTC).
        until: end, which does not belong to it.
    """
    catalogue, prices = catalogue_of(tx), minute_prices(tx)
    found: dict[str, Touched] = {}
    for client, channel, result, action_id, version in repo.retention_between(tx, since, until):
        action = _action(catalogue, action_id, version)
        minutes = action.minutes if action else _longest(catalogue, channel)
        price = prices[action.who if action else Who.MANAGER]
        paid = None if price is None else minutes * price
        extra = action.cost.amount if action and _same(action, tx) else None
        had = found.get(client, Touched(0, 0, 0, False, 0, 0))
        found[client] = Touched(
            had.contacts + 1, had.minutes + minutes, had.untimed + (action is None),
            had.reached or result in _HEARD, _plus(had.paid, paid), _plus(had.extra, extra),
        )  # fmt: skip
    return found


def _same(action: Action, tx: Tx) -> bool:
    return not action.cost.amount or action.cost.currency == tx.frame.currency


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _action(catalogue: Catalogue, action_id: str | None, version: int | None) -> Action | None:
    if action_id is None or version is None:
        return None
    try:
        return catalogue.version(action_id, version)
    except UsageError:  # taken out of the workspace's file since
        return None


def _longest(catalogue: Catalogue, channel: str) -> int:
    by = [a.minutes for a in catalogue.versions if Channel(channel) in a.channels]
    return max(by or [a.minutes for a in catalogue.versions], default=0)
