"""What a connector is, and what it hands over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from keepwell.core.errors import DataError, KeepwellError, UsageError, nearest
from keepwell.core.files import sha256_file
from keepwell.observe.mapping import NONE, Source

TYPE_KEY = b"keepwell.type"
"""Arrow field metadata: the type (a `ColumnSpec.type`) that a column of text is to have; its cells
are then checked one by one, as if the mapping had typed it."""


class Options(BaseModel):
    """What the mapping's `options` of a source may say; a connector names its own subclass."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_SHOWN = 200

AnyOptions = TypeVar("AnyOptions", bound=Options)


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
class BadCell:
    """A cell that cannot be read as a value; its row is left out of the batch.

    Attributes:
        row: its row's number.
        column: its column.
        reason: a code of `core.errors.REASONS`.
        value: the cell, for people.
        raw: the whole row, for the quarantine.
    """

    row: int
    column: str
    reason: str
    value: Any
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Since:
    """Where the last ingest ended, for a source that is read in increments.

    Attributes:
        value: least value of the column `increment.by` to be read again: a whole number, text, a
            date, or an instant; None for all. Rows without a value in that column always come.
        files: files read before and what they were then, as `fingerprint` tells them.
    """

    value: Any = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RawBatch:
    """Some rows of one file or database table, as they stand there.

    Attributes:
        file: path relative to keepwell.yaml, with forward slashes; a database's table.
        rows: row number of each row (int64), as a person counts them: in a CSV the header is 1
            and a quoted line break stays within its row; in Parquet the first row is 1.
        columns: the cells. Null means absent; a text connector gives absent cells as ''.
        ragged: records left out of `columns` for their number of cells.
        bad: cells whose rows are left out of `columns`.
        encoding: of the text, where the connector found it out.
    """

    file: str
    rows: npt.NDArray[np.int64]
    columns: pa.RecordBatch
    ragged: list[Ragged] = field(default_factory=list)
    bad: list[BadCell] = field(default_factory=list)
    encoding: str = ""


@runtime_checkable
class Connector(Protocol):
    """Reads sources of one kind, streaming, in bounded memory.

    Attributes:
        name: value of the mapping's `format`.
        suffixes: file suffixes, with the dot, that choose it without a `format`.
        text_cells: every cell is text as typed by someone (CSV), so formulas are looked for.
        rows_stay: a row keeps its number while nobody touches the file; in a database it does
            not, and the raw row alone names it.
        increments: reads in increments: 'column' by the values of one, 'file' by whole files, or
            '' not at all.
        options: what `options` of the mapping may say.
    """

    name: str
    suffixes: tuple[str, ...]
    text_cells: bool
    rows_stay: bool
    increments: str
    options: ClassVar[type[Options]]

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source.

        Each file gives at least one batch, an empty one if it has no rows, so that its columns
        are known. The same files give the same batches.

        Args:
            name: the source's name, for messages.
            source: its mapping.
            base: the folder that relative paths start from.
            since: read only what came after; None: everything.

        Raises:
            DataError: a file is missing or cannot be read as what it should be.
            UsageError: an option is wrong.
        """
        ...

    def fingerprint(self, name: str, source: Source, base: Path) -> Mapping[str, str] | None:
        """What the source holds, told without reading it: file to digest.

        None when that cannot be told (a database); the source is then read at each ingest.

        Raises:
            DataError: a file is missing.
        """
        ...


class FileConnector:
    """What connectors of whole files have in common."""

    text_cells: bool = False
    rows_stay: bool = True
    increments: str = ""
    options: ClassVar[type[Options]] = Options

    def fingerprint(self, name: str, source: Source, base: Path) -> Mapping[str, str] | None:
        """The files' SHA-256; see `Connector.fingerprint`."""
        found: dict[str, str] = {}
        for file, path in files_of(name, source, base):
            try:
                found[file] = sha256_file(path)
            except OSError as error:
                raise unreadable(name, file, error) from None
        return found


def options_of(model: type[AnyOptions], name: str, source: Source) -> AnyOptions:
    """A source's options, checked; no message repeats a value, which might be a secret.

    Args:
        model: the connector's own.
        name: the source's name, for messages.
        source: its mapping.

    Raises:
        UsageError: `source.option-unknown`, `source.option-wrong`.
    """
    try:
        return model.model_validate(source.options)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
    known = list(model.model_fields)
    option = ".".join(str(step) for step in fault["loc"]) or NONE
    if fault["type"] == "extra_forbidden":
        raise UsageError(
            "source.option-unknown",
            source=name,
            option=option,
            nearest=nearest(option, known) or NONE,
            known=", ".join(known) or NONE,
        )
    expected = str(fault["msg"]).removeprefix("Value error, ")
    raise UsageError("source.option-wrong", source=name, option=option, expected=expected)


def letters(place: int) -> str:
    """A column's letters, as spreadsheets have them, by its place from 0.

    Example:
        >>> letters(0), letters(27)
        ('A', 'AB')
    """
    text = ""
    while place >= 0:
        text = chr(ord("A") + place % 26) + text
        place = place // 26 - 1
    return text


@contextmanager
def reading(name: str, file: str, path: Path) -> Iterator[None]:
    """Hold that a file stays as it is while the block reads it.

    Args:
        name: the source's name, for messages.
        file: the file's, for messages.
        path: the file.

    Raises:
        DataError: `source.file-unreadable` when the system refuses it; `source.file-changed` when
            somebody wrote to it or replaced it meanwhile, whatever fault was found in it.
    """
    try:
        before = _stamp(path)
        path.open("rb").close()
    except OSError as error:
        raise unreadable(name, file, error) from None
    try:
        yield
    except KeepwellError:
        _unchanged(name, file, path, before)
        raise
    except OSError as error:
        _unchanged(name, file, path, before)
        raise unreadable(name, file, error) from None
    _unchanged(name, file, path, before)


def unreadable(name: str, file: str, error: OSError) -> DataError:
    """The error for a file that the system refuses to read."""
    problem = error.strerror or type(error).__name__
    return DataError("source.file-unreadable", source=name, file=file, problem=problem)


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unchanged(name: str, file: str, path: Path, before: tuple[int, int, int]) -> None:
    try:
        now = _stamp(path)
    except OSError:
        now = (0, 0, 0)
    if now != before:
        raise DataError("source.file-changed", source=name, file=file) from None


def files_of(name: str, source: Source, base: Path) -> list[tuple[str, Path]]:
    """A source's files: (name relative to `base`, path), globs expanded and sorted.

    Raises:
        DataError: `source.file-missing`, with the nearest file name in that folder;
            `source.file-empty` for a file of no bytes; `source.file-unreadable`.
        UsageError: `source.path-wrong`.
    """
    found: dict[str, Path] = {}
    if not source.paths:
        raise UsageError(
            "source.path-wrong", source=name, path="", problem="a file or a glob is expected"
        )
    for pattern in source.paths:
        try:
            paths = _matches(base, pattern)
        except OSError as error:
            raise unreadable(name, pattern[:_SHOWN], error) from None
        except (ValueError, NotImplementedError, IndexError) as error:
            raise UsageError(
                "source.path-wrong", source=name, path=pattern[:_SHOWN], problem=str(error)
            ) from None
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
        try:
            size = path.stat().st_size
        except OSError as error:
            raise unreadable(name, file, error) from None
        if size == 0:
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
