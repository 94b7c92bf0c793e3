"""Log-in by password: sessions, pauses, forced change, forged requests."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from keepwell.trust.access import passwords, sessions, throttle, users
from keepwell.trust.access.model import LoginFailure, User, UserSession
from keepwell.trust.access.policy import LOCAL, Role
from keepwell.trust.evidence.model import EvidenceEntry
from tests.desk import Desk, Ticker, write_workspace

GOOD = "seven green bicycles"
NEW = "eight green bicycles"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Cheap hashes: what they cost is not tested here."""
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(1, 8, 1))
    monkeypatch.setattr(passwords, "_nobody", [])


def make(desk, login="wang.li", role=Role.ADMIN, must_change=False, **more):
    hashed = sessions.new_hash(desk.frame, login, GOOD)
    with desk.tx() as tx:
        return users.create(
            tx, LOCAL, login=login, name="Wang Li", role=role, password_hash=hashed,
            must_change=must_change, **more,
        ).user.user_id  # fmt: skip


def log_in(http, login="wang.li", password=GOOD, **headers):
    return http.post(
        "/api/v1/session", json={"login": login, "password": password}, headers=headers
    )


def test_log_in_opens_a_session_that_only_the_cookie_holds(desk):
    user_id = make(desk)
    http = desk.http()
    answer = log_in(http, " Wang.Li")
    assert answer.status_code == 201
    assert answer.json()["user_id"] == user_id
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("keepwell=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    me = http.get("/api/v1/me").json()
    assert (me["user_id"], me["via"], me["role"]) == (user_id, "session", "admin")
    with desk.frame.read() as tx:
        kept = tx.session.scalars(select(UserSession.digest)).one()
        assert kept not in http.cookies["keepwell"].encode()
    assert http.delete("/api/v1/session").status_code == 204
    assert desk.http(Cookie=cookie.split(";")[0]).get("/api/v1/me").status_code == 401


def test_secure_cookie_is_bound_to_the_host(sqlite_template, tmp_path):
    import shutil

    from keepwell.frame.context import Frame

    root = write_workspace(tmp_path / "ws")
    shutil.copy(sqlite_template, tmp_path / "desk.sqlite")
    desk = Desk.open(root, f"sqlite:///{tmp_path / 'desk.sqlite'}", Ticker())
    settings = desk.frame.settings
    secure = settings.model_copy(
        update={"session": settings.session.model_copy(update={"secure": True})}
    )
    desk.frame = Frame(desk.frame.workspace, secure, desk.frame.database, desk.now)
    make(desk)
    cookie = log_in(desk.http()).headers["set-cookie"]
    assert cookie.startswith("__Host-keepwell=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    desk.close()


def test_a_new_log_in_ends_the_session_it_came_with(desk):
    make(desk)
    http = desk.http()
    log_in(http)
    first = http.cookies["keepwell"]
    log_in(http)
    assert http.cookies["keepwell"] != first
    assert desk.http(Cookie=f"keepwell={first}").get("/api/v1/me").status_code == 401
    assert http.get("/api/v1/me").status_code == 200


def test_session_ends_when_idle_and_when_it_is_old(sqlite_desk):
    desk = sqlite_desk
    make(desk)
    http = desk.http()
    log_in(http)
    for _ in range(11):
        desk.now.move(minutes=59)
        assert http.get("/api/v1/me").status_code == 200
    desk.now.move(minutes=61)
    gone = http.get("/api/v1/me")
    assert (gone.status_code, gone.json()["code"]) == (401, "access.session-over")
    log_in(http)
    for _ in range(13):
        desk.now.move(minutes=55)
        last = http.get("/api/v1/me").status_code
    assert desk.frame.settings.session.hours == 12
    desk.now.move(minutes=55)
    assert last == 200
    assert http.get("/api/v1/me").status_code == 401


def test_use_is_noted_at_most_once_a_minute(sqlite_desk):
    desk = sqlite_desk
    make(desk)
    http = desk.http()
    log_in(http)

    def seen():
        with desk.frame.read() as tx:
            return tx.session.scalars(select(UserSession.seen_at)).one()

    start = seen()
    desk.now.move(seconds=59)
    http.get("/api/v1/me")
    assert seen() == start
    desk.now.move(seconds=1)
    http.get("/api/v1/me")
    assert seen() == desk.now()


@pytest.mark.parametrize("why", ["password", "unknown", "disabled", "program", "none"])
def test_failures_look_alike_and_all_cost_a_hash(sqlite_desk, monkeypatch, why):
    desk = sqlite_desk
    user_id = make(desk)
    values = {
        "disabled": {"active": False}, "program": {"role": "integration"},
        "none": {"password_hash": None},
    }.get(why)  # fmt: skip
    if values:
        with desk.tx() as tx:
            tx.session.execute(update(User).where(User.user_id == user_id).values(**values))
    hashed = []
    real = passwords._HASHER.verify
    spy = type("Spy", (), {
        "hash": staticmethod(passwords._HASHER.hash),
        "verify": staticmethod(lambda kept, given: hashed.append(1) or real(kept, given)),
    })  # fmt: skip
    monkeypatch.setattr(passwords, "_HASHER", spy)
    login = "nobody" if why == "unknown" else "wang.li"
    answer = log_in(desk.http(), login, "wrong password" if why == "password" else GOOD)
    assert (answer.status_code, answer.json()["code"]) == (401, "access.log-in-failed")
    assert hashed == [1]


def test_pauses_double_and_end_and_success_clears_them(desk):
    make(desk)
    http = desk.http()
    for _ in range(5):
        assert log_in(http, password="wrong password").status_code == 401
    paused = log_in(http)
    assert paused.status_code == 429
    assert paused.headers["retry-after"] == "30"
    desk.now.move(seconds=30)
    assert log_in(http, password="wrong password").status_code == 401
    assert log_in(http).headers["retry-after"] == "60"
    desk.now.move(seconds=60)
    assert log_in(http).status_code == 201
    for _ in range(4):
        assert log_in(http, password="wrong password").status_code == 401
    assert log_in(http).status_code == 201


def test_nobody_is_locked_out_for_ever(sqlite_desk):
    desk = sqlite_desk
    make(desk)
    with desk.tx() as tx:
        names = throttle.subjects(tx, "wang.li", "testclient")
        for _ in range(500):
            throttle.failed(tx, names)
    assert 0 < int(log_in(desk.http()).headers["retry-after"]) <= 900
    desk.now.move(minutes=15)
    assert log_in(desk.http()).status_code == 201


def test_an_address_that_guesses_many_names_is_paused(sqlite_desk):
    desk = sqlite_desk
    make(desk)
    with desk.tx() as tx:
        for n in range(50):
            throttle.failed(tx, throttle.subjects(tx, f"name{n}", "testclient"))
    assert log_in(desk.http()).status_code == 429
    with desk.frame.read() as tx:
        throttle.check(tx, throttle.subjects(tx, "wang.li", "10.0.0.1"))


def test_neighbours_in_one_ipv6_network_count_together(sqlite_desk):
    with sqlite_desk.frame.read() as tx:
        one = throttle.subjects(tx, "a", "2001:db8::1")[1]
        assert throttle.subjects(tx, "b", "2001:db8::ffff")[1] == one
        assert throttle.subjects(tx, "b", "2001:db8:0:1::1")[1] != one


def test_failures_are_evidence_without_login_or_password(desk):
    make(desk)
    log_in(desk.http(), password="guess one two")
    log_in(desk.http(), login="somebody.else")
    with desk.frame.read() as tx:
        bodies = tx.session.scalars(select(EvidenceEntry.body)).all()
        rows = tx.session.scalars(select(LoginFailure.subject)).all()
    failed = [body for body in bodies if "login.failed" in body]
    assert len(failed) == 2
    text = " ".join([*bodies, *rows])
    assert "guess one two" not in text
    assert "somebody.else" not in text
    assert "wang.li" not in text


def test_a_given_password_must_be_changed_first(desk):
    make(desk, must_change=True)
    http = desk.http()
    assert log_in(http).json()["must_change"] is True
    refused = http.get("/api/v1/users")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.password-change-needed")
    assert http.get("/api/v1/me").json()["must_change"] is True
    changed = http.post("/api/v1/me/password", json={"current": GOOD, "new": NEW})
    assert changed.status_code == 204
    assert http.get("/api/v1/users").status_code == 200
    assert log_in(desk.http()).status_code == 401
    assert log_in(desk.http(), password=NEW).status_code == 201


def test_changing_the_password_ends_the_other_sessions(desk):
    make(desk)
    here, there = desk.http(), desk.http()
    log_in(here)
    log_in(there)
    body = {"current": "not the one at all", "new": NEW}
    assert here.post("/api/v1/me/password", json=body).status_code == 422
    body["current"] = GOOD
    assert here.post("/api/v1/me/password", json=body).status_code == 204
    assert here.get("/api/v1/me").status_code == 200
    assert there.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "access.password-length"),
        ("aaaaaaaaaaaaaaaa", "access.password-weak"),
        ("my wang.li 12345", "access.password-weak"),
    ],
)
def test_weak_passwords_are_refused(sqlite_desk, new, code):
    make(sqlite_desk)
    http = sqlite_desk.http()
    log_in(http)
    answer = http.post("/api/v1/me/password", json={"current": GOOD, "new": new})
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_guesses_of_the_present_password_are_paused_too(sqlite_desk):
    make(sqlite_desk)
    http = sqlite_desk.http()
    log_in(http)
    body = {"current": "not the one at all", "new": NEW}
    codes = [http.post("/api/v1/me/password", json=body).status_code for _ in range(6)]
    assert codes == [422] * 5 + [429]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Sec-Fetch-Site": "none"}, 204),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://127.0.0.1"}, 204),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_another_site_cannot_act_for_a_browser(sqlite_desk, headers, status):
    make(sqlite_desk)
    http = sqlite_desk.http()
    log_in(http)
    assert http.get("/api/v1/me", headers=headers).status_code == 200
    assert http.delete("/api/v1/session", headers=headers).status_code == status


