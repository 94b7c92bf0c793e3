"""Tile rows in memory and as a folder of flat, memory-mapped files (a segment).

A segment is written once, in the order entity, then day (positions: instrument, then day), and
never changed. Sums that fit are kept in 32 bits, the rest in 64; a value that does not fit raises
`TooWideError` and the caller writes the segment again with that measure in 64 bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.files import sync_folder
from keepwell.observe.tiles import BLANK, NEVER
from keepwell.observe.windows import Rows

Ints = npt.NDArray[np.int64]
_TYPES = {"day": np.int32, "known": np.int32, "gone": np.int32, "narrow": np.int32,
          "wide": np.int64, "entity": np.int32, "start": np.int64}  # fmt: skip
_INT32 = np.iinfo(np.int32)


class TooWideError(Exception):
    """Measures that do not fit 32 bits."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


@dataclass(frozen=True)
class Layout:
    """Columns of a kind of rows.

    Attributes:
        names: measures in order.
        narrow: those to keep in 32 bits.
        real: those that are float64, kept bit for bit.
        blank: those that may be blank.
        order: names of the columns by which rows of one entity are sorted.
    """

    names: tuple[str, ...]
    narrow: frozenset[str]
    real: frozenset[str] = frozenset()
    blank: frozenset[str] = frozenset()
    order: tuple[str, ...] = ("day", "known", "gone")


@dataclass(frozen=True)
class Block:
    """Rows in memory: code, day, known, gone int32 [rows], values int64 [rows, measures]."""

    code: npt.NDArray[np.int32]
    day: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32]
    gone: npt.NDArray[np.int32]
    values: Ints

    @staticmethod
    def of(batch: pa.RecordBatch | pa.Table, layout: Layout) -> Block:
        """Rows of an Arrow batch with columns code, day, known, gone and the layout's measures."""
        code, day, known, gone = (
            _column(batch, name, np.int32) for name in ("code", "day", "known", "gone")
        )
        values = np.empty((batch.num_rows, len(layout.names)), np.int64)
        for i, name in enumerate(layout.names):
            values[:, i] = _measure(batch, name, layout)
        return Block(code, day, known, gone, values)

    @staticmethod
    def join(blocks: Sequence[Block], layout: Layout) -> Block:
        """Rows of several blocks, sorted by entity and the layout's order."""
        if not blocks:
            none = np.empty(0, np.int32)
            return Block(none, none, none, none, np.empty((0, len(layout.names)), np.int64))
        whole = Block(
            np.concatenate([b.code for b in blocks]),
            np.concatenate([b.day for b in blocks]),
            np.concatenate([b.known for b in blocks]),
            np.concatenate([b.gone for b in blocks]),
            np.concatenate([b.values for b in blocks]),
        )
        keys = [whole.column(name, layout) for name in ("code", *layout.order)]
        return whole.take(_order(keys))

    def column(self, name: str, layout: Layout) -> npt.NDArray[Any]:
        """A key column or a measure by name."""
        if name in ("code", "day", "known", "gone"):
            found: npt.NDArray[Any] = getattr(self, name)
            return found
        return self.values[:, layout.names.index(name)]

    def take(self, rows: npt.NDArray[Any]) -> Block:
        """The rows at these positions, or where a mask is true."""
        return Block(
            self.code[rows], self.day[rows], self.known[rows], self.gone[rows], self.values[rows]
        )

    def rows(self, layout: Layout) -> Rows:
        """What the kernel reads; everything in 64 bits."""
        nothing = _frozen(np.empty((0, 0), np.int32))
        return Rows(
            _frozen(self.day), _frozen(self.known), _frozen(self.gone), nothing,
            _frozen(self.values), {}, _index(layout.names), NEVER,
        )  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """A folder of mapped rows.

    Attributes:
        rows: what the kernel reads.
        entity: codes that have rows, ascending; int32.
        start: first row of each of them, and the number of rows; int64.
    """

    rows: Rows
    entity: npt.NDArray[np.int32]
    start: Ints

    @staticmethod
    def open(folder: Path) -> Segment:
        """Map a segment.

        Raises:
            FileNotFoundError: it was removed; read the manifest again.
        """
        meta = json.loads((folder / "meta.json").read_text())
        count = meta["rows"]
        shapes = {
            "day": (count,), "known": (count,), "gone": (count if meta["gone"] else 0,),
            "narrow": (count, len(meta["narrow"])), "wide": (count, len(meta["wide"])),
            "entity": (meta["entities"],), "start": (meta["entities"] + 1,),
        }  # fmt: skip
        a = {name: _map(folder / f"{name}.bin", name, shape) for name, shape in shapes.items()}
        rows = Rows(
            a["day"], a["known"], a["gone"], a["narrow"], a["wide"],
            _index(meta["narrow"]), _index(meta["wide"]), meta["newest"],
        )  # fmt: skip
        return Segment(rows, a["entity"], a["start"])

    def offsets(self, entities: int) -> Ints:
        """First row of every code below `entities`, and the end; int64 [entities + 1]."""
        counts = np.zeros(entities + 1, np.int64)
        counts[self.entity.astype(np.int64) + 1] = np.diff(self.start)
        return np.cumsum(counts)

    def block(self, layout: Layout) -> Block:
        """All rows in memory."""
        count = len(self.rows.day)
        values = np.empty((count, len(layout.names)), np.int64)
        for i, name in enumerate(layout.names):
            if name in self.rows.wide_index:
                values[:, i] = self.rows.wide[:, self.rows.wide_index[name]]
            else:
                values[:, i] = self.rows.narrow[:, self.rows.narrow_index[name]]
        gone = self.rows.gone if len(self.rows.gone) else np.full(count, NEVER, np.int32)
        code = np.repeat(self.entity, np.diff(self.start))
        return Block(code, self.rows.day, self.rows.known, gone, values)


