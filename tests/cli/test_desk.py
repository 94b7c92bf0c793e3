from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn

from keepwell.cli import desk as command
from keepwell.cli import main
from keepwell.core.text import set_locale
from keepwell.intervene.action.catalogue import Catalogue
from tests.desk import token_of
from tests.intervene.action.test_recommendation import IDLE, warn

# The command line has the real clock: the assessment must be valid whenever this runs.
ADVISED = {
    "manager_id": "m1", "branch_id": "bn", "score": 80.0, "probability": 0.2, "tier": "moderate",
    "name": "王小明", "reasons": [IDLE], "investor_class": "ordinary", "risk_level": "C1",
    "assessed_on": datetime.now(UTC).date() - timedelta(days=30),
}  # fmt: skip


@pytest.fixture
def place(sqlite_desk, monkeypatch):
    """A workspace with its desk where the command line looks for it."""
    # The tables are made from the models; that the migrations make the same is tested elsewhere.
    monkeypatch.setattr("keepwell.frame.migrate.check", lambda _: None)
    sqlite_desk.usual()
    return sqlite_desk


@pytest.fixture
def run(place, capsys, monkeypatch):
    """Run `keepwell desk …` in the workspace as m1; gives exit code, output and errors."""

    def call(*words, login="m1", lang="en"):
        options = ["-w", str(place.frame.workspace.root), *(["--as", login] if login else [])]
        monkeypatch.setattr("sys.argv", ["keepwell", "--lang", lang, "desk", *options, *words])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("KEEPWELL_URL", raising=False)
    monkeypatch.delenv("KEEPWELL_TOKEN", raising=False)
    yield call
    set_locale("en")


def test_a_day_on_the_command_line(run):
    code, out, _ = run("open", "c1", "--title", "Wants lower fees", "--json")
    assert code == 0
    case = json.loads(out)["case_id"]
    assert case in run("cases")[1]
    assert run("note", case, "Called twice.")[0] == 0
    # The client called: at night the rules let nobody call them, and this clock is the real one.
    assert run("contact", case, "--result", "reached", "--in")[0] == 0
    code, out, _ = run("move", case, "plan")
    assert (code, out) == (0, f"Case {case} is now plan.\n")
    code, out, _ = run("case", case)
    assert "Title: Wants lower fees" in out
    assert "Called twice." in out
    code, out, _ = run(
        "close", case, "--outcome", "recovered", "--reason", "service-fixed", "--note", "Done."
    )
    assert (code, out) == (0, f"Case {case} is now recovered.\n")
    assert "There is nothing to show." in run("cases")[1]
    assert case in run("cases", "--closed")[1]


def test_clients_and_their_context(run):
    assert json.loads(run("clients", "--json")[1])[0]["client_id"] in ("c1", "c2", "c3")
    code, out, _ = run("client", "c1")
    assert code == 0
    assert "Client: c1" in out


def test_what_to_do_in_a_case_what_to_say_and_why_nothing_else(place, run):
    case = json.loads(run("open", "c1", "--json")[1])["case_id"]
    assert run("recommend", case)[1].startswith("Nothing is recommended now.\n\nWhy nothing else")
    place.publish([{"client_id": "c2", **ADVISED}])
    warned = warn(place, "c2")
    told = run("recommend", warned)[1]
    title = Catalogue.shipped().version("service-call", 1).title
    assert f"What to do: {title.en} (service-call@1)" in told
    assert "Client value unknown: ordered by the assumed effect alone." in told
    assert "Hello 王**, this is Person m1 of Test broker." in told
    assert "SU-1, SU-2" in told
    whole = json.loads(run("recommend", warned, "--json")[1])
    assert (whole["case_id"], whole["basis"]) == (warned, "assumed-effect")
    chinese = run("recommend", warned, lang="zh")[1]
    assert f"建议动作: {title.zh}" in chinese
    assert "为什么不是其他动作" in chinese


def test_lists_are_empty_or_json(run):
    for name in ("alerts", "notices", "cases"):
        assert run(name)[1] == "There is nothing to show.\n"
        assert json.loads(run(name, "--json")[1]) == []


