"""Writers wait for each other: by name on PostgreSQL, for SQLite's one lock; never for ever."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from keepwell.frame import database, locks
from keepwell.frame.database import PATIENCE
from keepwell.trust.access.model import Region, User
from tests.desk import GAPS_AFTER

LATER = 30
"""Seconds after which a thread that should have come on has not."""


def in_thread(function):
    """Begin a function; give its thread and what it raised."""
    failed = []

    def run():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failed


def test_who_holds_a_client_is_waited_for_and_then_seen(desk):
    """What the first wrote, the second reads: it decides on the state that is."""
    order, inside = [], threading.Event()

    def second():
        with desk.tx() as tx:
            inside.set()
            locks.hold(tx, locks.CLIENT, ["c2", "c1"])
            order.append(tx.session.scalar(select(Region.name)))

    with desk.tx() as tx:
        locks.hold(tx, locks.CLIENT, ["c1"])
        locks.hold(tx, locks.CLIENT, ["c1", "c2"])  # again, at no harm
        assert tx.session.scalar(select(Region.name)) is None  # SQLite's lock begins here
        thread, failed = in_thread(second)
        if not tx.is_sqlite:
            assert inside.wait(LATER)
        tx.session.add(Region(region_id="r", name="written"))
        tx.session.flush()
        thread.join(0.2)
        order.append("first")
    thread.join(LATER)
    assert (order, failed) == (["first", "written"], [])


def test_other_clients_and_other_kinds_do_not_wait_on_postgresql(postgres, tmp_path):
    from tests.desk import Desk, Ticker, write_workspace

    desk = Desk.open(write_workspace(tmp_path / "ws"), postgres(), Ticker())
    done = []

    def other():
        with desk.tx() as tx:
            locks.hold(tx, locks.CLIENT, ["c2"])
            locks.hold(tx, "case", ["c1"])
            locks.hold(tx, locks.CLIENT, [])
        done.append(True)

    with desk.tx() as tx:
        locks.hold(tx, locks.CLIENT, ["c1"])
        thread, failed = in_thread(other)
        thread.join(LATER)
        assert (done, failed) == ([True], [])
    desk.close()


def test_many_clients_at_once_in_any_order_are_no_deadlock(desk):
    ids = [f"c{n}" for n in range(20)]

    def work(mine):
        for _ in range(15):
            with desk.tx() as tx:
                locks.hold(tx, locks.CLIENT, mine)
                user = tx.session.get_one(User, "user_m1", populate_existing=True)
                user.version += 1

    desk.staff_up()
    begun = [in_thread(lambda mine=mine: work(mine)) for mine in (ids, ids[::-1], ids[5:] + ids)]
    for thread, failed in begun:
        thread.join(LATER * 2)
        assert not failed
    with desk.frame.read() as tx:
        # Read under the lock, so that no update is lost though the row itself is not locked.
        assert tx.session.get_one(User, "user_m1").version == 46


def test_a_lock_ends_with_its_transaction_also_when_it_fails(desk):
    def fail():
        with desk.tx() as tx:
            locks.hold(tx, locks.CLIENT, ["c1"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    def again():
        with desk.tx() as tx:
            locks.hold(tx, locks.CLIENT, ["c1"])

    thread, failed = in_thread(again)
    thread.join(LATER)
    assert not thread.is_alive()
    assert failed == []


# SQLite's one lock


def test_who_waits_comes_in_between_the_long_transactions_of_a_busy_worker(
    sqlite_desk, monkeypatch
):
    """SQLite's own way of waiting sleeps past the gaps that such a worker leaves."""
    monkeypatch.setattr(database, "LONG", GAPS_AFTER)
    desk, inside, begun = sqlite_desk, threading.Event(), threading.Event()
    rounds = 0

    def alert():
        begun.wait(LATER)
        with desk.tx() as tx:
            tx.session.add(Region(region_id="r", name="alert"))
        inside.set()

    thread, failed = in_thread(alert)
    while not inside.is_set() and rounds < 100:
        with desk.tx() as tx:
            begun.set()
            while tx.lasted < 2 * GAPS_AFTER:
                inside.wait(GAPS_AFTER)
        rounds += 1
    came = inside.is_set()
    thread.join(LATER)
    assert (came, failed) == (True, [])


@pytest.fixture
def hasty(sqlite_desk, monkeypatch):
    """A desk whose writers wait for a moment only, and a fresh connection that holds the lock."""
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    sqlite_desk.usual()
    file = sqlite_desk.frame.database.url.database
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    yield sqlite_desk, other
    other.close()


def test_who_waits_too_long_is_told_so_and_the_next_attempt_works(hasty):
    desk, other = hasty
    http = desk.http("compliance")
    body = {"client_id": "c1", "kind": "close"}
    got = http.post("/api/v1/exits", json=body)
    assert (got.status_code, got.json()["code"]) == (503, "request.unavailable")
    assert got.headers["content-type"] == "application/problem+json"
    assert "lock" not in got.text, "what the database says is for the log"
    other.execute("rollback")
    assert http.post("/api/v1/exits", json=body).status_code == 201
    assert len(http.get("/api/v1/exits").json()["items"]) == 1


def test_a_read_waits_for_no_writer(hasty):
    desk, other = hasty
    # It could not note that the token was used, and answers all the same.
    assert desk.http("compliance").get("/api/v1/clients/c1").status_code == 200
    other.execute("rollback")


def test_a_connection_that_waited_in_vain_is_as_it_was(hasty):
    """It goes back to the pool, where a read must still be patient with a database that changes."""
    desk, other = hasty
    for _ in range(3):
        with pytest.raises(OperationalError, match="locked"), desk.tx() as tx:
            tx.session.connection()
    other.execute("rollback")
    for write in (False, True):
        with desk.frame.database.session(write=write) as session:
            assert session.scalar(text("pragma busy_timeout")) >= 100
            assert session.connection().connection.driver_connection.in_transaction


def test_patience_outlasts_any_transaction_of_the_desk():
    assert PATIENCE > 100 * GAPS_AFTER
