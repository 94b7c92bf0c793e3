"""What a person called right although a monitor called it unusual: it is the new usual.

The desk keeps who said it and why, and writes this file from it; without a desk it can be removed
to be warned again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from keepwell.core.files import atomic_write
from keepwell.observe.mapping_monitor import MonitorKind

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

FILE_NAME: Final = "accepted.json"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Days on which something unusual was right.

    Attributes:
        since: the first; what was before it says no more what is usual.
        until: the last; later days are judged again.
    """

    since: date
    until: date


Place = tuple[str, MonitorKind, str]
"""Table, monitor and column."""


def accepted_in(workspace: Workspace) -> dict[Place, Accepted]:
    """What was called right in a workspace; nothing where the file is missing or broken."""
    try:
        raw = json.loads((_folder(workspace) / FILE_NAME).read_text(encoding="utf-8"))
        return {
            (one["table"], MonitorKind(one["kind"]), one["column"]): Accepted(
                date.fromisoformat(one["since"]), date.fromisoformat(one["until"])
            )
            for one in raw
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_accepted(workspace: Workspace, said: Mapping[Place, Accepted]) -> None:
    """Write the file anew, if it says something else.

    Args:
        workspace: whose.
        said: all that was called right.
    """
    if accepted_in(workspace) == dict(said):
        return
    rows = [
        {
            "table": table, "kind": str(kind), "column": column,
            "since": one.since.isoformat(), "until": one.until.isoformat(),
        }
        for (table, kind, column), one in sorted(said.items())
    ]  # fmt: skip
    folder = _folder(workspace)
    folder.mkdir(exist_ok=True)
    atomic_write(folder / FILE_NAME, json.dumps(rows, indent=1) + "\n")


def _folder(workspace: Workspace) -> Path:
    return workspace.state / "monitors"


__all__ = ["Accepted", "Place", "accepted_in", "write_accepted"]
