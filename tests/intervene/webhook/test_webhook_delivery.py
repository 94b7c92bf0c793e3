"""Events reach a real receiver: signed, in the outbox's transaction, again after failures."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer

import pytest
from sqlalchemy import func, select
from standardwebhooks import Webhook, WebhookVerificationError

from keepwell.frame.events import Event, EventName, emit
from keepwell.frame.settings import WebhookSettings
from keepwell.intervene.webhook import guard, outbox, policy
from keepwell.intervene.webhook import send as sending
from keepwell.intervene.webhook.model import WebhookDelivery, WebhookEndpoint, WebhookMessage
from keepwell.trust.evidence.model import EvidenceEntry
from tests.intervene.webhook.receiver import Handler, free_port, receiving

OPENED = Event(
    EventName.CASE_OPENED, "case_1", "system", "c1", {"reason": "risk", "owner_id": "m1"}
)


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture
def hooked(desk):
    """A desk with people that may send to loopback, at the real time: signatures grow old."""
    return _prepare(desk)


@pytest.fixture
def lite(sqlite_desk):
    return _prepare(sqlite_desk)


def _prepare(desk):
    desk.now.set(datetime.now(UTC))
    settings = WebhookSettings(allow_private=True, timeout_seconds=0.5, attempts=3, disable_after=2)
    object.__setattr__(desk.frame.settings, "webhook", settings)
    desk.staff_up()
    return desk


def _make(desk, url, patterns=("case.*",)):
    answer = desk.http("admin").post(
        "/api/v1/webhooks", json={"url": url, "patterns": list(patterns)}
    )
    assert answer.status_code == 201, answer.text
    approve(desk, answer.json()["endpoint_id"], answer.headers["etag"])
    return answer.json()


def approve(desk, endpoint_id, etag):
    answer = desk.http("compliance").post(
        f"/api/v1/webhooks/{endpoint_id}/approve", headers={"If-Match": etag}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def _emit(desk, *events):
    with desk.tx() as tx:
        for event in events or (OPENED,):
            emit(tx, event)


def _messages(desk, endpoint_id, state=None):
    params = {"state": state} if state else {}
    answer = desk.http("admin").get(f"/api/v1/webhooks/{endpoint_id}/messages", params=params)
    assert answer.status_code == 200
    return answer.json()["items"]


def _deliveries(desk, message):
    url = f"/api/v1/webhooks/{message['endpoint_id']}/messages/{message['message_id']}/deliveries"
    return desk.http("admin").get(url).json()["items"]


def _endpoint(desk, endpoint_id):
    return desk.http("admin").get(f"/api/v1/webhooks/{endpoint_id}").json()


def test_an_event_arrives_signed_with_ids_and_codes_only(hooked, receiver):
    made = _make(hooked, receiver.url)
    _emit(hooked)
    hooked.settle()
    [(headers, body)] = receiver.got
    assert Webhook(made["secret"]).verify(body, headers) == json.loads(body)
    [message] = _messages(hooked, made["endpoint_id"])
    assert message["state"] == "delivered"
    assert message["message_id"] == headers["webhook-id"]
    assert json.loads(body) == {
        "type": "case.opened",
        "timestamp": hooked.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "subject": "case_1", "client_id": "c1", "actor_id": "system",
            "facts": {"reason": "risk", "owner_id": "m1"},
        },
    }  # fmt: skip
    [delivery] = _deliveries(hooked, message)
    assert (delivery["number"], delivery["status"], delivery["response"]) == (1, 200, "thanks")


def test_a_changed_body_or_another_secret_does_not_verify(lite, receiver):
    made = _make(lite, receiver.url)
    other = _make(lite, receiver.url, ["alert.*"])
    _emit(lite)
    lite.settle()
    [(headers, body)] = receiver.got
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body.replace("c1", "c2"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other["secret"]).verify(body, headers)


def test_only_matching_events_of_committed_transactions_are_sent(hooked, receiver):
    made = _make(hooked, receiver.url, ["case.closed", "alert.*"])
    closed = Event(EventName.CASE_CLOSED, "case_2", "user_m1", "c2")
    raised = Event(EventName.ALERT_RAISED, "alert_1", "system", "c2")
    _emit(hooked, OPENED, closed, raised)
    with suppress(ZeroDivisionError), hooked.tx() as tx:
        emit(tx, closed)
        raise ZeroDivisionError
    hooked.settle()
    assert sorted(receiver.types) == ["alert.raised", "case.closed"]
    assert len(_messages(hooked, made["endpoint_id"])) == 2


def test_every_endpoint_gets_an_event_under_one_id(lite, receiver):
    made = [_make(lite, receiver.url, [p])["endpoint_id"] for p in ("case.*", "case.opened")]
    _emit(lite)
    lite.settle()
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    assert len(set(made)) == 2


def test_a_failure_is_tried_again_later_under_the_same_id(hooked, receiver):
    made = _make(hooked, receiver.url)
    receiver.answer(500, body=b"down")
    receiver.answer(503)
    _emit(hooked)
    hooked.settle()
    assert len(receiver.got) == 1
    [message] = _messages(hooked, made["endpoint_id"])
    assert (message["state"], message["fault"], message["tried"]) == ("pending", "status-bad", 1)
    waits = datetime.fromisoformat(message["next_at"]) - hooked.now()
    assert timedelta(seconds=4) <= waits <= timedelta(seconds=6)
    hooked.later(seconds=3)
    assert len(receiver.got) == 1
    hooked.later(seconds=4)
    assert len(receiver.got) == 2
    hooked.later(minutes=2)
    assert len(receiver.got) == 3
    assert len(set(receiver.ids)) == 1
    [message] = _messages(hooked, made["endpoint_id"])
    assert message["state"] == "delivered"
    assert [d["status"] for d in _deliveries(hooked, message)] == [500, 503, 200]
    assert _deliveries(hooked, message)[0]["response"] == "down"


def test_what_the_receiver_asks_to_wait_is_waited(lite, receiver):
    made = _make(lite, receiver.url)
    receiver.answer(429, headers={"Retry-After": "900"})
    _emit(lite)
    lite.settle()
    lite.later(minutes=14)
    assert len(receiver.got) == 1
    lite.later(minutes=2)
    assert len(receiver.got) == 2
    assert _messages(lite, made["endpoint_id"])[0]["state"] == "delivered"


def test_redirects_are_not_followed(lite, receiver):
    made = _make(lite, receiver.url)
    receiver.answer(302, headers={"Location": "/elsewhere"})
    _emit(lite)
    lite.settle()
    assert receiver.paths == ["/hook"]
    assert _messages(lite, made["endpoint_id"])[0]["fault"] == "redirect-refused"


def test_a_receiver_that_drips_is_cut_off_in_time(lite, receiver):
    made = _make(lite, receiver.url)
    receiver.drip = 0.1  # each piece comes well within the limit, the whole never
    _emit(lite)
    lite.settle()
    [message] = _messages(lite, made["endpoint_id"])
    assert message["fault"] == "timeout"
    assert 400 <= _deliveries(lite, message)[0]["milliseconds"] < 5000


def test_long_and_unprintable_answers_are_cut_and_cleaned(hooked, receiver):
    made = _make(hooked, receiver.url)
    receiver.answer(200, body=b"\x00\xff" + b"x" * 100_000)
    _emit(hooked)
    hooked.settle()
    [message] = _messages(hooked, made["endpoint_id"])
    [delivery] = _deliveries(hooked, message)
    assert message["state"] == "delivered"
    assert len(delivery["response"]) == 2048
    assert delivery["response"][:3] == "\ufffdxx"


def test_after_the_last_attempt_a_message_is_dead_and_can_be_replayed(hooked, receiver):
    made = _make(hooked, receiver.url)
    receiver.answer(500, 500, 500)
    _emit(hooked)
    for _ in range(5):
        hooked.later(hours=1)
    [message] = _messages(hooked, made["endpoint_id"], "dead")
    assert message["tried"] == 3
    assert message["next_at"] is None
    url = f"/api/v1/webhooks/{made['endpoint_id']}/messages/{message['message_id']}/replay"
    hooked.now.set(max(datetime.now(UTC), hooked.now()))
    answer = hooked.http("admin").post(url)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    assert hooked.http("admin").post(url).json()["code"] == "webhook.message-pending"
    hooked.settle()
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 4
    assert _messages(hooked, made["endpoint_id"])[0]["state"] == "delivered"
    assert _endpoint(hooked, made["endpoint_id"])["dead_in_row"] == 0


def test_a_replay_has_the_full_number_of_attempts(lite, receiver):
    made = _make(lite, receiver.url)
    receiver.answer(*[500] * 6)
    _emit(lite)
    for _ in range(3):
        lite.later(hours=1)
    since = (lite.now() - timedelta(days=1)).isoformat()
    answer = lite.http("admin").post(
        f"/api/v1/webhooks/{made['endpoint_id']}/replay", json={"since": since}
    )
    assert answer.json() == {"replayed": 1, "more": False}
    for _ in range(3):
        lite.later(hours=1)
    [message] = _messages(lite, made["endpoint_id"])
    assert (message["state"], message["tried"]) == ("dead", 6)
    assert [d["number"] for d in _deliveries(lite, message)] == [1, 2, 3, 4, 5, 6]


def test_an_endpoint_with_too_many_dead_in_a_row_is_switched_off_on_record(hooked, receiver):
    made = _make(hooked, receiver.url)
    receiver.answer(*[500] * 9)
    _emit(hooked, OPENED, OPENED)
    for _ in range(3):
        hooked.later(hours=1)
    found = _endpoint(hooked, made["endpoint_id"])
    assert (found["active"], found["off_reason"], found["dead_in_row"]) == (False, "dead", 2)
    assert "webhook.disabled" in _kinds(hooked)
    _emit(hooked)
    hooked.settle()
    assert len(receiver.got) == 6
    assert len(_messages(hooked, made["endpoint_id"])) == 2


def test_one_that_arrives_breaks_the_row(lite, receiver):
    made = _make(lite, receiver.url)
    for statuses in ([500] * 3, [200], [500] * 3):
        receiver.answer(*statuses)
        _emit(lite)
        for _ in range(3):
            lite.later(hours=1)
    assert _endpoint(lite, made["endpoint_id"])["dead_in_row"] == 1
    assert _endpoint(lite, made["endpoint_id"])["active"]


def test_gone_switches_off_at_once(hooked, receiver):
    made = _make(hooked, receiver.url)
    receiver.answer(410)
    _emit(hooked)
    hooked.settle()
    found = _endpoint(hooked, made["endpoint_id"])
    assert (found["active"], found["off_reason"]) == (False, "gone")
    [message] = _messages(hooked, made["endpoint_id"])
    assert (message["state"], message["fault"]) == ("dead", "gone")
    replayed = hooked.http("admin").post(
        f"/api/v1/webhooks/{made['endpoint_id']}/messages/{message['message_id']}/replay"
    )
    assert (replayed.status_code, replayed.json()["code"]) == (409, "webhook.endpoint-off")


def test_what_waits_when_an_endpoint_is_switched_off_is_kept_for_replay(lite, receiver):
    made = _make(lite, receiver.url)
    _emit(lite)
    url = f"/api/v1/webhooks/{made['endpoint_id']}"
    client = lite.http("admin")
    client.patch(url, json={"active": False}, headers={"If-Match": '"2"'})
    lite.settle()
    assert receiver.got == []
    assert _messages(lite, made["endpoint_id"])[0]["fault"] == "endpoint-off"
    client.patch(url, json={"active": True}, headers={"If-Match": '"3"'})
    client.post(f"{url}/replay", json={"since": lite.now().isoformat()})
    lite.settle()
    assert receiver.types == ["case.opened"]


def test_nobody_listens(lite):
    made = _make(lite, f"http://127.0.0.1:{free_port()}/")
    _emit(lite)
    lite.settle()
    assert _messages(lite, made["endpoint_id"])[0]["fault"] == "connection-failed"


def test_loopback_is_refused_unless_the_settings_allow_it(lite, receiver, monkeypatch):
    """The endpoint was made when it was allowed; the guard still looks at every delivery."""
    made = _make(lite, receiver.url)
    object.__setattr__(lite.frame.settings, "webhook", WebhookSettings())
    _emit(lite)
    lite.settle()
    assert receiver.got == []
    assert _messages(lite, made["endpoint_id"])[0]["fault"] == "address-refused"


def test_during_a_rotation_both_secrets_verify(hooked, receiver):
    made = _make(hooked, receiver.url)
    url = f"/api/v1/webhooks/{made['endpoint_id']}/rotate"
    new = hooked.http("admin").post(url, headers={"If-Match": '"2"'}).json()
    assert new["secret"] != made["secret"]
    assert new["old_secret_until"] is not None
    _emit(hooked)
    hooked.settle()
    [(headers, body)] = receiver.got
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (made["secret"], new["secret"]):
        Webhook(secret).verify(body, headers)


def test_a_day_after_a_rotation_only_the_new_secret_signs(lite, receiver):
    made = _make(lite, receiver.url)
    url = f"/api/v1/webhooks/{made['endpoint_id']}"
    lite.http("admin").post(f"{url}/rotate", headers={"If-Match": '"2"'})
    lite.later(hours=24)
    assert _endpoint(lite, made["endpoint_id"])["old_secret_until"] is None
    _emit(lite)
    lite.settle()
    assert len(receiver.got[0][0]["webhook-signature"].split()) == 1


def test_a_ping_is_tried_once_and_does_not_count(lite, receiver):
    made = _make(lite, receiver.url)
    url = f"/api/v1/webhooks/{made['endpoint_id']}/test"
    receiver.answer(500)
    assert lite.http("admin").post(url).status_code == 202
    lite.settle()
    [message] = _messages(lite, made["endpoint_id"])
    assert (message["event"], message["state"]) == ("webhook.ping", "dead")
    assert _endpoint(lite, made["endpoint_id"])["dead_in_row"] == 0
    assert receiver.types == ["webhook.ping"]


def test_a_worker_that_dies_after_sending_sends_again_under_the_same_id(hooked, receiver):
    """What was sent but not stored is sent again; what was stored twice counts once."""
    made = _make(hooked, receiver.url)
    _emit(hooked)
    [message] = _messages(hooked, made["endpoint_id"])
    key = (made["endpoint_id"], message["message_id"])
    due = outbox.due(hooked.frame, *key)
    outcome = sending.send(due.parcel, hooked.now(), hooked.frame.settings.webhook)
    hooked.settle()  # the job again, as after a kill: the first outcome was never stored
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    with hooked.tx() as tx:
        outbox.settle(tx, *key, due.number, outcome)  # a late worker
    with hooked.frame.read() as tx:
        assert tx.session.scalar(select(func.count()).select_from(WebhookDelivery)) == 1


def test_an_old_attempt_that_is_stored_late_changes_nothing(lite, receiver):
    made = _make(lite, receiver.url)
    receiver.answer(500)
    _emit(lite)
    lite.settle()
    key = (made["endpoint_id"], _messages(lite, made["endpoint_id"])[0]["message_id"])
    with lite.tx() as tx:
        outbox.settle(tx, *key, 1, sending.Outcome(200, None, 1))
    assert _messages(lite, made["endpoint_id"])[0]["state"] == "pending"


def test_deleting_an_endpoint_empties_its_outbox(hooked, receiver):
    made = _make(hooked, receiver.url)
    receiver.answer(500)
    _emit(hooked)
    hooked.settle()
    url = f"/api/v1/webhooks/{made['endpoint_id']}"
    assert hooked.http("admin").delete(url, headers={"If-Match": '"2"'}).status_code == 204
    assert hooked.http("admin").get(url).status_code == 404
    hooked.later(days=1)
    assert len(receiver.got) == 1
    with hooked.frame.read() as tx:
        for table in (WebhookEndpoint, WebhookMessage, WebhookDelivery):
            assert tx.session.scalar(select(func.count()).select_from(table)) == 0


def test_messages_that_ended_long_ago_are_deleted(lite, receiver):
    made = _make(lite, receiver.url)
    _emit(lite)
    lite.settle()
    lite.later(days=29)
    assert len(_messages(lite, made["endpoint_id"])) == 1
    lite.later(days=3)
    assert _messages(lite, made["endpoint_id"]) == []


def test_https_carries_the_name_to_the_address_that_was_checked(tmp_path, monkeypatch):
    """TLS and Host are about the name although the socket goes to the number."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    _self_signed(cert, key)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.plan, server.paths, server.drip = [], [], [], 0
    seen = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        trust = ssl.create_default_context(cafile=str(cert))
        monkeypatch.setattr(sending, "_tls", lambda: trust)
        monkeypatch.setattr(guard, "is_public", lambda _: True)
        port = server.server_address[1]
        secret = policy.derive_secret(b"x" * 32, "hook_1", 1)
        parcel = sending.Parcel(f"https://crm.example.com:{port}/a", "msg_1", "{}", [secret])
        outcome = sending.send(
            parcel, datetime.now(UTC), WebhookSettings(), lambda *_: ["127.0.0.1"]
        )
        wrong = sending.Parcel(f"https://other.example.com:{port}/a", "msg_1", "{}", [secret])
        refused = sending.send(
            wrong, datetime.now(UTC), WebhookSettings(), lambda *_: ["127.0.0.1"]
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert outcome.status == 200
    assert seen[0] == "crm.example.com"
    assert server.got[0][0]["host"] == f"crm.example.com:{port}"
    assert refused.fault is policy.Fault.CONNECTION
    assert len(server.got) == 1


def _self_signed(cert, key):
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
            "-subj", "/CN=crm.example.com", "-addext", "subjectAltName=DNS:crm.example.com",
            "-keyout", str(key), "-out", str(cert),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip


def _kinds(desk):
    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(EvidenceEntry.kind)))
