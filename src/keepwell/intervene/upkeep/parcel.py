"""A backup on disk: its files, what they hold, and how they are checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import sha256_file, sync_folder
from keepwell.frame.copy import Copied

FORMAT: Final = 1
INDEX: Final = "index.json"
"""Names every other file with its digest; written last."""

STATE: Final = "state"
"""Folder of what goes to `.keepwell`."""

CONFIG: Final = "config"
"""Folder of what goes beside it: keepwell.yaml, desk.yaml, further YAML files."""

DATABASE: Final = "database"

SECRET: Final = ("evidence.key", "desk.secret")
"""Files of the state that nobody but the desk may read."""

_PART: Final = 1 << 20

Progress = Callable[[str], None]


@dataclass(frozen=True)
class File:
    """One file of a backup.

    Attributes:
        path: relative, with slashes.
        size: bytes.
        sha256: hexadecimal.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Index:
    """What a backup holds.

    Attributes:
        made_at: when it was begun (UTC).
        workspace: the mapping's name.
        package: keepwell version that made it.
        manifest: number of the lake's newest manifest; None without a lake.
        rows: table of the lake -> rows of that manifest.
        database: the desk's database; None without a desk.
        checkpoint: newest signed checkpoint of the evidence log; '' without one.
        keys: whether the signing key and the desk's secret are in it.
        files: all files but the index.
        beside: name of the earlier backup whose copies stand in this one too; '' for none.
        shared: bytes of these; they were not written a second time.
    """

    made_at: datetime
    workspace: str
    package: str
    manifest: int | None
    rows: Mapping[str, int]
    database: Copied | None
    checkpoint: str
    keys: bool
    files: tuple[File, ...] = field(repr=False)
    beside: str = ""
    shared: int = 0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        """As JSON text."""
        content = {"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps(content, indent=1, sort_keys=True) + "\n"

    @classmethod
    def load(cls, folder: Path) -> Index:
        """Read a backup's index.

        Raises:
            UsageError: the folder is no backup, or one of another format.
        """
        try:
            raw: dict[str, Any] = json.loads((folder / INDEX).read_text("utf-8"))
            if raw.pop("format") != FORMAT:
                raise ValueError(FORMAT)
            database = raw.pop("database")
            return cls(
                **{
                    **raw,
                    "made_at": datetime.fromisoformat(raw["made_at"]),
                    "database": Copied(**database) if database else None,
                    "files": tuple(File(**file) for file in raw["files"]),
                }
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise UsageError("backup.folder-invalid", folder=folder, why=str(fault)) from fault


def copy_file(source: Path, target: Path) -> File:
    """Copy a file, to disk, with its digest; its folder is made, its time and mode are kept.

    Args:
        source: what.
        target: where to; not there yet.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    status = source.stat()
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as origin, target.open("xb") as copy:
        os.fchmod(copy.fileno(), status.st_mode & 0o777)
        while part := origin.read(_PART):
            digest.update(part)
            size += copy.write(part)
        copy.flush()
        os.fsync(copy.fileno())
    # Delta tells the age of a file that its log does not name by its time.
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return File("", size, digest.hexdigest())


def link_file(source: Path, kept: Path, file: File, target: Path) -> bool:
    """Let the copy of an earlier backup stand in another one too, if it is what a copy would be.

    Both the source and the earlier copy are read: what is damaged there is not handed on.

    Args:
        source: what is to be copied.
        kept: its earlier copy.
        file: what the earlier index says of that.
        target: where to; not there yet.

    Returns:
        Whether it stands there; else it has to be copied.
    """
    try:
        mine, old = source.stat(), kept.stat()
        if mine.st_size != file.size or (mine.st_mode ^ old.st_mode) & 0o777:
            return False
        if not (sha256_file(source) == file.sha256 and _whole(kept, file)):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(kept)
    except OSError:  # gone meanwhile, or a file system without links
        return False
    return True


def sync_all(folder: Path) -> None:
    """Make all names in a folder durable, the deepest first."""
    for path, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(path))


def check_files(folder: Path, index: Index, progress: Progress | None = None) -> None:
    """Compare every file of a backup with its digest.

    Args:
        folder: the backup.
        index: its index.
        progress: told what is done.

    Raises:
        DataError: a file is missing, changed, or not named by the index.
    """
    if progress:
        progress(str(folder))
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {INDEX}
    named = {file.path for file in index.files}
    strange = sorted(there ^ named)
    if strange:
        raise DataError("backup.file-strange", file=strange[0], folder=folder)
    with ThreadPoolExecutor(2, "keepwell-digest") as pool:
        found = pool.map(lambda file: _whole(folder / file.path, file), index.files)
        for file, whole in zip(index.files, found, strict=True):
            if not whole:
                raise DataError("backup.file-changed", file=file.path, folder=folder)


def _whole(path: Path, file: File) -> bool:
    return path.stat().st_size == file.size and sha256_file(path) == file.sha256
