"""Upkeep of the inboxes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.intervene.notice import repo
from keepwell.jobs.registry import every

KEPT: Final = timedelta(days=90)
"""How long a notice stays after it was read."""


@every("notice.prune", cron="30 3 * * *")
def prune(tx: Tx, _: dict[str, Any]) -> None:
    """Delete notices read long ago; unread ones stay."""
    repo.prune(tx, tx.at - KEPT)
