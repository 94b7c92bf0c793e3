"""What the contacts of a span were, as the rooms that keep them tell it.

Contacts are kept by a room above this one, so that room says here how they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from keepwell.frame.database import Tx


@dataclass(frozen=True)
class Touched:
    """One client's retention contacts within a span.

    Attributes:
        contacts: how many the desk began.
        minutes: working time of those whose action says how long it takes.
        untimed: contacts of no action of the catalogue, counted in `minutes` with the longest time
            that any action by their channel takes.
        reached: whether the client heard at least one.
        paid: what the minutes cost by who did them, minor units; None where a price is not set.
        extra: what the actions cost besides time; None where one is not known.
    """

    contacts: int
    minutes: int
    untimed: int
    reached: bool
    paid: int | None = None
    extra: int | None = None


Reader = Callable[[Tx, datetime, datetime], dict[str, Touched]]
"""(tx, since, until) -> client -> what was done; clients without a contact are left out."""

_READERS: list[Reader] = []


def reads_contacts(reader: Reader) -> Reader:
    """Register who reads contacts; the last one counts.

    Args:
        reader: gives the retention contacts of a span, by client.
    """
    _READERS.append(reader)
    return reader


def contacts_between(tx: Tx, since: datetime, until: datetime) -> dict[str, Touched] | None:
    """Retention contacts of a span by client; None where no room keeps any.

    Args:
        tx: the unit of work.
        since: beginning (UTC).
        until: end, which does not belong to it.
    """
    return _READERS[-1](tx, since, until) if _READERS else None
