"""The feed of exit requests loses nothing, and what an exit silenced comes back when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from keepwell.frame.events import _SUBSCRIBERS, EventName
from keepwell.intervene.case.model import Case
from keepwell.intervene.exit.model import ExitRequest
from keepwell.intervene.rule import service as rules
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.model import EvidenceEntry
from tests.intervene.alert.test_alerts import alerts, client, no_holdout, publish

V1 = "/api/v1"


@pytest.fixture
def made(desk):
    desk.staff_up()
    no_holdout(desk)
    return desk


def feed(desk, **row):
    usual = {"request_id": "e1", "client_id": "a", "kind": "close", "at": desk.now()}
    with desk.tx() as tx:
        return rules.apply(tx, "exit_request", [{**usual, "completed_at": None, **row}])


def requests(desk):
    with desk.frame.read() as tx:
        return {r.request_id: r for r in tx.session.scalars(select(ExitRequest))}


def kinds(desk):
    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(EvidenceEntry.kind).order_by(EvidenceEntry.entry_id)))


def test_a_request_first_heard_of_when_it_is_completed_is_recorded(made):
    publish(made, client("a", 95))
    assert [a["reason"] for a in alerts(made, "m1")] == ["risk"]
    asked = made.now() - timedelta(days=9)
    done = asked + timedelta(days=1)
    assert feed(made, at=asked, completed_at=done) == 0
    request = requests(made)["e1"]
    assert (request.state, request.requested_at, request.completed_at) == (
        "completed", asked, done
    )  # fmt: skip
    assert kinds(made).count("exit.completed") == 1
    assert alerts(made, "m1") == [], "nobody keeps whom who has left; nobody serves what is done"
    with made.frame.read() as tx:
        assert set(tx.session.scalars(select(Case.reason))) == {"risk"}
    before = kinds(made)
    assert feed(made, at=asked, completed_at=done) == 0
    assert kinds(made) == before


def test_an_open_request_is_completed_at_the_time_that_the_feed_tells(made):
    publish(made, client("a", 10))
    asked = made.now()
    feed(made)
    assert [a["reason"] for a in alerts(made, "m1")] == ["exit-request"]
    done = made.now.move(days=1)
    made.now.move(days=1)
    assert feed(made, at=asked, completed_at=done) == 0
    assert requests(made)["e1"].completed_at == done
    assert alerts(made, "m1") == []


def test_what_contradicts_is_refused_kept_and_counted(made):
    publish(made, client("a", 10), client("b", 10))
    feed(made)
    assert feed(made, client_id="b") == 1
    assert feed(made, client_id="b", completed_at=made.now()) == 1
    assert requests(made)["e1"].client_id == "a"
    found = made.http("auditor").get(f"{V1}/evidence/entries", params={"kind": "event.refused"})
    told = [item["entry"]["data"] for item in found.json()["items"]]
    assert told == [{"table": "exit_request", "code": "exit.request-taken"}] * 2
    assert feed(made, request_id="e2", client_id="b") == 0, "those behind it go on"


def test_a_feed_that_completes_what_was_cancelled_is_told(made):
    publish(made, client("a", 10))
    feed(made)
    cancel(made, "e1")
    assert feed(made, completed_at=made.now()) == 1
    assert requests(made)["e1"].state == "cancelled"


def test_rows_that_the_rules_refuse_are_counted_with_their_batch(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    publish(desk, client("a", 10), client("b", 10))
    rows = [
        {"request_id": "e1", "client_id": c, "at": desk.now().isoformat(), "kind": "close"}
        for c in ("a", "b")
    ]
    for number, row in enumerate(rows):
        body = {"source": "core", "batch": str(number), "table": "exit_request", "rows": [row]}
        sent = desk.http("integration").post(f"{V1}/events", json=body)
        assert (sent.status_code, sent.json()["rejected"]) == (202, []), sent.text
    desk.settle()
    state = desk.http("integration").get(f"{V1}/events/state").json()
    assert (state["waiting"], state["refused"]) == (0, 1)


def cancel(desk, request_id):
    http = desk.http("compliance")
    etag = http.get(f"{V1}/exits/{request_id}").headers["etag"]
    done = desk.http("compliance", **{"If-Match": etag}).post(
        f"{V1}/exits/{request_id}/cancel", json={"source": "Recording 7", "note": "Stays."}
    )
    assert done.status_code == 200, done.text


def test_what_a_request_silenced_comes_back_when_it_is_taken_back(made, monkeypatch):
    heard = []
    monkeypatch.setitem(
        _SUBSCRIBERS, EventName.EXIT_CANCELLED,
        [*_SUBSCRIBERS[EventName.EXIT_CANCELLED], lambda _, event: heard.append(event)],
    )  # fmt: skip
    publish(made, client("closed", 95), client("kept", 10), client("calm", 10))
    for number, name in enumerate(("closed", "kept", "calm")):
        feed(made, request_id=f"e{number}", client_id=name)
    made.now.move(days=1)
    publish(made, client("closed", 95), client("kept", 92), client("calm", 10))
    assert {a["reason"] for a in alerts(made, "m1")} == {"exit-request"}
    for number in range(3):
        cancel(made, f"e{number}")
    back = {a["client_id"]: (a["reason"], a["tier"]) for a in alerts(made, "m1")}
    assert back == {"closed": ("risk", "severe"), "kept": ("risk", "severe")}
    assert [(e.subject, e.client_id) for e in heard] == [
        ("e0", "closed"), ("e1", "kept"), ("e2", "calm")
    ]  # fmt: skip
    assert kinds(made).count("exit.cancelled") == 3
    with made.frame.read() as tx:
        assert set(tx.session.scalars(select(Case.retention).where(Case.live))) == {"free"}


def test_what_people_had_settled_before_or_the_score_has_settled_since_does_not_come_back(made):
    publish(made, client("settled", 95), client("calmed", 95))
    alert = next(a for a in alerts(made, "m1") if a["client_id"] == "settled")
    path = f"{V1}/cases/{alert['case_id']}"
    etag = made.http("m1").get(path).headers["etag"]
    body = {"outcome": "false-alarm", "reason": "no-intention", "note": "Asked."}
    closed = made.http("m1", **{"If-Match": etag}).post(path + "/close", json=body)
    assert closed.status_code == 200, closed.text
    for name in ("settled", "calmed"):
        feed(made, request_id=name, client_id=name)
    made.now.move(days=1)
    publish(made, client("settled", 95), client("calmed", 10))
    made.now.move(days=20)
    publish(made, client("settled", 95), client("calmed", 10))
    for name in ("settled", "calmed"):
        cancel(made, name)
    assert alerts(made, "m1") == []


def test_another_request_keeps_them_silent(made):
    publish(made, client("a", 95))
    feed(made)
    feed(made, request_id="e2", kind="transfer")
    cancel(made, "e1")
    assert [a["reason"] for a in alerts(made, "m1")] == ["exit-request"]


def test_refused_profiling_ends_what_came_of_it_in_both_rooms(made):
    """PI-4: alerts and cases by score and rule end; service and a person's own case stay."""
    desk = made
    publish(desk, client("a", 95))
    with desk.tx() as tx:
        at = desk.now()
        rules.apply(tx, "contact", [
            {"contact_id": "k", "client_id": "a", "at": at, "topic": "closing"}
        ])  # fmt: skip
        rules.apply(tx, "cash_flow", [
            {"flow_id": "f", "client_id": "a", "at": at, "kind": "withdrawal",
             "amount": 50_000_000}
        ])  # fmt: skip
        rules.apply(tx, "complaint", [
            {"complaint_id": "p", "client_id": "a", "at": at - timedelta(days=60),
             "status": "open", "closed_at": None}
        ])  # fmt: skip
    desk.settle()
    opened = desk.http("m1").post(f"{V1}/cases", json={"client_id": "a"})
    assert opened.status_code == 201, opened.text
    profiled = {"risk", "first-large-transfer", "closing-question"}
    assert {a["reason"] for a in alerts(desk, "m1")} == {*profiled, "complaint-overdue"}
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "a", Purpose.PROFILING, False)
    assert {a["reason"] for a in alerts(desk, "m1")} == {"complaint-overdue"}
    with desk.frame.read() as tx:
        cases = {c.reason: c for c in tx.session.scalars(select(Case))}
    assert {reason for reason, case in cases.items() if case.live} == {
        "complaint-overdue", "manual"
    }  # fmt: skip
    assert {cases[r].close_reason for r in profiled} == {"profiling-refused"}
    assert {cases[r].state for r in profiled} == {"withdrawn"}
    refused = desk.http("m1").post(
        f"{V1}/cases", json={"client_id": "a", "reason": "closing-question"}
    )
    assert refused.json()["code"] == "case.profiling-refused"
