from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from keepwell.frame.events import Event, EventName, emit
from keepwell.intervene.webhook import service
from keepwell.intervene.webhook.model import WebhookEndpoint, WebhookMessage
from keepwell.intervene.webhook.outbox import due
from keepwell.trust.evidence.model import EvidenceEntry

URL = "/api/v1/webhooks"
GIVEN = {"url": "https://crm.example.com/hook", "patterns": ["case.*"]}


@pytest.fixture
def admin(sqlite_desk):
    sqlite_desk.staff_up()
    return sqlite_desk.http("admin")


def test_an_endpoint_is_made_read_changed_and_listed(admin):
    made = admin.post(URL, json={**GIVEN, "description": " CRM "})
    assert made.status_code == 201
    body = made.json()
    assert body["secret"].startswith("whsec_")
    assert (body["active"], body["description"], made.headers["etag"]) == (True, "CRM", '"1"')
    one = f"{URL}/{body['endpoint_id']}"
    read = admin.get(one)
    assert "secret" not in read.json()
    assert read.headers["etag"] == '"1"'
    changed = admin.patch(
        one, json={"patterns": ["alert.*", "alert.*"]}, headers={"If-Match": read.headers["etag"]}
    )
    assert (changed.json()["patterns"], changed.headers["etag"]) == (["alert.*"], '"2"')
    assert [e["endpoint_id"] for e in admin.get(URL).json()["items"]] == [body["endpoint_id"]]


