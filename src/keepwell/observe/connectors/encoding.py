"""Text encodings of files: read as declared, guessed only to help a person."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

from keepwell.core.errors import DataError

GUESSES = ("utf-8", "gb18030", "big5", "shift_jis", "cp1252")
CHUNK = 1 << 20
_LOOK = 1 << 20


class Utf8Stream(io.RawIOBase):
    """A file's bytes re-encoded as UTF-8, without a byte-order mark.

    Args:
        path: the file.
        encoding: what its bytes are declared to be.
        on_error: called with the byte offset of the first byte that is not; must raise.
    """

    def __init__(self, path: Path, encoding: str, on_error: OnError) -> None:
        super().__init__()
        self._file = path.open("rb")
        declared = codecs.lookup(encoding).name
        self._decoder = codecs.getincrementaldecoder(declared)("strict")
        self._passed = 0
        self._start = True
        self._on_error = on_error
        self._rest = b""
        self._done = False
        self.quotes = 0
        """Quote characters handed over so far."""

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size` when it is not negative; b'' at the end."""
        wanted = size if size >= 0 else 1 << 62
        while len(self._rest) < wanted and not self._done:
            self._rest += self._next()
        out, self._rest = self._rest[:wanted], self._rest[wanted:]
        return out

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _next(self) -> bytes:
        data = self._file.read(CHUNK)
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            self._on_error(self._passed - pending + error.start)
            raise
        self._passed += len(data)
        self._done = not data
        if self._start and text:
            text, self._start = text.removeprefix("\ufeff"), False
        out = text.encode("utf-8", "surrogatepass")
        self.quotes += out.count(b'"')
        return out


class OnError:
    """Raises the error for a byte that is not of the declared encoding, with row and guess."""

    def __init__(self, source: str, file: str, path: Path, encoding: str) -> None:
        self.source, self.file, self.path, self.encoding = source, file, path, encoding

    def __call__(self, byte: int) -> None:
        """Raise `source.encoding-wrong` for the byte offset given."""
        with self.path.open("rb") as file:
            row, left = 1, byte
            while left > 0 and (data := file.read(min(left, CHUNK))):
                row += data.count(b"\n")
                left -= len(data)
        raise DataError(
            "source.encoding-wrong",
            source=self.source,
            file=self.file,
            row=row,
            byte=byte,
            encoding=self.encoding,
            guess=guess_encoding(self.path) or "no text encoding known here",
        )


def check_declared(source: str, file: str, path: Path, encoding: str) -> None:
    """Refuse a file that is plainly UTF-8 though declared as a Chinese or Western encoding.

    Such bytes often decode without a fault, into nonsense that would be stored as names.

    Raises:
        DataError: `source.encoding-wrong`.
    """
    declared = codecs.lookup(encoding).name
    if declared.startswith(("utf", "ascii")):
        return
    with path.open("rb") as raw:
        data = raw.read(_LOOK)
    wide = [index for index, byte in enumerate(data) if byte > 0x7F]
    if len(wide) >= 6 and _decodes(data, "utf-8", whole=len(data) < _LOOK):
        OnError(source, file, path, encoding)(wide[0])


def guess_encoding(path: Path) -> str:
    """What a file's first megabyte looks like; '' when nothing known fits.

    Pure ASCII counts as utf-8. GBK and GB2312 are reported as gb18030, which reads both.
    """
    with path.open("rb") as file:
        data = file.read(_LOOK)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    whole = len(data) < _LOOK
    return next((name for name in GUESSES if _decodes(data, name, whole)), "")


def _decodes(data: bytes, encoding: str, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(data, final=whole)
    except UnicodeDecodeError:
        return False
    return True
