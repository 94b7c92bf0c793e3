"""Hears every opening of a file below a folder, by whichever process and library.

Python's audit hooks do not hear DuckDB, Arrow and other compiled readers; the kernel does
(inotify(7), Linux only).
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_ACCESS, _OPEN = 0x1, 0x20
_EVENT = struct.Struct("iIII")


class Opened:
    """While it is entered, collects what is opened or read at or below a folder.

    Attributes:
        paths: what was opened, relative to the folder; '.' when the folder itself was listed.
            Filled on leaving.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, set[str]()
        self._places: dict[int, Path] = {}

    def __enter__(self) -> Self:
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._queue < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        below = [self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())]
        for place in below:
            watch = libc.inotify_add_watch(self._queue, os.fsencode(place), _ACCESS | _OPEN)
            if watch < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(place))
            self._places[watch] = place.relative_to(self.folder)
        self._events()  # of looking for folders below
        self.paths.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events()
        os.close(self._queue)

    def _events(self) -> None:
        try:
            while found := os.read(self._queue, 1 << 16):
                at = 0
                while at < len(found):
                    watch, _, _, length = _EVENT.unpack_from(found, at)
                    at += _EVENT.size
                    name = os.fsdecode(found[at : at + length].rstrip(b"\0"))
                    self.paths.add(str(self._places[watch] / name))
                    at += length
        except BlockingIOError:
            return
