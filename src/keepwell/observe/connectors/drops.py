"""A folder into which a system drops its files, day by day; only new and changed ones are read.

The files themselves are of any format that another connector reads. One still being written must
not be read in half: it is left for the next ingest until its marker file is there, or until nobody
has written to it for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from keepwell.core.errors import DataError, UsageError
from keepwell.observe.connectors.base import (
    Connector,
    Options,
    RawBatch,
    Since,
    files_of,
    options_of,
)
from keepwell.observe.mapping import Source

Choose = Callable[[str, Source], Connector]
_NAME: Final = "{name}"


class DropsOptions(Options):
    """Options of a folder of drops.

    Attributes:
        of: format of the files; default by their suffix.
        ready: name of the marker file that says that {name} is complete, such as '{name}.ok';
            default: none is expected.
        settle_s: without a marker: seconds since the last writing after which a file is complete.
        options: what the files' own format asks for.
    """

    of: str | None = None
    ready: str = ""
    settle_s: Annotated[int, Field(ge=0)] = 60
    options: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it


class DropsConnector:
    """Reads the files of a folder through the connectors of their formats.

    Args:
        choose: finds the connector of a source by name and mapping.
    """

    name = "drops"
    suffixes: tuple[str, ...] = ()
    text_cells = True
    rows_stay = True
    increments = "file"
    options: ClassVar[type[Options]] = DropsOptions

    def __init__(self, choose: Choose) -> None:
        self._choose = choose

    def bound(self, name: str, source: Source) -> DropsConnector:
        """The connector for one source, whose cells are as its files' format gives them."""
        made = DropsConnector(self._choose)
        options = options_of(DropsOptions, name, source)
        made.text_cells = self._inner(name, source, options).text_cells
        return made

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source; see `Connector.open`."""
        options = options_of(DropsOptions, name, source)
        inner = self._inner(name, source, options)
        files = self._ready(name, source, base, options)
        known = since.files if since else {}
        new = [file for file, print_ in files.items() if known.get(file) != print_]
        if new:
            yield from self._read(name, source, base, options, new)
            return
        if not files:
            raise DataError("source.drop-unready", source=name, path=", ".join(source.paths))
        # Nothing new: the newest file's columns, and none of its rows.
        last = list(files)[-1:]
        for batch in inner.open(name, self._of(source, options, last), base):
            empty = batch.rows[:0]
            yield RawBatch(batch.file, empty, batch.columns.slice(0, 0), encoding=batch.encoding)
            return

    def fingerprint(self, name: str, source: Source, base: Path) -> Mapping[str, str] | None:
        """Size and time of writing of the files that are ready; no file is opened."""
        return self._ready(name, source, base, options_of(DropsOptions, name, source))

    def _read(
        self, name: str, source: Source, base: Path, options: DropsOptions, files: list[str]
    ) -> Iterator[RawBatch]:
        inner = self._inner(name, source, options)
        yield from inner.open(name, self._of(source, options, files), base)

    def _inner(self, name: str, source: Source, options: DropsOptions) -> Connector:
        inner = self._choose(name, self._of(source, options, source.paths))
        if inner.increments:
            raise UsageError("source.drop-format", source=name, format=inner.name)
        return inner

    def _of(self, source: Source, options: DropsOptions, files: list[str]) -> Source:
        changes = {"path": files, "format": options.of, "options": options.options}
        return source.model_copy(update=changes)

    def _ready(
        self, name: str, source: Source, base: Path, options: DropsOptions
    ) -> dict[str, str]:
        found: dict[str, str] = {}
        for file, path in files_of(name, source, base):
            stat = path.stat()
            if options.ready:
                complete = (path.parent / options.ready.replace(_NAME, path.name)).is_file()
            else:
                complete = time.time() - stat.st_mtime >= options.settle_s
            if complete:
                found[file] = f"{stat.st_size}-{stat.st_mtime_ns}"
        return found
