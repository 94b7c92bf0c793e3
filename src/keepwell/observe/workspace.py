"""A workspace: a folder with keepwell.yaml, the state keepwell keeps there, and its results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from keepwell.core.errors import UsageError
from keepwell.observe.mapping import FILE_NAME, Mapping

if TYPE_CHECKING:
    from keepwell.observe.lake import Lake

_UNUSABLE: Final = re.compile(r"[\[\]]|%[0-9A-Fa-f]{2}")
"""What Delta takes for a part of an address where it stands in a path."""


@dataclass(frozen=True)
class Workspace:
    """An opened workspace.

    Attributes:
        root: the folder, absolute.
        mapping: its keepwell.yaml.
    """

    root: Path
    mapping: Mapping

    @classmethod
    def open(cls, path: str | Path = ".") -> Workspace:
        """Open a workspace.

        Args:
            path: the folder, or the keepwell.yaml in it.

        Raises:
            UsageError: there is no keepwell.yaml, or it is wrong, or the lake cannot be below the
                folder's name.
        """
        folder = Path(path)
        if folder.name == FILE_NAME:
            folder = folder.parent
        if not (folder / FILE_NAME).is_file():
            raise UsageError("workspace.mapping-missing", folder=folder)
        root = folder.resolve()
        bad = _UNUSABLE.search(str(root))
        if bad:
            raise UsageError("workspace.folder-unusable", folder=root, part=bad.group())
        return cls(root, Mapping.load(folder / FILE_NAME))

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's zone."""
        return self.mapping.zone

    @property
    def currency(self) -> str:
        """ISO 4217 code of amounts without one."""
        return self.mapping.currency

    @property
    def state(self) -> Path:
        """The folder of everything keepwell can make again; created when first asked for."""
        return _folder(self.root / ".keepwell")

    @property
    def tiles(self) -> Path:
        """The tile store's folder."""
        return _folder(self.state / "tiles")

    @property
    def models(self) -> Path:
        """The folder of trained models."""
        return _folder(self.state / "models")

    @property
    def scan(self) -> Path:
        """The folder in which scans stage their files."""
        return _folder(self.state / "scan")

    @property
    def out(self) -> Path:
        """The folder of results for people."""
        return _folder(self.root / "out")

    @cached_property
    def lake(self) -> Lake:
        """The workspace's lake."""
        from keepwell.observe.lake import Lake

        return Lake(self.state / "lake")


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
