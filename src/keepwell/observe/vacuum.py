"""Vacuum: remove files of the lake that no manifest needs any more; never what something pins.

First manifests that nothing pins are retired, then files go that only they named. So a reader finds
a manifest with all of its files or none, whenever the vacuum is killed; the next one removes the
rest. Which files a version needs is Delta's own reckoning.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import sweep, sync_folder
from keepwell.observe import lake_log
from keepwell.observe import manifest as manifests
from keepwell.observe.contract import TABLES
from keepwell.observe.lake import Lake
from keepwell.observe.lake_writer import QUARANTINE
from keepwell.observe.manifest import Manifest

KEEP_DAYS: Final = 7
"""Days for which every manifest is kept: whoever opened it may still be reading."""

BUCKETS: Final = "spark"
"""Folder beside the lake with buckets of clients, by manifest."""

RECENT: Final = "recent"
NEWEST: Final = "newest"


@dataclass(frozen=True)
class Pins:
    """What must stay readable.

    Attributes:
        manifests: manifest number -> who needs it, each such as 'model catboost-…'.
        read_until: table -> the oldest version up to which somebody has read it; the rows that
            came since must stay readable as such.
    """

    manifests: Mapping[int, Sequence[str]] = field(default_factory=dict)
    read_until: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Due:
    """Files of one table that nothing needs.

    Attributes:
        table: its name.
        files: relative paths.
        size: their bytes.
    """

    table: str
    files: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class VacuumReport:
    """What a vacuum removed, or would remove.

    Attributes:
        removed: whether it was done; else only listed.
        retired: numbers of the manifests taken out of use.
        kept: manifest number -> why it stays.
        missing: pinned manifests that are not there, and who needs them.
        tables: files by table.
    """

    removed: bool
    retired: tuple[int, ...]
    kept: Mapping[int, tuple[str, ...]]
    missing: Mapping[int, tuple[str, ...]]
    tables: tuple[Due, ...]

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(len(due.files) for due in self.tables)

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(due.size for due in self.tables)


def vacuum(
    lake: Lake,
    pins: Pins,
    now: datetime,
    keep_days: float = KEEP_DAYS,
    remove: bool = False,
    wait: float = 0.0,
) -> VacuumReport:
    """List, or remove, what no manifest needs.

    Args:
        lake: the lake.
        pins: what must stay readable whatever its age.
        now: the instant (UTC).
        keep_days: manifests younger than so many days stay.
        remove: do it; default: list only.
        wait: seconds to wait for another writer of the lake.

    Raises:
        DataError: nothing was ingested yet.
        UsageError: another writer is at work.
    """
    if lake.manifest() is None:
        raise DataError("tiles.lake-empty")
    with lake.writer(wait), files_lock(lake.root, wait):
        known = {n: manifests.load(lake.root, n) for n in manifests.numbers(lake.root)}
        kept = _kept(known, pins, now - timedelta(days=keep_days))
        retired = tuple(number for number in known if number not in kept)
        pinned = [known[number] for number in kept]
        tables = [_due(lake, name, pinned, pins) for name in [*TABLES, QUARANTINE]]
        found = tuple(due for due in tables if due is not None and due.files)
        if remove:
            sweep(lake.root)
            for number in retired:
                manifests.retire(lake.root, number)
                _forget_buckets(lake.root, number)
            for due in found:
                _remove(lake.path(due.table), due.files)
    missing = {n: tuple(who) for n, who in sorted(pins.manifests.items()) if n not in known}
    return VacuumReport(remove, retired, kept, missing, found)


@contextmanager
def files_lock(root: Path, wait: float) -> Iterator[None]:
    """Keep data files of a lake from being removed, or from being read while they are removed.

    Args:
        root: the lake's folder.
        wait: seconds to wait for somebody else who holds it.

    Raises:
        UsageError: somebody else holds it.
    """
    lock = FileLock(root / ".files.lock", timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError("lake.files-busy", folder=root.parent.parent.name) from None
    try:
        yield
    finally:
        lock.release()


def _kept(
    known: Mapping[int, Manifest], pins: Pins, recent: datetime
) -> dict[int, tuple[str, ...]]:
    newest = max(known)
    kept = {}
    for number, manifest in known.items():
        why = list(pins.manifests.get(number, ()))
        if number == newest:
            why.insert(0, NEWEST)
        elif manifest.made_at >= recent:
            why.insert(0, RECENT)
        if why:
            kept[number] = tuple(why)
    return kept


def _due(lake: Lake, table: str, pinned: Sequence[Manifest], pins: Pins) -> Due | None:
    if not lake.exists(table):
        return None
    delta = lake.delta(table)
    versions = {
        version for manifest in pinned if (version := version_of(manifest, table)) is not None
    }
    # What was committed and not published yet is published by whoever comes next.
    first = max(versions, default=-1)
    versions.update(range(first + 1, delta.version() + 1))
    folder = lake.path(table)
    needed = {Path(file) for version in versions for file in lake.files_at(table, version)}
    if table in pins.read_until:
        needed.update(lake_log.brought(folder, pins.read_until[table], delta.version()) or ())
    listed = delta.vacuum(
        retention_hours=0, dry_run=True, enforce_retention_duration=False, full=True,
        keep_versions=sorted(versions),
    )  # fmt: skip
    paths = {folder / name for name in listed} - needed
    there = sorted(path for path in paths if path.is_file())
    names = tuple(str(path.relative_to(folder)) for path in there)
    return Due(table, names, sum(path.stat().st_size for path in there))


def version_of(manifest: Manifest, table: str) -> int | None:
    """The version of a table that a manifest pins; None when it names none.

    Args:
        manifest: the manifest.
        table: a contract table's name, or the quarantine's.
    """
    if table == QUARANTINE:
        return manifest.quarantine
    state = manifest.tables.get(table)
    return state.version if state else None


def _forget_buckets(root: Path, number: int) -> None:
    """Remove what Spark's executors read of a manifest: it holds rows that are out of use now."""
    for folder in (root.parent / BUCKETS).glob(f"{number:06d}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, files: Sequence[str]) -> None:
    # Delta's own removal would add two commits each time, and with them a manifest; its list and
    # the lake's lock are all that is needed.
    for name in files:
        (folder / name).unlink(missing_ok=True)
    sync_folder(folder)
