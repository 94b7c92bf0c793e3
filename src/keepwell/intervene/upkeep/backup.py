"""Backup of a workspace while it works: lake, models, archive, spool, files, database, settings.

The order makes the parts fit. The database comes first, from one instant; then, under the lake's
writer lock, the spool, the manifests and Delta's logs; last the lake's data files, which never
change, under a lock that only a vacuum waits for. So whatever the database knows of is in the
spool or the lake, and ingests go on while the large part is copied. What can be made again (tiles,
scans) is left out. The folder gets its name when everything in it is on disk.

Beside an earlier backup only what is new is written: a file that is the same stands in both folders
(a hard link), so that each is whole by itself and any of them may be removed. Nothing is ever
written to a file that has a name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock

from keepwell.core.errors import UsageError
from keepwell.core.files import atomic_write, sha256_file, sweep, sync_folder
from keepwell.core.version import __version__
from keepwell.frame.context import Frame
from keepwell.frame.copy import Copied, copy_out
from keepwell.intervene.upkeep import repo
from keepwell.intervene.upkeep.parcel import (
    CONFIG,
    DATABASE,
    INDEX,
    SECRET,
    STATE,
    File,
    Index,
    Progress,
    copy_file,
    link_file,
    sync_all,
)
from keepwell.learn.panel.folder import panels_root
from keepwell.observe import manifest as manifests
from keepwell.observe import marks
from keepwell.observe.contract import TABLES
from keepwell.observe.lake import Lake
from keepwell.observe.lake_writer import QUARANTINE
from keepwell.observe.manifest import Manifest
from keepwell.observe.vacuum import BUCKETS, files_lock, version_of
from keepwell.observe.workspace import Workspace

REMADE: Final = ("tiles", "scan", BUCKETS)
"""Folders of the state that are made again from the rest."""


@dataclass
class _Parcel:
    """A backup in the making."""

    folder: Path
    beside: Path | None = None
    earlier: dict[str, File] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    shared: int = 0

    def take(self, source: Path, name: str) -> None:
        old = self.earlier.get(name)
        if old and self.beside and link_file(source, self.beside / name, old, self.folder / name):
            self.files.append(old)
            self.shared += old.size
            return
        copied = copy_file(source, self.folder / name)
        self.files.append(replace(copied, path=name))

    def note(self, path: Path) -> None:
        """Name a file that was written in place."""
        size = path.stat().st_size
        name = path.relative_to(self.folder).as_posix()
        self.files.append(File(name, size, sha256_file(path)))


def backup(
    workspace: Workspace,
    frame: Frame | None,
    into: Path,
    now: datetime,
    keys: bool = True,
    wait: float = 60.0,
    progress: Progress | None = None,
) -> tuple[Path, Index]:
    """Write a backup of a workspace and its desk.

    Args:
        workspace: which.
        frame: its desk, the database up to date; None when it has none.
        into: folder of backups; made if missing, not within the workspace. Beside an earlier backup
            only files that are new are written.
        now: the instant (UTC).
        keys: with the signing key and the desk's secret; without them, keep these elsewhere.
        wait: seconds to wait for a writer of the lake.
        progress: told what is done.

    Returns:
        The backup's folder and its index.

    Raises:
        UsageError: `into` lies within the workspace, a backup of that second is there, or another
            process holds the lake.
    """
    say = progress or (lambda _: None)
    into = into.absolute()
    if workspace.root in (into, *into.parents):
        raise UsageError("backup.folder-inside", folder=into, workspace=workspace.root)
    into.mkdir(parents=True, exist_ok=True)
    sweep(into)
    name = f"keepwell-{now:%Y%m%dT%H%M%SZ}"
    if (into / name).exists():
        raise UsageError("backup.folder-taken", folder=into / name)
    staged = into / f".{name}.{os.getpid()}.tmp"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(mode=0o700)
    try:
        beside, earlier = _newest(into)
        parcel = _Parcel(staged, beside, earlier)
        index = _fill(workspace, frame, parcel, now, keys, wait, say)
        atomic_write(staged / INDEX, index.to_json())
        sync_all(staged)
        staged.rename(into / name)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    sync_folder(into)
    return into / name, index


def _newest(into: Path) -> tuple[Path | None, dict[str, File]]:
    """The newest backup in a folder whose index can be read, and its files by path."""
    for folder in sorted(into.glob("keepwell-*"), reverse=True):
        try:
            return folder, {file.path: file for file in Index.load(folder).files}
        except UsageError:
            continue
    return None, {}


def _fill(
    workspace: Workspace,
    frame: Frame | None,
    parcel: _Parcel,
    now: datetime,
    keys: bool,
    wait: float,
    say: Progress,
) -> Index:
    copied, checkpoint = None, ""
    if frame is not None:
        say(DATABASE)
        copied, checkpoint = _database(frame, parcel)
    newest = None
    with _reading(workspace.lake, wait) as held:
        if held is not None:
            say("lake")
            with workspace.lake.writer(wait):
                _folder(workspace.state / "spool", f"{STATE}/spool", parcel)
                newest = workspace.lake.manifest()
                data = _lake_heads(workspace.lake, parcel)
            for file in data:
                parcel.take(file, f"{STATE}/{file.relative_to(workspace.state).as_posix()}")
    say("workspace")
    _state(workspace, frame, parcel, keys, wait)
    for path in _settings(workspace.root):
        parcel.take(path, f"{CONFIG}/{path.relative_to(workspace.root).as_posix()}")
    return Index(
        now, workspace.mapping.name, __version__, newest.id if newest else None,
        {name: state.rows for name, state in newest.tables.items()} if newest else {},
        copied, checkpoint, keys, tuple(sorted(parcel.files, key=lambda file: file.path)),
        parcel.beside.name if parcel.beside and parcel.shared else "", parcel.shared,
    )  # fmt: skip


@contextmanager
def _reading(lake: Lake, wait: float) -> Iterator[Lake | None]:
    """The lake, with its data files kept from a vacuum; None where there is none."""
    if not lake.root.is_dir():
        yield None
        return
    with files_lock(lake.root, wait):
        yield lake


def _database(frame: Frame, parcel: _Parcel) -> tuple[Copied, str]:
    folder = parcel.folder / DATABASE
    folder.mkdir()
    copied = copy_out(frame, folder)
    for path in sorted(folder.iterdir()):
        parcel.note(path)
    with frame.read() as tx:
        return copied, repo.checkpoint(tx)


def _lake_heads(lake: Lake, parcel: _Parcel) -> list[Path]:
    """Copy manifests and logs; the data files that they name, to be copied afterwards."""
    pinned = [manifests.load(lake.root, number) for number in manifests.numbers(lake.root)]
    for path in sorted(lake.root.glob("manifest-*.json")):
        parcel.take(path, f"{STATE}/lake/{path.name}")
    for folder in (manifests.RETIRED, marks.FOLDER):
        _folder(lake.root / folder, f"{STATE}/lake/{folder}", parcel)
    data: set[Path] = set()
    for name in [*TABLES, QUARANTINE]:
        if not lake.exists(name):
            continue
        log = lake.path(name) / "_delta_log"
        _folder(log, f"{STATE}/lake/{name}/_delta_log", parcel)
        data.update(Path(file) for version in _versions(lake, name, pinned)
                    for file in lake.files_at(name, version))  # fmt: skip
    return sorted(data)


def _versions(lake: Lake, table: str, pinned: list[Manifest]) -> set[int]:
    found = {version for manifest in pinned if (version := version_of(manifest, table)) is not None}
    return found | {lake.delta(table).version()}


def _state(
    workspace: Workspace, frame: Frame | None, parcel: _Parcel, keys: bool, wait: float
) -> None:
    left = {"lake", "spool", *REMADE}
    desk = _desk_file(frame)
    for path in sorted(workspace.state.iterdir()):
        if path.name in left or path.name.startswith(desk) or (not keys and path.name in SECRET):
            continue
        if path.is_dir():
            # Panels are replaced as a whole, and older ones go.
            lock = path / "lock" if path == panels_root(workspace.state) else None
            with FileLock(lock, timeout=wait) if lock else nullcontext():
                _folder(path, f"{STATE}/{path.name}", parcel)
        elif _counts(path):
            parcel.take(path, f"{STATE}/{path.name}")


def _desk_file(frame: Frame | None) -> str:
    """Beginning of the names of SQLite's own files."""
    if frame is not None and frame.database.is_sqlite and frame.database.url.database:
        return Path(frame.database.url.database).name
    return "desk.sqlite"


def _folder(folder: Path, name: str, parcel: _Parcel) -> None:
    for path in sorted(folder.rglob("*")):
        if _counts(path) and path.is_file():
            parcel.take(path, f"{name}/{path.relative_to(folder).as_posix()}")


def _counts(path: Path) -> bool:
    """Whether a file holds anything: locks and drafts do not."""
    return not (path.name.startswith(".") or path.name == "lock" or path.suffix == ".lock")


def _settings(root: Path) -> list[Path]:
    """keepwell.yaml, desk.yaml and whatever YAML lies with them; no source data."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [
            n for n in names if not n.startswith(".") and (Path(folder), n) != (root, "out")
        ]
        found += [Path(folder) / n for n in files if n.endswith((".yaml", ".yml"))]
    return sorted(found)
