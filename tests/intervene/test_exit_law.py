"""Exits against everything else the desk wants: nothing refuses, silences or rewrites them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from keepwell.frame.events import _SUBSCRIBERS, EventName
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.case.model import Case
from keepwell.intervene.clock import calendars
from keepwell.intervene.clock.model import Clock
from keepwell.intervene.exit.model import ExitRequest
from keepwell.intervene.rule import service as rules
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from tests.intervene.alert.test_alerts import alerts, client, no_holdout, publish

URL = "/api/v1"


def ask(desk, who, verb, body=None, number="X"):
    http = desk.http(who)
    tag = http.get(f"{URL}/exits/{number}").headers["etag"]
    return http.post(f"{URL}/exits/{number}/{verb}", json=body, headers={"If-Match": tag})


def leave(desk, client_id="a", who="compliance", number="X"):
    body = {"client_id": client_id, "kind": "close", "request_id": number}
    return desk.http(who).post(f"{URL}/exits", json=body)


def rows(desk, table, *where):
    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(table).where(*where)))


def may(desk, client_id="a"):
    answer = desk.http("m1").get(f"{URL}/clients/{client_id}/may-contact").json()
    return answer["code"]


def kinds(desk, who="compliance"):
    return [n["kind"] for n in desk.http(who).get(f"{URL}/notices").json()["items"]]


@pytest.fixture
def risky(desk):
    desk.staff_up()
    no_holdout(desk)
    publish(desk, client("a", 95))
    return desk


def test_a_changed_secret_cannot_refuse_an_exit(desk):
    desk.usual()
    assert leave(desk, "c1").status_code == 201
    (desk.frame.workspace.state / "desk.secret").write_bytes(b"x" * 32)
    desk.frame.__dict__.pop("secret", None)
    assert leave(desk, "c2", number="Y").status_code == 201
    with desk.tx() as tx:
        row = {"request_id": "F", "client_id": "c3", "at": tx.at, "kind": "close"}
        assert rules.apply(tx, "exit_request", [row]) == 0
    assert {a.client_id for a in rows(desk, Alert)} == {"c1", "c2", "c3"}


def test_what_fails_after_an_exit_is_done_again_and_the_exit_stands(desk, monkeypatch):
    desk.usual()
    calls = []

    def breaks(tx, event):
        calls.append(event)
        if len(calls) < 3:
            raise ValueError("broken")

    subscribers = [breaks, *_SUBSCRIBERS[EventName.EXIT_REQUESTED]]
    monkeypatch.setitem(_SUBSCRIBERS, EventName.EXIT_REQUESTED, subscribers)
    assert leave(desk, "c1").status_code == 201
    assert [r.state for r in rows(desk, ExitRequest)] == ["requested"]
    assert [a.reason for a in rows(desk, Alert)] == ["exit-request"], "the others went on"
    for _ in range(4):
        desk.later(hours=1)
    assert len(calls) == 3
    assert calls[0] == calls[2]


def test_a_row_that_the_exit_room_refuses_leaves_nothing_behind(desk, monkeypatch):
    from keepwell.frame.problem import Conflict
    from keepwell.intervene.exit import service

    desk.usual()
    real = service._watch

    def half(tx, request, since=None):
        real(tx, request, since)
        tx.session.flush()
        raise Conflict("exit.request-taken", request_id="F")

    monkeypatch.setattr(service, "_watch", half)
    with desk.tx() as tx:
        row = {"request_id": "F", "client_id": "c3", "at": tx.at, "kind": "close"}
        assert rules.apply(tx, "exit_request", [row]) == 1
    assert rows(desk, ExitRequest) == []


def test_exit_service_is_not_ordered_by_the_score(desk):
    desk.staff_up()
    no_holdout(desk)
    publish(desk, client("low", 1), client("high", 75))
    for number in ("low", "high"):
        assert leave(desk, number, number=number).status_code == 201
        desk.now.move(minutes=1)
    found = [a["client_id"] for a in alerts(desk, "m1") if a["reason"] == "exit-request"]
    assert found == ["low", "high"], "the older first"
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "low", Purpose.PROFILING, False)
    found = [a["client_id"] for a in alerts(desk, "m1") if a["reason"] == "exit-request"]
    assert found == ["low", "high"]


def test_a_no_and_an_exit_count_for_good(risky):
    desk = risky
    assert [c.reason for c in rows(desk, Case, Case.live)] == ["risk"]
    leave(desk)
    assert ask(desk, "m1", "no-contact").status_code == 200
    assert may(desk) == "contact.exit-refused"
    assert {c.retention for c in rows(desk, Case, Case.reason == "risk")} == {"none"}
    assert ask(desk, "m1", "complete").status_code == 200
    assert may(desk) == "contact.exit-refused"
    cases = {c.reason: (c.state, c.close_reason) for c in rows(desk, Case)}
    ended = ("lost", "closed-account")
    assert cases == {"risk": ended, "exit-request": ended}
    assert rows(desk, Clock, Clock.ended_at.is_(None)) == []
    desk.now.move(days=1)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "a", Purpose.MARKETING, True)
    assert may(desk) is None


def test_who_left_without_a_word_is_not_contacted_either_and_a_no_outlasts_a_cancel(risky):
    desk = risky
    leave(desk)
    ask(desk, "m1", "no-contact")
    word = {"source": "Recording 7", "note": "Stays."}
    assert ask(desk, "compliance", "cancel", word).status_code == 200
    assert may(desk) == "contact.exit-refused"
    leave(desk, number="Y")
    ask(desk, "m1", "complete", number="Y")
    with desk.tx() as tx:
        tx.session.get(ExitRequest, "X").refused_at = None
    assert may(desk) == "contact.exit-completed"


def test_clocks_do_not_push_through_a_closed_gate(risky):
    desk = risky
    row = {"complaint_id": "K", "client_id": "a", "at": desk.now(), "status": "open"}
    with desk.tx() as tx:
        rules.apply(tx, "complaint", [{**row, "closed_at": None}])
    paused = rows(desk, Clock)
    assert {(c.state, c.pause_reason) for c in paused} == {("paused", "contact-forbidden")}
    desk.later(hours=5)
    assert [k for k in kinds(desk, "m1") if k.startswith("clock")] == []
    http = desk.http("m1")
    tag = {"If-Match": f'"{paused[0].version}"'}
    resumed = http.post(f"{URL}/clocks/{paused[0].clock_id}/resume", headers=tag)
    assert (resumed.status_code, resumed.json()["code"]) == (409, "clock.contact-forbidden")
    own = http.post(
        f"{URL}/clocks/{paused[0].clock_id}/pause", json={"reason": "contact-forbidden"},
        headers=tag,
    )  # fmt: skip
    assert own.status_code == 422
    case = rows(desk, Case)[0].case_id
    for body in ({"direction": "in"}, {"retention": False}):
        body = {"channel": "phone", "result": "no-answer", **body}
        made = http.post(f"{URL}/cases/{case}/contacts", json=body)
        assert (made.status_code, made.json()["marks"]) == (201, ["self-declared"])
    with desk.tx() as tx:
        rules.apply(tx, "complaint", [{**row, "closed_at": tx.at}])
    assert {c.state for c in rows(desk, Clock)} == {"running"}
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "a", Purpose.MARKETING, False)
    assert {c.state for c in rows(desk, Clock)} == {"paused"}


def test_quiet_time_is_judged_when_it_is_recorded_too(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    http = desk.http("m1")
    case = http.post(f"{URL}/cases", json={"client_id": "c1"}).json()["case_id"]
    call = {"channel": "phone", "result": "no-answer"}
    desk.now.move(hours=3)
    at = (desk.now.at - timedelta(hours=2)).isoformat()
    made = http.post(f"{URL}/cases/{case}/contacts", json={**call, "at": at})
    assert (made.status_code, made.json()["marks"]) == (201, ["backdated"])
    made = http.post(f"{URL}/cases/{case}/contacts", json=call)
    assert made.json()["marks"] == []
    desk.now.move(hours=10)  # 23:00 in Shanghai
    at = (desk.now.at - timedelta(hours=6)).isoformat()
    made = http.post(f"{URL}/cases/{case}/contacts", json={**call, "at": at})
    assert (made.status_code, made.json()["code"]) == (409, "contact.quiet-hours")


def test_a_breach_is_never_rewritten_and_due_times_stay_and_say_when_they_are_a_guess(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    desk.now.set(datetime(2026, 12, 30, 2, 0, tzinfo=UTC))
    leave(desk, "c1")
    settled = ask(desk, "compliance", "settle").json()
    assert (settled["due_at"], settled["provisional"]) == ("2027-01-01T07:00:00Z", True)
    desk.now.set(datetime(2027, 1, 1, 8, 0, tzinfo=UTC))
    desk.settle()
    http = desk.http("compliance")

    def shown():
        (one,) = http.get(f"{URL}/clocks?subject_kind=exit").json()["items"]
        return one["state"], one["late"], one["due_at"], one["provisional"]

    breached = ("breached", True, "2027-01-01T07:00:00Z", True)
    assert shown() == breached
    settings = desk.frame.settings.calendar
    holidays = settings.model_copy(update={"holidays": [date(2027, 1, 1)]})
    object.__setattr__(desk.frame.settings, "calendar", holidays)
    calendars._build.cache_clear()
    assert shown() == breached
    desk.now.set(datetime(2027, 1, 4, 2, 0, tzinfo=UTC))
    desk.settle()
    assert ask(desk, "compliance", "complete").json()["due_at"] == breached[2]
    assert shown() == ("met", *breached[1:])


def test_a_day_that_the_calendar_knows_is_no_guess(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    leave(desk, "c1")
    assert ask(desk, "compliance", "settle").json()["provisional"] is False


def test_settling_late_moves_no_deadline_and_a_feed_is_judged_by_its_own_times(desk):
    desk.usual()
    start = desk.now()
    leave(desk, "c1")
    desk.now.move(days=7)
    future = {"settled_at": (desk.now.at + timedelta(hours=1)).isoformat()}
    assert ask(desk, "compliance", "settle", future).status_code == 422
    settled = ask(desk, "compliance", "settle", {"settled_at": start.isoformat()}).json()
    assert (settled["settled_at"], settled["due_at"]) == (
        "2026-03-04T02:00:00Z", "2026-03-06T07:00:00Z"
    )  # fmt: skip
    desk.settle()
    assert "exit-breached" in kinds(desk)
    usual = {"client_id": "c2", "at": start, "kind": "close", "settled_at": start}
    with desk.tx() as tx:
        rules.apply(
            tx, "exit_request",
            [
                {**usual, "request_id": "in-time", "completed_at": start + timedelta(days=1)},
                {**usual, "request_id": "late", "completed_at": start + timedelta(days=5)},
            ],
        )  # fmt: skip
    late = {
        c.subject_id: (c.state, c.late) for c in rows(desk, Clock, Clock.subject_kind == "exit")
    }
    assert late.pop("X") == ("breached", True)
    assert late == {"in-time": ("met", False), "late": ("met", True)}


def test_compliance_hears_of_what_nobody_settles_again_and_again(desk):
    desk.usual()
    leave(desk, "c1")
    desk.later(days=6)
    assert kinds(desk) == []
    desk.later(days=1, hours=8)
    assert kinds(desk) == ["exit-unsettled"]
    desk.later(days=8)
    assert kinds(desk) == ["exit-unsettled"] * 2
    ask(desk, "compliance", "settle")
    ask(desk, "compliance", "complete")
    desk.later(days=30)
    assert kinds(desk).count("exit-unsettled") == 2


def test_holds_cannot_be_chained(desk):
    desk.usual()
    leave(desk, "c1")

    def hold(days):
        until = (desk.now.at + timedelta(days=days)).isoformat()
        body = {"code": "aml-hold", "until": until, "appeal": "In writing."}
        return ask(desk, "compliance", "holds", body).status_code

    assert hold(89) == 201
    desk.now.move(days=88)
    assert hold(89) == 422
    assert hold(2) == 201
