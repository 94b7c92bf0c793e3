"""What became of the last ingest: a small note in the workspace's state, for people to look at.

An ingest that fails leaves the lake as it was, so the lake cannot tell that one was tried. The note
holds codes and names of files and tables; it decides nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from keepwell.core.errors import ERRORS, KeepwellError
from keepwell.core.files import atomic_write
from keepwell.core.text import tr

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

FILE_NAME: Final = "ingest.json"
_LONGEST: Final = 300
_NUMBER: Final = re.compile(r"\d{6,}")


@dataclass(frozen=True)
class Attempt:
    """The last ingest that was tried.

    Attributes:
        at: when it began (UTC).
        tables: which tables it was to read; () for all that are mapped.
        error: code of what it failed with; '' when it went well.
        fields: what the error's words name.
        read: table -> when an ingest last read it, or found it unchanged, without a fault.
    """

    at: datetime
    tables: tuple[str, ...] = ()
    error: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    read: dict[str, datetime] = field(default_factory=dict)

    def concerns(self, table: str) -> bool:
        """Whether the ingest was to read a table."""
        return not self.tables or table in self.tables

    def words(self, locale: str | None = None) -> str:
        """Why it failed, in a language; '' when it went well.

        Long numbers are left out: a message may quote a cell.
        """
        if not self.error:
            return ""
        try:
            words = tr(ERRORS[self.error], locale, **self.fields)
        except (KeyError, IndexError, ValueError):
            return self.error
        return _NUMBER.sub("……", words)[:_LONGEST]


def last(workspace: Workspace) -> Attempt | None:
    """The last ingest that was tried here; None when there was none, or the note is broken."""
    try:
        raw = json.loads((workspace.state / FILE_NAME).read_text(encoding="utf-8"))
        return Attempt(
            datetime.fromisoformat(raw["at"]), tuple(raw["tables"]), raw["error"], raw["fields"],
            {name: datetime.fromisoformat(at) for name, at in raw["read"].items()},
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def note(
    workspace: Workspace,
    at: datetime,
    tables: Iterable[str] | None,
    error: KeepwellError | None = None,
) -> None:
    """Note what became of an ingest; never in the way of the ingest itself.

    Args:
        workspace: whose.
        at: when it began (UTC).
        tables: which tables it was to read; None for all that are mapped.
        error: what it failed with.
    """
    before = last(workspace)
    read = dict(before.read) if before else {}
    named = tuple(tables or ())
    if error is None:
        read |= dict.fromkeys(named or tuple(workspace.mapping.tables), at)
    content: dict[str, Any] = {
        "at": at.isoformat(), "tables": list(named), "error": error.code if error else "",
        "fields": {k: str(v) for k, v in error.fields.items()} if error else {},
        "read": {name: moment.isoformat() for name, moment in sorted(read.items())},
    }  # fmt: skip
    with suppress(OSError):
        atomic_write(workspace.state / FILE_NAME, json.dumps(content, indent=1) + "\n")


__all__ = ["Attempt", "last", "note"]
