"""Recording, sequencing, guards, erasure: on both databases."""

from __future__ import annotations

import json
import stat
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from keepwell.core.errors import DataError
from keepwell.core.text import catalogue
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence import merkle, repo, token
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.finding import FINDINGS
from keepwell.trust.evidence.key import key_path, load_signer
from keepwell.trust.evidence.model import KEPT
from keepwell.trust.evidence.note import Verifier, open_checkpoint
from keepwell.trust.evidence.policy import TITLES, EvidenceKind, canonical, plain
from keepwell.trust.evidence.sequence import BATCH, sequence, sequence_all
from keepwell.trust.evidence.service import Fact, forget, record, record_many


class Killed(BaseException):
    """A worker that dies."""


def rows(desk, sql: str) -> list:
    with desk.frame.read() as tx:
        return list(tx.session.execute(text(sql)))


def test_kinds_are_in_order_and_have_titles_that_speak_chinese():
    assert set(TITLES) == set(EvidenceKind)
    assert [k.name for k in EvidenceKind] == sorted(k.name for k in EvidenceKind)
    for kind in EvidenceKind:
        assert kind.name == kind.value.upper().replace(".", "_").replace("-", "_")
    silent = [t for t in [*TITLES.values(), *FINDINGS.values()] if t not in catalogue()]
    assert not silent


