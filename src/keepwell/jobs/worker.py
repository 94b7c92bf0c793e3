"""The worker: looks for due jobs, runs them, says that it lives, and stops when told."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from keepwell.frame.context import Frame
from keepwell.frame.logs import logger
from keepwell.jobs import registry, repo, wake
from keepwell.jobs.cron import Agenda
from keepwell.jobs.policy import error_name
from keepwell.jobs.registry import LEASE
from keepwell.jobs.repo import Held
from keepwell.jobs.run import DatabaseGone, run, together

_log = logger("keepwell.worker")

INSIDE: Final = ("inside",)
OUTSIDE: Final = ("outside",)
POLL: Final = 0.5
"""Seconds between two looks when there is nothing to do."""
BATCH: Final = 50
"""Jobs claimed at once in the inside lane."""
GROUP: Final = 10
"""Jobs of a backlog that share a transaction."""
BEAT: Final = 3.0
"""Seconds between two signs of life."""
FRESH: Final = timedelta(seconds=15)
"""A worker not seen for so long is not alive."""
FORGET: Final = timedelta(hours=1)
"""A worker not seen for so long is struck off the list."""
LONGEST_WAIT: Final = 2.0
"""Longest pause in seconds before the database is tried again."""


def claim(
    frame: Frame, owner: str, lanes: tuple[str, ...], limit: int, agenda: Agenda | None = None
) -> list[Held]:
    """Take due jobs, having made jobs of the ticks that are due.

    Args:
        frame: the desk.
        owner: who takes them.
        lanes: from which lanes.
        limit: at most so many, besides one whose worker was lost.
        agenda: ticks to see to as well.
    """
    due = [] if agenda is None else agenda.due(frame.now())
    with frame.write() as tx:
        if agenda is not None:
            agenda.enqueue(tx, due)
        leases = registry.long_leases()
        jobs = repo.claim_lost(tx, owner, lanes, LEASE, leases)
        jobs += repo.claim(tx, owner, lanes, limit, LEASE, leases)
    if agenda is not None:
        agenda.saw(due)
    return jobs


def run_due(frame: Frame, rounds: int = 50) -> int:
    """Run all that is due now, in order of time, until nothing is; for tests and scripts.

    Args:
        frame: the desk; its source of time says what now is.
        rounds: claims at most, so that jobs which make jobs come to an end.

    Returns:
        How many ran, well or not.
    """
    owner = f"now_{secrets.token_hex(8)}"
    agenda = Agenda(frame)
    ran = 0
    for _ in range(rounds):
        jobs = claim(frame, owner, INSIDE + OUTSIDE, BATCH, agenda)
        for job in jobs:
            run(frame, job)
        ran += len(jobs)
        if not jobs:
            break
    return ran


class Worker:
    """Runs jobs in threads until it is stopped.

    Args:
        frame: the desk.
        threads: threads for work inside the database.
        outside: threads for work that waits on other systems.
    """

    def __init__(self, frame: Frame, threads: int = 1, outside: int = 2) -> None:
        self.frame = frame
        self.worker_id = f"worker_{secrets.token_hex(8)}"
        self._stopping = threading.Event()
        self._lanes = [
            Lane(self, number, INSIDE, BATCH, agenda=number == 0) for number in range(threads)
        ]
        self._lanes += [Lane(self, threads + n, OUTSIDE, 1, agenda=False) for n in range(outside)]
        self._listed = False
        self._silent = False

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Finish the jobs at hand, put claimed ones back, and end; safe in a signal handler."""
        self._stopping.set()
        for lane in self._lanes:
            lane.bell.set()

    def run(self) -> None:
        """Run until stopped. A database that is down is waited for."""
        threads = [
            threading.Thread(target=lane.loop, name=f"keepwell-jobs-{lane.number}", daemon=True)
            for lane in self._lanes
        ]
        self.sign_of_life()
        for thread in threads:
            thread.start()
        _log.info("worker.started", worker_id=self.worker_id)
        while not self._stopping.wait(BEAT):
            self.sign_of_life()
        for thread in threads:
            thread.join()
        with suppress(Exception), self.frame.write() as tx:
            repo.retire(tx, [self.worker_id], tx.at - FORGET)
        _log.info("worker.stopped", worker_id=self.worker_id)

    def sign_of_life(self) -> None:
        """Say that it lives; the first time, take over from dead workers of this machine."""
        try:
            with self.frame.write() as tx:
                if not repo.beat(tx, self.worker_id):
                    host = socket.gethostname()
                    if not self._listed:
                        repo.expire(
                            tx, [w.worker_id for w in repo.workers(tx, host) if _dead(w.pid)]
                        )
                    repo.retire(tx, [], tx.at - FORGET)
                    repo.enlist(tx, self.worker_id, host, os.getpid())
            self._listed, self._silent = True, False
        except Exception as error:  # noqa: BLE001 - a worker outlives its database
            if not self._silent:
                _log.warning("worker.silent", worker_id=self.worker_id, error=error_name(error))
            self._silent = True


