"""Ticks of time become jobs once each, and missed ones collapse to the newest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from keepwell.jobs.cron import Agenda
from keepwell.jobs.jobs import CHUNK, DEAD_KEPT, KEPT, prune
from keepwell.jobs.model import Job
from keepwell.jobs.registry import Recurring, newest_tick
from keepwell.jobs.service import enqueue
from keepwell.jobs.worker import INSIDE, claim

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def ticks(kinds):
    """What the handler of test.tick, every ten seconds, was given."""
    seen = []

    @kinds.every("test.tick", seconds=10)
    def tick(tx, payload):
        seen.append(datetime.fromisoformat(payload["tick"]))

    return seen


def test_each_tick_is_done_once(desk, ticks):
    for _ in range(6):
        desk.settle()
        desk.now.move(seconds=5)
    start = desk.now() - timedelta(seconds=30)
    assert ticks == [start, start + timedelta(seconds=10), start + timedelta(seconds=20)]
    with desk.tx() as tx:
        assert tx.session.scalar(select(func.count()).select_from(Job)) == 0


def test_missed_ticks_collapse_to_the_newest(desk, ticks):
    desk.settle()
    assert desk.later(hours=5, seconds=3) == 1
    assert ticks[1] == desk.now() - timedelta(seconds=3)


def test_two_workers_make_one_job_of_a_tick(desk, ticks):
    first, second = Agenda(desk.frame), Agenda(desk.frame)
    assert len(claim(desk.frame, "a", INSIDE, 5, first)) == 1
    assert claim(desk.frame, "b", INSIDE, 5, second) == []
    desk.now.move(seconds=10)  # the first one is still at it: no second one beside it
    assert claim(desk.frame, "b", INSIDE, 5, second) == []


def test_failed_tick_is_tried_again_and_never_dead(desk, kinds):
    fails = list(range(12))

    @kinds.every("test.tick", seconds=1)
    def tick(tx, payload):
        if fails:
            fails.pop()
            raise ValueError

    desk.settle()
    for _ in range(40):
        desk.later(seconds=300)
    assert fails == []
    with desk.tx() as tx:
        assert tx.session.scalar(select(func.count()).select_from(Job)) == 0


def test_cron_is_in_the_exchanges_zone_and_begins_after_the_first_start(desk, kinds):
    seen = []

    @kinds.every("test.night", cron="30 2 * * *", external=True)
    def night(frame, payload, lease):
        seen.append(payload["tick"])

    assert desk.settle() == 0  # 10:00 in Shanghai; last night was before the desk
    assert desk.later(hours=16, minutes=29) == 0
    assert desk.later(minutes=1) == 1
    assert seen == ["2026-03-04T18:30:00+00:00"]
    assert desk.later(hours=1) == 0
    assert desk.later(days=3) == 1


def test_tick_is_the_newest_not_after_now():
    at = datetime(2026, 3, 4, 18, 30, tzinfo=UTC)
    nightly = Recurring("x", None, "30 2 * * *")
    assert newest_tick(nightly, at, SHANGHAI) == at
    assert newest_tick(nightly, at - timedelta(seconds=1), SHANGHAI) == at - timedelta(days=1)
    often = Recurring("x", 90.0, None)
    assert newest_tick(often, at + timedelta(seconds=89), SHANGHAI) == at


def test_stacked_decorators_register_one_handler(kinds):
    @kinds.every("test.stacked", seconds=1)
    @kinds.external("test.stacked", lease=99)
    def stacked(frame, payload, lease):
        return None

    handler = kinds.handler_of("test.stacked")
    assert (handler.external, handler.lease) == (True, 99)


@pytest.mark.parametrize(
    "when", [{}, {"seconds": 1, "cron": "* * * * *"}, {"seconds": 0}, {"cron": "at noon"}]
)
def test_wrong_times_are_refused(kinds, when):
    with pytest.raises(ValueError, match="test"):
        kinds.every("test.x", **when)


def test_kind_has_one_handler(kinds):
    @kinds.transactional("test.x")
    def one(tx, payload):
        return None

    with pytest.raises(ValueError, match="already"):

        @kinds.transactional("test.x")
        def two(tx, payload):
            return None


def test_old_jobs_are_deleted_in_chunks(sqlite_desk, kinds):
    @kinds.transactional("test.note")
    def note(tx, payload):
        if payload.get("fail"):
            raise ValueError

    class Held:
        renewed = 0

        def renew(self):
            self.renewed += 1

    held = Held()
    with sqlite_desk.tx() as tx:
        for _ in range(CHUNK + 10):
            enqueue(tx, "test.note", {})
        enqueue(tx, "test.note", {"fail": 1}, max_attempts=1)
    sqlite_desk.settle()

    def left() -> int:
        prune(sqlite_desk.frame, {}, held)
        with sqlite_desk.tx() as tx:
            return tx.session.scalar(select(func.count()).select_from(Job))

    assert left() == CHUNK + 11
    sqlite_desk.now.move(seconds=KEPT.total_seconds() + 1)
    assert left() == 1
    assert held.renewed == 1
    sqlite_desk.now.move(seconds=DEAD_KEPT.total_seconds())
    assert left() == 0
