"""The folder of panels: complete ones by id, and the pointer to the one in force."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

from keepwell.core.files import atomic_write, sweep, sync_folder

FORMAT: Final = 1
"""Raised when a file's columns change: panels of another number are not read."""

POINTER: Final = "current.json"
ABOUT: Final = "about.json"
"""What the panels were made from; written last into a draft."""


def panels_root(state: Path) -> Path:
    """The folder of all panels of a workspace.

    Args:
        state: the workspace's folder of everything that can be made again.
    """
    return state / "panels"


@contextmanager
def draft(root: Path, name: str) -> Iterator[Path]:
    """A folder to write in; put in force when the block ends well, removed when it does not.

    Killed at any moment, what was in force stays so. The panels in force before are kept, since
    readers may have them open; older ones go. Another writer waits.

    Args:
        root: folder of all panels; made if missing.
        name: id of these.
    """
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "lock"):
        sweep(root)
        before = in_force(root)
        _remove(root, {before} if before else set())
        staged = root / f".{name}.{os.getpid()}.tmp"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            yield staged
            _sync(staged)
            # The same run published again: what is there may be open, so it gets a name of its own.
            target = root / name
            number = 1
            while target.exists():
                number += 1
                target = root / f"{name}-{number}"
            staged.rename(target)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        sync_folder(root)
        atomic_write(root / POINTER, json.dumps({"format": FORMAT, "folder": target.name}))


def in_force(root: Path) -> str | None:
    """Name of the folder in force; None when there is none that this version can read."""
    try:
        said = json.loads((root / POINTER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        return None
    name = said.get("folder")
    return name if isinstance(name, str) and Path(name).name == name else None


def _remove(root: Path, kept: set[str]) -> None:
    for path in root.iterdir():
        if path.is_dir() and not path.name.startswith(".") and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_folder(folder)
