"""Attacks on the log (test matrix, row 8): every one is found, an untouched log never accused.

500 in CI; KEEPWELL_ATTACKS=10000 in a release. The attacker writes to the database past its guards
or rewrites a bundle, but does not hold the signing key; for cutting off, forking and rolling back
the verifier has one checkpoint from outside.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import sqlite3
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from keepwell.frame.guard import UNGUARDS
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence import merkle, repo
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.bundle import verify_bundle
from keepwell.trust.evidence.export import Wanted, export
from keepwell.trust.evidence.note import Checkpoint, Signer, Verifier, open_checkpoint
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.trust.evidence.service import record
from tests.desk import Desk, Ticker

ATTACKS = int(os.environ.get("KEEPWELL_ATTACKS", "500"))
HALF = ATTACKS // 2
ENTRIES = 41


class Scene:
    """An untouched log as database file and bundles, and a checkpoint that somebody kept."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.grow(23)
        with desk.frame.read() as tx:
            self.outside = repo.latest_checkpoint(tx).note
            self.key = Verifier.parse(repo.head(tx).verifier)
        self.size = open_checkpoint(self.outside, self.key).size
        self.grow(ENTRIES - 23 - 2)
        self.whole, self.part = folder / "whole.zip", folder / "part.zip"
        given = (("kept", self.outside),)
        export(desk.frame, SYSTEM, self.part, Wanted("c1", openings=True, checkpoints=given))
        export(desk.frame, SYSTEM, self.whole, Wanted())
        self.file = Path(desk.frame.database.url.database)
        self.pristine = folder / "pristine.sqlite"
        self._copy(self.file, self.pristine)

    def grow(self, count: int) -> None:
        for i in range(count):
            self.desk.now.move(seconds=7)
            with self.desk.tx() as tx:
                record(
                    tx, SYSTEM, EvidenceKind.CASE_MOVED, client_id=f"c{i % 3}",
                    subject=f"case_{i}", data={"state": "plan", "step": i},
                    personal={"note": f"n{i}"} if i % 4 == 0 else None,
                )  # fmt: skip
                if i % 5 == 0:
                    sequence_all(tx)
        with self.desk.tx() as tx:
            sequence_all(tx)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
            old.backup(new)
            for dialect, _, statement in UNGUARDS:
                if dialect == "sqlite":
                    new.execute(statement)
            new.commit()
            new.execute("pragma journal_mode=delete")
        old.close()
        new.close()

    def attacked(self) -> sqlite3.Connection:
        """A fresh copy of the database, its guards off."""
        target = self.folder / "attacked.sqlite"
        shutil.copy(self.pristine, target)
        connection = sqlite3.connect(target, isolation_level=None)
        connection.execute("pragma synchronous=off")
        connection.execute("begin")
        return connection

    def audit(self) -> object:
        from keepwell.frame.database import Database

        database = Database(f"sqlite:///{self.folder / 'attacked.sqlite'}")
        with database.read(self.desk.frame) as tx:
            report = audit(tx, self.key, [("kept", self.outside)])
        database.close()
        for suffix in ("-wal", "-shm"):
            (self.folder / f"attacked.sqlite{suffix}").unlink(missing_ok=True)
        return report


@pytest.fixture(scope="module")
def scene(sqlite_template, tmp_path_factory):
    from tests.desk import on_sqlite

    folder = tmp_path_factory.mktemp("attacks")
    desk = on_sqlite(sqlite_template, folder)
    yield Scene(desk, folder)
    desk.close()


def flip(random_: random.Random, value: bytes) -> bytes:
    bit = random_.randrange(len(value) * 8)
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


def flip_text(random_: random.Random, value: str) -> str:
    at = random_.randrange(len(value))
    other = random_.choice([c for c in "0123456789abcxyzÄ中 " if c != value[at]])
    return value[:at] + other + value[at + 1 :]


# On the database


