"""What a workbook would cost to read, told before anything of it is unpacked into memory.

A workbook is a zip archive: a few kilobytes may unpack to gigabytes, and may say that they do not.
And a single cell far below and to the right of all others makes a table of billions of cells.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final
from xml.etree.ElementTree import ParseError

from keepwell.core.errors import DataError

BROKEN: Final = (
    OSError, ValueError, LookupError, OverflowError, EOFError, RuntimeError, AttributeError,
    MemoryError, ParseError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What libraries raise for an archive or an XML text that is damaged."""
LARGEST: Final = 2 << 30
"""Bytes that a part may unpack to."""
_TIMES: Final = 200
"""Parts of people's workbooks unpack to ten or twenty times their size."""
_SMALL: Final = 64 << 20
"""Bytes that any part may unpack to, whatever its size."""
_MOST_TIMES: Final = 1_032
"""Times its size that deflated data can have."""
_CHUNK: Final = 1 << 20
_PEEK: Final = 512
_FEW_CELLS: Final = 8_000_000
"""Places of a table that may be empty, whatever it holds."""
_TIMES_CELLS: Final = 20
_CELL: Final = re.compile(
    rb"<(?:\w+:)?c(?:\s(?:[^<>/]*?\sr|r)=[\"']([A-Za-z]{1,12})(\d{1,18})[\"'][^<>/]*|\s[^<>/]*)?>"
)
_ROW: Final = re.compile(rb"<(?:\w+:)?row\s[^<>]*?\br=[\"'](\d{1,18})[\"']")


def check_parts(name: str, file: str, path: Path) -> None:
    """Refuse an archive of which a part unpacks beyond reason.

    Args:
        name: the source's name, for messages.
        file: the file's, for messages.
        path: the workbook.

    Raises:
        DataError: `source.excel-large`, `source.excel-packed`.
        Exception: one of `BROKEN`.
    """
    with zipfile.ZipFile(path) as parts:
        found = parts.infolist()
    with path.open("rb") as raw:
        for part in found:
            if part.file_size > LARGEST:
                raise DataError("source.excel-large", source=name, file=file, part=part.filename)
            if _packed(part, raw):
                raise DataError(
                    "source.excel-packed",
                    source=name,
                    file=file,
                    part=part.filename,
                    times=_TIMES,
                )


def _packed(part: zipfile.ZipInfo, raw: IO[bytes]) -> bool:
    if part.file_size > max(_SMALL, _TIMES * part.compress_size):
        return True
    if part.compress_type != zipfile.ZIP_DEFLATED or part.compress_size * _MOST_TIMES < _SMALL:
        return False
    # What it says of its own size is read by nobody else: count.
    raw.seek(part.header_offset)
    names, extra = struct.unpack("<HH", raw.read(30)[26:30])
    raw.seek(names + extra, 1)
    inflater, left, size = zlib.decompressobj(-zlib.MAX_WBITS), part.compress_size, 0
    while left > 0 and (data := raw.read(min(left, _CHUNK))):
        left -= len(data)
        while data and size <= part.file_size:
            size += len(inflater.decompress(data, _CHUNK))
            data = inflater.unconsumed_tail
    return size > part.file_size


def check_extent(name: str, file: str, sheet: IO[bytes]) -> None:
    """Refuse a sheet whose cells lie so far apart that the table between them fills the memory.

    Args:
        name: the source's name, for messages.
        file: the file's, for messages.
        sheet: the sheet's XML.

    Raises:
        DataError: `source.excel-sparse`.
    """
    tail = b""
    cells, rows = 0, 0
    letters: set[bytes] = set()
    unplaced = False
    last = 0
    while chunk := sheet.read(_CHUNK):
        whole = tail + chunk
        # What may go on in the next chunk is left to it.
        end = len(whole) if len(chunk) < _CHUNK else max(whole.rfind(b"<"), len(whole) - _PEEK)
        found = _CELL.findall(whole, 0, end)
        cells += len(found)
        letters.update(column for column, _ in found)
        rows = max(rows, max((int(row) for _, row in found if row), default=0))
        unplaced |= any(not row for _, row in found)
        last = max(last, max(map(int, _ROW.findall(whole, 0, end)), default=0))
        tail = whole[end:]
    letters.discard(b"")
    columns = max((_number(column) for column in letters), default=1)
    rows = max(rows, last if unplaced else 0)
    if rows * columns > max(_FEW_CELLS, _TIMES_CELLS * cells):
        raise DataError(
            "source.excel-sparse",
            source=name,
            file=file,
            rows=f"{rows:,}",
            columns=f"{columns:,}",
            cells=f"{rows * columns:,}",
        )


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
