"""What a connector is, and what it hands over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.errors import DataError, nearest
from keepwell.observe.mapping import NONE, Source


@dataclass(frozen=True)
class Ragged:
    """A record whose number of cells is not the header's.

    Attributes:
        row: record number as a spreadsheet shows it (the header is 1).
        found: cells it has.
        expected: cells the header has.
        text: the record as it stands in the file.
    """

    row: int
    found: int
    expected: int
    text: str


@dataclass(frozen=True)
class RawBatch:
    """Some rows of one file, as they stand there.

    Attributes:
        file: path relative to keepwell.yaml, with forward slashes.
        rows: row number of each row (int64), as a person counts them: in a CSV the header is 1
            and a quoted line break stays within its row; in Parquet the first row is 1.
        columns: the cells. Null means absent; a text connector gives absent cells as ''.
        ragged: records left out of `columns` for their number of cells.
    """

    file: str
    rows: npt.NDArray[np.int64]
    columns: pa.RecordBatch
    ragged: list[Ragged] = field(default_factory=list)


@runtime_checkable
class Connector(Protocol):
    """Reads sources of one format, streaming, in bounded memory.

    Attributes:
        name: value of the mapping's `format`.
        suffixes: file suffixes, with the dot, that choose it without a `format`.
        text_cells: every cell is text as typed by someone (CSV), so formulas are looked for.
    """

    name: str
    suffixes: tuple[str, ...]
    text_cells: bool

    def open(self, name: str, source: Source, base: Path) -> Iterator[RawBatch]:
        """Read a source.

        Each file gives at least one batch, an empty one if it has no rows, so that its columns
        are known. The same files give the same batches.

        Args:
            name: the source's name, for messages.
            source: its mapping.
            base: the folder that relative paths start from.

        Raises:
            DataError: a file is missing or cannot be read as what it should be.
        """
        ...


def files_of(name: str, source: Source, base: Path) -> list[tuple[str, Path]]:
    """A source's files: (name relative to `base`, path), globs expanded and sorted.

    Raises:
        DataError: `source.file-missing`, with the nearest file name in that folder;
            `source.file-empty` for a file of no bytes.
    """
    found: dict[str, Path] = {}
    for pattern in source.paths:
        paths = _matches(base, pattern)
        if not paths:
            folder = (base / pattern).parent
            beside = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
            raise DataError(
                "source.file-missing",
                source=name,
                path=pattern,
                nearest=nearest(Path(pattern).name, beside) or NONE,
            )
        for path in paths:
            found[_relative(path, base)] = path
    for file, path in found.items():
        if path.stat().st_size == 0:
            raise DataError("source.file-empty", source=name, file=file)
    return list(found.items())


def _matches(base: Path, pattern: str) -> list[Path]:
    if any(mark in pattern for mark in "*?["):
        anchor = Path(pattern).anchor
        root = Path(anchor) if anchor else base
        return sorted(p for p in root.glob(pattern[len(anchor) :]) if p.is_file())
    path = base / pattern
    return [path] if path.is_file() else []


def _relative(path: Path, base: Path) -> str:
    try:
        return path.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return path.as_posix()
