"""What contacts tell other rooms: those against a rule, and how what was kept reads them."""

from __future__ import annotations

from datetime import datetime

from keepwell.frame.database import Tx
from keepwell.intervene.contact import repo
from keepwell.intervene.contact.spent import retention_contacts
from keepwell.learn.experiment.doors import counts

__all__ = ["breaches", "retention_contacts"]


@counts("suitability_breaches")
def breaches(tx: Tx, since: datetime, until: datetime) -> dict[str, float]:
    """Contacts within a span that suitability forbade, by client.

    Args:
        tx: the unit of work.
        since: from when (UTC).
        until: until when.
    """
    return repo.breaches(tx, "suitability.", since, until)