def write_segment(folder: Path, blocks: Iterable[Block], layout: Layout) -> int:
    """Write sorted rows as a segment; durable when it returns.

    Args:
        folder: where; must not exist.
        blocks: rows in the order of the layout, a piece at a time.
        layout: their columns.

    Returns:
        Number of rows.

    Raises:
        TooWideError: measures of `layout.narrow` do not fit 32 bits.
    """
    folder.mkdir(parents=True)
    writer = _Writer(folder, layout)
    try:
        for block in blocks:
            writer.add(block)
    finally:
        writer.close()
    writer.finish()
    return writer.count


class _Writer:
    """Appends blocks to a segment's files and keeps what its end needs to know."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.names, self.count = folder, list(layout.names), 0
        self.narrow = [i for i, name in enumerate(self.names) if name in layout.narrow]
        self.wide = [i for i, name in enumerate(self.names) if name not in layout.narrow]
        self.newest, self.ever_gone = int(_INT32.min), False
        self.entities: list[npt.NDArray[np.int32]] = []
        self.starts: list[Ints] = []
        names = ("day", "known", "gone", "narrow", "wide")
        self.files = {name: (folder / f"{name}.bin").open("wb") for name in names}

    def add(self, block: Block) -> None:
        if not len(block.code):
            return
        _fits(block.values, self.narrow, self.names)
        parts = {
            "day": block.day, "known": block.known, "gone": block.gone,
            "narrow": block.values[:, self.narrow].astype(np.int32),
            "wide": block.values[:, self.wide],
        }  # fmt: skip
        for name, part in parts.items():
            np.ascontiguousarray(part).tofile(self.files[name])
        before = self.entities[-1][-1] if self.entities else -1
        fresh = np.flatnonzero(np.diff(block.code, prepend=before))
        if len(fresh):
            self.entities.append(block.code[fresh])
            self.starts.append(fresh + self.count)
        self.count += len(block.code)
        self.newest = max(self.newest, int(block.known.max()))
        self.ever_gone = self.ever_gone or bool((block.gone != NEVER).any())

    def close(self) -> None:
        for file in self.files.values():
            file.close()

    def finish(self) -> None:
        entity = np.concatenate([*self.entities, np.empty(0, np.int32)]).astype(np.int32)
        start = np.concatenate([*self.starts, [self.count]]).astype(np.int64)
        for name, array in (("entity", entity), ("start", start)):
            array.tofile(self.folder / f"{name}.bin")
        if not self.ever_gone:
            (self.folder / "gone.bin").write_bytes(b"")
        meta = {
            "rows": self.count, "entities": len(entity), "newest": self.newest,
            "gone": self.ever_gone, "narrow": [self.names[i] for i in self.narrow],
            "wide": [self.names[i] for i in self.wide],
        }  # fmt: skip
        (self.folder / "meta.json").write_text(json.dumps(meta), "utf-8")
        paths = list(self.folder.iterdir())
        with ThreadPoolExecutor(len(paths)) as pool:  # the disk takes them together
            list(pool.map(_sync, paths))
        sync_folder(self.folder)


def _order(keys: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.intp]:
    """The stable order by some keys, the first before all; as `np.lexsort`, the other way round.

    Where they fit, they are packed into one number: rows of several blocks are long runs in order,
    which a sort by one key takes as they are.
    """
    packed = np.zeros(len(keys[0]), np.int64)
    free = 63
    for key in keys if len(packed) else ():
        low, high = int(key.min()), int(key.max())
        bits = (high - low).bit_length()
        free -= bits
        if free < 0:
            return np.lexsort(keys[::-1])
        packed = (packed << bits) | (key.astype(np.int64) - low)
    return np.argsort(packed, kind="stable")


def _fits(values: Ints, narrow: list[int], names: list[str]) -> None:
    if not len(values):
        return
    low, high = values.min(axis=0), values.max(axis=0)
    over = {names[i] for i in narrow if low[i] < _INT32.min or high[i] > _INT32.max}
    if over:
        raise TooWideError(over)


def _column(batch: pa.RecordBatch | pa.Table, name: str, kind: Any) -> npt.NDArray[Any]:
    column = batch.column(batch.schema.get_field_index(name))
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False).astype(kind, copy=False)
    return found


def _measure(batch: pa.RecordBatch | pa.Table, name: str, layout: Layout) -> npt.NDArray[Any]:
    column = batch.column(batch.schema.get_field_index(f"m_{name}"))
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if name in layout.blank and name not in layout.real and column.null_count:
        column = column.fill_null(BLANK)
    found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found.astype(np.float64).view(np.int64) if name in layout.real else found


def _index(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _map(path: Path, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if 0 in shape:
        return _frozen(np.empty(shape, _TYPES[name]))
    return np.asarray(np.memmap(path, _TYPES[name], "r", shape=shape))


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array = np.ascontiguousarray(array)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
