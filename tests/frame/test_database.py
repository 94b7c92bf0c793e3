"""The unit of work: commits whole or not at all, on both databases; instants come back in UTC."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import StatementError

from keepwell.core.errors import UsageError
from keepwell.frame.database import Database
from keepwell.trust.access.model import Region, User


def test_a_write_that_raises_leaves_nothing(desk):
    def fail():
        with desk.tx() as tx:
            tx.session.add(Region(region_id="r", name="R"))
            tx.session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with desk.frame.read() as tx:
        assert tx.session.scalar(select(func.count()).select_from(Region)) == 0


def test_a_read_commits_nothing(desk):
    with desk.frame.read() as tx:
        tx.session.add(Region(region_id="r", name="R"))
        tx.session.flush()
    with desk.frame.read() as tx:
        assert tx.session.get(Region, "r") is None


def test_instants_come_back_in_utc_whatever_zone_they_had(desk):
    desk.staff_up()
    given = datetime(2026, 7, 1, 9, 30, 0, 123456, tzinfo=ZoneInfo("Asia/Shanghai"))
    with desk.tx() as tx:
        tx.session.get_one(User, "user_m1").created_at = given
    with desk.frame.read() as tx:
        found = tx.session.get_one(User, "user_m1").created_at
        assert found == given
        assert found.utcoffset() == timedelta(0)
        later = given.astimezone(timezone(timedelta(hours=-5))) + timedelta(microseconds=1)
        before = select(User.user_id).where(User.created_at < later, User.user_id == "user_m1")
        assert tx.session.scalars(before).all() == ["user_m1"]


def test_an_instant_without_a_zone_is_refused(desk):
    desk.staff_up()
    with pytest.raises(StatementError, match="no time zone"), desk.tx() as tx:
        tx.session.get_one(User, "user_m1").created_at = datetime(2026, 1, 1)  # noqa: DTZ001


def test_writers_wait_for_each_other_and_lose_nothing(desk):
    """Read-modify-write in 4 threads: without a lock from the beginning, updates would be lost."""
    desk.staff_up()

    def count():
        for _ in range(10):
            with desk.tx() as tx:
                user = tx.session.get_one(User, "user_m1", with_for_update=True)
                user.version += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with desk.frame.read() as tx:
        assert tx.session.get_one(User, "user_m1").version == 41


def test_sqlite_keeps_what_was_acknowledged(sqlite_desk):
    """As the product opens it; the desks of tests do not wait for the disk."""
    opened = Database(str(sqlite_desk.frame.database.url))
    for write in (False, True):
        with opened.session(write=write) as session:
            assert session.scalar(text("pragma journal_mode")) == "wal"
            assert session.scalar(text("pragma synchronous")) == 2
            assert session.scalar(text("pragma foreign_keys")) == 1
    opened.close()


def test_a_wrong_address_is_named():
    with pytest.raises(UsageError, match="'nonsense' is not a database address"):
        Database("nonsense")


def test_the_secret_is_made_once_and_is_private(sqlite_desk):
    path = sqlite_desk.frame.workspace.state / "desk.secret"
    path.unlink()
    first = sqlite_desk.frame.secret
    assert len(first) == 32
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o077 == 0
