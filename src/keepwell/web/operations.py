"""Endpoints for those who run the desk: background jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor, page_of
from keepwell.frame.problem import also
from keepwell.frame.text import Code
from keepwell.jobs import repo
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.service import replay
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission

router = APIRouter(tags=["operations"])


class JobOut(BaseModel):
    """A background job, without what it is about: administrators need not see whose case it is.

    Attributes:
        job_id: its id.
        kind: kind of work.
        state: waiting, running, done, dead or cancelled.
        due_at: when it is or was due.
        attempts: attempts that have ended.
        max_attempts: attempts after which it is dead; recurring jobs never are.
        error: class and code of the last failure.
        created_at: when it was made.
        finished_at: when it was done, dead or cancelled.
    """

    job_id: str = Field(examples=["job_4711"])
    kind: str = Field(examples=["clock.tick"])
    state: JobState = Field(examples=["dead"])
    due_at: datetime = Field(examples=["2026-03-04T02:00:00Z"])
    attempts: int = Field(examples=[8])
    max_attempts: int = Field(examples=[8])
    error: str | None = Field(examples=["Timeout"])
    created_at: datetime = Field(examples=["2026-03-04T01:00:00Z"])
    finished_at: datetime | None = Field(examples=["2026-03-04T02:10:00Z"])


JobId = Annotated[str, Path(max_length=200, description="Id of a job.", examples=["job_4711"])]


@router.get(
    "/jobs", response_model=Page[JobOut], operation_id="list_jobs",
    summary="Background jobs, newest first.",
)  # fmt: skip
def list_jobs(
    call: Call = allow(Permission.JOB_ADMIN),
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    kind: Annotated[Code | None, Query(description="Only jobs of this kind.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Background jobs, newest first; dead ones are those that need somebody."""
    return call.answer(lambda tx, _: job_page(tx, state, kind, limit, cursor))


@router.post(
    "/jobs/{job_id}/retry", response_model=JobOut, operation_id="retry_job",
    summary="Run a dead job again.", responses=also(409),
)  # fmt: skip
def retry_job(job_id: JobId, call: Call = allow(Permission.JOB_ADMIN)) -> Response:
    """Give a dead job all its attempts again; it is due now."""
    return call.perform(lambda tx, _: _out(replay(tx, job_id)))


def job_page(
    tx: Tx, state: JobState | None, kind: str | None, limit: int, cursor: str | None
) -> Page[JobOut]:
    """A page of jobs, newest first.

    Args:
        tx: unit of work.
        state: only jobs in it.
        kind: only jobs of it.
        limit: rows.
        cursor: of the page before.
    """
    statement = page_of(repo.listing(state, kind), [(Job.number, True)], [int], limit, cursor)
    rows = list(tx.session.scalars(statement))
    following = encode_cursor([rows[limit - 1].number]) if len(rows) > limit else None
    return Page(items=[_out(job) for job in rows[:limit]], next=following)


def _out(job: Job) -> JobOut:
    return JobOut(
        job_id=job.job_id, kind=job.kind, state=JobState(job.state), due_at=job.due_at,
        attempts=job.attempts, max_attempts=job.max_attempts, error=job.error,
        created_at=job.created_at, finished_at=job.finished_at,
    )  # fmt: skip
