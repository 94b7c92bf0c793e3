"""Backup to a folder, restore to an empty place: the same rows, a valid log, a desk that serves."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from keepwell.cli import app
from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import sha256_file
from keepwell.frame import copy as copies
from keepwell.frame.database import Base
from keepwell.frame.migrate import newest
from keepwell.intervene.upkeep.backup import backup
from keepwell.intervene.upkeep.parcel import INDEX, SECRET, Index
from keepwell.intervene.upkeep.restore import check, restore
from keepwell.observe import marks
from keepwell.observe.ingest import ingest
from keepwell.observe.spool_ingest import spool_of
from keepwell.observe.workspace import Workspace
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.trust.evidence.service import record
from tests.desk import Desk, Ticker

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def stamp(database) -> None:
    """Say of a schema made from the models that it is of the newest revision."""
    with database.engine.begin() as connection:
        connection.execute(text("create table if not exists alembic_version (version_num text)"))
        connection.execute(text("delete from alembic_version"))
        connection.execute(text("insert into alembic_version values (:r)"), {"r": newest()})


def rows(url) -> dict[str, list[tuple]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
        }
    engine.dispose()
    return found


def prove(desk: Desk) -> None:
    """Two entries of the evidence log, in it and signed."""
    for number in (98, 99):
        with desk.frame.write() as tx:
            record(tx, SYSTEM, EvidenceKind.PROOF_MADE, subject="p", data={"manifest": number})
            sequence_all(tx)


@pytest.fixture
def busy(desk):
    """A desk that was worked at, with a lake, and an event that waits in the spool."""
    ws = desk.frame.workspace
    (ws.root / "trades.csv").write_text(
        "trade_id,client_id,at\n" + "".join(f"t{n},c{n % 3},2025-03-0{n}\n" for n in range(1, 9))
    )
    ingest(ws)
    (ws.root / "scripts").mkdir()
    (ws.root / "scripts" / "own.yaml").write_text("scripts: []\n")
    desk.usual()
    prove(desk)
    spool_of(ws).append("core", "b1", {"table": "trade", "rows": []}, NOW)
    stamp(desk.frame.database)
    yield desk
    if not desk.frame.database.is_sqlite:  # it is used by other tests, made from the models
        with desk.frame.database.engine.begin() as connection:
            connection.execute(text("drop table alembic_version"))


def test_everything_is_back_on_an_empty_machine(busy, tmp_path, request):
    ws, frame = busy.frame.workspace, busy.frame
    mark = marks.save(ws.lake.root, marks.TableMarks("said", {}))
    folder, index = backup(ws, frame, tmp_path / "backups", NOW)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [folder.name]
    assert check(folder) == index == Index.load(folder)
    assert index.database is not None
    assert index.rows == {"trade": 8}
    url = None
    if not frame.database.is_sqlite:
        url = request.getfixturevalue("postgres")(empty=True)
    before = rows(frame.database.url)
    assert len(before["client"]) == 8
    done = restore(folder, tmp_path / "另 place" / "ws", url)
    assert done.entries == len(before["evidence_leaf"]) > 0
    again = Workspace.open(done.root)
    assert spool_of(again).last == 1
    for name in ("keepwell.yaml", "scripts/own.yaml", ".keepwell/evidence.key"):
        assert sha256_file(done.root / name) == sha256_file(ws.root / name)
    assert (done.root / ".keepwell/evidence.key").stat().st_mode & 0o777 == 0o600
    assert marks.load(again.lake.root, mark) == marks.TableMarks("said", {})
    with again.lake.connect() as engine:
        assert engine.execute("select count(*) from trade").fetchall() == [(8,)]
    url = url or f"sqlite:///{done.root}/.keepwell/desk.sqlite"
    assert rows(url) == before
    desk = Desk.open(done.root, url, Ticker(busy.now.at))
    try:
        # New rows get keys of their own, the guards are there, and the log goes on.
        assert desk.publish([{"client_id": "c1"}]) == 2
        prove(desk)
        with desk.frame.read() as tx:
            assert audit(tx).entries == 4
        with pytest.raises(Exception, match="only grows"), desk.frame.write() as tx:
            tx.session.execute(text("delete from evidence_entry"))
    finally:
        desk.close()


def test_the_commands_tell_what_was_done(sqlite_desk, tmp_path):
    stamp(sqlite_desk.frame.database)
    root = sqlite_desk.frame.workspace.root
    prove(sqlite_desk)

    def cli(*words: object) -> str:
        found = CliRunner().invoke(app, ["--lang", "en", *map(str, words)])
        assert found.exit_code == 0, found.exception
        return found.stdout

    told = json.loads(cli("backup", tmp_path / "b", "-w", root, "--no-keys", "--json"))
    folder = Path(told["folder"])
    assert told["index_sha256"] == sha256_file(folder / INDEX)
    assert not [path for path in folder.rglob("*") if path.name in SECRET]
    assert "The backup is whole." in cli("restore", folder, "--check")
    said = cli("restore", folder, tmp_path / "again")
    assert "The evidence log is valid: 2 entries." in said
    assert "put evidence.key and desk.secret back" in said
    assert "Backup written to" in cli("backup", tmp_path / "b2", "-w", tmp_path / "again")


def made(sqlite_desk, tmp_path) -> Path:
    stamp(sqlite_desk.frame.database)
    ws = sqlite_desk.frame.workspace
    return backup(ws, sqlite_desk.frame, tmp_path / "backups", NOW)[0]


@pytest.mark.parametrize("harm", ["changed", "shortened", "missing", "added"])
def test_a_damaged_backup_is_refused(sqlite_desk, tmp_path, harm):
    folder = made(sqlite_desk, tmp_path)
    file = folder / "database" / "desk.sqlite"
    content = bytearray(file.read_bytes())
    if harm == "changed":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif harm == "shortened":
        file.write_bytes(content[:-1])
    elif harm == "missing":
        file.unlink()
    else:
        (folder / "state" / "strange").write_text("x")
    with pytest.raises(DataError) as error:
        restore(folder, tmp_path / "ws2")
    assert error.value.code.startswith("backup.file-")
    assert not (tmp_path / "ws2").exists()


def test_a_database_that_differs_leaves_nothing(sqlite_desk, tmp_path, monkeypatch):
    folder = made(sqlite_desk, tmp_path)
    real = copies.counts
    monkeypatch.setattr(copies, "counts", lambda *a: {**real(*a), "job": 99})
    with pytest.raises(DataError) as error:
        restore(folder, tmp_path / "ws2")
    assert error.value.code == "restore.database-differs"
    assert not (tmp_path / "ws2").exists()
    assert list(tmp_path.glob(".ws2*")) == []


def test_a_log_that_was_tampered_with_is_found(sqlite_desk, tmp_path, monkeypatch):
    prove(sqlite_desk)
    database = sqlite_desk.frame.database
    with database.engine.begin() as connection:
        connection.execute(text("drop trigger evidence_entry_no_update"))
        changed = "update evidence_entry set body = replace(body, '99', '98')"
        connection.execute(text(changed))
    folder = made(sqlite_desk, tmp_path)
    with pytest.raises(DataError) as error:
        restore(folder, tmp_path / "ws2")
    assert error.value.code == "evidence.verification-failed"
    assert not (tmp_path / "ws2").exists()


def test_only_what_is_new_is_written_beside_an_earlier_backup(sqlite_desk, tmp_path):
    prove(sqlite_desk)
    stamp(sqlite_desk.frame.database)
    ws, frame = sqlite_desk.frame.workspace, sqlite_desk.frame
    into = tmp_path / "backups"
    text = "trade_id,client_id,at\nt1,c1,2025-03-01\n"
    (ws.root / "trades.csv").write_text(text)
    ingest(ws)
    first, whole = backup(ws, frame, into, NOW)
    (first / "state" / "evidence.key").chmod(0o640)  # a copy would not be like this
    bad = first / next(f.path for f in whole.files if f.path.endswith(".parquet"))
    kept = bad.read_bytes()
    bad.write_bytes(kept[:-1] + b"?")
    (ws.root / "trades.csv").write_text(text + "t2,c1,2025-03-02\n")
    ingest(ws)
    second, index = backup(ws, frame, into, NOW + timedelta(hours=1))
    earlier = {path.stat().st_ino for path in first.rglob("*")}
    same = {f.path for f in index.files if (second / f.path).stat().st_ino in earlier}
    assert (index.beside, index.shared) == (first.name, sum(
        f.size for f in index.files if f.path in same))  # fmt: skip
    assert "state/lake/manifest-000001.json" in same
    assert "config/keepwell.yaml" in same
    assert not same & {"state/lake/manifest-000002.json", "state/evidence.key",
                       "database/desk.sqlite", bad.relative_to(first).as_posix()}  # fmt: skip
    shutil.rmtree(first)
    assert check(second) == index
    assert restore(second, tmp_path / "again").index.rows == {"trade": 2}
    assert (tmp_path / "again/.keepwell/evidence.key").stat().st_mode & 0o777 == 0o600


def test_where_a_backup_and_a_restore_may_go(sqlite_desk, tmp_path):
    stamp(sqlite_desk.frame.database)
    ws, frame = sqlite_desk.frame.workspace, sqlite_desk.frame
    with pytest.raises(UsageError) as error:
        backup(ws, frame, ws.root / "backups", NOW)
    assert error.value.code == "backup.folder-inside"
    folder, _ = backup(ws, frame, tmp_path / "b", NOW)
    with pytest.raises(UsageError) as error:
        backup(ws, frame, tmp_path / "b", NOW)
    assert error.value.code == "backup.folder-taken"
    with pytest.raises(UsageError) as error:
        restore(folder, ws.root)
    assert error.value.code == "restore.target-occupied"
    with pytest.raises(UsageError) as error:
        check(tmp_path)
    assert error.value.code == "backup.folder-invalid"
    shutil.rmtree(folder)
    # What a killed backup left is swept by the next one.
    litter = tmp_path / "b" / ".keepwell-20260301T000000Z.999999.tmp"
    os.mkdir(litter)  # noqa: PTH102
    backup(ws, frame, tmp_path / "b", NOW)
    assert not litter.exists()
