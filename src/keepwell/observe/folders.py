"""What lies in the folders of the sources: how many files, how large, how new; without opening any.

A source may have ten thousand files, one a day and table. A large folder that no file was added to
or taken from is not gone through again for a while.
"""

from __future__ import annotations

import fnmatch
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

MANY: Final = 200
"""Files of a folder from which on it is worth keeping what was seen."""
MOST: Final = 600.0
"""Seconds after which a large folder is gone through again all the same: files are overwritten."""

_DAY: Final = re.compile(r"(?<!\d)(20\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class Spot:
    """Files that one path or glob of the mapping means.

    Attributes:
        count: how many.
        size: their bytes.
        newest: when the latest was written, seconds since 1970.
        newest_file: which one that is, relative to keepwell.yaml where it is inside.
        empty: one of no bytes, if any.
        last_day: the latest day that a file's name says, as '20260301'; '' where none says one.
    """

    count: int = 0
    size: int = 0
    newest: float = 0.0
    newest_file: str = ""
    empty: str = ""
    last_day: str = ""

    def with_file(self, name: str, stat: os.stat_result) -> Spot:
        """The same with one file more."""
        newer = stat.st_mtime > self.newest
        return Spot(
            self.count + 1, self.size + stat.st_size, stat.st_mtime if newer else self.newest,
            name if newer else self.newest_file, self.empty if stat.st_size else name,
            max(self.last_day, _day_of(Path(name).name)),
        )  # fmt: skip


_SEEN: dict[tuple[str, str], tuple[int, float, Spot]] = {}


def spotted(base: Path, pattern: str) -> Spot:
    """What a path or glob means just now.

    Args:
        base: the folder that relative paths start from.
        pattern: as the mapping names it.
    """
    path = base / pattern
    folder, name = path.parent, path.name
    if not any(mark in pattern for mark in "*?["):
        return _single(base, path)
    if any(mark in str(folder.relative_to(base) if base in folder.parents else folder)
           for mark in "*?[") or name == "**":  # fmt: skip
        return _deep(base, pattern)
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return Spot()
    key = (str(folder), name)
    kept = _SEEN.get(key)
    if kept and kept[0] == changed and kept[2].count >= MANY and time.monotonic() - kept[1] < MOST:
        spot = kept[2]
    else:
        spot = _flat(folder, name)
        _SEEN[key] = (changed, time.monotonic(), spot)
    return replace(
        spot, newest_file=_beside(base, folder, spot.newest_file),
        empty=_beside(base, folder, spot.empty),
    )  # fmt: skip


def _single(base: Path, path: Path) -> Spot:
    try:
        stat = path.stat()
    except OSError:
        return Spot()
    return (
        Spot().with_file(_beside(base, path.parent, path.name), stat) if path.is_file() else Spot()
    )


def _flat(folder: Path, name: str) -> Spot:
    count = size = 0
    newest, newest_file, empty, last_day = 0.0, "", "", ""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not fnmatch.fnmatchcase(entry.name, name) or not entry.is_file():
                continue
            stat = entry.stat()
            count, size = count + 1, size + stat.st_size
            last_day = max(last_day, _day_of(entry.name))
            if stat.st_mtime > newest:
                newest, newest_file = stat.st_mtime, entry.name
            if not stat.st_size:
                empty = entry.name
    return Spot(count, size, newest, newest_file, empty, last_day)


def _day_of(name: str) -> str:
    found = _DAY.findall(name)
    return "".join(found[-1]) if found else ""


def _deep(base: Path, pattern: str) -> Spot:
    anchor = Path(pattern).anchor
    spot = Spot()
    for path in (Path(anchor) if anchor else base).glob(pattern[len(anchor) :]):
        if path.is_file():
            spot = spot.with_file(_beside(base, path.parent, path.name), path.stat())
    return spot


def _beside(base: Path, folder: Path, name: str) -> str:
    if not name:
        return ""
    path = folder / name
    return path.relative_to(base).as_posix() if base in path.parents else path.as_posix()
