"""Transactions that stand in each other's way are tried again before anybody hears of it."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from sqlalchemy.exc import OperationalError

from keepwell.intervene.case import repo as cases
from keepwell.trust.access import call
from keepwell.trust.consent import repo as consents

V1 = "/api/v1"
LOCKED = OperationalError("insert", {}, sqlite3.OperationalError("database is locked"))
BROKEN = OperationalError("insert", {}, sqlite3.OperationalError("disk I/O error"))


@pytest.fixture
def failing(sqlite_desk, monkeypatch):
    """A desk, and a list of what its next writing transactions die of; they are counted."""
    sqlite_desk.usual()
    monkeypatch.setattr(call, "PAUSES", (0.0, 0.0, 0.0))
    ends = []
    whole = call.Call._perform

    def perform(self, verb, status, key):
        if ends:
            raise ends.pop()
        return whole(self, verb, status, key)

    monkeypatch.setattr(call.Call, "_perform", perform)
    return sqlite_desk, ends


def opened(desk):
    return desk.http("m1").post(f"{V1}/cases", json={"client_id": "c1"}).status_code


def test_three_times_it_is_tried_again(failing):
    desk, ends = failing
    ends += [LOCKED] * 3
    assert opened(desk) == 201
    assert ends == []


def test_then_the_database_does_not_answer(failing):
    desk, ends = failing
    ends += [LOCKED] * 5
    assert opened(desk) == 503
    assert len(ends) == 1
    ends.clear()
    assert opened(desk) == 201, "nothing of the tries was kept"


def test_what_does_not_pass_is_not_tried_again(failing):
    desk, ends = failing
    ends += [BROKEN] * 2
    assert opened(desk) == 503
    assert len(ends) == 1


def test_who_has_waited_long_already_is_told(failing, monkeypatch):
    desk, ends = failing
    monkeypatch.setattr(call, "PATIENCE", -1.0)
    ends += [LOCKED] * 2
    assert opened(desk) == 503
    assert len(ends) == 1


def at_once(desk, *requests):
    """Statuses of requests that are sent at the same time, by path."""
    answers = {}

    def send(who, path, body):
        answers[path] = desk.http(who).post(path, json=body).status_code

    threads = [threading.Thread(target=send, args=request) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


@pytest.mark.parametrize("desk", ["postgresql"], indirect=True)
def test_a_deadlock_ends_with_both_effects(desk, monkeypatch):
    """A refusal locks consent and then cases, a logged contact cases and then consent."""
    desk.usual()
    consent = f"{V1}/clients/c1/consents"
    word = {"purpose": "marketing", "granted": True, "source": "form"}
    assert desk.http("compliance").post(consent, json=word).status_code == 201
    made = desk.http("m1").post(f"{V1}/cases", json={"client_id": "c1"}).json()
    both = threading.Barrier(2, timeout=20)
    met = {"consent": False, "cases": False}
    passing = []

    def wait_once(name):
        if not met[name]:
            met[name] = True
            both.wait()

    newest, live_of, is_passing = consents.newest, cases.live_of, call.is_passing

    def newest_then_wait(tx, client_id, purpose, lock=False):
        found = newest(tx, client_id, purpose, lock=lock)
        if lock:
            wait_once("consent")
        return found

    def live_of_then_wait(tx, client_id, also=""):
        found = live_of(tx, client_id, also)
        wait_once("cases")
        return found

    def noted(error):
        passing.append(error.orig.sqlstate)
        return is_passing(error)

    monkeypatch.setattr(consents, "newest", newest_then_wait)
    monkeypatch.setattr(cases, "live_of", live_of_then_wait)
    monkeypatch.setattr(call, "is_passing", noted)
    desk.now.move(minutes=1)
    contact = f"{V1}/cases/{made['case_id']}/contacts"
    answers = at_once(
        desk,
        ("compliance", consent, {**word, "granted": False}),
        ("m1", contact, {"channel": "phone", "result": "refused"}),
    )
    assert answers in (
        {consent: 201, contact: 201},
        # Where the refusal came first, the gate forbids the contact.
        {consent: 201, contact: 409},
    )
    assert passing == ["40P01"], "they did not meet"
    case = desk.http("m1").get(f"{V1}/cases/{made['case_id']}").json()
    assert case["retention"] == "none"
