"""The statements on job tables, each safe against other workers by itself.

Jobs are about work, not about clients: no row scope applies to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, case, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from keepwell.frame.database import Tx
from keepwell.jobs.model import (
    IS_LIVE,
    IS_RUNNING,
    IS_WAITING,
    Job,
    JobSchedule,
    JobState,
    JobWorker,
)

_ENDED = (JobState.DONE, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Held:
    """A job that a worker has claimed.

    Attributes:
        number: which job.
        kind: kind of job.
        key: its key.
        payload: what to do.
        attempts: attempts that have ended.
        max_attempts: attempts after which it is dead.
        owner: who holds it.
        due_at: when it was due.
    """

    number: int
    kind: str
    key: str | None
    payload: dict[str, Any]
    attempts: int
    max_attempts: int
    owner: str
    due_at: datetime

    @property
    def job_id(self) -> str:
        """The id shown to people."""
        return f"job_{self.number}"


_COLUMNS = (
    Job.number, Job.kind, Job.key, Job.payload, Job.attempts, Job.max_attempts, Job.owner,
    Job.due_at,
)  # fmt: skip


def add(tx: Tx, values: dict[str, Any]) -> int | None:
    """Insert a job; None when a live one has its key."""
    dialect = sqlite if tx.is_sqlite else postgresql
    statement = dialect.insert(Job).values(**values).on_conflict_do_nothing().returning(Job.number)
    number: int | None = tx.session.scalar(statement)
    return number


def claim(
    tx: Tx, owner: str, lanes: Sequence[str], limit: int, lease: float, leases: dict[str, float]
) -> list[Held]:
    """Take due jobs, earliest first; two workers never take the same one.

    Args:
        tx: a unit of work of its own.
        owner: who takes them.
        lanes: which lanes.
        limit: at most so many.
        lease: seconds of the usual lease.
        leases: seconds by kind, where another one holds.
    """
    due = (
        select(Job.number)  # unscoped: jobs
        .where(IS_WAITING, Job.lane.in_(lanes), Job.due_at <= tx.at)
        .order_by(Job.due_at, Job.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Job)
        .where(Job.number.in_(_once(due)))
        .values(state=JobState.RUNNING, owner=owner, lease_until=_until(tx, lease, leases))
        .returning(*_COLUMNS)
    )
    return _held(tx, statement)


def claim_lost(
    tx: Tx, owner: str, lanes: Sequence[str], lease: float, leases: dict[str, float]
) -> list[Held]:
    """Take one job whose worker fell silent; its attempt counts as ended.

    One at a time: should the job itself be what kills workers, it takes no other with it.
    """
    lost = (
        select(Job.number)  # unscoped: jobs
        .where(IS_RUNNING, Job.lane.in_(lanes), Job.lease_until < tx.at)
        .order_by(Job.lease_until, Job.number)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Job)
        .where(Job.number.in_(_once(lost)))
        .values(
            owner=owner, lease_until=_until(tx, lease, leases), attempts=Job.attempts + 1,
            error="WorkerLost",
        )
        .returning(*_COLUMNS)
    )  # fmt: skip
    return _held(tx, statement)


def _once(numbers: Any) -> Any:
    """A select of job numbers that PostgreSQL runs once, so that its limit is the limit."""
    return select(numbers.cte("chosen").c.number)  # unscoped: jobs


def _until(tx: Tx, lease: float, leases: dict[str, float]) -> Any:
    usual = tx.at + timedelta(seconds=lease)
    if not leases:
        return usual
    by_kind = {kind: tx.at + timedelta(seconds=seconds) for kind, seconds in leases.items()}
    return case(by_kind, value=Job.kind, else_=usual)


def _held(tx: Tx, statement: Any) -> list[Held]:
    rows = tx.session.execute(statement, execution_options={"synchronize_session": False})
    return sorted((Held(*row) for row in rows), key=lambda job: (job.due_at, job.number))


def own(tx: Tx, job: Held, **values: Any) -> bool:
    """Change a job if it is still held by the same owner; whether it was."""
    return _changed(
        tx,
        update(Job)
        .where(
            Job.number == job.number, Job.owner == job.owner, IS_RUNNING
        )
        .values(**values),
    )  # fmt: skip


def done(tx: Tx, owner: str, numbers: Sequence[int]) -> int:
    """End jobs well that are still held by the owner; how many were."""
    statement = update(Job).where(IS_RUNNING, Job.owner == owner, Job.number.in_(numbers))
    return _count(
        tx,
        statement.values(
            state=JobState.DONE, attempts=Job.attempts + 1, owner=None, lease_until=None,
            error=None, finished_at=tx.at,
        ),
    )  # fmt: skip


def drop(tx: Tx, job: Held) -> bool:
    """Delete a job if it is still held by the same owner; whether it was."""
    return _changed(
        tx,
        delete(Job).where(Job.number == job.number, Job.owner == job.owner, IS_RUNNING),
    )


def release(tx: Tx, owner: str, numbers: Iterable[int] | None = None) -> int:
    """Put claimed jobs back that their owner will not do; all of them, or those."""
    statement = update(Job).where(IS_RUNNING, Job.owner == owner)
    if numbers is not None:
        statement = statement.where(Job.number.in_(list(numbers)))
    return _count(tx, statement.values(state=JobState.WAITING, owner=None, lease_until=None))


def expire(tx: Tx, worker_ids: Sequence[str]) -> int:
    """End the leases of workers that are no more, and strike them off."""
    if not worker_ids:
        return 0
    theirs = or_(*(Job.owner.startswith(f"{worker_id}.") for worker_id in worker_ids))
    past = tx.at - timedelta(seconds=1)
    ended = _count(tx, update(Job).where(IS_RUNNING, theirs).values(lease_until=past))
    tx.session.execute(delete(JobWorker).where(JobWorker.worker_id.in_(worker_ids)))
    return ended


def cancel(tx: Tx, condition: Any, but: int | None) -> int:
    """Cancel live jobs; one that is running ends without effect.

    Args:
        tx: the unit of work.
        condition: on the key.
        but: number of the job that is asking; its own end is not its to cancel.
    """
    statement = update(Job).where(condition, IS_LIVE)
    if but is not None:
        statement = statement.where(Job.number != but)
    return _count(
        tx,
        statement.values(state=JobState.CANCELLED, owner=None, lease_until=None, finished_at=tx.at),
    )


def begins(prefix: str) -> Any:
    """The condition that a key begins so."""
    return (Job.key >= prefix) & (Job.key < prefix[:-1] + chr(ord(prefix[-1]) + 1))


def move(tx: Tx, key: str, due_at: datetime) -> bool:
    """Give the waiting job with a key another time."""
    return _changed(
        tx,
        update(Job).where(Job.key == key, IS_WAITING).values(due_at=due_at),
    )


def live_key(tx: Tx, key: str) -> int | None:
    """Number of the live job with a key."""
    found = select(Job.number).where(Job.key == key, IS_LIVE)  # unscoped: jobs
    return tx.session.scalar(found)


def next_due(tx: Tx, lanes: Sequence[str]) -> datetime | None:
    """When the next waiting job of the lanes is due, or the next lease of a running one ends."""
    waiting = select(func.min(Job.due_at)).where(  # unscoped: jobs
        IS_WAITING, Job.lane.in_(lanes)
    )
    running = select(func.min(Job.lease_until)).where(  # unscoped: jobs
        IS_RUNNING, Job.lane.in_(lanes)
    )
    known = [at for at in (tx.session.scalar(waiting), tx.session.scalar(running)) if at]
    return min(known, default=None)


def advance(tx: Tx, kind: str, tick: datetime) -> bool:
    """Note a tick; False when it, or a newer one, was noted already."""
    moved = update(JobSchedule).where(JobSchedule.kind == kind, JobSchedule.tick < tick)
    if _changed(tx, moved.values(tick=tick)):
        return True
    return first_tick(tx, kind, tick)


def first_tick(tx: Tx, kind: str, tick: datetime) -> bool:
    """Note the first tick of a kind; False when there was one before."""
    dialect = sqlite if tx.is_sqlite else postgresql
    new = dialect.insert(JobSchedule).values(kind=kind, tick=tick).on_conflict_do_nothing()
    return tx.session.scalar(new.returning(JobSchedule.kind)) is not None


def prune(tx: Tx, ended_before: datetime, dead_before: datetime, limit: int) -> int:
    """Delete old jobs, at most so many."""
    old = (
        select(Job.number)  # unscoped: jobs
        .where(
            or_(
                Job.state.in_(_ENDED) & (Job.finished_at < ended_before),
                (Job.state == JobState.DEAD) & (Job.finished_at < dead_before),
            )
        )
        .limit(limit)
    )
    return _count(tx, delete(Job).where(Job.number.in_(old.scalar_subquery())))


def find(tx: Tx, number: int) -> Job | None:
    """A job."""
    return tx.session.get(Job, number)


def listing(state: str | None, kind: str | None) -> Any:
    """The select behind the list of jobs."""
    statement = select(Job)  # unscoped: jobs
    if state is not None:
        statement = statement.where(Job.state == state)
    if kind is not None:
        statement = statement.where(Job.kind == kind)
    return statement


def counts(tx: Tx) -> list[tuple[str, str, int]]:
    """Kind, state and number of jobs that are waiting, running or dead."""
    statement = (
        select(Job.kind, Job.state, func.count())  # unscoped: jobs
        .where(Job.state.in_((JobState.WAITING, JobState.RUNNING, JobState.DEAD)))
        .group_by(Job.kind, Job.state)
        .order_by(Job.kind, Job.state)
    )
    return [(kind, state, count) for kind, state, count in tx.session.execute(statement)]


def oldest_due(tx: Tx) -> datetime | None:
    """Since when the job that waits longest has been due."""
    statement = select(func.min(Job.due_at)).where(  # unscoped: jobs
        IS_WAITING, Job.due_at <= tx.at
    )
    return tx.session.scalar(statement)


def enlist(tx: Tx, worker_id: str, host: str, pid: int) -> None:
    """Note a new worker."""
    tx.session.execute(
        insert(JobWorker).values(
            worker_id=worker_id, host=host, pid=pid, started_at=tx.at, seen_at=tx.at
        )
    )


def beat(tx: Tx, worker_id: str) -> bool:
    """Note that a worker lives; False when it is not listed."""
    return _changed(
        tx, update(JobWorker).where(JobWorker.worker_id == worker_id).values(seen_at=tx.at)
    )


def retire(tx: Tx, worker_ids: Sequence[str], unseen_since: datetime) -> None:
    """Strike workers off, and all that were not seen for long."""
    tx.session.execute(
        delete(JobWorker).where(
            or_(JobWorker.worker_id.in_(worker_ids), JobWorker.seen_at < unseen_since)
        )
    )


def workers(tx: Tx, host: str | None = None) -> list[JobWorker]:
    """The workers listed, of one host or of all."""
    statement = select(JobWorker)  # unscoped: jobs
    if host is not None:
        statement = statement.where(JobWorker.host == host)
    return list(tx.session.scalars(statement))


def last_beat(tx: Tx) -> datetime | None:
    """When a worker was last seen."""
    return tx.session.scalar(select(func.max(JobWorker.seen_at)))  # unscoped: jobs


def answers(tx: Tx) -> bool:
    """Whether the database answers."""
    return bool(tx.session.scalar(text("select 1")) == 1)


def _count(tx: Tx, statement: Any) -> int:
    result = tx.session.execute(statement, execution_options={"synchronize_session": False})
    return result.rowcount if isinstance(result, CursorResult) else 0


def _changed(tx: Tx, statement: Any) -> bool:
    return _count(tx, statement) > 0
