"""Text encodings of files: read as declared, or found out where the file leaves no doubt.

UTF-8 and the encodings with a byte-order mark prove themselves. Of the others a byte sequence often
reads as several, each time as other words: `chardet` weighs them, and where the best is not clearly
ahead nobody guesses: the file is refused with what it would read as.
"""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

import chardet

from keepwell.core.errors import DataError

AUTO = "auto"
"""The mapping's word for: find it out."""
CANDIDATES = (
    "gb18030", "big5hkscs", "cp932", "euc-jp", "cp949", "cp1252", "cp1250", "cp1251", "cp1253",
)  # fmt: skip
"""Encodings without a mark of their own that are weighed; gbk and gb2312 are parts of gb18030."""
CHUNK = 1 << 20
_SAMPLE = 1 << 16
_FEW = 60
"""Bytes beyond ASCII below which the best candidate must be further ahead."""
_LEAST = 8
"""Bytes beyond ASCII below which nothing is weighed."""
_AHEAD, _FAR_AHEAD = 1.5, 3.0
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOK = 1 << 20
_FEW_NULS = 16
"""In text of one byte a letter, fewer than one byte in so many is NUL."""
_SHOWN = 40
_UTF8_RUN = re.compile(rb"(?:[\xe3-\xe9][\x80-\xbf]{2}){5,}")
"""Five hanzi of UTF-8: in text of another encoding they stand in one place of 10^10."""
_CELLS_ALONE = 20
_COMMA = b","
_CELLS = re.compile(rb"[,;\t\"\r\n]+")


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
    """Refuse a file that is plainly UTF-8 though declared as a Chinese, Western or wide encoding.

    Such bytes often decode without a fault, into nonsense that would be stored as names.

    Raises:
        DataError: `source.encoding-wrong`.
    """
    declared = codecs.lookup(encoding).name
    with path.open("rb") as raw:
        data = raw.read(_LOOK)
    if declared.startswith(("utf-16", "utf-32")):
        # Text of two or four bytes a letter has a NUL at each comma and line break.
        if b"\0" not in data and _decodes(data, "utf-8", whole=len(data) < _LOOK):
            OnError(source, file, path, encoding)(0)
        return
    if declared.startswith(("utf", "ascii")):
        return
    wide = [index for index, byte in enumerate(data) if byte > 0x7F]
    if len(wide) >= 6 and _decodes(data, "utf-8", whole=len(data) < _LOOK):
        OnError(source, file, path, encoding)(wide[0])
    if mixed := _UTF8_RUN.search(data):
        OnError(source, file, path, encoding)(mixed.start())


def guess_encoding(path: Path) -> str:
    """What a file looks like; '' when nothing known fits.

    Pure ASCII counts as utf-8. GBK and GB2312 are reported as gb18030, which reads both.
    """
    found = _certain(path)
    if found:
        return found
    weighed = _weighed(_sample(path))
    return weighed[0][0] if weighed else ""


def detected(source: str, file: str, path: Path) -> str:
    """The encoding of a text file, where it leaves no doubt.

    Args:
        source: the source's name, for messages.
        file: the file's, for messages.
        path: the file.

    Raises:
        DataError: `source.encoding-unsure`, with the line in question and its readings.
    """
    found = _certain(path)
    if found:
        return found
    sample = _sample(path)
    wide = sum(byte > 0x7F for byte in sample)
    if wide < _LEAST or _is_binary(path):
        # A stray byte is a fault of the file, and no other language.
        with Utf8Stream(path, "utf-8", OnError(source, file, path, "utf-8")) as stream:
            while stream.read(CHUNK):
                pass
    weighed = _weighed(sample)
    ahead = _FAR_AHEAD if wide < _FEW else _AHEAD
    mixed = _UTF8_RUN.search(sample)
    clear = (not mixed and len(weighed) == 1) or (
        not mixed and len(weighed) > 1 and weighed[0][1] >= ahead * weighed[1][1]
    )
    if clear and not _hides_another(weighed[0][0], sample):
        return weighed[0][0]
    first = mixed[0] if mixed else sample.partition(_COMMA)[0]
    names = [*(["utf-8"] if mixed else []), *(name for name, _ in weighed[:3])]
    readings = [f"{name}: {first.decode(name, 'replace')[:_SHOWN]}" for name in names]
    raise DataError(
        "source.encoding-unsure",
        source=source,
        file=file,
        row=_line_with(path, first),
        readings="; ".join(readings) or repr(first[:_SHOWN]),
    )


def _line_with(path: Path, wanted: bytes) -> int:
    """The first line with some bytes, of which a line of any length holds no more than a part."""
    row, tail = 1, b""
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            at = (tail + data).find(wanted)
            if at >= 0:
                return row + (tail + data)[:at].count(b"\n")
            row += (tail + data).count(b"\n")
            tail = data[-len(wanted) :]
            row -= tail.count(b"\n")
    return 1


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(_SAMPLE)


def _hides_another(name: str, sample: bytes) -> bool:
    """Whether a one-byte encoding won only because some byte spoils a wider one.

    Any bytes are text in a one-byte encoding; so single cells must not speak for a wider one.
    """
    if not name.startswith("cp125"):
        return False
    for cell in sample.split(_COMMA)[:_CELLS_ALONE]:
        best = _weighed(cell)[:1]
        if best and not best[0][0].startswith("cp125"):
            return True
    return False


def _certain(path: Path) -> str:
    """An encoding that proves itself; '' when none does."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    with path.open("rb") as file:
        data = file.read(CHUNK)
        for mark, name in _MARKS:
            if data.startswith(mark):
                return name
        if b"\0" in data[:_SAMPLE]:
            wide = chardet.detect(data[:_SAMPLE], compat_names=False)["encoding"] or ""
            text = data[:_SAMPLE].decode(wide or "ascii", "ignore")
            lined = "\n" in text and "\0" not in text  # a table has lines; what is packed has not
            if lined and wide.lower().startswith(("utf-16", "utf-32")):
                return wide
            if data.count(0) * _FEW_NULS > len(data):
                return ""
        try:
            while data:
                decoder.decode(data)
                data = file.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return ""
    return "utf-8"


def _sample(path: Path) -> bytes:
    """The first cells with anything beyond ASCII, each once: repeats prove nothing."""
    found: dict[bytes, None] = {}
    size = 0
    with path.open("rb") as file:
        while size < _SAMPLE and (line := file.readline(_SAMPLE)):
            if line.isascii():
                continue
            for cell in _CELLS.split(line):  # at bytes that are no part of a wider character
                if not cell.isascii() and cell not in found:
                    found[cell] = None
                    size += len(cell) + 1
    return _COMMA.join(found)


def _weighed(sample: bytes) -> list[tuple[str, float]]:
    """Encodings that read a sample, likeliest first, those of the same reading once."""
    found: dict[str, tuple[str, float]] = {}
    if not sample:
        return []
    for guess in chardet.detect_all(
        sample, ignore_threshold=True, include_encodings=CANDIDATES, compat_names=False
    ):
        name = guess["encoding"]
        if name is None:
            continue
        try:
            text = sample.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
        # cp1250 and cp1252 share what German needs: the commoner name stands for both.
        known = found.get(text)
        usual = min(
            (n for n in (name, known and known[0]) if n),
            key=lambda n: CANDIDATES.index(n) if n in CANDIDATES else len(CANDIDATES),
        )
        found[text] = (usual, max(guess["confidence"], known[1] if known else 0.0))
    return sorted(found.values(), key=lambda pair: -pair[1])


def _decodes(data: bytes, encoding: str, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(data, final=whole)
    except UnicodeDecodeError:
        return False
    return True
