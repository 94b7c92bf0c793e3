"""The client against the application in process, and against a server that misbehaves."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import httpx2
import pytest

from keepwell.client import ChangedMeanwhile, Desk, DeskError, Item, RequestRefused
from keepwell.core.errors import DataError, UsageError
from keepwell.web.local import LocalTransport


@pytest.fixture
def as_user(sqlite_desk):
    """Gives a client of the desk in process, as one of its users."""
    sqlite_desk.usual()
    opened = []

    def make(name):
        client = Desk("http://desk.local", transport=LocalTransport(sqlite_desk.frame, name))
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


def test_a_case_from_opening_to_closing(as_user, sqlite_desk):
    desk = as_user("m1")
    assert desk.me().login == "m1"
    case = desk.open_case("c1", title="Wants lower fees")
    assert (case.state, case.owner_id) == ("open", "m1")
    assert [c.case_id for c in desk.cases(live=True)] == [case.case_id]
    desk.note(case.case_id, "Called twice.")
    desk.contact(case.case_id, "phone", "reached", note="Asks for a review.")
    case = desk.case(case.case_id)
    assert case.state == "contacted"
    case = desk.move_case(case, "plan")
    case = desk.close_case(case, "recovered", "service-fixed", "Review done.")
    assert case.state == "recovered"
    assert [n.text for n in desk.notes(case.case_id)] == ["Called twice."]
    assert {"opened", "closed"} <= {h.kind for h in desk.history(case.case_id)}
    sqlite_desk.later(seconds=20)
    receipts = list(desk.receipts("c1"))
    assert receipts
    assert all(receipt["checkpoint"] and receipt["entry"] for receipt in receipts)


def test_two_people_edit_one_case(as_user):
    desk = as_user("m1")
    first = desk.open_case("c1")
    second = desk.case(first.case_id)
    desk.move_case(first, "plan")
    with pytest.raises(ChangedMeanwhile) as caught:
        desk.move_case(second, "saving")
    assert (caught.value.status, caught.value.code) == (412, "request.condition-stale")
    assert desk.case(first.case_id).state == "plan"


def test_reassignment_with_preview_and_undo(as_user):
    lead = as_user("l1")
    case = as_user("m1").open_case("c1")
    plan = lead.reassign_preview("m2", cases=[case.case_id])
    assert [(m.giver, m.taker) for m in plan.moves] == [("m1", "m2")]
    assert lead.case(case.case_id).owner_id == "m1"
    batch = lead.reassign(plan.plan)
    assert lead.case(case.case_id).owner_id == "m2"
    lead.undo_reassign(batch.batch_id)
    assert lead.case(case.case_id).owner_id == "m1"


def test_clients_context_and_contact_gate(as_user):
    desk = as_user("m4")
    assert sorted(c.client_id for c in desk.clients()) == ["c6", "c7", "c8"]
    assert desk.client("c6").client_id == "c6"
    assert desk.context("c6").client.client_id == "c6"
    assert desk.may_contact("c6").allowed in (True, False)
    with pytest.raises(RequestRefused) as caught:
        desk.client("c1")
    assert (caught.value.status, caught.value.code) == (404, "access.client-unknown")


def test_events_notices_and_alerts(as_user):
    integration = as_user("integration")
    row = {
        "complaint_id": "K-1", "client_id": "c1", "at": "2026-03-04T09:00:00+08:00",
        "topic": "fee", "status": "open",
    }  # fmt: skip
    first = integration.send_events("crm", "b1", "complaint", [row])
    assert first.sequence == integration.send_events("crm", "b1", "complaint", [row]).sequence
    desk = as_user("m1")
    assert list(desk.alerts()) == []
    assert list(desk.notices(unread=True)) == []
    assert desk.mark_read() == 0


def test_an_unknown_user_is_told(as_user):
    with pytest.raises(RequestRefused) as caught:
        as_user("nobody").me()
    assert (caught.value.status, caught.value.code) == (401, "access.login-unknown")


def test_words_come_in_the_callers_language(sqlite_desk):
    sqlite_desk.usual()
    transport = LocalTransport(sqlite_desk.frame, "m1")
    with (
        Desk("http://desk.local", locale="zh", transport=transport) as desk,
        pytest.raises(DeskError) as caught,
    ):
        desk.client("c8")
    assert str(caught.value).startswith("没有")


def test_faults_are_listed(as_user):
    with pytest.raises(RequestRefused) as caught:
        as_user("m1").open_case("c1", tier="grave")
    assert [fault.where for fault in caught.value.errors] == ["body.tier"]
    assert "body.tier" in str(caught.value)


# Against a server that misbehaves


def _client(answers, **options):
    """A client whose server answers as planned; also what it was asked and how long it waited."""
    asked, waits = [], []
    planned = iter(answers)

    def handle(request):
        asked.append(request)
        answer = next(planned)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx2.MockTransport(handle)
    desk = Desk(
        "https://desk.example.com", "kw_x", transport=transport, sleep=waits.append, **options
    )
    return desk, asked, waits


def _json(status, body, **headers):
    return httpx2.Response(
        status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def test_a_lost_answer_is_asked_for_again_with_the_same_key():
    desk, asked, waits = _client(
        [httpx2.ReadTimeout("slow"), httpx2.ConnectError("down"), _json(201, {"case_id": "case_1"})]
    )
    assert desk.open_case("c1").case_id == "case_1"
    keys = {request.headers["idempotency-key"] for request in asked}
    assert len(asked) == 3
    assert len(keys) == 1
    assert 0.1 < waits[0] < waits[1] < 1


def test_two_changes_have_two_keys():
    desk, asked, _ = _client([_json(201, {}), _json(201, {})])
    desk.note("case_1", "a")
    desk.note("case_1", "a")
    assert len({request.headers["idempotency-key"] for request in asked}) == 2


def test_a_busy_desk_says_how_long_to_wait():
    desk, _, waits = _client(
        [_json(429, {}, retry_after="7"), _json(503, {}, retry_after="999"), _json(200, {"a": 1})]
    )
    assert desk.me().a == 1
    assert waits == [7.0, 30.0]


def test_patience_ends():
    desk, asked, _ = _client([httpx2.ConnectError("refused")] * 3, retries=2)
    with pytest.raises(DataError, match="refused") as caught:
        desk.me()
    assert caught.value.code == "client.desk-unreachable"
    assert len(asked) == 3
    busy, _, _ = _client(
        [_json(503, {"code": "request.unavailable", "detail": "x"})] * 2, retries=1
    )
    with pytest.raises(DeskError) as refused:
        busy.me()
    assert (refused.value.status, refused.value.exit_code) == (503, 1)


def test_refusals_are_not_repeated():
    desk, asked, _ = _client(
        [_json(409, {"code": "case.x", "detail": "no", "request_id": "req_1"})]
    )
    with pytest.raises(RequestRefused) as caught:
        desk.open_case("c1")
    error = caught.value
    assert (error.status, error.code, error.detail, error.request_id, error.exit_code) == (
        409, "case.x", "no", "req_1", 2,
    )  # fmt: skip
    assert len(asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(502, text="<html>", headers={"x-request-id": "r"}),
        httpx2.Response(500, json=["odd"]),
        httpx2.Response(400, json={"errors": "odd"}),
        httpx2.Response(404, json={"errors": ["odd", {"where": 1}]}),
    ],
)
def test_odd_errors_are_still_errors(answer):
    desk, _, _ = _client([answer], retries=0)
    with pytest.raises(DeskError) as caught:
        desk.me()
    assert caught.value.status == answer.status_code
    assert str(caught.value)


@pytest.mark.parametrize("body", ["<html>", "[1]", "3", ""])
def test_answers_that_are_not_a_desks_are_told(body):
    desk, _, _ = _client([httpx2.Response(200, text=body)])
    with pytest.raises(DataError) as caught:
        desk.me()
    assert caught.value.code == "client.answer-unreadable"


def test_changes_carry_the_version_that_was_read():
    desk, asked, _ = _client(
        [_json(200, {"case_id": "case_1"}, etag='"7"'), _json(200, {}), _json(200, {})]
    )
    desk.move_case(desk.case("case_1"), "plan")
    desk.move_case(Item({"case_id": "case_1", "version": 3}), "plan")
    assert [r.headers.get("if-match") for r in asked] == [None, '"7"', '"3"']


def test_lists_follow_cursors_and_stop_at_the_limit():
    pages = [
        _json(200, {"items": [{"n": 1}, {"n": 2}], "next": "abc"}),
        _json(200, {"items": [{"n": 3}, {"n": 4}], "next": "def"}),
        _json(200, {"items": [{"n": 5}], "next": None}),
    ]
    desk, asked, _ = _client(pages)
    assert [row.n for row in desk.cases(state="open", tier=None)] == [1, 2, 3, 4, 5]
    assert [r.url.params.get("cursor") for r in asked] == [None, "abc", "def"]
    assert "tier" not in asked[0].url.params
    desk, asked, _ = _client(pages)
    assert [row.n for row in desk.cases(limit=2)] == [1, 2]
    assert len(asked) == 1
    assert asked[0].url.params["limit"] == "2"


def test_strange_ids_stay_inside_their_path():
    desk, asked, _ = _client([_json(200, {})])
    desk.client("../users?x=1#y")
    assert asked[0].url.raw_path == b"/api/v1/clients/..%2Fusers%3Fx%3D1%23y"


def test_wrong_use_is_told_at_once():
    for url in ("desk.example.com", "ftp://x", ""):
        with pytest.raises(UsageError):
            Desk(url, "t")
    with pytest.raises(UsageError):
        Desk("https://x", "a\nb")


def test_an_item_says_what_it_has():
    item = Item({"a": {"b": [{"c": 1}]}})
    assert item.a.b[0].c == 1
    assert json.loads(json.dumps(item)) == {"a": {"b": [{"c": 1}]}}
    assert item.etag is None
    with pytest.raises(AttributeError, match="it gave a"):
        _ = item.d


def test_the_client_needs_neither_database_nor_server():
    code = (
        "import sys, keepwell.client\n"
        "assert not {'sqlalchemy', 'fastapi', 'starlette'} & set(sys.modules), 'heavy'\n"
        "assert not [m for m in sys.modules if m.startswith('keepwell.') and "
        "m.split('.')[1] not in ('client', 'core')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_snoozing_sends_instants_with_their_zone(sqlite_desk):
    desk, asked, _ = _client([_json(200, {})])
    until = sqlite_desk.now() + timedelta(days=3)
    desk.snooze(Item({"alert_id": "alert_1", "version": 1}), "Abroad", until=until)
    assert json.loads(asked[0].content) == {"reason": "Abroad", "until": until.isoformat()}
