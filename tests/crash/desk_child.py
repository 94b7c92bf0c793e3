"""A worker on the real handlers that dies by SIGKILL in the middle of a chosen kind of job."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session

from keepwell import rooms
from keepwell.frame.context import Frame
from keepwell.frame.settings import Settings, WebhookSettings
from keepwell.jobs import registry, worker

from .forks import hurry

AFTER = 0.1
"""Seconds in which another job of the kind may follow the one that ended alive."""

rooms.load_all()  # once in the fork server, not in each child


class Later:
    """The real time moved by so much, and on by more when told; never back."""

    def __init__(self, by: timedelta) -> None:
        self.by = by

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by

    def move(self, **by: float) -> None:
        self.by += timedelta(**by)


def settings_of(url: str) -> Settings:
    """The settings of parent and children."""
    hook = WebhookSettings(allow_private=True, timeout_seconds=5, attempts=50, disable_after=1000)
    return Settings(database_url=url, webhook=hook, session={"secure": False}, log_level="error")


def small_steps() -> None:
    """Let a small desk need several jobs where a large one does."""
    from keepwell.intervene.alert import release, tiers
    from keepwell.intervene.case import jobs as case
    from keepwell.trust.evidence import jobs as evidence

    release.CHUNK, release.ALERTS, tiers.CHUNK, case._CHUNK = 2, 2, 7, 3
    release.LEAST = tiers.LEAST = 1
    if evidence.BATCH != 20:
        whole = evidence.sequence
        evidence.BATCH, evidence.sequence = 20, lambda tx: whole(tx, 20)


class Trap:
    """Ends the process at some step of a job of one kind.

    Steps are statements sent to the database, commits before and after they happen, and files
    written, renamed and removed. They are counted in the thread that does the job, from the call
    of its handler on. If the job ends before, the process dies a little later, and that does not
    count.

    Args:
        kind: of the job.
        steps: that are still allowed; or
        seconds: after the handler's start, whatever it does then.
        note: a file that is told.
    """

    def __init__(self, kind: str, steps: int, seconds: float | None, note: Path) -> None:
        self.kind, self.left, self.seconds = kind, steps, seconds
        self.note = note
        self._here = threading.local()
        self._once = threading.Lock()
        self._within = False

    def lay(self, frame: Frame) -> None:
        for kind, handler in list(registry._HANDLERS.items()):
            registry._HANDLERS[kind] = replace(handler, function=self._wrapped(handler))
        for name in ("run", "together"):
            setattr(worker, name, self._ending(getattr(worker, name)))
        engine = frame.database.engine
        event.listen(engine, "before_cursor_execute", self._step)
        event.listen(engine, "commit", self._step)
        event.listen(Session, "after_commit", self._step)
        for name in ("fsync", "write", "replace", "rename", "unlink"):
            setattr(os, name, self._stepping(getattr(os, name)))

    def _wrapped(self, handler: registry.Handler):
        def call(*args):
            if handler.kind == self.kind:
                self._here.armed = True
                self._within = True
                if self.seconds is not None:
                    wait = threading.Thread(target=self._wait, args=(self.seconds,), daemon=True)
                    wait.start()
            return handler.function(*args)

        return call

    def _ending(self, function):
        def call(*args):
            try:
                return function(*args)
            finally:
                if self._within and getattr(self._here, "armed", False):
                    self._within = False
                    threading.Thread(target=self._wait, args=(AFTER,), daemon=True).start()

        return call

    def _stepping(self, function):
        def call(*args, **more):
            self._step()
            return function(*args, **more)

        return call

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)
        self._die()

    def _step(self, *_: object) -> None:
        if not getattr(self._here, "armed", False) or self.seconds is not None:
            return
        self.left -= 1
        if self.left < 0:
            self._die()

    def _die(self) -> None:
        with self._once:
            self._here.armed = False
            with self.note.open("a") as file:
                file.write(f"{self.kind if self._within else '-'}\n")
                file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)


def work(root: Path, url: str, by: timedelta, kind: str, steps: int, seconds: float | None) -> None:
    """The child: a worker on all handlers, until it dies."""
    os.setsid()
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    random.seed()
    small_steps()
    frame = hurry(Frame.open(root, settings_of(url), Later(by)))
    Trap(kind, steps, seconds, root / "deaths").lay(frame)
    worker.Worker(frame, outside=2).run()
