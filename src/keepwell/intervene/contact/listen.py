"""What contacts tell other rooms: those made against a rule, for experiments."""

from __future__ import annotations

from datetime import datetime

from keepwell.frame.database import Tx
from keepwell.intervene.contact import repo
from keepwell.learn.experiment.doors import counts


@counts("suitability_breaches")
def breaches(tx: Tx, since: datetime, until: datetime) -> dict[str, float]:
    """Contacts within a span that suitability forbade, by client.

    Args:
        tx: the unit of work.
        since: from when (UTC).
        until: until when.
    """
    return repo.breaches(tx, "suitability.", since, until)