def test_another_site_cannot_log_a_browser_in(sqlite_desk):
    make(sqlite_desk)
    assert log_in(sqlite_desk.http(), **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_token_needs_no_such_check(sqlite_desk):
    sqlite_desk.usual()
    http = sqlite_desk.http("admin", **{"Sec-Fetch-Site": "cross-site"})
    answer = http.post("/api/v1/regions", json={"region_id": "west", "name": "West"})
    assert answer.status_code == 201


def test_two_log_ins_at_once_never_hash_at_once(sqlite_desk, monkeypatch):
    import threading
    import time

    inside, most = [0], [0]
    lock = threading.Lock()

    class Slow:
        def verify(self, kept, given):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.002)
            with lock:
                inside[0] -= 1
            return True

    monkeypatch.setattr(passwords, "_HASHER", Slow())
    threads = [threading.Thread(target=passwords.verify, args=("kept", "given")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_the_real_hash_is_argon2id_with_the_chosen_cost(monkeypatch):
    monkeypatch.undo()
    kept = passwords.hash_password(GOOD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(kept, GOOD)
    assert not passwords.verify(kept, NEW)
    assert not passwords.verify("no hash at all", GOOD)


def test_old_rows_are_pruned(desk):
    make(desk)
    http = desk.http()
    log_in(http)
    log_in(desk.http(), password="wrong password")
    desk.settle()
    desk.later(hours=13)
    with desk.frame.read() as tx:
        assert tx.session.scalars(select(UserSession)).all() == []
        assert tx.session.scalars(select(LoginFailure)).all() == []
