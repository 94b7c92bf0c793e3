"""Exit requests: recording, lawful holds, settling, completing, taking back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.exit import service
from keepwell.trust.access.policy import SYSTEM

URL = "/api/v1"


@pytest.fixture
def made(desk):
    desk.usual()
    answer = desk.http("m1").post(
        f"{URL}/exits", json={"client_id": "c1", "kind": "close", "request_id": "X-1"}
    )
    assert answer.status_code == 201
    return desk


def act(desk, name, verb, body=None, tag=None):
    http = desk.http(name)
    tag = tag or http.get(f"{URL}/exits/X-1").headers.get("etag", '"1"')
    return http.post(f"{URL}/exits/X-1/{verb}", json=body, headers={"If-Match": tag})


def hold(desk, name="compliance", **changed):
    body = {
        "code": "margin-debt", "until": (desk.now.at + timedelta(days=3)).isoformat(),
        "appeal": "Write to compliance.", **changed,
    }  # fmt: skip
    return act(desk, name, "holds", body)


def test_the_same_number_again_changes_nothing_and_other_facts_conflict(made):
    http = made.http("m1")
    body = {"client_id": "c1", "kind": "close", "request_id": "X-1"}
    again = http.post(f"{URL}/exits", json=body)
    assert (again.status_code, again.json()["version"]) == (201, 1)
    assert http.post(f"{URL}/exits", json={**body, "kind": "transfer"}).status_code == 409
    assert len(http.get(f"{URL}/exits").json()["items"]) == 1


def test_requests_are_seen_within_scope_only(made):
    assert made.http("m4").get(f"{URL}/exits/X-1").status_code == 404
    assert made.http("m4").get(f"{URL}/exits").json()["items"] == []
    body = {"client_id": "c1", "kind": "close"}
    assert made.http("m4").post(f"{URL}/exits", json=body).status_code == 404
    assert made.http("a1").post(f"{URL}/exits", json=body).status_code == 403
    assert made.http("auditor").get(f"{URL}/exits/X-1").status_code == 200
    assert act(made, "m4", "settle", tag='"1"').status_code == 404


def test_who_sees_everybody_records_exits_of_clients_the_book_does_not_know(made):
    body = {"client_id": "brand-new", "kind": "revoke"}
    assert made.http("integration").post(f"{URL}/exits", json=body).status_code == 201


def test_a_lawful_hold_waits_for_its_end_or_its_lifting(made):
    held = hold(made)
    assert held.status_code == 201
    assert held.json()["blockers"] == ["margin-debt"]
    assert held.json()["steps"] == ["clear-holds", "settle", "complete"]
    (one,) = held.json()["holds"]
    assert (one["placed_by"], one["appeal"]) == ("user_compliance", "Write to compliance.")
    assert act(made, "m1", "settle").status_code == 409
    lifted = act(made, "m1", f"holds/{one['hold_id']}/lift")
    assert lifted.json()["blockers"] == []
    assert act(made, "m1", f"holds/{one['hold_id']}/lift").status_code == 404
    assert hold(made, code="court-order").status_code == 201
    assert act(made, "m1", "settle").status_code == 409
    made.now.move(days=3, seconds=1)
    assert act(made, "m1", "settle").json()["state"] == "settled"


def test_holds_are_bounded_and_not_for_those_with_clients_to_keep(made):
    assert hold(made, "m1").status_code == 403
    assert hold(made, "d1").status_code == 403
    assert hold(made, "integration").status_code == 403
    for wrong in (
        {"until": made.now.at.isoformat()},
        {"until": (made.now.at + timedelta(days=91)).isoformat()},
        {"code": "retention"}, {"appeal": ""}, {"appeal": "\x00"}, {"until": "2026-03-05T00:00:00"},
    ):  # fmt: skip
        assert hold(made, **wrong).status_code == 422, wrong


def test_completing_needs_no_settling_and_no_hold_stands_against_it(made):
    hold(made)
    done = act(made, "m1", "complete")
    assert (done.json()["state"], done.json()["steps"]) == ("completed", [])
    for verb in ("settle", "complete", "no-contact"):
        assert act(made, "m1", verb).status_code == 409


def test_a_request_taken_back_ends_its_clock(made):
    act(made, "m1", "settle")
    assert act(made, "m1", "settle").status_code == 409
    word = {"source": "Recording 7", "note": "Keeps the account."}
    assert act(made, "compliance", "cancel", {"note": "He said so."}).status_code == 422
    assert act(made, "m1", "cancel", word).status_code == 403, "who keeps clients cannot say so"
    assert act(made, "l1", "cancel", word).status_code == 403
    back = act(made, "compliance", "cancel", word)
    assert back.json()["state"] == "cancelled"
    made.later(days=10)
    clocks = made.http("m1").get(f"{URL}/clocks?subject_kind=exit").json()["items"]
    assert [(c["state"], c["late"]) for c in clocks] == [("cancelled", False)]
    assert made.http("compliance").get(f"{URL}/notices").json()["items"] == []


def test_no_contact_is_remembered(made):
    assert act(made, "m1", "no-contact").json()["refused"]
    with made.frame.read() as tx:
        assert service.open_request(tx, "c1").refused


def test_changes_need_the_version_read(made):
    assert act(made, "m1", "settle", tag='"9"').status_code == 412
    assert made.http("m1").post(f"{URL}/exits/X-1/settle").status_code == 428


def test_lists_filter_page_and_export(made):
    with made.tx() as tx:
        for i in range(3):
            service.request_exit(
                tx, SYSTEM, client_id="c2", request_id=f"F-{i}", kind="revoke_designation",
                at=made.now.at - timedelta(hours=i), blockers="margin_debt,persuade",
            )  # fmt: skip
    http = made.http("l1")
    first = http.get(f"{URL}/exits?limit=3").json()
    rest = http.get(f"{URL}/exits", params={"limit": 3, "cursor": first["next"]}).json()
    assert {e["request_id"] for e in first["items"] + rest["items"]} == {"X-1", "F-0", "F-1", "F-2"}
    assert len(http.get(f"{URL}/exits?client_id=c2&state=requested").json()["items"]) == 3
    assert first["items"][1]["reported"] in ([], ["margin-debt"])
    assert http.get(f"{URL}/exits?format=csv").text.count("\n") == 5
    assert made.http("m1").get(f"{URL}/exits?format=csv").status_code == 403


def test_feeds_name_kinds_as_the_contract_does_and_the_future_is_refused(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    with desk.tx() as tx:
        made = service.request_exit(
            tx, SYSTEM, client_id="c1", request_id="R", kind="revoke_designation",
            blockers="margin_debt, please_stay",
        )  # fmt: skip
        assert (made.kind, made.reported) == ("revoke", ["margin-debt"])
        assert service.plan_of(tx, made).holds == ()
        with pytest.raises(Conflict):
            service.request_exit(tx, SYSTEM, client_id="c2", request_id="R", kind="revoke")
        with pytest.raises(Unprocessable):
            service.request_exit(tx, SYSTEM, client_id="c2", at=desk.now.at + timedelta(days=1))
        with pytest.raises(NotFound):
            service.note_contact(tx, "none")
