"""Contents of attached files: what they are, told from their bytes, and where they lie.

A content lies under the SHA-256 of its bytes, written whole before any row names it. What no row
names, because a request died in between, is swept up later; a lock keeps the two apart.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from keepwell.core.files import atomic_write, sync_folder
from keepwell.frame.context import Frame
from keepwell.frame.problem import TooLarge, Unprocessable

_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX: Final = f"{_OFFICE}.wordprocessingml.document"
XLSX: Final = f"{_OFFICE}.spreadsheetml.sheet"

_MAGIC: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_PARTS: Final = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX}
_MAX_PARTS: Final = 5_000
_MAX_UNPACKED: Final = 200
"""Times the packed size; real documents stay far below, zip bombs do not."""


def media_type_of(content: bytes, name: str) -> str | None:
    """What a file is by its bytes; None for anything not among the kinds that are told apart.

    Args:
        content: the bytes.
        name: decides only between kinds of plain text.

    Example:
        >>> media_type_of(b"%PDF-1.7 ...", "picture.png")
        'application/pdf'
    """
    for magic, media_type in _MAGIC:
        if content.startswith(magic):
            return media_type
    if content.startswith(b"PK\x03\x04"):
        return _office_type(content)
    if b"\x00" in content:
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "text/csv" if name.lower().endswith(".csv") else "text/plain"


def _office_type(content: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return None
    names = {part.filename for part in parts}
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > _MAX_PARTS or unpacked > _MAX_UNPACKED * len(content):
        return None
    # Macros are programs; such a file has another type, whatever it is called.
    if "[Content_Types].xml" not in names or any("vbaproject" in n.lower() for n in names):
        return None
    kinds = {media_type for part, media_type in _PARTS.items() if part in names}
    return kinds.pop() if len(kinds) == 1 else None


def check(frame: Frame, content: bytes, name: str) -> str:
    """The type of a file that may be attached.

    Raises:
        TooLarge: it is larger than `case.attachment_mb`.
        Unprocessable: it is empty, or not of a type in `case.attachment_types`.
    """
    settings = frame.settings.case
    if len(content) > settings.attachment_mb << 20:
        raise TooLarge("case.file-large", limit=settings.attachment_mb)
    if not content:
        raise Unprocessable("case.file-empty")
    media_type = media_type_of(content, name)
    if media_type is None or media_type not in settings.attachment_types:
        raise Unprocessable("case.file-unacceptable", known=", ".join(settings.attachment_types))
    return media_type


def folder_of(frame: Frame) -> Path:
    """Where contents lie."""
    return frame.workspace.state / "files"


def path_of(frame: Frame, digest: str) -> Path:
    """Where one content lies."""
    return folder_of(frame) / digest[:2] / digest


@contextmanager
def held(frame: Frame, alone: bool = False) -> Iterator[None]:
    """Keep contents from being swept while a row for them is made; `alone`: to sweep them."""
    folder = folder_of(frame)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def store(frame: Frame, content: bytes) -> str:
    """Keep a content, durably, before any row names it; the caller holds `held`.

    Returns:
        Its SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256(content).hexdigest()
    path = path_of(frame, digest)
    if not path.exists():
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(path.parent.parent)
        # Two threads may store one content at once: each writes a draft of its own.
        draft = path.with_name(f"{digest}.{os.urandom(8).hex()}")
        atomic_write(draft, content)
        draft.replace(path)
        sync_folder(path.parent)
    return digest


def load(frame: Frame, digest: str) -> bytes | None:
    """A content; None when it is missing or its bytes are no longer those that were stored."""
    try:
        content = path_of(frame, digest).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None


def kept(frame: Frame) -> list[Path]:
    """All files in the store, contents and drafts of processes that died."""
    folder = folder_of(frame)
    return sorted(p for p in folder.glob("*/*") if p.is_file()) if folder.is_dir() else []