def test_an_entry_says_how_the_actor_came(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    kind = EvidenceKind.CASE_OPENED
    local = desk.actors["m1"]
    with desk.tx() as tx:
        for via in ("session", "token", "local"):
            record(tx, replace(local, via=via), kind, subject=via)
        record(tx, SYSTEM, kind, subject="system")
    for via, body in rows(desk, "select subject, body from evidence_entry"):
        assert json.loads(body)["via"] == via


def test_an_entry_says_what_happened_and_names_nobody(desk):
    with desk.tx() as tx:
        entry_id = record(
            tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1", subject="case_1",
            data={"score": 91.5, "tier": "severe", "client": "c1", "at": tx.at},
            personal={"phone": "13912345678"},
        )  # fmt: skip
    [(body,)] = rows(desk, "select body from evidence_entry")
    entry = json.loads(body)
    assert body == canonical(entry)
    assert entry["id"] == entry_id
    assert entry["kind"] == "case.opened"
    assert entry["at"] == "2026-03-04T02:00:00.000000Z"
    assert entry["actor"] == "system"
    assert entry["data"]["client"] == entry["client"] != "c1"
    assert "13912345678" not in body
    assert '"c1"' not in body
    assert len(entry["personal"]["phone"]) == 64


def test_a_subject_that_is_the_client_becomes_the_token(sqlite_desk):
    with sqlite_desk.tx() as tx:
        record(tx, SYSTEM, EvidenceKind.CONSENT_GIVEN, client_id="c1", subject="c1")
    [(subject, client)] = rows(sqlite_desk, "select subject, client from evidence_entry")
    assert subject == client


def test_the_same_value_is_committed_to_differently_each_time(sqlite_desk):
    with sqlite_desk.tx() as tx:
        for _ in range(2):
            record(
                tx, SYSTEM, EvidenceKind.CASE_NOTED, client_id="c1",
                personal={"a": "same", "b": "same"},
            )  # fmt: skip
    sealed = [
        value
        for (body,) in rows(sqlite_desk, "select body from evidence_entry")
        for value in json.loads(body)["personal"].values()
    ]
    assert len(set(sealed)) == 4


def test_personal_values_need_their_client(sqlite_desk):
    with sqlite_desk.tx() as tx, pytest.raises(ValueError, match="need the client"):
        record(tx, SYSTEM, EvidenceKind.USER_CREATED, subject="user_1", personal={"name": "A"})


def test_data_are_made_plain():
    given = {
        "at": datetime.fromisoformat("2026-03-04T10:00:00+08:00"), "money": Decimal("1.50"),
        "big": 2**60, "nan": float("nan"), "set": {"b", "a"}, "kind": EvidenceKind.CASE_OPENED,
        "tuple": (1, True, None),
    }  # fmt: skip
    assert plain(given) == {
        "at": "2026-03-04T02:00:00.000000Z", "money": "1.50", "big": str(2**60), "nan": None,
        "set": ["a", "b"], "kind": "case.opened", "tuple": [1, True, None],
    }  # fmt: skip
    with pytest.raises(ValueError, match="long text"):
        plain({"note": "x" * 501})
    with pytest.raises(ValueError, match="cannot hold bytes"):
        plain({"file": b"x"})


def test_what_is_rolled_back_leaves_no_entry(desk):
    with suppress(Killed), desk.tx() as tx:
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
        raise Killed
    assert rows(desk, "select * from evidence_entry") == []
    assert rows(desk, "select * from evidence_salt") == []
    with desk.tx() as tx:
        assert sequence_all(tx) == 0


def test_a_salt_rolled_back_in_a_savepoint_is_not_used_again(desk):
    with desk.tx() as tx:
        with suppress(Killed), tx.session.begin_nested():
            record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
            raise Killed
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1", personal={"a": "b"})
        sequence_all(tx)
    with desk.frame.read() as tx:
        report = audit(tx)
    assert report.valid, report.findings
    assert report.entries == 1


def test_the_job_sequences_and_signs(desk):
    for _ in range(3):
        with desk.tx() as tx:
            record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
        desk.later(seconds=1)
    with desk.frame.read() as tx:
        assert repo.head(tx).size == 3
        assert repo.waiting(tx) == 0
        # The first are signed at once, the others ten seconds after them.
        assert repo.latest_checkpoint(tx).size < 3
    desk.later(seconds=10)
    with desk.frame.read() as tx:
        head, newest = repo.head(tx), repo.latest_checkpoint(tx)
        checkpoint = open_checkpoint(newest.note, Verifier.parse(head.verifier))
        assert newest.size == checkpoint.size == 3
        assert checkpoint.origin == "keepwell/Test-broker"
        hashes = rows(desk, "select body from evidence_entry order by entry_id")
        leaves = [merkle.leaf_hash(body.encode()) for (body,) in hashes]
        assert checkpoint.root == merkle.root_of(leaves)
        assert audit(tx).valid


def test_a_checkpoint_is_signed_after_so_many_entries(sqlite_desk, fill):
    fill(sqlite_desk, 1)
    fill(sqlite_desk, 499, sign=False)
    with sqlite_desk.tx() as tx:
        sequence(tx)
        assert repo.latest_checkpoint(tx).size == 1
    fill(sqlite_desk, 1, sign=False)
    with sqlite_desk.tx() as tx:
        sequence(tx)
        assert repo.latest_checkpoint(tx).size == 501


def test_many_entries_are_caught_up_with_in_one_go(sqlite_desk):
    count = BATCH * 2 + 7
    with sqlite_desk.tx() as tx:
        facts = (Fact(f"c{i % 50}", f"gen_{i}", {"arm": "contact"}) for i in range(count))
        assert record_many(tx, SYSTEM, EvidenceKind.TREATMENT_ASSIGNED, facts) == count
    sqlite_desk.later(seconds=1)
    with sqlite_desk.frame.read() as tx:
        assert repo.head(tx).size == count
        assert audit(tx).valid


@pytest.mark.parametrize("table", KEPT)
def test_the_guards_refuse_every_change(desk, fill, table):
    fill(desk, 3)
    column = "size" if table == "evidence_checkpoint" else "hash"
    column = "kind" if table == "evidence_entry" else column
    changes = [f"update {table} set {column} = {column}", f"delete from {table}"]
    if not desk.frame.database.is_sqlite:
        changes.append(f"truncate {table} cascade")
    for change in changes:
        with pytest.raises(DBAPIError, match="only grows"), desk.tx() as tx:
            tx.session.execute(text(change))


def test_writers_do_not_wait_for_each_other_nor_for_the_sequencer(postgres, tmp_path):
    from tests.desk import Desk, Ticker, write_workspace

    desk = Desk.open(write_workspace(tmp_path / "ws"), postgres(), Ticker())
    held, free = threading.Event(), threading.Event()

    def slow() -> None:
        with desk.tx() as tx:
            record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1", subject="slow")
            held.set()
            assert free.wait(20)

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        assert held.wait(20)
        with desk.tx() as tx:
            record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c2", subject="quick")
        with desk.tx() as tx:
            assert sequence(tx, sign=True) == 1
    finally:
        free.set()
        thread.join()
    # The one that committed late has the older id; it is taken all the same.
    with desk.tx() as tx:
        assert sequence(tx, sign=True) == 1
    with desk.frame.read() as tx:
        order = [json.loads(row.body)["subject"] for row in repo.stream_leaves(tx)]
        assert order == ["quick", "slow"]
        assert audit(tx).valid
    desk.close()


def test_many_writers_and_sequencers_at_once_lose_and_double_nothing(desk):
    wrong: list[Exception] = []

    def work(number: int) -> None:
        try:
            for i in range(10):
                with desk.tx() as tx:
                    record(
                        tx, SYSTEM, EvidenceKind.CASE_NOTED, client_id=f"c{i % 4}",
                        subject=f"{number}.{i}",
                    )  # fmt: skip
                with desk.tx() as tx:
                    sequence(tx)
        except Exception as error:  # noqa: BLE001
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    with desk.tx() as tx:
        sequence_all(tx)
        subjects = Counter(json.loads(row.body)["subject"] for row in repo.stream_leaves(tx))
        assert subjects == {f"{n}.{i}": 1 for n in range(4) for i in range(10)}
        assert len(repo.salts(tx, [f"c{i}" for i in range(4)])) == 4
        assert audit(tx).valid


@pytest.mark.parametrize("step", ["nodes", "add_leaves", "add_nodes", "root_at", "add_checkpoint"])
def test_a_sequencer_killed_at_any_point_leaves_no_gap(desk, fill, monkeypatch, step):
    fill(desk, 5)
    fill(desk, 6, sign=False, start=5)
    desk.now.move(seconds=60)
    for after in (False, True):
        real = getattr(repo, step)

        def die(*args, real=real, after=after):
            if after:
                real(*args)
            raise Killed

        monkeypatch.setattr(repo, step, die)
        with pytest.raises(Killed), desk.tx() as tx:
            sequence(tx)
        monkeypatch.setattr(repo, step, real)
        with desk.frame.read() as tx:
            assert repo.head(tx).size == 5
            assert repo.waiting(tx) == 6
            assert audit(tx).valid
    with desk.tx() as tx:
        assert sequence(tx) == 6
        assert audit(tx).valid
        assert repo.latest_checkpoint(tx).size == 11


def test_a_forgotten_client_is_gone_and_every_proof_still_holds(desk, fill):
    fill(desk, 12)
    with desk.tx() as tx:
        root = repo.root_at(tx, 12)
        old = repo.salts(tx, ["c1"])["c1"]
        assert forget(tx, SYSTEM, "c1")
        assert not forget(tx, SYSTEM, "c1")
        assert not forget(tx, SYSTEM, "never-seen")
        sequence_all(tx)
        assert repo.root_at(tx, 12) == root
        assert audit(tx).valid
        assert repo.salts(tx, ["c1"]) == {}
        # Nothing in the evidence tables leads back to the client.
        for table in (*KEPT, "evidence_salt", "evidence_opening"):
            found = [str(tuple(r)) for r in tx.session.execute(text(f"select * from {table}"))]
            assert not [r for r in found if "'c1'" in r or old.salt.hex() in r], table
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
        assert repo.salts(tx, ["c1"])["c1"].token != old.token


def test_the_key_is_made_once_and_only_its_owner_reads_it(sqlite_desk, fill):
    fill(sqlite_desk, 1)
    path = key_path(sqlite_desk.frame)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signer(sqlite_desk.frame) == load_signer(sqlite_desk.frame)
    assert not list(path.parent.glob(".evidence*"))


@pytest.mark.parametrize("fault", ["missing", "foreign", "broken"])
def test_a_log_is_not_signed_with_another_key(sqlite_desk, fill, fault):
    fill(sqlite_desk, 1)
    path = key_path(sqlite_desk.frame)
    kept = path.read_text()
    path.unlink()
    if fault == "foreign":
        load_signer(sqlite_desk.frame)
    elif fault == "broken":
        path.write_text(kept.replace("+", "", 1))
    with pytest.raises(DataError) as caught:
        fill(sqlite_desk, 1)
    assert caught.value.code == f"evidence.key-{fault}"
    path.write_text(kept)
    fill(sqlite_desk, 1)
    with sqlite_desk.frame.read() as tx:
        assert audit(tx).valid


def test_the_token_of_logs_is_not_that_of_entries(sqlite_desk, fill):
    fill(sqlite_desk, 1)
    with sqlite_desk.frame.read() as tx:
        entries = repo.salts(tx, ["c1"])["c1"].token
    logs = token(sqlite_desk.frame, "c1")
    assert logs == token(sqlite_desk.frame, "c1") != token(sqlite_desk.frame, "c2")
    assert logs.split("~")[1] not in entries
