"""kill -9 of the worker within every kind of job of the desk: all effects once, nothing lost."""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from keepwell import rooms
from keepwell.jobs import registry
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.service import replay
from keepwell.jobs.worker import Worker
from tests.desk import SECRET, START, Desk, write_workspace
from tests.intervene.webhook.receiver import receiving

from .desk_child import Later, settings_of, work
from .desk_truth import Truth, verify
from .desk_work import GIVE, World
from .forks import CONTEXT, hurry

KILLS = int(os.environ.get("KEEPWELL_KILLS", "20"))
PATIENCE = 12.0
"""Seconds in which a worker comes to the job in which it dies; else it is killed anyway."""
DEEP = 24
"""Steps of a job, at most, before the worker dies."""


def real_kinds() -> set[str]:
    """Kinds of the product; other tests register their own."""
    rooms.load_all()
    return {
        kind for kind, handler in registry._HANDLERS.items()
        if handler.function.__module__.startswith("keepwell.")
    }  # fmt: skip


def test_every_kind_of_job_has_its_scenario():
    assert real_kinds() == GIVE.keys()


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path):
    """A filled desk on each database, its time set to a Wednesday morning."""
    root = write_workspace(tmp_path / "ws")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")()
    else:
        file = root / ".keepwell" / "desk.sqlite"
        file.parent.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        url = f"sqlite:///{file}"
    (root / ".keepwell").mkdir(exist_ok=True)
    (root / ".keepwell" / "desk.secret").write_bytes(SECRET)
    now = Later(START - datetime.now(UTC))
    from keepwell.frame.context import Frame
    from keepwell.observe.workspace import Workspace

    frame = hurry(Frame.open(Workspace.open(root), settings_of(url), now))
    desk = Desk(frame, now)
    made = World(desk, now, random.Random(request.param))
    made.root, made.url = root, url
    yield made
    frame.close()


def deaths(world: World) -> list[str]:
    file = world.root / "deaths"
    return file.read_text().split() if file.exists() else []


def killed(world: World, kind: str, steps: int, seconds: float | None) -> bool:
    """Let a worker run until it dies; whether that was within a job of the kind."""
    before = deaths(world).count(kind)
    process = CONTEXT.Process(
        target=work, args=(world.root, world.url, world.now.by, kind, steps, seconds)
    )
    process.start()
    process.join(PATIENCE)
    assert process.exitcode in (None, -9), f"{kind}: the worker ended by itself"
    process.kill()
    process.join(30)
    return deaths(world).count(kind) > before


def calm(world: World) -> None:
    """Let all that was begun come to its end: three days in steps."""
    Worker(world.desk.frame).sign_of_life()
    for minutes in (1, 30, 300, 1440, 2880, 2, 2):
        world.now.move(minutes=minutes)
        world.desk.settle(rounds=500)
    for kind in sorted(k for k in GIVE if any(item.kind == k for item in registry.recurring())):
        world.recurring(kind)
    world.desk.settle(rounds=500)
    # On a slow machine one job may lose all the workers it may have: then an operator is asked.
    with world.desk.tx() as tx:
        lost = Job.state == JobState.DEAD, Job.error == "WorkerLost"
        for number in tx.session.scalars(select(Job.number).where(*lost)).all():
            replay(tx, f"job_{number}")
    world.desk.settle(rounds=500)


def test_workers_killed_within_every_kind_of_job(world, tmp_path):
    kinds = sorted(GIVE)
    if "postgresql" in world.url and len(kinds) >= KILLS:
        kinds = kinds[::2]  # what differs there, how a job is taken, is the same for all kinds
    with receiving() as receiver:
        world.fill(receiver.url)
        for kind in sorted(GIVE.keys() - set(kinds)):
            world.give(kind)
        deep = dict.fromkeys(kinds, DEEP)
        for turn in range(max(KILLS, len(kinds))):
            if turn % len(kinds) == 0:
                world.chance.shuffle(kinds)
            kind = kinds[turn % len(kinds)]
            world.turn = turn
            world.give(kind)
            outside = registry._HANDLERS[kind].external
            clocked = outside and world.chance.random() < 0.5
            seconds = world.chance.random() * 0.1 if clocked else None
            if not killed(world, kind, world.chance.randrange(deep[kind]), seconds):
                deep[kind] = max(1, deep[kind] // 3)  # its jobs are shorter
        for steps in (world.chance.randrange(1, 6), 0, 0, 0, 0):  # a busy machine may need more
            for kind in sorted(set(kinds) - set(deaths(world))):
                world.give(kind)
                killed(world, kind, steps, None)
        calm(world)
        with world.desk.frame.read() as tx:
            truth = Truth(world, tx, receiver.got)
            truth.nothing_left()
            truth.alerts()
            truth.figures()
            truth.cases()
            truth.clocks()
            truth.exits()
            truth.events()
            truth.webhooks()
            truth.pruned()
            truth.evidence(tmp_path)
        verify(world, tmp_path)
        assert set(deaths(world)) - {"-"} == set(kinds), "a kind in which no worker died"