def rebuild(db: sqlite3.Connection) -> None:
    """What a thorough attacker does: make hashes, nodes and head fit the changed entries."""
    rows = db.execute(
        "select l.leaf_index, l.entry_id, e.body from evidence_leaf l "
        "join evidence_entry e using (entry_id) order by l.leaf_index"
    ).fetchall()
    db.execute("delete from evidence_leaf")
    db.execute("delete from evidence_node")
    leaves = [merkle.leaf_hash(body.encode()) for _, _, body in rows]
    db.executemany(
        "insert into evidence_leaf (leaf_index, entry_id, hash) values (?, ?, ?)",
        [(i, entry, leaves[i]) for i, (_, entry, _) in enumerate(rows)],
    )
    made, _ = merkle.extend(0, [], leaves)
    db.executemany(
        "insert into evidence_node (level, position, hash) values (?, ?, ?)",
        [(level, position, value) for (level, position), value in made],
    )
    db.execute("update evidence_log set size = ?", (len(rows),))


def pick(db: sqlite3.Connection, random_: random.Random, table: str, *columns: str):
    rows = db.execute(f"select rowid, {', '.join(columns)} from {table}").fetchall()
    return random_.choice(rows)


def flip_row(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    table, column = random_.choice(
        [
            ("evidence_entry", "body"), ("evidence_entry", "kind"), ("evidence_entry", "actor"),
            ("evidence_entry", "subject"), ("evidence_entry", "client"),
            ("evidence_entry", "at"), ("evidence_leaf", "hash"), ("evidence_node", "hash"),
            ("evidence_checkpoint", "note"), ("evidence_log", "verifier"),
            ("evidence_opening", "value"), ("evidence_salt", "salt"),
        ]
    )  # fmt: skip
    row, value = pick(db, random_, table, column)
    if column == "at":
        changed = value[:17] + ("59" if value[17:19] != "59" else "58") + value[19:]
    elif value is None:
        changed = "cl_0"
    elif column == "salt":
        row, value = db.execute(
            "select rowid, salt from evidence_salt where client_id in "
            "(select client_id from evidence_opening)"
        ).fetchone()
        changed = flip(random_, value)
    else:
        changed = flip_text(random_, value) if isinstance(value, str) else flip(random_, value)
    db.execute(f"update {table} set {column} = ? where rowid = ?", (changed, row))


def change_entry(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    """Rewrite an entry well, and everything that follows from it."""
    row, body = pick(db, random_, "evidence_entry", "body")
    entry = json.loads(body)
    entry["actor"] = "somebody"
    changed = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sql = "update evidence_entry set body = ?, actor = 'somebody' where rowid = ?"
    db.execute(sql, (changed, row))
    rebuild(db)


def delete_entry(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    _, entry = pick(db, random_, "evidence_leaf", "entry_id")
    kind = random_.randrange(4)
    if kind != 0:
        db.execute("delete from evidence_leaf where entry_id = ?", (entry,))
    if kind != 1:
        db.execute("delete from evidence_opening where entry_id = ?", (entry,))
        db.execute("delete from evidence_entry where entry_id = ?", (entry,))
    if kind == 3:
        rebuild(db)


def swap_entries(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    rows = db.execute("select leaf_index, entry_id, hash from evidence_leaf").fetchall()
    (i, first, a), (j, second, b) = random_.sample(rows, 2)
    for index in (i, j):
        db.execute("delete from evidence_leaf where leaf_index = ?", (index,))
    db.execute("insert into evidence_leaf values (?, ?, ?)", (i, second, b))
    db.execute("insert into evidence_leaf values (?, ?, ?)", (j, first, a))
    if random_.random() < 0.7:
        rebuild(db)


def truncate(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    """Cut the end off; the most careful one removes the checkpoints that would tell, too."""
    size = random_.randrange(scene.size)
    gone = "(select entry_id from evidence_leaf where leaf_index >= ?)"
    db.execute(f"delete from evidence_opening where entry_id in {gone}", (size,))
    db.execute(f"delete from evidence_entry where entry_id in {gone}", (size,))
    db.execute("delete from evidence_leaf where leaf_index >= ?", (size,))
    db.execute("delete from evidence_checkpoint where size > ?", (size,))
    rebuild(db)


def fork(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    """Write history anew from some point before the checkpoint outside, and sign it with the key.

    This attacker even holds the signing key: only the checkpoint outside tells.
    """
    from keepwell.trust.evidence.key import load_signer

    change_entry_before(db, random_, scene.size)
    rebuild(db)
    signer = load_signer(scene.desk.frame)
    rows = db.execute("select hash from evidence_leaf order by leaf_index").fetchall()
    leaves = [row[0] for row in rows]
    for (size,) in db.execute("select size from evidence_checkpoint").fetchall():
        note = signer.sign(Checkpoint(signer.name, size, merkle.root_of(leaves[:size])).text())
        db.execute("update evidence_checkpoint set note = ? where size = ?", (note, size))


def change_entry_before(db: sqlite3.Connection, random_: random.Random, size: int) -> None:
    index = random_.randrange(size)
    entry, body = db.execute(
        "select e.entry_id, body from evidence_leaf l join evidence_entry e using (entry_id) "
        "where leaf_index = ?", (index,),
    ).fetchone()  # fmt: skip
    document = json.loads(body)
    document["data"]["forged"] = True
    changed = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    db.execute("update evidence_entry set body = ? where entry_id = ?", (changed, entry))


def forge_numbers(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    kind = random_.randrange(4)
    if kind == 0:
        db.execute("update evidence_log set size = size + ?", (random_.choice([-3, -1, 1, 9]),))
    elif kind == 1:
        db.execute("update evidence_leaf set leaf_index = 99 where leaf_index = ?",
                   (random_.randrange(ENTRIES),))  # fmt: skip
    elif kind == 2:
        size = random_.choice(db.execute("select size from evidence_checkpoint").fetchall())[0]
        db.execute("update evidence_checkpoint set size = 1000 where size = ?", (size,))
    else:
        level, position = db.execute(
            "select level, position from evidence_node order by random() limit 1"
        ).fetchone()
        if random_.random() < 0.5:
            db.execute("delete from evidence_node where level = ? and position = ?",
                       (level, position))  # fmt: skip
        else:
            db.execute("insert into evidence_node values (9, 9, ?)", (bytes(32),))


def lose_waiting(db: sqlite3.Connection, random_: random.Random, scene: Scene) -> None:
    """Slip an entry in, or one out, between record and sequencer."""
    db.execute(
        "insert into evidence_entry (entry_id, kind, at, actor, subject, body) "
        "select 'ev_x', kind, at, actor, subject, body from evidence_entry limit 1"
    )


DATABASE = [
    flip_row, change_entry, delete_entry, swap_entries, truncate, fork, forge_numbers,
    lose_waiting,
]  # fmt: skip


def test_attacks_on_the_database_are_all_found(scene):
    missed, done = Counter(), Counter()
    for number in range(HALF):
        random_ = random.Random(number)
        attack = DATABASE[number % len(DATABASE)]
        db = scene.attacked()
        attack(db, random_, scene)
        db.execute("commit")
        db.close()
        done[attack.__name__] += 1
        if scene.audit().valid:
            missed[attack.__name__, number] += 1
    assert not missed
    assert len(done) == min(len(DATABASE), HALF)


# On bundles


EVIDENCE = ("entries.jsonl", "checkpoint.txt", "verifier.txt", "manifest.json")


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def bundle_flip(random_, found, scene):
    names = [*EVIDENCE, *(n for n in ("proofs.jsonl", "openings.jsonl") if n in found)]
    name = random_.choice(names)
    found[name] = flip(random_, found[name])


def bundle_delete(random_, found, scene):
    lines = found["entries.jsonl"].splitlines(keepends=True)
    at = random_.randrange(len(lines))
    del lines[at]
    found["entries.jsonl"] = b"".join(lines)
    if "proofs.jsonl" in found and random_.random() < 0.5:
        proofs = found["proofs.jsonl"].splitlines(keepends=True)
        del proofs[(at + 1) % len(proofs)]
        found["proofs.jsonl"] = b"".join(proofs)
        rename(found, entries=len(lines))
    elif "proofs.jsonl" not in found and random_.random() < 0.5:
        rename(found, entries=len(lines))


def bundle_swap(random_, found, scene):
    lines = found["entries.jsonl"].splitlines(keepends=True)
    i, j = random_.sample(range(len(lines)), 2)
    lines[i], lines[j] = lines[j], lines[i]
    found["entries.jsonl"] = b"".join(lines)


def bundle_change(random_, found, scene):
    lines = found["entries.jsonl"].splitlines()
    at = random_.randrange(len(lines))
    entry = json.loads(lines[at])
    entry["at"] = "2020-01-01T00:00:00.000000Z"
    lines[at] = json.dumps(
        entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    found["entries.jsonl"] = b"\n".join(lines) + b"\n"


def rename(found, **fields):
    manifest = json.loads(found["manifest.json"])
    text = json.dumps({**manifest, **fields}, sort_keys=True, separators=(",", ":"))
    found["manifest.json"] = f"{text}\n".encode()


def sign_whole(found, signer, lines):
    """A whole log of these lines, signed and consistent in itself."""
    root = merkle.root_of([merkle.leaf_hash(line.rstrip(b"\n")) for line in lines])
    found.clear()
    found["entries.jsonl"] = b"".join(lines)
    found["checkpoint.txt"] = signer.sign(Checkpoint(signer.name, len(lines), root).text()).encode()
    found["verifier.txt"] = f"{signer.verifier}\n".encode()
    found["manifest.json"] = b'{"entries":0,"format":"keepwell-evidence/1","kind":"log","size":0}\n'
    rename(found, entries=len(lines), size=len(lines))


def bundle_truncate(random_, found, scene):
    """A shorter log under the true key: what a rolled-back log would export."""
    from keepwell.trust.evidence.key import load_signer

    lines = members(scene.whole)["entries.jsonl"].splitlines(keepends=True)
    short = lines[: random_.randrange(1, scene.size)]
    sign_whole(found, load_signer(scene.desk.frame), short)


def bundle_fork(random_, found, scene):
    """Another history under the true key."""
    from keepwell.trust.evidence.key import load_signer

    other = members(scene.whole)
    lines = other["entries.jsonl"].splitlines(keepends=True)
    at = random_.randrange(scene.size)
    lines[at] = lines[at].replace(b'"plan"', b'"saving"')
    sign_whole(found, load_signer(scene.desk.frame), lines)


def bundle_foreign_key(random_, found, scene):
    """The whole log signed anew by a key of the attacker under the log's name."""
    lines = members(scene.whole)["entries.jsonl"].splitlines(keepends=True)
    sign_whole(found, Signer(scene.key.name, random_.randbytes(32)), lines)


def bundle_forge_proof(random_, found, scene):
    if "proofs.jsonl" not in found:
        return bundle_swap(random_, found, scene)
    proofs = [json.loads(line) for line in found["proofs.jsonl"].splitlines()]
    at = random_.randrange(len(proofs))
    kind = random_.randrange(3)
    if kind == 0:
        proofs[at]["index"] += random_.choice([-1, 1, 40])
    elif kind == 1:
        proofs[at]["path"].append(base64.b64encode(bytes(32)).decode())
    else:
        proofs[at]["path"].pop(random_.randrange(len(proofs[at]["path"])))
    found["proofs.jsonl"] = b"".join(
        json.dumps(p, sort_keys=True, separators=(",", ":")).encode() + b"\n" for p in proofs
    )
    return None


def bundle_forge_size(random_, found, scene):
    size = json.loads(found["manifest.json"])["size"] + random_.choice([-1, 1])
    note = found["checkpoint.txt"].decode().split("\n")
    note[1] = str(size)
    found["checkpoint.txt"] = "\n".join(note).encode()
    if random_.random() < 0.5:
        rename(found, size=size)


def bundle_drop_member(random_, found, scene):
    del found[random_.choice(EVIDENCE)]


BUNDLE = [
    bundle_flip, bundle_delete, bundle_swap, bundle_change, bundle_truncate, bundle_fork,
    bundle_foreign_key, bundle_forge_proof, bundle_forge_size, bundle_drop_member,
]  # fmt: skip


def test_attacks_on_bundles_are_all_found(scene):
    missed = Counter()
    target = scene.folder / "attacked.zip"
    originals = [members(scene.whole), members(scene.part)]
    for number in range(ATTACKS - HALF):
        random_ = random.Random(number)
        attack = BUNDLE[number % len(BUNDLE)]
        found = dict(originals[number // len(BUNDLE) % 2])
        attack(random_, found, scene)
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in found.items():
                archive.writestr(name, content)
        # Only the checkpoint is from outside: not even the key is known.
        if verify_bundle(target, None, [("kept", scene.outside)]).valid:
            missed[attack.__name__, number] += 1
    assert not missed


def test_untouched_logs_are_never_accused(scene):
    anchors = [(), (("kept", scene.outside),)]
    for key in (None, scene.key):
        for kept in anchors:
            for file in (scene.whole, scene.part):
                report = verify_bundle(file, key, kept)
                assert report.valid, report.findings
            with scene.desk.frame.read() as tx:
                report = audit(tx, key, kept)
                assert report.valid, report.findings
                assert report.entries == ENTRIES
    for _ in range(HALF // 25):
        scene.attacked().close()
        assert scene.audit().valid


@pytest.mark.parametrize("seed", range(5))
def test_logs_that_grew_in_any_way_are_never_accused(sqlite_desk, seed):
    random_ = random.Random(seed)
    kept: list[tuple[str, str]] = []
    for step in range(12):
        with sqlite_desk.tx() as tx:
            for i in range(random_.randrange(9)):
                record(tx, SYSTEM, EvidenceKind.CASE_NOTED, client_id=f"c{i}", subject=str(step))
        if random_.random() < 0.6:
            sqlite_desk.now.move(seconds=random_.choice([0, 1, 30]))
            with sqlite_desk.tx() as tx:
                sequence_all(tx)
                newest = repo.latest_checkpoint(tx)
                if newest is not None:
                    kept.append((str(newest.size), newest.note))
        with sqlite_desk.frame.read() as tx:
            report = audit(tx, None, kept)
            assert report.valid, report.findings


def test_a_rolled_back_database_is_found_by_the_checkpoint_outside(postgres, tmp_path):
    """On PostgreSQL: the newest entries taken away past the guards, with all that tells of them."""
    from sqlalchemy import text

    from tests.desk import write_workspace

    desk = Desk.open(write_workspace(tmp_path / "ws"), postgres(), Ticker())
    for number in range(6):
        desk.now.move(seconds=20)
        with desk.tx() as tx:
            record(tx, SYSTEM, EvidenceKind.CASE_MOVED, client_id="c1", subject=f"case_{number}")
            sequence_all(tx)
    with desk.frame.read() as tx:
        kept = repo.latest_checkpoint(tx).note
        assert audit(tx, None, [("kept", kept)]).valid
    with desk.tx() as tx:
        for dialect, _, statement in UNGUARDS:
            if dialect == "postgresql":
                tx.session.execute(text(statement))
        for change in (
            "delete from evidence_checkpoint where size > 4",
            "delete from evidence_node where (position + 1) << level > 4",
            "delete from evidence_leaf where leaf_index >= 4",
            "delete from evidence_entry where subject in ('case_4', 'case_5')",
            "update evidence_log set size = 4, signed_size = 4",
        ):
            tx.session.execute(text(change))
    with desk.frame.read() as tx:
        assert audit(tx).valid, "without anything from outside nobody can tell"
        report = audit(tx, None, [("kept", kept)])
    assert [f.code for f in report.findings] == ["checkpoint.beyond"]
    desk.close()
