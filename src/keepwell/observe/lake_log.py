"""What commits of a table did, from Delta's own log: rows that came, rows that went, files redone.

A commit that only rewrites files (compaction) says so of every one of its actions
(`dataChange: false`, https://github.com/delta-io/delta/blob/master/PROTOCOL.md#add-file-and-remove-file),
so the rows that came in between two versions can be told from rows that were there before.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

KEPT_FROM: Final = "keepwell.kept_from"
"""What a commit of a retention run says of itself: the first day whose rows it left."""


def commit_file(folder: Path, version: int) -> Path:
    """The log file of one commit."""
    return folder / "_delta_log" / f"{version:020d}.json"


def actions(folder: Path, version: int) -> list[dict[str, Any]] | None:
    """The actions of one commit; None when its log file is not there.

    Args:
        folder: the table's folder.
        version: the commit.
    """
    try:
        lines = commit_file(folder, version).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return [json.loads(line) for line in lines]


def brought(folder: Path, old: int, new: int) -> list[Path] | None:
    """Files that hold exactly the rows that came after one version and until another.

    A file that was compacted since is named all the same, as long as it is on disk.

    Args:
        folder: the table's folder.
        old: the version before.
        new: the version after.

    Returns:
        The files, sorted; None when rows were taken out in between, or when a file is gone: then
        only reading the whole table tells what changed.
    """
    found: list[Path] = []
    for version in range(old + 1, new + 1):
        steps = actions(folder, version)
        if steps is None:
            return None
        for step in steps:
            if step.get("remove", {}).get("dataChange"):
                return None
            added = step.get("add")
            if added and added["dataChange"]:
                found.append(folder / added["path"])
    return sorted(found) if all(path.is_file() for path in found) else None


def kept_from(folder: Path, old: int, new: int) -> int | None:
    """From which day on a table is kept, by the retention runs between two versions.

    Args:
        folder: the table's folder.
        old: the version before.
        new: the version after.

    Returns:
        The day number; None when no run took anything out.
    """
    days = [
        int(step["commitInfo"][KEPT_FROM])
        for version in range(old + 1, new + 1)
        for step in actions(folder, version) or ()
        if KEPT_FROM in step.get("commitInfo", {})
    ]
    return max(days, default=None)


def changed_at(folder: Path, version: int) -> datetime | None:
    """When rows last came or went, at a version or before it (UTC); None when no log says it.

    Args:
        folder: the table's folder.
        version: the newest commit that counts.
    """
    while version >= 0:
        steps = actions(folder, version)
        if steps is None:
            return None
        told = [step["commitInfo"] for step in steps if "commitInfo" in step]
        if told and told[0].get("operation") != "OPTIMIZE":
            stamp = told[0].get("timestamp")
            return None if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC)
        if not told:
            return None
        version -= 1
    return None
