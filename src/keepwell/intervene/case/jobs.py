"""Background jobs of cases: lend after books changed hands, sweep contents, drop stale plans."""

from __future__ import annotations

from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.case import files, repo
from keepwell.intervene.case.lend import lend
from keepwell.intervene.case.reassign import PLAN_KEPT
from keepwell.jobs.registry import Lease, every, transactional
from keepwell.jobs.service import enqueue
from keepwell.trust.access.policy import SYSTEM

_CHUNK = 200


@transactional("case.lend")
def lend_to_strangers(tx: Tx, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Lend clients to owners of live cases who are no longer their managers; in chunks."""
    found = repo.strangers(tx, _CHUNK)
    for case in found:
        lend(tx, SYSTEM, case, case.owner_id)
    if len(found) == _CHUNK:
        enqueue(tx, "case.lend", {}, key=new_id("case:lend", tx.at))


@every("case.sweep-files", cron="17 3 * * *", external=True, lease=300)
def sweep_files(frame: Frame, payload: dict[str, Any], lease: Lease) -> None:  # noqa: ARG001
    """Remove contents that no case names, left by requests that died in between."""
    files.sweep(frame)


@every("case.drop-plans", cron="47 * * * *")
def drop_plans(tx: Tx, payload: dict[str, Any]) -> None:  # noqa: ARG001
    """Remove plans of reassignment that nobody carried out."""
    repo.drop_plans(tx, tx.at - PLAN_KEPT)
