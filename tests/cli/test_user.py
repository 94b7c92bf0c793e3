"""`keepwell user`: people and tokens straight on the database, clear words for typos."""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy import select

from keepwell.cli import main
from keepwell.core.text import set_locale
from keepwell.trust.access.model import User, UserSession
from keepwell.trust.evidence.model import EvidenceEntry

PASSWORD = "correct horse battery staple"


@pytest.fixture
def place(sqlite_desk, monkeypatch):
    # The tables are made from the models; that the migrations make the same is tested elsewhere.
    monkeypatch.setattr("keepwell.frame.migrate.check", lambda _: None)
    monkeypatch.setattr("keepwell.frame.migrate.found", lambda _: "made")
    sqlite_desk.staff_up()
    return sqlite_desk


@pytest.fixture
def run(place, capsys, monkeypatch):
    """Run `keepwell user …`; gives exit code, output and errors."""

    def call(*words, given=""):
        root = str(place.frame.workspace.root)
        monkeypatch.setattr("sys.argv", ["keepwell", "--lang", "en", "user", *words, "-w", root])
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    monkeypatch.setenv("COLUMNS", "200")
    yield call
    set_locale("en")


def log_in(desk, login, password):
    # The command line stands at the real time, the desk of a test at its own.
    return desk.http().post("/api/v1/session", json={"login": login, "password": password})


def kinds(desk):
    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(EvidenceEntry.kind).order_by(EvidenceEntry.at)))


def test_a_user_from_the_first_day_to_the_last(place, run):
    words = ("add", "ann", "--role", "admin", "--name", "Ann Lee")
    code, out, err = run(*words, given=f"{PASSWORD}\n")
    assert (code, out) == (0, "User ann is made.\n"), err
    assert log_in(place, "ann", PASSWORD).status_code == 201
    code, out, _ = run("list", "--json")
    mine = next(row for row in json.loads(out) if row["login"] == "ann")
    assert (mine["name"], mine["active"]) == ("Ann Lee", True)
    assert "Ann Lee" in run("list")[1]

    assert log_in(place, "ann", PASSWORD).json()["must_change"] is False
    code, out, _ = run("password", "ann", "--temporary", given="another long password\n")
    assert (code, out) == (0, "User ann has a new password.\n")
    assert log_in(place, "ann", PASSWORD).status_code == 401
    place.now.move(minutes=30)
    opened = log_in(place, "ann", "another long password")
    assert opened.status_code == 201
    assert opened.json()["must_change"] is True

    code, out, err = run("token", "ann", "--name", "import", "--days", "1", "-p", "job:admin")
    assert code == 0, err
    secret = out.strip()
    assert "\n" not in secret
    http = place.http()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert http.get("/api/v1/me", headers=bearer).status_code == 200
    assert http.get("/api/v1/jobs", headers=bearer).status_code == 200
    assert http.get("/api/v1/users", headers=bearer).status_code == 403

    code, out, _ = run("disable", "ann")
    assert (code, out) == (0, "User ann is switched off.\n")
    assert http.get("/api/v1/me", headers=bearer).status_code == 401
    assert log_in(place, "ann", "another long password").status_code == 401
    with place.frame.read() as tx:
        user = tx.session.scalars(select(User).where(User.login == "ann")).one()
        assert not user.active
        sessions = select(UserSession).where(UserSession.user_id == user.user_id)
        assert tx.session.scalars(sessions).all() == []
    seen = kinds(place)
    for kind in ("user.created", "password.changed", "token.created", "user.disabled"):
        assert kind in seen, seen


def test_a_program_has_no_password(place, run):
    assert run("add", "robot", "--role", "integration")[0] == 0
    assert log_in(place, "robot", "").status_code in (401, 422)
    assert run("token", "robot", "--name", "core")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "bob", "--role", "manger"), "user.word-unknown", "manager"),
        (("add", "bob", "--role", "lead", "--scope", "tem"), "user.word-unknown", "team"),
        (("add", "bob", "--role", "lead", "--locale", "fr"), "user.word-unknown", "en, zh"),
        (("add", "b b", "--role", "lead"), "user.login-invalid", "b b"),
        (("token", "m1", "--name", "x", "-p", "case:raed"), "user.word-unknown", "case:read"),
        (("token", "nobody", "--name", "x"), "access.user-unknown", "no such user"),
        (("password", "nobody"), "access.user-unknown", "no such user"),
        (("disable", "nobody"), "access.user-unknown", "no such user"),
        (("add", "m1", "--role", "manager"), None, "m1"),
        (("add", "Bob", "--role", "lead"), "user.login-invalid", "lower-case"),
    ],
)
def test_typos(run, words, code, told):
    found, out, err = run(*words, given=f"{PASSWORD}\n")
    assert found in (1, 2)
    assert out == ""
    assert err.count("\n") == 1
    assert told in err
    if code:
        assert err.startswith(f"{code}: ")


def test_a_poor_password_and_none(place, run):
    for given in ("short\n", "", "bob bob bob\n"):
        code, _, err = run("add", "bob", "--role", "admin", given=given)
        assert code in (1, 2), given
        assert err.count("\n") == 1
        assert not given.strip() or given.strip() not in err
    assert "bob" not in {row["login"] for row in json.loads(run("list", "--json")[1])}


def test_unknown_commands_and_options(run):
    assert run("ad", "bob")[0] == 2
    assert run("add", "bob")[0] == 2
    assert run("token", "m1", "--name", "x", "--days", "0")[0] == 2
