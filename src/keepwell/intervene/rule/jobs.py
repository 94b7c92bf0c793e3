"""Jobs of the rules: the timer of a complaint."""

from __future__ import annotations

from typing import Any

from keepwell.frame.database import Tx
from keepwell.intervene.rule import service
from keepwell.jobs.registry import transactional


@transactional("rule.complaint-overdue")
def complaint_overdue(tx: Tx, payload: dict[str, Any]) -> None:
    """Look whether a complaint is still open when its time is up."""
    service.overdue(tx, str(payload["complaint_id"]))
