"""Users, staff, teams, branches and regions, kept by administrators."""

from __future__ import annotations

import pytest

from keepwell.trust.access import passwords


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(1, 8, 1))
    monkeypatch.setattr(passwords, "_nobody", [])


@pytest.fixture
def full(desk):
    desk.usual()
    return desk


@pytest.fixture
def small(sqlite_desk):
    sqlite_desk.usual()
    return sqlite_desk


def version(answer):
    return {"If-Match": answer.headers["etag"]}


def test_a_user_is_made_logs_in_and_is_switched_off(full):
    admin = full.http("admin")
    given = {
        "login": "zhao", "name": "赵", "role": "compliance", "password": "seven green bicycles",
    }  # fmt: skip
    made = admin.post("/api/v1/users", json=given)
    assert made.status_code == 201
    assert "password" not in made.text
    assert made.json()["must_change"] is True
    twice = admin.post("/api/v1/users", json=given)
    assert (twice.status_code, twice.json()["code"]) == (409, "access.login-taken")
    http = full.http()
    log_in = {"login": "zhao", "password": given["password"]}
    assert http.post("/api/v1/session", json=log_in).status_code == 201
    path = f"/api/v1/users/{made.json()['user_id']}"
    off = admin.patch(path, json={"active": False}, headers=version(made))
    assert off.json()["active"] is False
    assert http.get("/api/v1/me").status_code == 401
    admin.patch(path, json={"active": True}, headers=version(off))
    assert http.get("/api/v1/me").status_code == 401, "an ended session does not come back"


def test_a_change_needs_the_version_and_only_one_of_two_wins(full):
    admin = full.http("admin")
    read = admin.get("/api/v1/users/user_m1")
    path = "/api/v1/users/user_m1"
    assert admin.patch(path, json={"locale": "zh"}).status_code == 428
    assert admin.patch(path, json={"locale": "zh"}, headers=version(read)).status_code == 200
    late = admin.patch(path, json={"name": "Other"}, headers=version(read))
    assert (late.status_code, late.json()["code"]) == (412, "request.condition-stale")
    assert admin.get(path).json()["locale"] == "zh"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scope": "all"}, "access.scope-wider"),
        ({"staff_id": "nobody"}, "access.staff-unknown"),
        ({"staff_id": None}, "access.staff-needed"),
        ({"staff_id": "m2"}, "access.staff-taken"),
    ],
)
def test_role_scope_and_place_must_fit(small, change, code):
    admin = small.http("admin")
    read = admin.get("/api/v1/users/user_m1")
    answer = admin.patch("/api/v1/users/user_m1", json=change, headers=version(read))
    assert answer.json()["code"] == code
    assert admin.get("/api/v1/users/user_m1").json() == read.json()


def test_a_narrower_scope_holds_at_once_and_a_new_role_brings_its_own(full):
    admin, director = full.http("admin"), full.http("d1")

    def seen():
        return sorted(c["client_id"] for c in director.get("/api/v1/clients").json()["items"])

    assert seen() == ["c1", "c2", "c3", "c4", "c5"]
    read = admin.get("/api/v1/users/user_d1")
    narrow = admin.patch("/api/v1/users/user_d1", json={"scope": "none"}, headers=version(read))
    assert seen() == []
    wide = admin.patch(
        "/api/v1/users/user_d1", json={"role": "compliance"}, headers=version(narrow)
    )
    assert wide.json()["scope"] == "all"
    assert len(seen()) == 8


def test_the_last_administrator_stays(full):
    admin = full.http("admin")
    path = "/api/v1/users/user_admin"
    read = admin.get(path)
    for change in ({"active": False}, {"role": "auditor"}):
        answer = admin.patch(path, json=change, headers=version(read))
        assert (answer.status_code, answer.json()["code"]) == (409, "access.admin-last")
    given = {"login": "second", "name": "Second", "role": "admin"}
    admin.post("/api/v1/users", json=given)
    assert admin.patch(path, json={"active": False}, headers=version(read)).status_code == 200


def test_an_administrator_gives_a_password_and_ends_sessions(full):
    admin, http = full.http("admin"), full.http()
    given = {"password": "seven green bicycles"}
    assert admin.post("/api/v1/users/user_m1/password", json=given).status_code == 204
    log_in = {"login": "m1", **given}
    assert http.post("/api/v1/session", json=log_in).json()["must_change"] is True
    ended = admin.delete("/api/v1/users/user_m1/sessions")
    assert ended.json() == {"sessions": 1}
    assert http.get("/api/v1/me").status_code == 401
    program = admin.post("/api/v1/users/user_integration/password", json=given)
    assert (program.status_code, program.json()["code"]) == (422, "access.password-none")


