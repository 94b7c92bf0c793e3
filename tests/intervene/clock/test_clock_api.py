"""Endpoints of clocks, policies and calendars."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from keepwell.frame.events import EventName
from keepwell.intervene.clock import policies
from tests.intervene.clock.test_clocks import tell

URL = "/api/v1"


@pytest.fixture
def filled(desk):
    desk.usual()
    tell(desk, EventName.CASE_OPENED)
    tell(desk, EventName.CASE_OPENED, case="case_5", client="c5", owner_id="m3", tier="mild")
    return desk


def test_lists_are_scoped_filtered_and_paged(filled):
    http = filled.http("m1")
    first = http.get(f"{URL}/clocks?limit=1").json()
    rest = http.get(f"{URL}/clocks", params={"cursor": first["next"]}).json()
    assert [c["code"] for c in first["items"] + rest["items"]] == ["first-touch", "plan"]
    assert rest["next"] is None
    everybody = filled.http("compliance")
    assert len(everybody.get(f"{URL}/clocks").json()["items"]) == 4
    assert filled.http("m4").get(f"{URL}/clocks").json()["items"] == []
    assert filled.http("admin").get(f"{URL}/clocks").json()["items"] == []
    for query, number in (
        ("code=plan", 1), ("subject_id=case_5", 2), ("subject_kind=exit", 0), ("state=paused", 0),
        ("client_id=c5", 2), ("owner_id=m1", 2), ("due_before=2026-03-04T02:20:00Z", 2),
    ):  # fmt: skip
        assert len(everybody.get(f"{URL}/clocks?{query}").json()["items"]) == number, query
    for wrong in ("state=stopped", "due_before=yesterday", "limit=0", "cursor=x", "code=A%00"):
        assert http.get(f"{URL}/clocks?{wrong}").status_code == 422, wrong


def test_csv_needs_its_permission(filled):
    assert filled.http("m1").get(f"{URL}/clocks?format=csv").status_code == 403
    answer = filled.http("l1").get(f"{URL}/clocks?format=csv")
    assert answer.content.startswith(b"\xef\xbb\xbfclock_id,")
    assert answer.text.count("\n") == 3


def test_pause_and_resume(filled):
    http = filled.http("m1")
    clock = http.get(f"{URL}/clocks?code=first-touch").json()["items"][0]
    path = f"{URL}/clocks/{clock['clock_id']}"
    read = http.get(path)
    assert [e["kind"] for e in read.json()["events"]] == ["started"]
    tag = read.headers["etag"]
    body = {"reason": "waiting-for-client", "note": "Signs tomorrow."}
    assert http.post(f"{path}/pause", json=body).status_code == 428
    assert http.post(f"{path}/pause", json=body, headers={"If-Match": '"7"'}).status_code == 412
    wrong = {"reason": "lunch"}
    assert http.post(f"{path}/pause", json=wrong, headers={"If-Match": tag}).status_code == 422
    paused = http.post(f"{path}/pause", json=body, headers={"If-Match": tag})
    assert paused.json()["state"] == "paused"
    tag = paused.headers["etag"]
    assert http.post(f"{path}/pause", json=body, headers={"If-Match": tag}).status_code == 409
    assert http.post(f"{path}/resume", headers={"If-Match": tag}).json()["state"] == "running"
    assert filled.http("m4").get(path).status_code == 404
    assert filled.http("a1").post(f"{path}/pause", json=body).status_code == 403
    notes = [e["note"] for e in http.get(path).json()["events"]]
    assert notes == [None, "Signs tomorrow.", None]


def test_policies_are_versioned_and_activated_by_administrators(filled):
    http = filled.http("admin")
    listed = {p["name"]: p for p in http.get(f"{URL}/clock-policies").json()}
    assert set(listed) == {"all-channels", "exit", "first-touch", "tiered"}
    assert [n for n, p in listed.items() if p["active"]] == ["first-touch"]
    read = http.get(f"{URL}/clock-policies/tiered")
    body = {k: read.json()[k] for k in ("title", "note", "clocks")}
    body["clocks"] = body["clocks"][:1]
    url = f"{URL}/clock-policies/tiered"
    assert http.put(url, json=body).status_code == 428
    assert http.put(url, json=body, headers={"If-Match": '"4"'}).status_code == 412
    stored = http.put(url, json=body, headers={"If-Match": read.headers["etag"]})
    assert (stored.json()["version"], stored.json()["active"]) == (2, False)
    active = http.post(f"{url}/activate").json()
    assert (active["active"], active["active_version"]) == (True, 2)
    assert http.put(f"{URL}/clock-policies/ours", json=body).json()["version"] == 1
    assert (
        http.put(f"{URL}/clock-policies/exit", json=body, headers={"If-Match": '"1"'}).status_code
        == 409
    )
    assert http.post(f"{URL}/clock-policies/exit/activate").status_code == 409
    assert http.post(f"{URL}/clock-policies/none/activate").status_code == 404
    assert http.get(f"{URL}/clock-policies/none").status_code == 404
    assert filled.http("m1").post(f"{url}/activate").status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"minutes": None}, {"days": {"any": 1}}, {"stops_on": [], "stops_in": []},
        {"warn": [0.8, 0.5]}, {"warn": [1.5]}, {"escalate": [{"at": 0.5, "to": "lead"}]},
        {"escalate": [{"at": 1, "to": "nobody"}]}, {"minutes": {"tiny": 5}}, {"starts_on": []},
        {"minutes": {"any": 0}}, {"code": "Upper"}, {"calendar": "lunar"}, {"more": 1},
    ],
)  # fmt: skip
def test_policies_that_make_no_sense_are_refused(change):
    body = policies.shipped()["first-touch"].model_dump(mode="json")
    body["clocks"][0] |= change
    with pytest.raises(ValidationError):
        policies.PolicyBody.model_validate(body)


def test_a_code_stands_once_in_a_policy(sqlite_desk):
    sqlite_desk.usual()
    body = policies.shipped()["first-touch"].model_dump(mode="json")
    body["clocks"].append(body["clocks"][0])
    answer = sqlite_desk.http("admin").put(f"{URL}/clock-policies/wrong", json=body)
    assert answer.status_code == 422


def test_calendars_say_what_is_open_and_what_is_a_guess(sqlite_desk):
    sqlite_desk.usual()
    found = {c["name"]: c for c in sqlite_desk.http("m1").get(f"{URL}/calendars").json()}
    assert found["exchange"]["exchange"] == "XSHG"
    assert found["exchange"]["open"]
    assert found["exchange"]["provisional_after"] == "2026-12-31"
    assert not found["exchange"]["provisional"]
    assert found["always"]["provisional_after"] is None
    sqlite_desk.now.move(days=310)
    found = {c["name"]: c for c in sqlite_desk.http("m1").get(f"{URL}/calendars").json()}
    assert found["office"]["provisional"]
