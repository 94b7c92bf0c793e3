"""The past as it was pinned: an engine over any manifest, beside the one that serves.

What a manifest pins never changes, so what is computed from it now is what was computed then, to
the last bit; whatever was ingested, corrected or compacted since.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from keepwell.core.errors import DataError
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.lake import Lake
from keepwell.observe.manifest import Manifest
from keepwell.observe.workspace import Workspace


@dataclass(frozen=True)
class PinnedLake:
    """A lake whose newest manifest is an old one.

    Attributes:
        lake: the lake.
        pinned: the manifest.
    """

    lake: Lake
    pinned: Manifest

    def manifest(self) -> Manifest:
        """The pinned manifest."""
        return self.pinned

    def added_files(self, table: str, old_version: int, new_version: int) -> list[str] | None:
        """See `Lake.added_files`."""
        return self.lake.added_files(table, old_version, new_version)

    def connect(self, manifest: Manifest | None = None) -> duckdb.DuckDBPyConnection:
        """DuckDB with one view per table of the pinned manifest."""
        return self.lake.connect(manifest or self.pinned)


@dataclass(frozen=True)
class PinnedSource:
    """A workspace as one manifest saw it; what an engine needs of it.

    Attributes:
        workspace: the workspace.
        lake: its lake, pinned.
        tiles: a tile store of its own.
    """

    workspace: Workspace
    lake: PinnedLake
    tiles: Path

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's zone."""
        return self.workspace.zone

    @property
    def currency(self) -> str:
        """ISO 4217 code."""
        return self.workspace.currency

    @property
    def mapping(self) -> Any:
        """The mapping as it is now; it names the market's index."""
        return self.workspace.mapping


@contextmanager
def engine_at(
    workspace: Workspace, number: int, threads: int | None = None
) -> Iterator[LocalEngine]:
    """An engine that answers from one manifest, with tiles made for it and removed afterwards.

    Args:
        workspace: whose lake.
        number: of the manifest.
        threads: worker threads; default: all cores. Results do not depend on it.

    Raises:
        DataError: there is no such manifest, or it was retired.
    """
    manifest = workspace.lake.manifest(number)
    if manifest is None:
        raise DataError("tiles.lake-empty")
    with tempfile.TemporaryDirectory(prefix="keepwell-replay-") as folder:
        source = PinnedSource(workspace, PinnedLake(workspace.lake, manifest), Path(folder))
        yield LocalEngine.open(source, threads)