def test_users_are_listed_in_pages_and_filtered(full):
    http = full.http("m1")
    seen, cursor = [], None
    while True:
        params = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        page = http.get("/api/v1/users", params=params).json()
        seen += [user["login"] for user in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == 16
    leads = http.get("/api/v1/users?role=lead").json()["items"]
    assert [user["login"] for user in leads] == ["l1", "l2", "l3"]
    found = http.get("/api/v1/users?search=Person m").json()["items"]
    assert [user["login"] for user in found] == ["m1", "m2", "m3", "m4"]
    assert http.get("/api/v1/users?search=%25").json()["items"] == []
    assert http.get("/api/v1/users?active=false").json()["items"] == []


def test_roles_say_what_they_give_in_the_callers_language(small):
    english = small.http("m1").get("/api/v1/roles").json()
    chinese = small.http("m1", **{"Accept-Language": "zh-CN"}).get("/api/v1/roles").json()
    assert [role["role"] for role in english] == [role["role"] for role in chinese]
    lead = next(role for role in english if role["role"] == "lead")
    assert lead["scope"] == "team"
    assert lead["permissions"]["case:reassign"].startswith("Give cases")
    assert all(
        role["title"] != other["title"] for role, other in zip(english, chinese, strict=True)
    )


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("staff", {"staff_id": "m9", "name": "New", "role": "manager", "team_id": "tn1"},
         {"team_id": "ts1", "capacity": 4}),
        ("teams", {"team_id": "t9", "name": "Nine", "branch_id": "bn"}, {"branch_id": "bs"}),
        ("branches", {"branch_id": "b9", "name": "Nine", "region_id": "north"},
         {"region_id": None}),
        ("regions", {"region_id": "r9", "name": "Nine"}, {"name": "Ninth"}),
    ],
)  # fmt: skip
def test_places_are_made_read_changed_and_listed(full, path, body, change):
    admin = full.http("admin")
    made = admin.post(f"/api/v1/{path}", json=body)
    assert made.status_code == 201
    assert admin.post(f"/api/v1/{path}", json=body).status_code == 409
    one = f"/api/v1/{path}/{next(iter(body.values()))}"
    assert full.http("m1").get(one).json() == made.json()
    changed = admin.patch(one, json=change, headers=version(made))
    assert {**made.json(), **change, "version": 2} == changed.json()
    assert admin.patch(one, json=change, headers=version(made)).status_code == 412
    assert admin.get(f"/api/v1/{path}/none-such").status_code == 404
    keys, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = full.http("m1").get(f"/api/v1/{path}", params=params).json()
        keys += [item[next(iter(body))] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert keys == sorted(keys)
    assert next(iter(body.values())) in keys


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("staff", {"staff_id": "m9", "name": "N", "role": "manager", "team_id": "none"}),
        ("teams", {"team_id": "t9", "name": "N", "branch_id": "none"}),
        ("branches", {"branch_id": "b9", "name": "N", "region_id": "none"}),
    ],
)
def test_nobody_belongs_to_what_there_is_not(full, path, body):
    answer = full.http("admin").post(f"/api/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "access.place-missing")


def test_moving_a_manager_to_another_team_moves_what_its_lead_sees(full):
    lead, admin = full.http("l1"), full.http("admin")

    def seen():
        return sorted(c["client_id"] for c in lead.get("/api/v1/clients").json()["items"])

    assert seen() == ["c1", "c2", "c3", "c4"]
    read = admin.get("/api/v1/staff/m1")
    admin.patch("/api/v1/staff/m1", json={"team_id": "tn2"}, headers=version(read))
    assert seen() == ["c4"]


@pytest.mark.parametrize(
    "change",
    [
        {"login": "Wang Li"}, {"login": "x\x00y"}, {"login": "ü"}, {"name": ""},
        {"name": "a\x00b"}, {"role": "king"}, {"password": "\ud800 seven green"},
        {"password": "x" * 129}, {"unknown": 1}, {"locale": "fr"}, {"staff_id": "a b"},
    ],
)  # fmt: skip
def test_bad_input_is_422_and_never_500(small, change):
    import json

    given = {"login": "ok", "name": "Ok", "role": "admin"} | change
    answer = small.http("admin").post(
        "/api/v1/users", content=json.dumps(given), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