def test_me(run):
    assert "Role: manager" in run("me")[1]


def test_a_typing_error_in_a_number_is_told(run):
    code, out, err = run("case", "case_typo")
    assert (code, out) == (2, "")
    assert err.startswith("case.case-unknown: There is no such case")


def test_another_managers_client_is_not_there(run):
    code, _, err = run("client", "c8")
    assert code == 2
    assert err.startswith("access.client-unknown: ")


def test_a_wrong_word_is_told_with_its_place(run):
    code, _, err = run("open", "c1", "--tier", "grave")
    assert code == 2
    assert "body.tier" in err


def test_it_must_be_said_as_whom(run):
    code, _, err = run("me", login=None)
    assert (code, err.split(":")[0]) == (2, "client.user-missing")
    code, _, err = run("me", login="nobody")
    assert (code, err.split(":")[0]) == (2, "access.login-unknown")


def test_a_server_needs_a_token(run, monkeypatch):
    monkeypatch.setenv("KEEPWELL_URL", "https://desk.example.com")
    code, _, err = run("me")
    assert (code, err.split(":")[0]) == (2, "client.token-missing")


def test_a_server_that_is_not_there_is_told(run, monkeypatch):
    monkeypatch.setattr("keepwell.client.wire.WAIT_MOST", 0.0)
    monkeypatch.setenv("KEEPWELL_TOKEN", "kw_x")
    monkeypatch.setenv("KEEPWELL_URL", "http://127.0.0.1:1")
    code, _, err = run("me")
    assert (code, err.split(":")[0]) == (1, "client.desk-unreachable")


def test_a_reassignment_shows_asks_and_can_be_undone(run, monkeypatch):
    case = json.loads(run("open", "c1", "--json")[1])["case_id"]
    monkeypatch.setattr(command.typer, "confirm", lambda _: False)
    code, out, _ = run("reassign", case, "--to", "m2", login="l1")
    assert code == 1
    assert case in out
    monkeypatch.setattr(command.typer, "confirm", lambda _: True)
    code, out, _ = run("reassign", case, "--to", "m2", login="l1")
    assert code == 0
    assert "1 cases reassigned." in out
    batch = out.strip().rsplit(" ", 1)[1]
    code, out, _ = run("undo", batch, login="l1")
    assert out == "1 cases have their owner back, 0 were changed since and stay.\n"
    assert json.loads(run("case", case, "--json")[1])["owner_id"] == "m1"


def test_a_reassignment_says_which_cases(run):
    assert run("reassign", "--to", "m2", login="l1")[2].startswith("client.reassign-unclear")
    code, _, err = run("reassign", "--from", "m1", "--to", "m2", "--yes", login="l1")
    assert (code, err.split(":")[0]) == (2, "case.case-unknown")
    case = json.loads(run("open", "c1", "--json")[1])["case_id"]
    words = ("reassign", "--from", "m1", "--to", "m2", "--yes", "--json")
    code, out, _ = run(*words, login="l1")
    assert (code, json.loads(out)["cases"]) == (0, [case])


def test_it_speaks_chinese(run, capsys, monkeypatch, place):
    root = str(place.frame.workspace.root)
    words = ["keepwell", "--lang", "zh", "desk", "-w", root, "--as", "m1", "cases"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == "没有可显示的内容。\n"


def test_the_same_words_work_on_a_server(run, place, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(place.app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        for _ in range(500):
            if server.started:
                break
            time.sleep(0.01)
        monkeypatch.setenv("KEEPWELL_TOKEN", token_of("m1"))
        code, out, err = run("--url", f"http://127.0.0.1:{port}", "me", login=None)
        assert (code, err) == (0, "")
        assert "Role: manager" in out
        monkeypatch.setenv("KEEPWELL_TOKEN", "kw_wrong")
        code, _, err = run("--url", f"http://127.0.0.1:{port}", "me", login=None)
        assert (code, err.split(":")[0]) == (2, "access.token-invalid")
    finally:
        server.should_exit = True
        thread.join()
