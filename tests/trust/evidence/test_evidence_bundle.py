"""Receipts, bundles, signed notes: made by a desk, verified without one."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from keepwell.core.errors import DataError, UsageError
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence import merkle, prove, repo
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.bundle import verify_bundle
from keepwell.trust.evidence.export import Wanted, export
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.model import EvidenceNode
from keepwell.trust.evidence.note import (
    Checkpoint,
    NoteError,
    Signer,
    Verifier,
    open_checkpoint,
    origin_of,
)
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.receipt import check_receipt
from keepwell.trust.evidence.service import forget, record


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


# Signed notes


def test_the_verifier_key_of_the_go_documentation_is_read():
    """The example of golang.org/x/mod/sumdb/note."""
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    key = Verifier.parse(text)
    assert key.name == "PeterNeumann"
    assert str(key) == text
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signature = (
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    coded = base64.b64decode(signature)
    assert coded[:4] == key.key_id
    Ed25519PublicKey.from_public_bytes(key.public).verify(coded[4:], note.encode())


def test_a_checkpoint_is_signed_and_read_back():
    signer = Signer("keepwell/test", bytes(range(32)))
    stated = Checkpoint("keepwell/test", 8, bytes(32))
    note = signer.sign(stated.text())
    lines = note.split("\n")
    assert lines[:4] == ["keepwell/test", "8", base64.b64encode(bytes(32)).decode(), ""]
    assert lines[4].startswith("— keepwell/test ")
    assert open_checkpoint(note, signer.verifier) == stated
    witnessed = note + "— witness.example " + base64.b64encode(b"x" * 76).decode() + "\n"
    assert open_checkpoint(witnessed, signer.verifier) == stated
    extended = signer.sign(stated.text() + "more\n")
    assert open_checkpoint(extended, signer.verifier) == stated


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "x", "keepwell/test\n8\n\n", "keepwell/test\n8\nAAAA\n\n— keepwell/test AAAA\n",
        "\n\n— keepwell/test AAAAAAAA\n", "a\n\n— \n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(note):
    with pytest.raises(NoteError):
        open_checkpoint(note, Signer("keepwell/test", bytes(32)).verifier)


@pytest.mark.parametrize(
    "text",
    [
        "other\n8\n{root}\n", "keepwell/test\n08\n{root}\n", "keepwell/test\n-8\n{root}\n",
        "keepwell/test\n8\nAAAA\n", "keepwell/test\n8\n", "keepwell/test\n8\n{root}\n\n",
    ],
)  # fmt: skip
def test_a_signed_text_that_is_no_checkpoint_of_this_log_is_refused(text):
    signer = Signer("keepwell/test", bytes(32))
    note = signer.sign(text.replace("{root}", base64.b64encode(bytes(32)).decode()))
    with pytest.raises(NoteError):
        open_checkpoint(note, signer.verifier)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_bit_of_a_checkpoint_can_be_flipped(data):
    signer = Signer("keepwell/test", bytes(range(32)))
    note = signer.sign(Checkpoint("keepwell/test", 12, bytes(32)).text()).encode()
    bit = data.draw(st.integers(0, len(note) * 8 - 1))
    changed = (int.from_bytes(note, "big") ^ (1 << bit)).to_bytes(len(note), "big")
    with pytest.raises((NoteError, UnicodeDecodeError)):
        open_checkpoint(changed.decode(), signer.verifier)


@pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AAAA", "a b+00000000+AAAA", "++"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(NoteError):
        Verifier.parse(text)


def test_origins_have_no_spaces():
    assert origin_of(" 长城 证券+1 ") == "长城-证券-1"
    assert origin_of("  ") == "keepwell"


# Receipts


def test_a_receipt_proves_an_entry_offline(desk, fill):
    made = fill(desk, 21)
    with desk.frame.read() as tx:
        key = Verifier.parse(repo.head(tx).verifier)
        receipts = [prove.read_receipt(tx, SYSTEM, entry_id) for entry_id in made]
    for number, receipt in enumerate(json.loads(json.dumps(receipts))):
        report = Report()
        assert check_receipt(receipt, key, report).size == 21
        assert report.valid, report.findings
        assert receipt["index"] == number
        assert [o["value"] for o in receipt["openings"]] == (
            [f"call {number} 张伟"] if number % 2 else []
        )


def test_openings_are_for_who_sees_unmasked(desk, fill):
    desk.usual()
    made = fill(desk, 2)
    with desk.frame.read() as tx:
        assert prove.read_receipt(tx, desk.actors["compliance"], made[1])["openings"] == []
        assert len(prove.read_receipt(tx, SYSTEM, made[1])["openings"]) == 1


def test_no_receipt_before_a_checkpoint(sqlite_desk, fill):
    made = fill(sqlite_desk, 1)
    made += fill(sqlite_desk, 1, sign=False)
    with sqlite_desk.frame.read() as tx:
        prove.read_receipt(tx, SYSTEM, made[0])
        with pytest.raises(Conflict) as caught:
            prove.read_receipt(tx, SYSTEM, made[1])
        assert caught.value.code == "evidence.entry-waiting"
        with pytest.raises(NotFound):
            prove.read_receipt(tx, SYSTEM, "ev_none")
        assert prove.read_entry(tx, SYSTEM, made[1]).index is None


def test_a_receipt_after_forgetting_proves_but_opens_nothing(desk, fill):
    made = fill(desk, 9)
    with desk.tx() as tx:
        forget(tx, SYSTEM, "c2")
        receipt = prove.read_receipt(tx, SYSTEM, made[1])
        report = Report()
        check_receipt(receipt, None, report)
        assert report.valid
        assert receipt["openings"] == []
        assert "personal" in receipt["entry"]


@pytest.mark.parametrize(
    "given",
    [
        {}, {"format": "keepwell-receipt/1"}, {"verifier": 1}, {"path": None}, {"path": ["x"]},
        {"index": True}, {"index": -1}, {"entry": []}, {"entry": {"v": 2}}, {"checkpoint": "x"},
        {"openings": [1]}, {"openings": [{"field": "x", "key": "00", "value": "y"}]},
        {"entry": {"x": 2**70}}, {"path": ["A" * 44] * 70}, {"format": "keepwell-receipt/2"},
    ],
)  # fmt: skip
def test_a_broken_receipt_is_a_finding_and_no_crash(sqlite_desk, fill, given):
    made = fill(sqlite_desk, 3)
    with sqlite_desk.frame.read() as tx:
        receipt = prove.read_receipt(tx, SYSTEM, made[0]) if len(given) else {}
    if given == {"format": "keepwell-receipt/1"}:
        receipt = {}
    report = Report()
    check_receipt({**receipt, **given}, None, report)
    assert not report.valid


def test_consistency_between_any_sizes(desk, fill):
    fill(desk, 13)
    with desk.frame.read() as tx:
        for second in range(1, 14):
            for first in range(1, second + 1):
                found = prove.consistency(tx, first, second)
                assert merkle.verify_consistency(
                    first, second, found.first_root, found.second_root, found.path
                )
        for first, second in ((0, 3), (4, 3), (3, 14)):
            with pytest.raises(Unprocessable):
                prove.consistency(tx, first, second)


def test_a_proof_reads_by_index_and_never_the_whole_table(sqlite_desk):
    places = [place for span in merkle.inclusion_spans(77, 1000) for place in merkle.subtrees(span)]
    statement = select(EvidenceNode.hash).where(repo._at([p for p in places if p[0]]))
    with sqlite_desk.frame.read() as tx:
        sql = statement.compile(tx.session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = str(tx.session.execute(text(f"explain query plan {sql}")).all())
    assert "SEARCH evidence_node" in plan
    assert "SCAN" not in plan


# Bundles


def outside(desk) -> str:
    with desk.frame.read() as tx:
        return repo.latest_checkpoint(tx).note


def test_a_whole_log_is_exported_and_verified(desk, fill, tmp_path):
    fill(desk, 7)
    old = outside(desk)
    fill(desk, 10)
    file = tmp_path / "all.zip"
    made = export(desk.frame, SYSTEM, file, Wanted())
    assert (made.kind, made.entries, made.size) == ("log", 18, 18)
    report = verify_bundle(file, Verifier.parse(made.verifier), [("old", old)])
    assert report.valid, report.findings
    assert (report.entries, report.size) == (18, 18)
    with zipfile.ZipFile(file) as archive:
        assert len(archive.read("checkpoints.jsonl").splitlines()) == 2
        names = set(archive.namelist())
    assert "openings.jsonl" not in names
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".tmp"] == []


def test_a_client_s_entries_are_exported_with_proofs_and_openings(desk, fill, tmp_path):
    fill(desk, 7)
    old = outside(desk)
    fill(desk, 10)
    file = tmp_path / "c2.zip"
    wanted = Wanted(client_id="c2", openings=True, checkpoints=(("old", old),))
    made = export(desk.frame, SYSTEM, file, wanted)
    assert made.kind == "selection"
    report = verify_bundle(file, Verifier.parse(made.verifier), [("old", old)])
    assert report.valid, report.findings
    with zipfile.ZipFile(file) as archive:
        entries = [json.loads(line) for line in archive.read("entries.jsonl").splitlines()]
        opened = [json.loads(line) for line in archive.read("openings.jsonl").splitlines()]
    assert len({e["client"] for e in entries}) == 1
    assert len(entries) == made.entries == 6
    assert entries[-1]["kind"] == "evidence.exported"
    assert "call 1 张伟" in [o["value"] for o in opened]
    # Another outside checkpoint is not bridged by this bundle.
    with desk.frame.read() as tx:
        other = next(c.note for c in repo.checkpoints(tx, 100) if c.size == 17)
    report = verify_bundle(file, None, [("other", other)])
    assert codes(report) == {"checkpoint.unbridged"}


def test_a_span_of_time_is_exported(sqlite_desk, fill, tmp_path):
    fill(sqlite_desk, 4)
    since = sqlite_desk.now.move(hours=1)
    fill(sqlite_desk, 3)
    sqlite_desk.now.move(hours=1)
    fill(sqlite_desk, 5)
    file = tmp_path / "span.zip"
    wanted = Wanted(since=since, until=since + timedelta(minutes=1))
    assert export(sqlite_desk.frame, SYSTEM, file, wanted).entries == 3
    assert verify_bundle(file).valid


def test_a_client_without_entries_is_named_and_nothing_is_written(sqlite_desk, fill, tmp_path):
    fill(sqlite_desk, 2)
    file = tmp_path / "none.zip"
    with pytest.raises(UsageError, match="No entry is about client never"):
        export(sqlite_desk.frame, SYSTEM, file, Wanted(client_id="never"))
    assert not file.exists()


def test_a_log_of_many_pages_is_exported(desk, fill, tmp_path):
    fill(desk, 1300)
    for wanted in (Wanted(), Wanted(client_id="c1", openings=True)):
        file = tmp_path / "many.zip"
        export(desk.frame, SYSTEM, file, wanted)
        report = verify_bundle(file)
        assert report.valid, report.findings


def test_a_checkpoint_of_another_log_is_refused_at_export(sqlite_desk, fill, tmp_path):
    fill(sqlite_desk, 2)
    signer = Signer("keepwell/Test-broker", bytes(32))
    alien = signer.sign(Checkpoint("keepwell/Test-broker", 1, bytes(32)).text())
    wanted = Wanted(client_id="c1", checkpoints=(("alien", alien),))
    with pytest.raises(DataError) as caught:
        export(sqlite_desk.frame, SYSTEM, tmp_path / "x.zip", wanted)
    assert caught.value.code == "evidence.checkpoint-foreign"
    assert list(tmp_path.glob("*.zip")) == []
    assert list(tmp_path.glob(".*.tmp")) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello" * 100])
def test_a_file_that_is_no_bundle_is_a_finding(tmp_path, content):
    file = tmp_path / "x.zip"
    file.write_bytes(content)
    assert codes(verify_bundle(file)) == {"bundle.broken"}
    with pytest.raises(UsageError):
        verify_bundle(tmp_path / "none.zip")


def test_verifying_needs_neither_database_nor_web(sqlite_desk, fill, tmp_path):
    fill(sqlite_desk, 5)
    file = tmp_path / "all.zip"
    export(sqlite_desk.frame, SYSTEM, file, Wanted())
    program = (
        "import sys, pathlib\n"
        "from keepwell.trust.evidence.bundle import verify_bundle\n"
        "report = verify_bundle(pathlib.Path(sys.argv[1]))\n"
        "assert report.valid and report.entries == 6\n"
        "assert 'sqlalchemy' not in sys.modules and 'fastapi' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True)


def test_the_export_is_evidence_itself(sqlite_desk, fill, tmp_path):
    fill(sqlite_desk, 1)
    export(sqlite_desk.frame, SYSTEM, tmp_path / "a.zip", Wanted())
    with sqlite_desk.frame.read() as tx:
        found, _ = prove.search(tx, SYSTEM, repo.Search(kind="evidence.exported"))
        assert [one.entry["data"]["kind"] for one in found] == ["log"]
        assert audit(tx).valid


def test_a_second_copy_of_an_entry_is_found(sqlite_desk, fill):
    with sqlite_desk.tx() as tx:
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, subject="x\x00y")
    fill(sqlite_desk, 1)
    with sqlite_desk.frame.read() as tx:
        assert audit(tx).valid
