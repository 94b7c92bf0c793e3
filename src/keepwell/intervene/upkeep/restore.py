"""Restore of a backup to an empty place, verified before it has its name.

Every file is compared with its digest while it is copied; then the rows of the lake are counted by
the manifest, the database is filled in one transaction and counted, and the evidence log is
verified against the checkpoint in the backup. The workspace's folder appears only after all that:
a restore that was killed is simply done again.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import sweep, sync_folder
from keepwell.frame.context import Frame
from keepwell.frame.copy import copy_in
from keepwell.frame.migrate import newest
from keepwell.frame.settings import Settings
from keepwell.intervene.upkeep.parcel import (
    CONFIG,
    DATABASE,
    STATE,
    Index,
    Progress,
    check_files,
    copy_file,
    sync_all,
)
from keepwell.observe.contract import TABLES
from keepwell.observe.workspace import Workspace
from keepwell.trust.evidence.audit import audit
from keepwell.warn.registry import ModelStore


@dataclass(frozen=True)
class Restored:
    """What was restored and verified.

    Attributes:
        root: the workspace.
        index: the backup's.
        tables: tables of the database.
        entries: entries of the evidence log that were verified; None without a desk, or where the
            schema must be brought up first.
    """

    root: Path
    index: Index
    tables: int
    entries: int | None


def check(folder: Path, progress: Progress | None = None) -> Index:
    """See that a backup is whole: every file there, none changed.

    Args:
        folder: the backup.
        progress: told what is done.

    Raises:
        UsageError: the folder is no backup.
        DataError: a file is missing or changed.
    """
    index = Index.load(folder)
    check_files(folder, index, progress)
    return index


def restore(
    folder: Path,
    target: Path,
    database_url: str | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Make a workspace and its database from a backup.

    Args:
        folder: the backup.
        target: the workspace's folder: missing, or empty.
        database_url: PostgreSQL database without tables; default: what desk.yaml of the backup or
            the environment names. Not for backups of SQLite.
        progress: told what is done.

    Raises:
        UsageError: no backup, the target is not empty, or no database is named.
        DataError: something is not what the backup says; the target is left empty.
    """
    say = progress or (lambda _: None)
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError("restore.target-occupied", folder=target)
    index = check(folder, say)
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    staged = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        say(str(target))
        _copy(folder, staged, index)
        workspace = Workspace.open(staged)
        say("lake")
        _count(workspace, index)
        _models(workspace)
        say(DATABASE)
        entries = _desk(workspace, folder, index, database_url)
        sync_all(staged)
        staged.rename(target)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    sync_folder(target.parent)
    return Restored(target, index, len(index.database.rows) if index.database else 0, entries)


def _copy(folder: Path, staged: Path, index: Index) -> None:
    for file in index.files:
        part, _, name = file.path.partition("/")
        if part == DATABASE:
            continue
        place = {STATE: staged / ".keepwell", CONFIG: staged}[part] / name
        copied = copy_file(folder / file.path, place)
        if copied.sha256 != file.sha256:
            raise DataError("backup.file-changed", file=file.path, folder=folder)


def _count(workspace: Workspace, index: Index) -> None:
    """Count the lake's rows as the newest manifest pins them."""
    manifest = workspace.lake.manifest()
    number = manifest.id if manifest else 0
    if number != (index.manifest or 0):
        raise DataError("restore.manifest-differs", number=number, expected=index.manifest or 0)
    if manifest is None:
        return
    with workspace.lake.connect(manifest) as engine:
        for table, expected in index.rows.items():
            if table in TABLES:
                rows = engine.execute(f'select count(*) from "{table}"').fetchall()[0][0]
                if rows != expected:
                    raise DataError(
                        "restore.lake-differs", table=table, rows=rows, expected=expected
                    )


def _models(workspace: Workspace) -> None:
    store = ModelStore(workspace.models)
    for id in store.ids():
        store.load(id)
    store.latest()


def _desk(workspace: Workspace, folder: Path, index: Index, database_url: str | None) -> int | None:
    """Fill the database and verify the evidence log; its number of entries."""
    if index.database is None:
        return None
    settings = Settings.load(workspace.root)
    if database_url is not None:
        settings = settings.model_copy(update={"database_url": database_url})
    frame = Frame.open(workspace, settings)
    try:
        kind = "sqlite" if frame.database.is_sqlite else "postgresql"
        if kind != index.database.kind:
            raise UsageError("restore.database-other", found=kind, needed=index.database.kind)
        copy_in(frame, folder / DATABASE, index.database)
        if index.database.revision != newest():
            return None
        notes = (("backup", index.checkpoint),) if index.checkpoint else ()
        with frame.read() as tx:
            report = audit(tx, None, notes)
    finally:
        frame.close()
    if not report.valid:
        raise DataError("evidence.verification-failed", count=report.count)
    return report.entries
