"""What the killed process runs: one verb of upkeep, killed before a chosen step on the disk.

Every file opened to be written, renamed, removed or made under the test's folder is a step; so the
kill falls where it was meant to, on a slow machine too.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def run(verb: str, root: Path, fatal: int) -> None:
    """Do it; `fatal`: number of the step that is not taken; 0 for none."""
    folder, steps = str(root.parent), [0]

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect"):
            return
        if event == "open" and not (isinstance(args[2], int) and args[2] & _WRITES):
            return
        if folder not in str(args[0]):
            return
        steps[0] += 1
        if steps[0] == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    VERBS[verb](root)
    (root.parent / "steps").write_text(str(steps[0]))


def _compact(root: Path) -> None:
    from keepwell.observe.compact import compact
    from keepwell.observe.workspace import Workspace

    compact(Workspace.open(root))


def _vacuum(root: Path) -> None:
    from keepwell.observe.vacuum import Pins, vacuum
    from keepwell.observe.workspace import Workspace

    later = datetime.now(UTC) + timedelta(days=30)
    vacuum(Workspace.open(root).lake, Pins({2: ["a test"]}), later, remove=True)


def _backup(root: Path) -> None:
    from keepwell import rooms
    from keepwell.frame.context import Frame
    from keepwell.intervene.upkeep.backup import backup

    rooms.load_all()
    frame = Frame.open(root)
    into = root.parent / "backups"
    made = len(list(into.glob("keepwell-*")))
    backup(frame.workspace, frame, into, NOW + timedelta(hours=made))
    frame.close()


def _restore(root: Path) -> None:
    from keepwell import rooms
    from keepwell.intervene.upkeep.restore import restore

    rooms.load_all()
    (folder,) = (root.parent / "backups").glob("keepwell-*")
    restore(folder, root.parent / "restored")


def _retain(root: Path) -> None:
    from keepwell.observe.retain import retain
    from keepwell.observe.workspace import Workspace

    retain(Workspace.open(root), NOW, remove=True)


VERBS = {
    "compact": _compact, "vacuum": _vacuum, "backup": _backup, "restore": _restore,
    "retain": _retain,
}  # fmt: skip
