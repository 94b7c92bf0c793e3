"""kill -9 of the worker within every kind of job of the desk: all effects once, nothing lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from datetime import UTC, datetime

import pytest

from keepwell import rooms
from keepwell.jobs import registry
from keepwell.jobs.worker import Worker
from tests.desk import START, Desk, write_workspace
from tests.intervene.webhook.receiver import receiving

from .desk_child import Later, settings_of, work
from .desk_truth import Truth, verify
from .desk_work import EXEMPT, GIVE, World

KILLS = int(os.environ.get("KEEPWELL_KILLS", "20"))
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["keepwell.web.app", "tests.crash.desk_child"])
PATIENCE = 3.0
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
    assert real_kinds() == GIVE.keys() | EXEMPT.keys()
    assert not GIVE.keys() & EXEMPT.keys()
    assert all(EXEMPT.values())


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
    now = Later(START - datetime.now(UTC))
    from keepwell.frame.context import Frame
    from keepwell.observe.workspace import Workspace

    frame = Frame.open(Workspace.open(root), settings_of(url), now)
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
    """Let all that was begun come to its end: two days in steps, the last seconds quietly."""
    Worker(world.desk.frame).sign_of_life()
    for minutes in [1] * 3 + [10] * 4 + [60] * 12 + [720] * 2 + [2] * 4:
        world.now.move(minutes=minutes)
        world.desk.settle(rounds=500)
    for kind in ("evidence.sequence", "event.drain", "book.sweep"):
        world.recurring(kind)
    world.desk.settle(rounds=500)


def test_workers_killed_within_every_kind_of_job(world, tmp_path):
    kinds = sorted(GIVE)
    with receiving() as receiver:
        world.fill(receiver.url)
        missed = []
        for turn in range(max(KILLS, len(kinds))):
            if turn % len(kinds) == 0:
                world.chance.shuffle(kinds)
            kind = kinds[turn % len(kinds)]
            world.turn = turn
            GIVE[kind](world)
            outside = registry._HANDLERS[kind].external
            seconds = world.chance.random() * 0.1 if outside and world.chance.random() < 0.5 else None
            begun = time.monotonic()
            if not killed(world, kind, int(world.chance.random() ** 2 * DEEP), seconds):
                missed.append(kind)
            if os.environ.get("KEEPWELL_LOUD"):
                print(kind, round(time.monotonic() - begun, 2), kind in missed, flush=True)
        for kind in missed:  # the job was shorter than the steps; so at its very first
            GIVE[kind](world)
            killed(world, kind, 0, None)
        begun = time.monotonic()
        calm(world)
        print("calm", time.monotonic() - begun, len(missed))
        with world.desk.frame.read() as tx:
            truth = Truth(world, tx, receiver.got)
            truth.nothing_left()
            truth.alerts()
            truth.cases()
            truth.clocks()
            truth.events()
            truth.webhooks()
            truth.pruned()
            truth.evidence(tmp_path)
        verify(world, tmp_path)
        assert set(deaths(world)) - {"-"} == set(kinds), "a kind in which no worker died"
