"""What rooms ask of jobs, each in the caller's own transaction.

A change and the jobs that follow from it are therefore stored together or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict, NotFound
from keepwell.jobs import registry, repo, wake
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.registry import LeaseLost
from keepwell.jobs.repo import Held

_RUNS: Final = "keepwell.job"


@dataclass(slots=True)
class Run:
    """The job within whose transaction code runs.

    Attributes:
        job: which.
        ended: whether the transaction has ended the job already.
    """

    job: Held
    ended: bool = False


def begin(tx: Tx, job: Held) -> Run:
    """Say that a transaction is the run of a job, so that what it does to its own key is right."""
    run = Run(job)
    tx.session.info[_RUNS] = run
    return run


def _running(tx: Tx) -> Run | None:
    run: Run | None = tx.session.info.get(_RUNS)
    return None if run is None or run.ended else run


def enqueue(
    tx: Tx,
    kind: str,
    payload: dict[str, Any],
    *,
    key: str | None = None,
    due_at: datetime | None = None,
    max_attempts: int = 8,
) -> str | None:
    """Have work done, at once or later.

    A handler may enqueue its own key: that ends its job, and the new one follows. Any other job
    that is running holds its key until it ends; so name in the key what the work is about.

    Args:
        tx: the unit of work whose commit makes the job real.
        kind: which handler does it.
        payload: what it needs, JSON-safe: ids, codes, numbers; no personal data.
        key: unique among live jobs.
        due_at: when; default: now.
        max_attempts: attempts after which the job is dead.

    Returns:
        The job's id; None when a live job has the key already.
    """
    due = due_at or tx.at
    values = {
        "kind": kind, "lane": registry.lane_of(kind), "key": key,
        "payload": json.loads(json.dumps(payload, allow_nan=False)), "state": JobState.WAITING,
        "due_at": due, "attempts": 0, "max_attempts": max_attempts, "created_at": tx.at,
    }  # fmt: skip
    number = repo.add(tx, values)
    if number is None and key is not None:
        run = _running(tx)
        if run is not None and run.job.key == key:
            end(tx, run)
            number = repo.add(tx, values)
    if number is None:
        return None
    if due <= tx.at:
        wake.after_commit(tx)
    return f"job_{number}"


def cancel(tx: Tx, key: str) -> bool:
    """Cancel the live job with a key; one that is running ends without effect.

    Returns:
        Whether there was one. A handler's own job does not count.
    """
    return repo.cancel(tx, Job.key == key, _number(tx)) > 0


def cancel_prefix(tx: Tx, prefix: str) -> int:
    """Cancel the live jobs whose keys begin so.

    Returns:
        How many there were. A handler's own job does not count.
    """
    if not prefix:
        raise ValueError("an empty prefix would cancel everything")
    return repo.cancel(tx, repo.begins(prefix), _number(tx))


def reschedule(tx: Tx, key: str, due_at: datetime) -> bool:
    """Give the waiting job with a key another time, or a handler its own job.

    Returns:
        Whether there was one; one that another worker is doing right now stays as it is.
    """
    run = _running(tx)
    if run is not None and run.job.key == key:
        if not repo.own(
            tx, run.job, state=JobState.WAITING, owner=None, lease_until=None, due_at=due_at
        ):
            raise LeaseLost(run.job.job_id)
        run.ended = True
        return True
    return repo.move(tx, key, due_at)


def _number(tx: Tx) -> int | None:
    run = _running(tx)
    return None if run is None else run.job.number


def end(tx: Tx, run: Run) -> None:
    """End the job of a transaction well, if the worker still holds it.

    Raises:
        LeaseLost: it does not; the whole transaction must fail.
    """
    if run.ended:
        return
    job = run.job
    # What recurs leaves only its tick behind: a row a second would drown the others.
    if job.key is not None and job.key.startswith(EVERY):
        held = repo.drop(tx, job)
    else:
        held = repo.own(
            tx, job, state=JobState.DONE, attempts=job.attempts + 1, owner=None,
            lease_until=None, error=None, finished_at=tx.at,
        )  # fmt: skip
    if not held:
        raise LeaseLost(job.job_id)
    run.ended = True


def end_all(tx: Tx, runs: Sequence[Run]) -> None:
    """End the jobs of a shared transaction well, if the worker still holds all of them.

    Raises:
        LeaseLost: it does not; the whole transaction must fail.
    """
    open_ = [run.job.number for run in runs if not run.ended]
    if open_ and repo.done(tx, runs[0].job.owner, open_) != len(open_):
        raise LeaseLost(runs[0].job.job_id)
    for run in runs:
        run.ended = True


EVERY: Final = "every:"
"""Keys of recurring jobs begin so."""


def replay(tx: Tx, job_id: str) -> Job:
    """Give a dead job all its attempts again, due now.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead, or a live job has its key.
    """
    digits = job_id.removeprefix("job_")
    known = digits.isascii() and digits.isdigit() and len(digits) <= 18 and digits != job_id
    job = repo.find(tx, int(digits)) if known else None
    if job is None:
        raise NotFound("jobs.job-unknown")
    if job.state != JobState.DEAD:
        raise Conflict("jobs.job-alive", state=job.state)
    if job.key is not None and repo.live_key(tx, job.key) is not None:
        raise Conflict("jobs.key-taken")
    job.state, job.attempts, job.due_at = JobState.WAITING, 0, tx.at
    job.error = job.finished_at = None
    tx.session.flush()
    wake.after_commit(tx)
    return job
