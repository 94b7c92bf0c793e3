"""A database that does not answer is one thing; one that answers that we ask nonsense another."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from starlette.testclient import TestClient


def test_a_missing_column_is_our_fault_and_is_raised_for_the_log(sqlite_desk):
    # PostgreSQL tells the two apart by itself.
    desk = sqlite_desk
    desk.usual()
    with desk.tx() as tx:
        tx.session.execute(text("alter table job rename column state to was"))
    http = desk.http("admin")
    got = http.get("/api/v1/jobs")
    assert (got.status_code, got.json()["code"]) == (500, "request.failed")
    # The server logs what an application raises.
    with pytest.raises(DBAPIError), TestClient(desk.app, headers=http.headers) as loud:
        loud.get("/api/v1/jobs")


def test_a_busy_database_is_unavailable(sqlite_desk, monkeypatch):
    sqlite_desk.usual()
    http = sqlite_desk.http("admin")

    def busy(*_args, **_more):
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("select 1", {}, error)

    monkeypatch.setattr(type(sqlite_desk.frame), "read", busy)
    got = http.get("/api/v1/jobs")
    assert (got.status_code, got.json()["code"]) == (503, "request.unavailable")
