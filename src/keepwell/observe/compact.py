"""Compaction: many small files become few, in the lake and in the tiles, and nothing else changes.

Delta's own compaction writes the new files aside and commits them at once, and the commit says that
no row came or went; versions that older manifests pin keep their files until a vacuum. A kill at
any moment leaves the table as it was or compacted, and at most a file that nothing names, which a
vacuum removes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from deltalake import WriterProperties

from keepwell.core.errors import DataError
from keepwell.core.files import sweep
from keepwell.observe.contract import TABLES
from keepwell.observe.lake_writer import QUARANTINE, LakeWriter
from keepwell.observe.tile_store import fold

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

TARGET: Final = 128
"""Size that a file grows to, in megabytes of 1024 x 1024 bytes."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Compacted:
    """One table's files before and after.

    Attributes:
        table: its name.
        files: number of files before, and after.
        size: their bytes before, and after.
    """

    table: str
    files: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        manifest: number of the lake's newest manifest, which pins the new files.
        tables: the tables whose files became fewer.
        segments: segments of the tile store that there are fewer.
    """

    manifest: int
    tables: tuple[Compacted, ...]
    segments: int


def compact(
    workspace: Workspace,
    target: int = TARGET,
    wait: float = 0.0,
    progress: Progress | None = None,
) -> CompactReport:
    """Rewrite the small files of every table, and fold the tile store's segments into one each.

    Args:
        workspace: ingested before.
        target: size that files grow to, in megabytes.
        wait: seconds to wait for another writer of the lake.
        progress: told the name of each table.

    Raises:
        DataError: nothing was ingested yet.
        UsageError: another writer is at work.
    """
    lake = workspace.lake
    if lake.manifest() is None:
        raise DataError("tiles.lake-empty")
    done = []
    with lake.writer(wait) as writer:
        sweep(lake.root)
        for name in [*TABLES, QUARANTINE]:
            if not lake.exists(name):
                continue
            if progress:
                progress(name)
            found = _table(writer, name, target << 20)
            if found.files[1] < found.files[0]:
                done.append(found)
        newest = writer.publish()
    segments = fold(workspace.tiles, lake, newest, workspace.zone)
    return CompactReport(newest.id, tuple(done), segments)


def _table(writer: LakeWriter, name: str, target: int) -> Compacted:
    delta = writer.lake.delta(name)
    before = _sizes(delta)
    # A file that is nearly full stays: copying it would move many bytes to save one file.
    if sum(size < target // 2 for size in before) > 1:
        delta.optimize.compact(
            target_size=target,
            writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
        )
        delta = writer.lake.delta(name)
    after = _sizes(delta)
    return Compacted(name, (len(before), len(after)), (sum(before), sum(after)))


def _sizes(delta: object) -> list[int]:
    found = pa.table(delta.get_add_actions(flatten=True))  # type: ignore[attr-defined]
    return [int(size) for size in found["size_bytes"].to_pylist()]
