"""What the killed worker runs, and the work it is killed in: one scenario per kind of handler.

A room adds its real handlers as a further `Scenario` in `SCENARIOS`: `give` makes work in one
transaction, `check` says that each effect happened exactly once.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from keepwell import rooms
from keepwell.frame.context import Frame
from keepwell.frame.settings import Settings
from keepwell.jobs import registry
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.service import enqueue
from keepwell.jobs.worker import Worker
from keepwell.trust.access.model import Region

from .forks import hurry

ATTEMPTS = 1000

rooms.load_all()  # once in the fork server, not in each child


def count(tx, name: str) -> None:
    """One more under a name; a row that is there twice would be an error, this is a number."""
    row = tx.session.get(Region, name)
    if row is None:
        tx.session.add(Region(region_id=name, name="1"))
    else:
        row.name = str(int(row.name) + 1)
    tx.session.flush()
    dawdle()


def dawdle() -> None:
    """Make the moments between two steps long enough to be hit."""
    time.sleep(random.random() * 0.006)


def counted(frame: Frame, prefix: str) -> dict[str, int]:
    with frame.read() as tx:
        rows = tx.session.execute(
            select(Region.region_id, Region.name).where(Region.region_id.startswith(prefix))
        )
        return {name: int(value) for name, value in rows}


class Scenario:
    """Work for a worker that is killed."""

    def register(self, root: Path) -> None:
        """Register handlers of its own, in the parent and in each child."""

    def give(self, frame: Frame, turn: int) -> None:
        """Make work, before each start of the worker."""

    def check(self, frame: Frame, root: Path) -> None:
        """See what came of it, after all is done."""


class Effects(Scenario):
    """Transactional work, each a chain of three jobs under one key."""

    given = 0

    def register(self, root: Path) -> None:
        @registry.transactional("crash.effect")
        def effect(tx, payload) -> None:
            count(tx, f"effect:{payload['n']}:{payload['step']}")
            if payload["step"] < 3:
                following = {**payload, "step": payload["step"] + 1}
                key = f"effect:{payload['n']}"
                assert enqueue(tx, "crash.effect", following, key=key, max_attempts=ATTEMPTS)

    def give(self, frame: Frame, turn: int) -> None:
        with frame.write() as tx:
            for _ in range(8):
                self.given += 1
                payload = {"n": self.given, "step": 1}
                key = f"effect:{self.given}"
                enqueue(tx, "crash.effect", payload, key=key, max_attempts=ATTEMPTS)

    def check(self, frame: Frame, root: Path) -> None:
        expected = {f"effect:{n + 1}:{step}": 1 for n in range(self.given) for step in (1, 2, 3)}
        assert counted(frame, "effect:") == expected


class Sends(Scenario):
    """External work: a line in a file outside, then an effect in the database."""

    given = 0

    def register(self, root: Path) -> None:
        @registry.external("crash.send", lease=30)
        def send(frame, payload, lease):
            dawdle()
            with (root / "sent").open("a") as file:
                file.write(f"{payload['n']}\n")
                file.flush()
                os.fsync(file.fileno())
            dawdle()
            lease.renew()
            return lambda tx: count(tx, f"send:{payload['n']}")

    def give(self, frame: Frame, turn: int) -> None:
        with frame.write() as tx:
            for _ in range(4):
                self.given += 1
                enqueue(tx, "crash.send", {"n": self.given}, max_attempts=ATTEMPTS)

    def check(self, frame: Frame, root: Path) -> None:
        sent = Counter(int(line) for line in (root / "sent").read_text().splitlines())
        assert set(sent) == set(range(1, self.given + 1))
        assert counted(frame, "send:") == {f"send:{n}": 1 for n in sent}


class Ticks(Scenario):
    """Recurring work: no tick twice."""

    def register(self, root: Path) -> None:
        @registry.every("crash.tick", seconds=0.25)
        def tick(tx, payload) -> None:
            count(tx, f"tick:{payload['tick']}")

    def check(self, frame: Frame, root: Path) -> None:
        ticks = counted(frame, "tick:")
        assert ticks
        assert set(ticks.values()) == {1}
        assert all(datetime.fromisoformat(name[5:]).timestamp() % 0.25 == 0 for name in ticks)


SCENARIOS: dict[str, type[Scenario]] = {"effects": Effects, "sends": Sends, "ticks": Ticks}


def work(root: Path, url: str, names: list[str]) -> None:
    """The child: a worker on the scenarios' handlers, until it is killed."""
    os.setsid()
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    for name in names:
        SCENARIOS[name]().register(root)
    frame = hurry(Frame.open(root, Settings(database_url=url)))
    (root / "up").touch()
    Worker(frame, outside=1).run()


def unfinished(frame: Frame, lanes: tuple[str, ...] = ("crash.effect", "crash.send")) -> int:
    """How many of the scenarios' jobs are not done."""
    with frame.read() as tx:
        states = tx.session.scalars(select(Job.state).where(Job.kind.in_(lanes)))
        return sum(state != JobState.DONE for state in states)


def patience(kills: int) -> timedelta:
    """How long the last worker may take for what the killed ones left."""
    return timedelta(seconds=30 + kills)
