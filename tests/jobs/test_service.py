"""Making, cancelling and moving jobs in the caller's transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from keepwell.frame.problem import Conflict, NotFound
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.registry import GiveUp
from keepwell.jobs.service import cancel, cancel_prefix, enqueue, replay, reschedule


def jobs(desk) -> dict[str | None, Job]:
    with desk.tx() as tx:
        return {job.key: job for job in tx.session.scalars(select(Job))}


@pytest.fixture
def seen(kinds):
    """What the handler of test.note was given, in order."""
    given = []

    @kinds.transactional("test.note")
    def note(tx, payload):
        given.append(payload.get("n"))

    return given


def test_job_runs_when_due_and_only_once(desk, seen):
    with desk.tx() as tx:
        assert enqueue(tx, "test.note", {"n": 2}, due_at=tx.at + timedelta(minutes=5))
        assert enqueue(tx, "test.note", {"n": 1})
    assert desk.settle() == 1
    assert seen == [1]
    assert desk.later(minutes=4) == 0
    assert desk.later(minutes=1) == 1
    assert desk.later(days=1) == 0
    assert seen == [1, 2]


def test_jobs_due_together_run_in_the_order_of_their_making(desk, seen):
    with desk.tx() as tx:
        for n in range(120):
            enqueue(tx, "test.note", {"n": n})
    assert desk.settle() == 120
    assert seen == list(range(120))


def test_nothing_is_enqueued_by_a_transaction_that_fails(desk, seen):
    def fail():
        with desk.tx() as tx:
            enqueue(tx, "test.note", {"n": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert desk.settle() == 0


def test_key_is_taken_by_a_live_job_and_free_after_it(desk, seen):
    with desk.tx() as tx:
        assert enqueue(tx, "test.note", {"n": 1}, key="k")
        assert enqueue(tx, "test.note", {"n": 2}, key="k") is None
    desk.settle()
    with desk.tx() as tx:
        assert enqueue(tx, "test.note", {"n": 3}, key="k")
    desk.settle()
    assert seen == [1, 3]


def test_payload_must_be_json(desk, seen):
    with pytest.raises(ValueError, match="JSON"), desk.tx() as tx:
        enqueue(tx, "test.note", {"n": float("nan")})
    with pytest.raises(TypeError), desk.tx() as tx:
        enqueue(tx, "test.note", {"n": {1}})


def test_cancelled_job_does_not_run_and_frees_its_key(desk, seen):
    with desk.tx() as tx:
        enqueue(tx, "test.note", {"n": 1}, key="k")
    with desk.tx() as tx:
        assert cancel(tx, "k")
        assert not cancel(tx, "k")
        assert enqueue(tx, "test.note", {"n": 2}, key="k")
    desk.settle()
    assert seen == [2]


def test_cancel_prefix_means_exactly_the_prefix(desk, seen):
    keys = ["clock:1:a", "clock:1:b", "clock:10:a", "clock:1", "CLOCK:1:a", "clock_1:a", "clock%1:"]
    with desk.tx() as tx:
        for n, key in enumerate(keys):
            enqueue(tx, "test.note", {"n": n}, key=key)
        assert cancel_prefix(tx, "clock:1:") == 2
        assert cancel_prefix(tx, "clock_") == 1
        with pytest.raises(ValueError, match="everything"):
            cancel_prefix(tx, "")
    desk.settle()
    assert seen == [2, 3, 4, 6]


def test_reschedule_moves_a_waiting_job(desk, seen):
    with desk.tx() as tx:
        enqueue(tx, "test.note", {"n": 1}, key="k")
        assert reschedule(tx, "k", tx.at + timedelta(hours=1))
        assert not reschedule(tx, "other", tx.at)
    assert desk.settle() == 0
    assert desk.later(hours=1) == 1


def test_handler_may_follow_itself_under_its_own_key(desk, kinds):
    count = []

    @kinds.transactional("test.again")
    def again(tx, payload):
        count.append(payload["n"])
        if payload["n"] < 3:
            due = tx.at + timedelta(minutes=1)
            assert enqueue(tx, "test.again", {"n": payload["n"] + 1}, key="again", due_at=due)

    with desk.tx() as tx:
        enqueue(tx, "test.again", {"n": 1}, key="again")
    for _ in range(5):
        desk.later(minutes=1)
    assert count == [1, 2, 3]
    with desk.tx() as tx:
        states = list(tx.session.scalars(select(Job.state)))
    assert states == [JobState.DONE] * 3


def test_handler_may_reschedule_and_may_not_cancel_its_own_job(desk, kinds):
    count = []

    @kinds.transactional("test.later")
    def later(tx, payload):
        count.append(cancel_prefix(tx, "later"))
        if len(count) < 3:
            assert reschedule(tx, "later", tx.at + timedelta(minutes=1))

    with desk.tx() as tx:
        enqueue(tx, "test.later", {}, key="later")
    for _ in range(5):
        desk.later(minutes=1)
    assert count == [0, 0, 0]
    assert jobs(desk)["later"].state == JobState.DONE


def test_replay_gives_a_dead_job_its_attempts_again(desk, kinds):
    fails = [True]

    @kinds.transactional("test.fails")
    def fail(tx, payload):
        if fails:
            raise GiveUp("not-today")

    with desk.tx() as tx:
        job_id = enqueue(tx, "test.fails", {}, key="k")
    desk.settle()
    assert jobs(desk)["k"].state == JobState.DEAD
    assert jobs(desk)["k"].error == "GiveUp: not-today"
    with desk.tx() as tx:
        enqueue(tx, "test.unknown", {}, key="k", due_at=tx.at + timedelta(days=1))
    with pytest.raises(Conflict), desk.tx() as tx:
        replay(tx, job_id)
    with desk.tx() as tx:
        cancel(tx, "k")
    fails.clear()
    with desk.tx() as tx:
        assert replay(tx, job_id).attempts == 0
    desk.settle()
    with desk.tx() as tx:
        assert tx.session.get(Job, int(job_id[4:])).state == JobState.DONE
    with pytest.raises(Conflict), desk.tx() as tx:
        replay(tx, job_id)


@pytest.mark.parametrize("name", ["job_", "job_x", "7", "job_99", "job_²", "job_" + "9" * 30])
def test_replay_of_no_job(sqlite_desk, name):
    with pytest.raises(NotFound), sqlite_desk.tx() as tx:
        replay(tx, name)
