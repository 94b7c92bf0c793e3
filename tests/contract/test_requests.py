"""What a request may hold: known parameters, instants that can be stored, one file to a key."""

from __future__ import annotations

import pytest

from tests.contract.routes import endpoints

V1 = "/api/v1"


@pytest.fixture
def usual(sqlite_desk):
    sqlite_desk.usual()
    return sqlite_desk


@pytest.mark.parametrize(
    ("path", "typed", "meant"),
    [
        ("/clients", "manger_id", "manager_id"), ("/cases", "ownr", "owner"),
        ("/alerts", "statu", "status"), ("/exits", "client", "client_id"),
        ("/treatments", "desicion", "decision"),
    ],
)  # fmt: skip
def test_a_filter_with_a_typing_error_does_not_return_everything(usual, path, typed, meant):
    answer = usual.http("compliance").get(f"{V1}{path}", params={typed: "m1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.query-unknown")
    assert repr(typed) in answer.json()["detail"]
    assert f"nearest: {meant}." in answer.json()["detail"]


def test_an_unknown_parameter_of_a_write_changes_nothing(usual):
    http = usual.http("m1")
    answer = http.post(f"{V1}/cases", params={"dry": "1"}, json={"client_id": "c1"})
    assert answer.json()["code"] == "request.query-unknown"
    assert "–" in answer.json()["detail"]
    assert http.get(f"{V1}/cases").json()["items"] == []


def test_who_asks_comes_first(usual):
    assert usual.http().get(f"{V1}/cases", params={"x": "1"}).status_code == 401
    assert usual.http("admin").get(f"{V1}/cases", params={"x": "1"}).status_code == 403
    both = usual.http("m1").get(f"{V1}/cases", params={"x": "1", "limit": "none"})
    assert (both.status_code, both.json()["code"]) == (422, "request.query-unknown")


def test_every_described_parameter_is_known(usual):
    from keepwell.trust.access.call import query_names

    described = {
        operation["operationId"]: {
            p["name"] for p in operation.get("parameters", []) if p["in"] == "query"
        }
        for item in usual.app.openapi()["paths"].values()
        for operation in item.values()
    }
    routes = endpoints(usual.app)
    assert sum(bool(query_names(route)) for route in routes) > 20
    assert {r.operation_id: set(query_names(r)) for r in routes} == {
        r.operation_id: described[r.operation_id] for r in routes
    }


EDGES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-04T10:00:00")


@pytest.mark.parametrize("desk", ["sqlite", "postgresql"], indirect=True)
def test_instants_that_cannot_be_stored_are_refused(desk):
    desk.usual()
    http = desk.http("compliance")
    asked = 0
    for item, operations in desk.app.openapi()["paths"].items():
        for operation in [operations["get"]] if "get" in operations else []:
            for parameter in operation.get("parameters", []):
                if "date-time" not in str(parameter["schema"]) or "{" in item:
                    continue
                for value in EDGES:
                    who = "analyst" if "treatments" in item else "compliance"
                    answer = desk.http(who).get(item, params={parameter["name"]: value})
                    assert answer.status_code == 422, f"{item} {value} {answer.text}"
                    asked += 1
    assert asked >= 3 * 5
    for value in EDGES:
        for path, body in (
            ("/exits", {"client_id": "c1", "kind": "close", "requested_at": value}),
            ("/clients/c1/consents", {
                "purpose": "marketing", "granted": True, "source": "form", "at": value
            }),
        ):  # fmt: skip
            assert http.post(f"{V1}{path}", json=body).status_code == 422, (path, value)


def test_the_same_key_with_another_file_conflicts(usual):
    case = usual.http("m1").post(f"{V1}/cases", json={"client_id": "c1"}).json()["case_id"]
    http = usual.http("m1", **{"Idempotency-Key": "file-1"})
    path = f"{V1}/cases/{case}/attachments"

    def send(name, content):
        return http.post(path, files={"file": (name, content, "text/plain")})

    first, again = send("a.txt", b"one"), send("a.txt", b"one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    for other in (send("a.txt", b"two"), send("b.txt", b"one")):
        assert (other.status_code, other.json()["code"]) == (409, "request.key-conflict")
    assert len(usual.http("m1").get(path).json()["items"]) == 1


def test_a_webhooks_secret_is_not_kept_for_a_repeat(usual):
    http = usual.http("admin", **{"Idempotency-Key": "hook-1"})
    body = {"url": "https://crm.example.com/", "patterns": ["*"]}
    assert "secret" in http.post(f"{V1}/webhooks", json=body).json()
    again = http.post(f"{V1}/webhooks", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "request.answer-secret")
    assert len(usual.http("admin").get(f"{V1}/webhooks").json()["items"]) == 1


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/cases", "GET, POST"), ("/users/x", "GET, PATCH"), ("/webhooks/x", "DELETE, GET, PATCH")],
)
def test_a_wrong_method_is_told_all_that_there_are(usual, path, methods):
    answer = usual.http("admin").put(f"{V1}{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("compliance", "/cases"), ("compliance", "/clocks"), ("compliance", "/exits"),
        ("compliance", "/alerts"), ("compliance", "/clients"), ("analyst", "/treatments"),
    ],
)  # fmt: skip
def test_every_file_that_is_handed_out_is_recorded(usual, who, path):
    answer = usual.http(who).get(f"{V1}{path}", params={"format": "csv"})
    assert answer.status_code == 200, answer.text
    entries = usual.http("auditor").get(
        f"{V1}/evidence/entries", params={"kind": "list.exported"}
    ).json()["items"]  # fmt: skip
    assert [e["entry"]["data"]["list"] for e in entries] == [path[1:]]


def test_words_take_fields_of_any_name():
    from keepwell.core.text import tr

    assert tr("{message} {locale}", "en", message="a", locale="b") == "a b"
