"""My account: who one is, the password, tokens; what the service refuses stands at its field."""

from __future__ import annotations

import re

import pytest

from keepwell.trust.access import passwords
from keepwell.trust.access.model import ApiToken, User, UserSession
from keepwell.trust.access.policy import GRANTS, PERMISSIONS, Role

OLD = "seven green bicycles"
NEW = "eight green bicycles"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Cheap hashes: what they cost is not tested here."""
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(1, 8, 1))
    monkeypatch.setattr(passwords, "_nobody", [])


@pytest.fixture
def people(desk):
    desk.staff_up()
    with desk.tx() as tx:
        tx.session.get_one(User, "user_m1").password_hash = passwords.hash_password(OLD)
    return desk


def browser(desk, must_change=False):
    """Somebody who logged in by password and follows nothing by itself."""
    with desk.tx() as tx:
        tx.session.get_one(User, "user_m1").must_change = must_change
    http = desk.http()
    http.headers["sec-fetch-site"] = "same-origin"
    done = http.post("/login", data={"login": "m1", "password": OLD}, follow_redirects=False)
    return http, done.headers["location"]


def post(http, path, **form):
    return http.post(path, data=form, follow_redirects=False)


def version_of(page):
    return re.search(r'name="version" value="(\d+)"', page.text)[1]


def once_of(page):
    return re.search(r'name="once" value="([^"]+)"', page.text)[1]


def test_it_says_who_one_is_and_what_one_may_do(people):
    page = people.http("m1").get("/account").text
    for words in ("Person m1", "Relationship manager", "tn1", "The clients of one&#39;s own book."):
        assert words in page
    may = GRANTS[Role.MANAGER].permissions
    for permission, words in PERMISSIONS.items():
        assert (words.replace("'", "&#39;") in page) is (permission in may), permission
    chinese = people.http("m1").get("/account")
    assert chinese.status_code == 200


def test_nobody_is_led_to_the_log_in(people):
    for path in ("/account", "/account/password", "/account/tokens"):
        answer = people.http().get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")


def test_who_must_change_the_password_can_do_that_and_nothing_else(people):
    http, place = browser(people, must_change=True)
    assert place == "/account/password"
    assert http.get("/account", follow_redirects=False).headers["location"] == place
    page = http.get(place)
    assert "Somebody else chose your password" in page.text
    assert '/account">Cancel' not in page.text
    done = post(http, place, current=OLD, new=NEW, repeat=NEW)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert http.get("/account").status_code == 200


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"current": "wrong", "new": NEW, "repeat": NEW}, "current", "The present password is wr"),
        ({"current": OLD, "new": "short", "repeat": "short"}, "new", "12 to 128 characters"),
        ({"current": OLD, "new": "a" * 14, "repeat": "a" * 14}, "new", "too easily guessed"),
        ({"current": OLD, "new": NEW, "repeat": "else"}, "repeat", "The two new passwords differ"),
        ({"current": OLD, "new": "", "repeat": ""}, "new", "Fill this in"),
    ],
)
def test_a_fault_stands_at_its_field_and_no_password_on_the_page(people, form, field, words):
    http, _ = browser(people)
    page = post(http, "/account/password", **form)
    assert page.status_code == 422
    told = re.search(rf'<div id="h-{field}" class="invalid-feedback">([^<]*)<', page.text)
    assert told is not None
    assert words in told[1]
    for secret in (NEW, OLD):
        assert secret not in page.text


def test_a_new_password_ends_the_other_sessions(people):
    other, _ = browser(people)
    http, _ = browser(people)
    assert post(http, "/account/password", current=OLD, new=NEW, repeat=NEW).status_code == 303
    assert "Your password is changed" in http.get("/account").text
    assert other.get("/account", follow_redirects=False).status_code == 303
    with people.frame.read() as tx:
        assert tx.session.query(UserSession).count() == 1


def test_too_many_wrong_attempts_lead_to_a_pause(people):
    http, _ = browser(people)
    for _ in range(6):
        page = post(http, "/account/password", current="wrong", new=NEW, repeat=NEW)
    assert page.status_code == 429
    assert NEW not in page.text


def test_a_token_is_made_shown_once_used_and_revoked(people):
    http = people.http("m1")
    once = once_of(http.get("/account/tokens"))
    form = {"name": "nightly <b>export</b>", "permissions": ["client:read", "case:read"],
            "expires_at": "2026-04-01", "once": once}  # fmt: skip
    page = http.post("/account/tokens", data=form)
    secret = re.search(r'readonly value="(kw_[^"]+)"', page.text)[1]
    assert "nightly &lt;b&gt;export" in page.text
    used = people.http(Authorization=f"Bearer {secret}")
    assert sorted(used.get("/api/v1/me").json()["permissions"]) == ["case:read", "client:read"]
    again = http.post("/account/tokens", data=form)
    assert (again.status_code, secret in again.text) == (409, False)
    listed = http.get("/account/tokens").text
    assert secret not in listed
    place = re.search(r"/account/tokens/(token_01[^/]+)/revoke", listed)[0]
    assert people.http("m2").post(place, follow_redirects=False).status_code == 404
    assert http.post(place, follow_redirects=False).status_code == 303
    assert used.get("/api/v1/me").status_code == 401
    with people.frame.read() as tx:
        mine = tx.session.query(ApiToken).filter_by(user_id="user_m1", name=form["name"])
        assert mine.one().expires_at.isoformat() == "2026-04-01T15:59:59+00:00"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"permissions": []}, "Choose at least one."),
        ({"name": ""}, "Fill this in."),
        ({"expires_at": "2030-01-01"}, "at most 366 days"),
        ({"expires_at": "soon"}, "Choose a date"),
        ({"permissions": ["user:admin"]}, "only what its user may"),
    ],
)
def test_a_token_that_cannot_be_keeps_what_was_typed(people, change, words):
    form = {"name": "export", "permissions": ["case:read"], "expires_at": "2026-04-01"} | change
    page = people.http("m1").post("/account/tokens", data=form)
    assert page.status_code == 422
    assert words in page.text
    if "name" not in change:
        assert 'value="export"' in page.text
    if "permissions" not in change:
        assert 'value="case:read" checked' in page.text


def test_tips_come_back(people):
    http = people.http("m1")
    assert "first-time tips" not in http.get("/account").text
    http.post("/tips/today", data={"next": "/account"}, follow_redirects=False)
    assert "first-time tips" in http.get("/account").text
    post(http, "/account/tips")
    assert "first-time tips" not in http.get("/account").text


def test_made_up_passwords_are_accepted():
    for login in ("a", "wang.li", "2"):
        for shortest in (8, 12, 128):
            passwords.check_new(passwords.make_up(login, shortest), login, shortest)
