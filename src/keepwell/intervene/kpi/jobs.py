"""Jobs of key figures: values of complete months, and the two-weekly report."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.kpi import making, reports
from keepwell.jobs.registry import Lease, every, external
from keepwell.jobs.service import enqueue

COMPUTE: Final = "kpi.compute"


@external(COMPUTE, lease=1800)
def compute(frame: Frame, payload: dict[str, Any], lease: Lease) -> None:
    """Compute key figures of complete months that have none, and open reviews that are due."""
    making.compute(frame, lease.renew, again=bool(payload.get("again")))


@every("kpi.daily", cron="40 6 * * *")
def daily(tx: Tx, payload: dict[str, Any]) -> None:
    """A month becomes complete by time alone, without a publication."""
    del payload
    enqueue(tx, COMPUTE, {}, key=COMPUTE)


@every("kpi.report", cron="10 7 * * 1")
def report(tx: Tx, payload: dict[str, Any]) -> None:
    """Write the two-weekly report on every second Monday."""
    del payload
    reports.write_due(tx)
