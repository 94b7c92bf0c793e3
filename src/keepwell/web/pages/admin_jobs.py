"""Administration of background jobs: who works, what waits, what is dead and can run again."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.jobs import repo, service
from keepwell.jobs.model import JobState
from keepwell.jobs.worker import FRESH
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.operations import job_page
from keepwell.web.pages.admin_frame import ROWS, Cursor, framed
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

JOB_STATES: Final = {
    JobState.DEAD: "Dead", JobState.RUNNING: "At work", JobState.WAITING: "Waiting",
    JobState.DONE: "Done", JobState.CANCELLED: "Cancelled",
}  # fmt: skip
"""What each state of a job is called, in English."""


@router.get("/admin/jobs")
def jobs_page(
    state: Annotated[str, Query(max_length=20)] = JobState.DEAD.value,
    kind: Annotated[str, Query(max_length=80)] = "",
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.JOB_ADMIN),
) -> Response:
    """Workers, jobs by kind, and those in one state, the dead first of all."""
    chosen = JobState(state) if state in set(JobState) else None

    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        found = job_page(tx, chosen, kind or None, ROWS, cursor)
        counts: dict[str, dict[str, int]] = {}
        for name, where, count in repo.counts(tx):
            counts.setdefault(name, {})[where] = count
        workers = repo.workers(tx)
        return {
            "jobs": found.items, "following": found.next or "", "cursor": cursor,
            "state": chosen.value if chosen else "", "kind": kind, "states": JOB_STATES,
            "counts": sorted(counts.items()), "oldest": repo.oldest_due(tx),
            "workers": [w for w in workers if w.seen_at > tx.at - FRESH],
            "last_beat": max((w.seen_at for w in workers), default=None),
        }  # fmt: skip

    return visit.show("admin/jobs.html", framed(verb))


@router.post("/admin/jobs/{job_id}/retry")
def retry_job(
    job_id: Annotated[str, Path(max_length=200)], visit: Visit = visiting(Permission.JOB_ADMIN)
) -> Response:
    """Give a dead job all its attempts again; it is due now."""

    def verb(tx: Tx, _: Actor) -> None:
        service.replay(tx, job_id)

    return visit.act(verb, "/admin/jobs", said="The job runs again now.")
