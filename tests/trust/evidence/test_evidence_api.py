"""The evidence endpoints and commands."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from keepwell.cli import app as _app  # noqa: F401
from keepwell.cli.evidence import _app as cli
from keepwell.core.errors import DataError, UsageError
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence import repo
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.trust.evidence.service import record

API = "/api/v1"


@pytest.fixture
def filled(desk, fill):
    desk.usual()
    fill(desk, 12)
    desk.now.move(seconds=1)
    with desk.tx() as tx:
        record(tx, SYSTEM, EvidenceKind.USER_CREATED, subject="user_9", data={"role": "manager"})
        record(tx, SYSTEM, EvidenceKind.CONSENT_REFUSED, client_id="c6", subject="c6")
        sequence_all(tx)
    return desk


def test_entries_are_searched_in_pages(filled):
    http = filled.http("auditor")
    seen, cursor = [], None
    while True:
        params = {"limit": 4, **({"cursor": cursor} if cursor else {})}
        answer = http.get(f"{API}/evidence/entries", params=params)
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            break
    assert [one["index"] for one in seen] == list(range(13, -1, -1))


FOUND = [
    ({"kind": "user.created"}, 1), ({"kind": "case.opened"}, 12), ({"client_id": "c2"}, 4),
    ({"client_id": "nobody"}, 0), ({"subject": "case_3"}, 1), ({"actor_id": "user_m1"}, 0),
    ({"actor_id": "system"}, 14), ({"client_id": "c6"}, 1),
    ({"since": "2026-03-04T10:00:00+08:00"}, 14), ({"until": "2026-03-04T10:00:00+08:00"}, 0),
]  # fmt: skip


def test_entries_are_found_by_what_they_say(filled):
    http = filled.http("compliance")
    for params, count in FOUND:
        answer = http.get(f"{API}/evidence/entries", params=params)
        assert answer.status_code == 200
        assert len(answer.json()["items"]) == count, params
        assert not any(f'"c{i}"' in answer.text for i in range(1, 9))


SENSELESS = [
    {"kind": "no.such"}, {"since": "2026-03-04T10:00:00"}, {"cursor": "x"}, {"limit": 0},
    {"client_id": "a\x00b"}, {"subject": "\x00"}, {"actor_id": "\x00"},
    {"since": "0001-01-01T00:00:00+14:00"}, {"until": "9999-12-31T23:59:59-14:00"},
]  # fmt: skip


def test_a_search_that_makes_no_sense_is_422(sqlite_desk):
    sqlite_desk.usual()
    http = sqlite_desk.http("auditor")
    for params in SENSELESS:
        answer = http.get(f"{API}/evidence/entries", params=params)
        assert answer.status_code == 422, (params, answer.text)


def test_a_receipt_is_fetched_and_verified(filled):
    http = filled.http("auditor")
    entry = http.get(f"{API}/evidence/entries", params={"subject": "case_3"}).json()["items"][0]
    path = f"{API}/evidence/entries/{entry['entry']['id']}"
    assert http.get(path).json() == entry
    receipt = http.get(f"{path}/receipt").json()
    answer = http.post(f"{API}/evidence/verify", json={"receipts": [receipt]})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"valid": True, "entries": 1, "checkpoints": 1, "findings": []}
    receipt["entry"]["data"]["tier"] = "mild"
    body = {"receipts": [receipt]}
    answer = http.post(f"{API}/evidence/verify", json=body, headers={"Accept-Language": "zh"})
    assert not answer.json()["valid"]
    [finding] = answer.json()["findings"]
    assert finding["code"] == "entry.unproven"
    assert finding["message"].startswith("证明不能说明")


def test_a_checkpoint_of_a_forked_log_is_found(filled):
    from keepwell.trust.evidence.key import load_signer
    from keepwell.trust.evidence.note import Checkpoint

    http = filled.http("auditor")
    good = http.get(f"{API}/evidence/checkpoint").json()
    assert good["size"] == 14
    answer = http.post(f"{API}/evidence/verify", json={"checkpoint": good["note"]})
    assert answer.json()["valid"]
    signer = load_signer(filled.frame)
    for size, code in ((14, "checkpoint.foreign"), (15, "checkpoint.beyond")):
        fork = signer.sign(Checkpoint(signer.name, size, bytes(32)).text())
        answer = http.post(f"{API}/evidence/verify", json={"checkpoint": fork})
        assert [f["code"] for f in answer.json()["findings"]] == [code]
    answer = http.post(f"{API}/evidence/verify", json={"checkpoint": "x"})
    assert [f["code"] for f in answer.json()["findings"]] == ["checkpoint.invalid"]
    answer = http.post(f"{API}/evidence/verify", json={"verifier": "x"})
    assert answer.status_code == 422


def test_consistency_is_proved(filled):
    http = filled.http("auditor")
    answer = http.get(f"{API}/evidence/consistency", params={"first": 12, "second": 14})
    assert answer.status_code == 200
    assert len(answer.json()["path"]) == 3
    answer = http.get(f"{API}/evidence/consistency", params={"first": 12, "second": 99})
    assert answer.status_code == 422
    assert answer.json()["code"] == "evidence.sizes-invalid"


def test_a_manager_gets_receipts_of_own_clients_only(filled):
    http = filled.http("m1")
    answer = http.get(f"{API}/clients/c1/receipts", params={"limit": 3})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == 3
    answer = http.get(
        f"{API}/clients/c1/receipts", params={"limit": 3, "cursor": answer.json()["next"]}
    )
    assert len(answer.json()["items"]) == 1
    assert answer.json()["next"] is None
    for other in ("c6", "nobody"):
        answer = http.get(f"{API}/clients/{other}/receipts")
        assert answer.status_code == 404
        assert answer.json()["code"] == "evidence.client-unknown"
    # A client of one's own about whom there is nothing.
    filled.publish([{"client_id": "c77", "manager_id": "m1"}])
    assert http.get(f"{API}/clients/c77/receipts").json() == {"items": [], "next": None}


PATHS = (
    "/evidence/entries", "/evidence/entries/ev_x", "/evidence/entries/ev_x/receipt",
    "/evidence/checkpoint", "/evidence/consistency?first=1&second=2",
)  # fmt: skip


def test_only_compliance_and_auditors_read_the_log(sqlite_desk):
    sqlite_desk.usual()
    for name in sqlite_desk.actors:
        for path in PATHS:
            status = sqlite_desk.http(name).get(API + path).status_code
            assert (status == 403) == (name not in ("compliance", "auditor")), (name, path)
    for path in PATHS:
        assert sqlite_desk.http().get(API + path).status_code == 401


def test_an_empty_log_answers(sqlite_desk):
    sqlite_desk.usual()
    http = sqlite_desk.http("auditor")
    assert http.get(f"{API}/evidence/entries").json() == {"items": [], "next": None}
    answer = http.get(f"{API}/evidence/checkpoint")
    assert (answer.status_code, answer.json()["code"]) == (404, "evidence.checkpoint-none")
    assert http.get(f"{API}/evidence/entries/ev_x").status_code == 404
    answer = http.post(f"{API}/evidence/verify", json={})
    assert answer.json()["valid"]


def test_a_narrow_scope_sees_only_entries_about_its_clients(filled):
    from dataclasses import replace

    from keepwell.trust.access.policy import Permission
    from keepwell.trust.evidence import prove

    manager = filled.actors["m4"]
    manager = replace(manager, permissions=manager.permissions | {Permission.EVIDENCE_READ})
    with filled.frame.read() as tx:
        found, _ = prove.search(tx, manager, repo.Search())
        assert [one.entry["kind"] for one in found] == ["consent.refused"]


# Commands


@pytest.fixture
def on_disk(sqlite_desk, fill, monkeypatch):
    """A workspace with a log, as the command line finds it."""
    monkeypatch.setattr("keepwell.frame.migrate.check", lambda frame: None)
    fill(sqlite_desk, 9)
    return sqlite_desk


def run(*words: object):
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_status_export_verify(on_disk, tmp_path):
    root, file = on_disk.frame.workspace.root, tmp_path / "log.zip"
    status = run("status", "-w", root, "--json")
    assert status.exit_code == 0, status.output
    shown = json.loads(status.output)
    assert shown["entries"] == 9
    key = shown["verifier"]
    old = tmp_path / "old.txt"
    old.write_bytes(shown["checkpoint"].encode())
    assert key in run("status", "-w", root).output
    made = run("export", "-w", root, "--out", file)
    assert made.exit_code == 0, made.output
    assert key in made.output
    good = run("verify", file, "--key", key, "--checkpoint", old)
    assert good.exit_code == 0, good.output
    assert good.output.startswith("Valid. Checked: entries 10,")
    assert "Compare this key" in run("verify", file).output
    live = run("verify", "-w", root, "--checkpoint", old, "--json")
    assert json.loads(live.output)["valid"]
    part = run("export", "-w", root, "--out", file, "--client", "c1", "--openings", "--json")
    assert json.loads(part.output)["kind"] == "selection"
    assert run("verify", file).exit_code == 0


def test_verify_fails_clearly(on_disk, tmp_path):
    file = tmp_path / "log.zip"
    run("export", "-w", on_disk.frame.workspace.root, "--out", file)
    other = "keepwell/x+" + _other_key()
    result = run("verify", file, "--key", other)
    assert isinstance(result.exception, DataError)
    assert result.exception.code == "evidence.verification-failed"
    assert result.exception.exit_code == 1
    assert "key.different:" in result.output
    assert "checkpoint.invalid:" in result.output


def _other_key() -> str:
    from keepwell.trust.evidence.note import Signer

    return str(Signer("keepwell/x", bytes(32)).verifier).split("+", 1)[1]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["verify", "none.zip"], UsageError), (["verify", "--checkpoint", "none"], UsageError),
        (["verify", "x", "--key", "bad"], DataError),
        (["export", "--out", "x", "--openings"], UsageError),
        (["export", "--out", "x", "--from", "yesterday"], UsageError),
    ],
)  # fmt: skip
def test_wrong_use_is_an_error_of_ours(on_disk, words, kind):
    result = run(*words, "-w", on_disk.frame.workspace.root)
    assert isinstance(result.exception, kind), result.output


def test_the_commands_speak_chinese(on_disk, monkeypatch):
    from keepwell.core import text

    monkeypatch.setattr(text, "_chosen", ["zh"])
    assert "公钥" in run("status", "-w", on_disk.frame.workspace.root).output
    assert "有效" in run("verify", "-w", on_disk.frame.workspace.root).output


def test_no_word_of_the_commands_is_only_english():
    import re
    from pathlib import Path

    import keepwell.cli.evidence as module
    from keepwell.core.text import catalogue

    source = Path(module.__file__).read_text("utf-8")
    said = re.findall(r'say\(\s*((?:"[^"]*"\s*)+)', source)
    words = ["".join(re.findall(r'"([^"]*)"', one)) for one in said]
    assert len(words) > 6
    assert [w for w in words if w not in catalogue()] == []