def test_changes_need_the_version_that_was_read(admin):
    one = f"{URL}/{admin.post(URL, json=GIVEN).json()['endpoint_id']}"
    for method, url, body in (
        ("PATCH", one, {"active": False}), ("DELETE", one, None), ("POST", f"{one}/rotate", None),
    ):  # fmt: skip
        assert admin.request(method, url, json=body).status_code == 428
        stale = admin.request(method, url, json=body, headers={"If-Match": '"9"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "request.condition-stale")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**GIVEN, "url": "http://crm.example.com/"}, "webhook.scheme-refused"),
        ({**GIVEN, "url": "https://127.0.0.1/"}, "webhook.address-refused"),
        ({**GIVEN, "url": "https://a@b.example.com/"}, "webhook.url-invalid"),
        ({**GIVEN, "patterns": ["case.opend"]}, "webhook.pattern-unknown"),
        ({**GIVEN, "patterns": []}, "request.body-invalid"),
        ({**GIVEN, "extra": 1}, "request.body-invalid"),
        ({**GIVEN, "description": "a\x00b"}, "request.body-invalid"),
        ({"url": GIVEN["url"]}, "request.body-invalid"),
    ],
)
def test_what_is_not_acceptable_is_refused(admin, body, code):
    answer = admin.post(URL, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_typing_error_in_a_pattern_is_put_right(admin):
    answer = admin.post(URL, json={**GIVEN, "patterns": ["case.opend"]})
    assert "case.opened" in answer.json()["detail"]


def test_what_there_is_not_is_not_found(admin):
    made = admin.post(URL, json=GIVEN).json()["endpoint_id"]
    version = {"If-Match": '"1"'}
    for method, path in (
        ("GET", "/hook_x"), ("PATCH", "/hook_x"), ("DELETE", "/hook_x"), ("POST", "/hook_x/rotate"),
        ("POST", "/hook_x/test"), ("GET", "/hook_x/messages"), ("POST", "/hook_x/replay"),
        ("GET", f"/{made}/messages/msg_x"), ("GET", f"/{made}/messages/msg_x/deliveries"),
        ("POST", f"/{made}/messages/msg_x/replay"), ("GET", "/hook_x/messages/msg_x"),
    ):  # fmt: skip
        body = {"since": "2026-03-04T00:00:00Z"} if path.endswith("x/replay") else None
        body = {} if method == "PATCH" else body
        answer = admin.request(method, URL + path, json=body, headers=version)
        assert answer.status_code == 404, (method, path, answer.text)


def test_an_instant_without_zone_is_refused(admin):
    made = admin.post(URL, json=GIVEN).json()["endpoint_id"]
    answer = admin.post(f"{URL}/{made}/replay", json={"since": "2026-03-04T00:00:00"})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook.instant-naive")


def test_an_endpoint_that_is_off_takes_no_test(admin):
    made = admin.post(URL, json=GIVEN).json()["endpoint_id"]
    admin.patch(f"{URL}/{made}", json={"active": False}, headers={"If-Match": '"1"'})
    for path, body in (("test", None), ("replay", {"since": "2026-03-04T00:00:00Z"})):
        answer = admin.post(f"{URL}/{made}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "webhook.endpoint-off")
    assert admin.get(f"{URL}/{made}").json()["off_reason"] == "manual"


def test_types_of_events_are_listed_in_the_callers_language(admin):
    names = {e["event"] for e in admin.get("/api/v1/webhook-events").json()}
    assert names == set(EventName)


def test_lists_follow_their_cursors(desk):
    desk.staff_up()
    admin = desk.http("admin")
    given = {**GIVEN, "patterns": ["case.opened"]}
    ids = []
    for _ in range(5):
        ids.append(approved(desk, admin.post(URL, json=given).json()["endpoint_id"]))
        desk.now.move(seconds=1)
    assert [e["endpoint_id"] for e in _walk(admin, URL, 2)] == ids
    for _ in range(5):
        with desk.tx() as tx:
            emit(tx, Event(EventName.CASE_OPENED, "case_1", "system", "c1"))
        desk.now.move(seconds=1)
    found = _walk(admin, f"{URL}/{ids[0]}/messages", 2)
    assert len(found) == 5
    assert [m["created_at"] for m in found] == sorted(
        (m["created_at"] for m in found), reverse=True
    )
    assert _walk(admin, f"{URL}/{ids[0]}/messages?state=dead", 2) == []


def _walk(client, url, limit):
    rows, cursor = [], None
    while True:
        params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = client.get(url + ("&" if "?" in url else "?") + _query(params)).json()
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows


def _query(params):
    return "&".join(f"{k}={v}" for k, v in params.items())


def test_the_database_holds_no_secret(sqlite_desk):
    sqlite_desk.staff_up()
    made = sqlite_desk.http("admin").post(URL, json=GIVEN).json()
    with sqlite_desk.frame.read() as tx:
        row = tx.session.get(WebhookEndpoint, made["endpoint_id"])
        stored = " ".join(str(getattr(row, c.key)) for c in WebhookEndpoint.__table__.columns)
    assert made["secret"].removeprefix("whsec_") not in stored


def test_every_change_is_on_record(sqlite_desk):
    sqlite_desk.staff_up()
    admin = sqlite_desk.http("admin")
    one = f"{URL}/{approved(sqlite_desk, admin.post(URL, json=GIVEN).json()['endpoint_id'])}"
    admin.patch(one, json={"description": "x"}, headers={"If-Match": '"2"'})
    admin.post(f"{one}/rotate", headers={"If-Match": '"3"'})
    admin.post(f"{one}/replay", json={"since": "2026-03-04T00:00:00Z"})
    admin.delete(one, headers={"If-Match": '"4"'})
    with sqlite_desk.frame.read() as tx:
        kinds = set(tx.session.scalars(select(EvidenceEntry.kind)))
    assert {
        "webhook.created", "webhook.changed", "webhook.rotated", "webhook.replayed",
        "webhook.deleted", "webhook.approved",
    } <= kinds  # fmt: skip


def test_a_replay_of_many_comes_in_parts(sqlite_desk, monkeypatch):
    monkeypatch.setattr(service, "REPLAY_MOST", 2)
    sqlite_desk.staff_up()
    admin = sqlite_desk.http("admin")
    made = approved(sqlite_desk, admin.post(URL, json=GIVEN).json()["endpoint_id"])
    with sqlite_desk.tx() as tx:
        for i in range(3):
            tx.session.add(
                WebhookMessage(
                    endpoint_id=made, message_id=f"msg_{i}", event="case.opened", body="{}",
                    state="dead", fault="", tried=8, tried_before=0,
                    created_at=tx.at + timedelta(seconds=i),
                )
            )  # fmt: skip
    body = {"since": "2026-03-04T00:00:00Z"}
    answers = [admin.post(f"{URL}/{made}/replay", json=body).json() for _ in range(3)]
    assert answers == [
        {"replayed": 2, "more": True}, {"replayed": 1, "more": False},
        {"replayed": 0, "more": False},
    ]  # fmt: skip


def test_a_repeated_request_makes_one_endpoint(admin):
    first, second = (admin.post(URL, json=GIVEN, headers={"Idempotency-Key": "k"}) for _ in "ab")
    assert first.status_code == 201
    # The answer held the secret, so it was not kept.
    assert (second.status_code, second.json()["code"]) == (409, "request.answer-secret")
    assert len(admin.get(URL).json()["items"]) == 1


def test_nothing_is_sent_before_compliance_approves_and_after_another_address(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    admin, compliance = desk.http("admin"), desk.http("compliance")
    one = f"{URL}/{admin.post(URL, json=GIVEN).json()['endpoint_id']}"

    def told():
        with desk.tx() as tx:
            facts = {"reason": "risk", "tier": "severe", "old_tier": "mild", "score": 95.0}
            emit(tx, Event(EventName.CASE_OPENED, "case_1", "system", "c1", facts))
        return admin.get(f"{one}/messages").json()["items"]

    assert told() == []
    refused = admin.post(f"{one}/test")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook.endpoint-unapproved")
    assert admin.post(f"{one}/approve", headers={"If-Match": '"1"'}).status_code == 403
    assert compliance.post(f"{one}/approve", headers={"If-Match": '"9"'}).status_code == 412
    assert compliance.get(one).json()["approved_at"] is None
    approved(desk, one.rsplit("/", 1)[1])
    (message,) = told()
    full = admin.get(f"{one}/messages/{message['message_id']}").json()
    assert full["body"] is None  # whom it is about is not the administrator's to see
    with desk.tx() as tx:
        body = tx.session.scalars(select(WebhookMessage.body)).one()
    assert '"client_id":"c1"' in body
    assert not any(word in body for word in ("severe", "mild", "95"))
    moved = {"url": "https://elsewhere.example.com/"}
    admin.patch(one, json=moved, headers={"If-Match": '"2"'})
    assert admin.get(one).json()["approved_at"] is None
    assert len(told()) == 1
    assert due(desk.frame, message["endpoint_id"], message["message_id"]).parcel is None


def approved(desk, endpoint_id):
    one = f"{URL}/{endpoint_id}"
    compliance = desk.http("compliance")
    etag = compliance.get(one).headers["etag"]
    answer = compliance.post(f"{one}/approve", headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    return endpoint_id


@pytest.mark.parametrize("name", ["m1", "d1", "auditor", "integration"])
def test_only_administrators_see_webhooks(sqlite_desk, name):
    sqlite_desk.staff_up()
    assert sqlite_desk.http(name).get(URL).status_code == 403
