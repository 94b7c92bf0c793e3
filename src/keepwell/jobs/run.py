"""Running one job that a worker holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from keepwell.frame.context import Frame
from keepwell.frame.logs import logger
from keepwell.jobs import registry, repo, service
from keepwell.jobs.model import JobState
from keepwell.jobs.policy import back_off, database_gone, error_name
from keepwell.jobs.registry import GiveUp, Handler, LeaseLost, Retry
from keepwell.jobs.repo import Held

_log = logger("keepwell.jobs")

PATIENCE = timedelta(minutes=1)
"""How long a kind that this version does not know waits for one that does."""


QUICK: Final = 0.05
"""Seconds after which a shared transaction takes no further job: others wait for its locks."""


class Outcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    RETRIED = "retried"
    DEAD = "dead"
    LOST = "lost"
    UNKNOWN = "unknown"


class DatabaseGone(Exception):
    """The database does not answer; the attempt does not count."""


@dataclass(frozen=True, slots=True)
class HeldLease:
    """The hold of an external handler on its job; see `registry.Lease`.

    Attributes:
        frame: the desk.
        job: which job.
        seconds: full length.
    """

    frame: Frame
    job: Held
    seconds: float

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""
        return self.job.attempts + 1

    @property
    def last(self) -> bool:
        """Whether the job is dead if this attempt fails."""
        return not _recurs(self.job) and self.attempt >= self.job.max_attempts

    def renew(self) -> None:
        """Hold on for the full time again.

        Raises:
            LeaseLost: another worker has the job, or it was cancelled.
        """
        with self.frame.write() as tx:
            until = tx.at + timedelta(seconds=self.seconds)
            if not repo.own(tx, self.job, lease_until=until):
                raise LeaseLost(self.job.job_id)


def run(frame: Frame, job: Held) -> Outcome:
    """Do a job and store how it ended.

    Args:
        frame: the desk.
        job: claimed by this worker.

    Raises:
        DatabaseGone: nothing could be stored; release the job when the database is back.
    """
    handler = registry.handler_of(job.kind)
    if handler is None:
        return _put_back(frame, job)
    started = time.perf_counter()
    try:
        if job.attempts >= job.max_attempts and not _recurs(job):
            # Only a job whose workers were lost again and again comes here.
            outcome = _give_up(frame, job, "WorkerLost")
        else:
            outcome = _attempt(frame, job, handler)
    except LeaseLost:
        outcome = Outcome.LOST
    _tell(job, outcome, started)
    return outcome


def together(frame: Frame, jobs: Sequence[Held]) -> int:
    """Do jobs in one transaction, as many as are done quickly: a backlog costs fewer commits.

    If any of them fails, none has happened, and they are to be run one by one.

    Args:
        frame: the desk.
        jobs: claimed by this worker.

    Returns:
        How many, from the first, were done.

    Raises:
        DatabaseGone: nothing was stored; release the jobs when the database is back.
    """
    if not all(map(_groups, jobs)):
        return 0
    started = time.perf_counter()
    runs = []
    try:
        with frame.write() as tx:
            for job in jobs:
                handler = registry.handler_of(job.kind)
                assert handler is not None
                runs.append(service.begin(tx, job))
                handler.function(tx, job.payload)
                tx.session.flush()
                if time.perf_counter() - started > QUICK:
                    break
            service.end_all(tx, runs)
    except Exception as error:
        if database_gone(error):
            raise DatabaseGone from error
        return 0
    _log.debug("job.together", count=len(runs), ms=_since(started))
    return len(runs)


def _groups(job: Held) -> bool:
    """Whether a job may share a transaction: quick, first tried, not recurring."""
    handler = registry.handler_of(job.kind)
    return (
        handler is not None
        and not handler.external
        and handler.lease == registry.LEASE
        and job.attempts == 0
        and not _recurs(job)
    )


def _attempt(frame: Frame, job: Held, handler: Handler) -> Outcome:
    try:
        if handler.external:
            _outside(frame, job, handler)
        else:
            _inside(frame, job, handler)
    except LeaseLost:
        raise
    except Exception as error:
        if database_gone(error):
            raise DatabaseGone from error
        return _failed(frame, job, error)
    return Outcome.DONE


def _inside(frame: Frame, job: Held, handler: Handler) -> None:
    with frame.write() as tx:
        current = service.begin(tx, job)
        handler.function(tx, job.payload)
        tx.session.flush()
        # The end comes last: a job's row is locked after those that the handler changes, as in
        # every request that changes a case and then cancels its timers; so neither waits forever.
        service.end(tx, current)


def _outside(frame: Frame, job: Held, handler: Handler) -> None:
    finish = handler.function(frame, job.payload, HeldLease(frame, job, handler.lease))
    with frame.write() as tx:
        current = service.begin(tx, job)
        if finish is not None:
            finish(tx)
            tx.session.flush()
        service.end(tx, current)


def _failed(frame: Frame, job: Held, error: Exception) -> Outcome:
    recurs = _recurs(job)
    attempts = job.attempts + 1
    if isinstance(error, GiveUp) or (attempts >= job.max_attempts and not recurs):
        return _give_up(frame, job, error_name(error), attempts)
    wait = error.after if isinstance(error, Retry) else None
    with frame.write() as tx:
        due = tx.at + (wait if wait is not None else back_off(job.number, attempts, recurs))
        held = repo.own(
            tx, job, state=JobState.WAITING, owner=None, lease_until=None, due_at=due,
            attempts=attempts, error=error_name(error),
        )  # fmt: skip
    return Outcome.RETRIED if held else Outcome.LOST


def _give_up(frame: Frame, job: Held, error: str, attempts: int | None = None) -> Outcome:
    with frame.write() as tx:
        held = repo.own(
            tx, job, state=JobState.DEAD, owner=None, lease_until=None, error=error,
            attempts=job.attempts if attempts is None else attempts, finished_at=tx.at,
        )  # fmt: skip
    return Outcome.DEAD if held else Outcome.LOST


def _put_back(frame: Frame, job: Held) -> Outcome:
    with frame.write() as tx:
        repo.own(
            tx, job, state=JobState.WAITING, owner=None, lease_until=None,
            due_at=tx.at + PATIENCE, error="KindUnknown",
        )  # fmt: skip
    _log.warning("job.unknown", job_id=job.job_id, kind=job.kind)
    return Outcome.UNKNOWN


def _recurs(job: Held) -> bool:
    return job.key is not None and job.key.startswith(service.EVERY)


def _tell(job: Held, outcome: Outcome, started: float) -> None:
    ms = _since(started)
    level = {Outcome.DONE: _log.debug, Outcome.DEAD: _log.error}.get(outcome, _log.warning)
    level(f"job.{outcome}", job_id=job.job_id, kind=job.kind, attempt=job.attempts + 1, ms=ms)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