class Lane:
    """One thread of a worker: claims jobs of its lanes and runs them one by one.

    Args:
        worker: whose thread.
        number: its number.
        lanes: which jobs.
        batch: claimed at once.
        agenda: whether it sees to recurring work.
    """

    def __init__(
        self, worker: Worker, number: int, lanes: tuple[str, ...], batch: int, *, agenda: bool
    ) -> None:
        self.worker = worker
        self.frame = worker.frame
        self.number = number
        self.owner = f"{worker.worker_id}.{number:02}"
        self.lanes = lanes
        self.batch = batch
        self.bell = wake.bell(str(worker.frame.database.url))
        self._agenda = Agenda(worker.frame) if agenda else None
        self._doubtful = False
        self._wait = POLL

    def loop(self) -> None:
        """Look, run, sleep, until the worker stops."""
        failures = 0
        while not self.worker.stopping:
            self.bell.clear()
            try:
                ran = self.round()
                failures = 0
            except Exception as error:  # noqa: BLE001 - a worker outlives its database
                self._doubtful = True
                if failures == 0:
                    cause = error.__cause__ if isinstance(error, DatabaseGone) else error
                    _log.warning("worker.waits", error=error_name(cause or error))
                failures = min(failures + 1, 10)
                self.bell.wait(min(0.05 * 2**failures, LONGEST_WAIT))
                continue
            if not ran:
                self.bell.wait(self._wait)

    def round(self) -> int:
        """Claim and run one batch; how many ran."""
        if self._doubtful:
            # The database went away: what was claimed and not ended is nobody's work now.
            with self.frame.write() as tx:
                repo.release(tx, self.owner)
            self._doubtful = False
        if not self._anything():
            return 0
        jobs = claim(self.frame, self.owner, self.lanes, self.batch, self._agenda)
        until = time.monotonic() + LEASE / 2
        position = 0
        while position < len(jobs):
            if position and (self.worker.stopping or time.monotonic() > until):
                with self.frame.write() as tx:
                    repo.release(tx, self.owner, [rest.number for rest in jobs[position:]])
                break
            position += self._next(jobs[position : position + GROUP])
        return position

    def _next(self, jobs: list[Held]) -> int:
        """Run the first of the jobs, or several at once where there are many; how many ran."""
        if len(jobs) < GROUP:
            jobs = jobs[:1]
        elif done := together(self.frame, jobs):
            return done
        for job in jobs:
            run(self.frame, job)
        return len(jobs)

    def _anything(self) -> bool:
        """Whether something is due, found out without taking the writer's lock."""
        with self.frame.read() as tx:
            due_at = repo.next_due(tx, self.lanes)
            now = tx.at
        self._wait = POLL
        if due_at is not None:
            self._wait = min(POLL, max(0.001, (due_at - now).total_seconds()))
        if due_at is not None and due_at <= now:
            return True
        return self._agenda is not None and bool(self._agenda.due(now))


def _dead(pid: int) -> bool:
    """Whether a process of this machine is no more; a wrong guess costs a repeat, no effect."""
    if pid == os.getpid():
        return True  # a container's process has its number again after a restart
    if Path("/proc/self").exists():
        return not Path(f"/proc/{pid}").exists()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
