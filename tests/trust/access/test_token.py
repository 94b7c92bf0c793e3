"""API tokens: shown once, narrower than their user, gone at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from keepwell.trust.access.model import ApiToken, User


def body(desk, *permissions, days=30, name="export"):
    return {
        "name": name,
        "permissions": list(permissions) or ["client:read"],
        "expires_at": (desk.now() + timedelta(days=days)).isoformat(),
    }


def bearer(desk, secret):
    return desk.http(Authorization=f"Bearer {secret}")


@pytest.fixture
def full(desk):
    desk.usual()
    return desk


@pytest.fixture
def small(sqlite_desk):
    sqlite_desk.usual()
    return sqlite_desk


def test_a_token_is_shown_once_and_kept_as_a_digest(full):
    http = full.http("m1")
    made = http.post("/api/v1/me/tokens", json=body(full, "client:read"))
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("kw_")
    assert len(secret) == 3 + 43
    listed = http.get("/api/v1/me/tokens").json()["items"]
    mine = next(t for t in listed if t["name"] == "export")
    assert secret.startswith(mine["prefix"])
    assert "secret" not in mine
    with full.frame.read() as tx:
        rows = tx.session.scalars(select(ApiToken)).all()
    assert all(secret.encode() not in row.digest for row in rows)
    me = bearer(full, secret).get("/api/v1/me").json()
    assert me["permissions"] == ["client:read"]
    assert me["via"] == "token"


def test_a_token_holds_less_than_its_user(small):
    secret = small.http("m1").post("/api/v1/me/tokens", json=body(small)).json()["secret"]
    http = bearer(small, secret)
    assert http.get("/api/v1/clients/c1").status_code == 200
    assert http.get("/api/v1/clients/c4").status_code == 404
    denied = http.get("/api/v1/users")
    assert (denied.status_code, denied.json()["code"]) == (403, "access.permission-missing")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"days": 367}, "access.token-end"),
        ({"days": -1}, "access.token-end"),
        ({"permissions": ["user:admin"]}, "access.token-permissions"),
    ],
)
def test_tokens_that_may_not_be(small, change, code):
    given = body(small, *change.pop("permissions", []), **change)
    answer = small.http("m1").post("/api/v1/me/tokens", json=given)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_token_without_end_or_permission_is_malformed(small):
    given = body(small)
    for change in ({"expires_at": None}, {"permissions": []}, {"permissions": ["fly:high"]}):
        assert small.http("m1").post("/api/v1/me/tokens", json=given | change).status_code == 422


def test_a_token_cannot_make_a_wider_one(small):
    given = body(small, "token:own", "client:read")
    secret = small.http("m1").post("/api/v1/me/tokens", json=given).json()["secret"]
    http = bearer(small, secret)
    answer = http.post("/api/v1/me/tokens", json=body(small, "case:write"))
    assert (answer.status_code, answer.json()["code"]) == (403, "access.token-wider")
    assert http.post("/api/v1/me/tokens", json=body(small, "client:read")).status_code == 201


def test_a_token_ends(small):
    secret = small.http("m1").post("/api/v1/me/tokens", json=body(small, days=1)).json()["secret"]
    assert bearer(small, secret).get("/api/v1/me").status_code == 200
    small.now.move(days=1)
    gone = bearer(small, secret).get("/api/v1/me")
    assert (gone.status_code, gone.json()["code"]) == (401, "access.token-invalid")


def test_a_revoked_token_is_gone_at_once_and_only_its_owner_revokes_it(full):
    made = full.http("m1").post("/api/v1/me/tokens", json=body(full)).json()
    path = f"/api/v1/me/tokens/{made['token_id']}"
    assert full.http("m2").delete(path).status_code == 404
    assert bearer(full, made["secret"]).get("/api/v1/me").status_code == 200
    assert full.http("m1").delete(path).status_code == 204
    assert bearer(full, made["secret"]).get("/api/v1/me").status_code == 401
    listed = full.http("m1").get("/api/v1/me/tokens").json()["items"]
    assert made["token_id"] not in {t["token_id"] for t in listed}


def test_an_administrator_sees_and_revokes_all(small):
    made = small.http("m1").post("/api/v1/me/tokens", json=body(small)).json()
    admin = small.http("admin")
    page, seen = admin.get("/api/v1/tokens?limit=5").json(), []
    while True:
        seen += [t["token_id"] for t in page["items"]]
        if page["next"] is None:
            break
        page = admin.get("/api/v1/tokens", params={"limit": 5, "cursor": page["next"]}).json()
    assert made["token_id"] in seen
    assert len(seen) == len(set(seen)) == 17
    assert admin.delete(f"/api/v1/tokens/{made['token_id']}").status_code == 204
    assert bearer(small, made["secret"]).get("/api/v1/me").status_code == 401


def test_narrowing_the_role_or_the_user_narrows_the_token_at_once(full):
    given = body(full, "evidence:read", "client:read")
    made = full.http("compliance").post("/api/v1/me/tokens", json=given).json()
    http = bearer(full, made["secret"])
    assert http.get("/api/v1/unmaskings").status_code == 200
    with full.tx() as tx:
        tx.session.execute(update(User).where(User.login == "compliance").values(role="analyst"))
    assert http.get("/api/v1/unmaskings").status_code == 403
    with full.tx() as tx:
        tx.session.execute(update(User).where(User.login == "compliance").values(active=False))
    assert http.get("/api/v1/me").status_code == 401


def test_a_repeat_never_shows_the_secret_again(full):
    http = full.http("m1", **{"Idempotency-Key": "make-1"})
    given = body(full)
    first = http.post("/api/v1/me/tokens", json=given)
    again = http.post("/api/v1/me/tokens", json=given)
    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "request.answer-secret")
    assert len(full.http("m1").get("/api/v1/me/tokens").json()["items"]) == 2


def test_programs_get_their_token_from_an_administrator(small):
    admin = small.http("admin")
    made = admin.post(
        "/api/v1/users", json={"login": "crm", "name": "CRM", "role": "integration"}
    ).json()
    path = f"/api/v1/users/{made['user_id']}/tokens"
    secret = admin.post(path, json=body(small, "client:read")).json()["secret"]
    assert bearer(small, secret).get("/api/v1/clients/c1").status_code == 200
    person = admin.post("/api/v1/users/user_m1/tokens", json=body(small, "client:read"))
    assert (person.status_code, person.json()["code"]) == (403, "access.token-foreign")


def test_use_is_noted(small):
    http = small.http("m1")
    http.get("/api/v1/me")
    with small.frame.read() as tx:
        used = tx.session.scalars(
            select(ApiToken.used_at).where(ApiToken.user_id == "user_m1")
        ).one()
    assert used == small.now()


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "kw_test_m1", "Bearer ü"])
def test_broken_headers_are_nobody(small, header):
    http = small.http()
    answer = http.get("/api/v1/me", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
