"""How runs end: once, again, dead, or as if they had never been."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from keepwell.core.errors import UsageError
from keepwell.jobs import repo
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.registry import LEASE, LeaseLost, Retry
from keepwell.jobs.run import Outcome, run, together
from keepwell.jobs.service import cancel, enqueue
from keepwell.jobs.worker import INSIDE, OUTSIDE, claim
from keepwell.trust.access.model import Region

BOTH = INSIDE + OUTSIDE


def regions(desk) -> set[str]:
    with desk.tx() as tx:
        return set(tx.session.scalars(select(Region.region_id)))


def job(desk, key="k") -> Job:
    with desk.tx() as tx:
        return tx.session.scalars(select(Job).where(Job.key == key)).one()


def add(desk, kind, payload=None, **more) -> None:
    with desk.tx() as tx:
        enqueue(tx, kind, payload or {}, key=more.pop("key", "k"), **more)


@pytest.fixture
def effect(kinds):
    """A kind whose effect is a row; payload 'fail' raises after the effect."""

    @kinds.transactional("test.effect")
    def work(tx, payload):
        tx.session.add(Region(region_id=payload["id"], name="x"))
        tx.session.flush()
        if payload.get("fail"):
            raise UsageError("serve.address-open", host="Wang Wei 13800000000")

    return kinds


def test_failure_undoes_the_effect_and_waits_longer_each_time(desk, effect):
    add(desk, "test.effect", {"id": "r", "fail": True}, max_attempts=3)
    waits = []
    for attempt in (1, 2):
        desk.settle()
        failed = job(desk)
        assert (failed.state, failed.attempts) == (JobState.WAITING, attempt)
        assert failed.error == "UsageError: serve.address-open"
        waits.append((failed.due_at - desk.now()).total_seconds())
        desk.now.set(failed.due_at)
    assert 2 <= waits[0] <= 4 <= waits[1] <= 8
    desk.settle()
    assert (job(desk).state, job(desk).attempts) == (JobState.DEAD, 3)
    assert regions(desk) == set()


def test_retry_says_when(desk, kinds):
    @kinds.external("test.busy")
    def busy(frame, payload, lease):
        raise Retry(timedelta(hours=3), "busy")

    add(desk, "test.busy")
    desk.settle()
    assert job(desk).due_at == desk.now() + timedelta(hours=3)
    assert job(desk).error == "Retry: busy"


def test_cancelled_while_running_leaves_no_effect(desk, effect):
    add(desk, "test.effect", {"id": "r"})
    (held,) = claim(desk.frame, "a", BOTH, 5)
    with desk.tx() as tx:
        assert cancel(tx, "k")
    assert run(desk.frame, held) == Outcome.LOST
    assert regions(desk) == set()
    assert job(desk).state == JobState.CANCELLED


def test_job_of_a_silent_worker_goes_to_another_and_the_first_one_cannot_end_it(desk, effect):
    add(desk, "test.effect", {"id": "r"})
    (first,) = claim(desk.frame, "a", BOTH, 5)
    assert claim(desk.frame, "b", BOTH, 5) == []
    desk.now.move(seconds=LEASE + 1)
    (second,) = claim(desk.frame, "b", BOTH, 5)
    assert second.number == first.number
    assert second.attempts == 1
    assert run(desk.frame, first) == Outcome.LOST
    assert regions(desk) == set()
    assert run(desk.frame, second) == Outcome.DONE
    assert regions(desk) == {"r"}
    assert job(desk).attempts == 2


def test_job_that_kills_its_workers_is_dead_in_the_end_and_takes_no_other_with_it(desk, effect):
    add(desk, "test.effect", {"id": "bad"}, max_attempts=3, key="bad")
    add(desk, "test.effect", {"id": "good"}, max_attempts=3, key="good")
    for attempt in range(4):
        held = claim(desk.frame, f"w{attempt}", BOTH, 5)
        assert held
        assert attempt == 0 or len(held) == 1
        for each in held:
            if each.payload["id"] == "good":
                run(desk.frame, each)
            elif attempt == 3:
                assert run(desk.frame, each) == Outcome.DEAD
        desk.now.move(seconds=LEASE + 1)
    desk.settle()
    assert job(desk, "good").state == JobState.DONE
    assert (job(desk, "bad").state, job(desk, "bad").error) == (JobState.DEAD, "WorkerLost")
    assert regions(desk) == {"good"}


def test_external_effect_and_its_end_are_one(desk, kinds):
    sent = []

    @kinds.external("test.send", lease=5)
    def send(frame, payload, lease):
        sent.append(lease.attempt)
        lease.renew()
        if lease.attempt == 1:
            raise OSError("no route to Wang Wei")
        return lambda tx: tx.session.add(Region(region_id="sent", name="x"))

    add(desk, "test.send")
    desk.settle()
    assert regions(desk) == set()
    assert job(desk).error == "OSError"
    desk.later(minutes=1)
    assert sent == [1, 2]
    assert regions(desk) == {"sent"}


def test_lost_lease_drops_what_the_external_handler_returned(desk, kinds):
    @kinds.external("test.send", lease=5)
    def send(frame, payload, lease):
        with desk.tx() as tx:
            cancel(tx, "k")
        if payload.get("renew"):
            with pytest.raises(LeaseLost):
                lease.renew()
        return lambda tx: tx.session.add(Region(region_id="sent", name="x"))

    for payload in ({}, {"renew": 1}):
        add(desk, "test.send", payload)
        (held,) = claim(desk.frame, "a", BOTH, 5)
        assert run(desk.frame, held) == Outcome.LOST
        with desk.tx() as tx:
            tx.session.execute(update(Job).values(key=None))
    assert regions(desk) == set()


def test_lease_of_a_kind_holds_for_that_kind(desk, kinds):
    @kinds.external("test.long", lease=3600)
    def long(frame, payload, lease):
        return None

    @kinds.external("test.short")
    def short(frame, payload, lease):
        return None

    add(desk, "test.long", key="long")
    add(desk, "test.short", key="short")
    assert len(claim(desk.frame, "a", BOTH, 5)) == 2
    desk.now.move(seconds=LEASE + 1)
    assert [held.key for held in claim(desk.frame, "b", BOTH, 5)] == ["short"]


def test_kind_of_another_version_waits_for_it(desk, kinds):
    add(desk, "test.future")
    assert desk.settle() == 1
    waiting = job(desk)
    assert (waiting.state, waiting.attempts, waiting.error) == ("waiting", 0, "KindUnknown")
    assert waiting.due_at > desk.now()


def test_backlog_shares_transactions_and_one_failure_is_its_own(desk, effect):
    for n in range(6):
        add(desk, "test.effect", {"id": f"r{n}", "fail": n == 3}, key=f"k{n}")
    held = claim(desk.frame, "a", BOTH, 10)
    assert together(desk.frame, held) == 0
    assert regions(desk) == set()
    assert together(desk.frame, held[:3]) == 3
    assert regions(desk) == {"r0", "r1", "r2"}
    assert [run(desk.frame, each) for each in held] == [
        Outcome.LOST, Outcome.LOST, Outcome.LOST, Outcome.RETRIED, Outcome.DONE, Outcome.DONE,
    ]  # fmt: skip
    assert regions(desk) == {"r0", "r1", "r2", "r4", "r5"}


def test_backlog_with_one_job_lost_has_no_effect_at_all(desk, effect):
    for n in range(3):
        add(desk, "test.effect", {"id": f"r{n}"}, key=f"k{n}")
    held = claim(desk.frame, "a", BOTH, 10)
    with desk.tx() as tx:
        cancel(tx, "k1")
    assert together(desk.frame, held) == 0
    assert regions(desk) == set()


def test_released_jobs_count_no_attempt(desk, effect):
    add(desk, "test.effect", {"id": "r"})
    claim(desk.frame, "a", BOTH, 5)
    with desk.tx() as tx:
        assert repo.release(tx, "b") == 0
        assert repo.release(tx, "a") == 1
    (held,) = claim(desk.frame, "b", BOTH, 5)
    assert held.attempts == 0


def test_lanes_do_not_take_each_others_jobs(desk, effect):
    @effect.external("test.send")
    def send(frame, payload, lease):
        return None

    add(desk, "test.effect", {"id": "r"}, key="in")
    add(desk, "test.send", key="out")
    assert [held.key for held in claim(desk.frame, "a", OUTSIDE, 5)] == ["out"]
    assert [held.key for held in claim(desk.frame, "a", INSIDE, 5)] == ["in"]
