"""Verbs of attached files: attach, download, sweep up what no case names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.events import EventName
from keepwell.frame.problem import NotFound, TooLarge, Unavailable, Unprocessable
from keepwell.frame.text import Line
from keepwell.intervene.case import repo, storage
from keepwell.intervene.case.history import added, next_number, tell
from keepwell.intervene.case.model import CaseFile
from keepwell.intervene.case.policy import EventKind
from keepwell.intervene.case.service import lock_case, read_case
from keepwell.trust.access.call import Reply
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

_BATCH = 500
_NAME: TypeAdapter[str] = TypeAdapter(Line)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A content that is stored and waits for a case to name it.

    Attributes:
        name: of the file, without folders.
        media_type: told from its bytes.
        size: in bytes.
        sha256: of its bytes.
    """

    name: str
    media_type: str
    size: int
    sha256: str

    @property
    def cover(self) -> bytes:
        """What a repeat of the request must have in common with it (`Call.cover`)."""
        return f"{self.sha256} {self.name}".encode()


@contextmanager
def incoming(frame: Frame, given: str | None, stream: BinaryIO) -> Iterator[Incoming]:
    """Check and store what somebody sends; it stays if a case names it before this ends.

    Args:
        frame: the desk.
        given: the file's name as the request says it.
        stream: its bytes.

    Raises:
        TooLarge: it is larger than `case.attachment_mb`.
        Unprocessable: it has no name, is empty, or is not of an acceptable type.
    """
    name = _plain_name(given)
    limit = frame.settings.case.attachment_mb
    content = stream.read((limit << 20) + 1)
    if len(content) > limit << 20:
        raise TooLarge("case.file-large", limit=limit)
    media_type = storage.check(frame, content, name)
    with storage.held(frame):
        digest = storage.store(frame, content)
        yield Incoming(name, media_type, len(content), digest)


def _plain_name(given: str | None) -> str:
    """A file's name without the folders that some browsers send along."""
    plain = (given or "").replace("\\", "/").rsplit("/", 1)[-1]
    try:
        return _NAME.validate_python(plain[-200:])
    except ValidationError:
        raise Unprocessable("case.file-unnamed") from None


def attach(
    tx: Tx, actor: Actor, case_id: str, *, name: str, media_type: str, size: int, sha256: str
) -> CaseFile:
    """Attach a content that is stored already (`incoming`).

    Raises:
        NotFound: no such case in scope.
    """
    case = lock_case(tx, actor, case_id)
    file = CaseFile(
        file_id=new_id("file", tx.at), case_id=case_id,
        number=next_number(tx, case), name=name, media_type=media_type,
        size=size, sha256=sha256, at=tx.at, actor_id=actor.user_id,
    )  # fmt: skip
    tx.session.add(file)
    facts = {
        "file_id": file.file_id, "media_type": media_type, "size": size, "sha256": sha256,
    }  # fmt: skip
    added(tx, actor, case, EventKind.ATTACHED, file.file_id, facts)
    tell(
        tx, actor, case, EventName.CASE_NOTED, EvidenceKind.ATTACHMENT_ADDED, facts,
        personal={"name": name},
    )  # fmt: skip
    return file


def find(tx: Tx, actor: Actor, case_id: str, file_id: str) -> CaseFile:
    """A file of a case that the actor sees.

    Raises:
        NotFound: no such case in scope, or no such file.
    """
    read_case(tx, actor, case_id)
    file = repo.file_of(tx, case_id, file_id)
    if file is None:
        raise NotFound("case.file-unknown")
    return file


def download(tx: Tx, actor: Actor, case_id: str, file_id: str) -> Reply:
    """A file's content, to be saved and never shown within a page; the download is recorded.

    Raises:
        NotFound: no such case in scope, or no such file.
        Unavailable: the content is missing or damaged.
    """
    file = find(tx, actor, case_id, file_id)
    content = storage.load(tx.frame, file.sha256)
    if content is None:
        raise Unavailable("case.file-damaged", file=file_id)
    record(
        tx, actor, EvidenceKind.ATTACHMENT_READ,
        client_id=read_case(tx, actor, case_id).client_id, subject=case_id,
        data={"file_id": file_id, "sha256": file.sha256},
    )  # fmt: skip
    headers = {
        "Content-Disposition": _disposition(file.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    return Reply(content, headers=headers, media_type="application/octet-stream")


def _disposition(name: str) -> str:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def sweep(frame: Frame) -> int:
    """Remove contents that no case names; how many."""
    removed = 0
    # Whoever attaches holds the lock from storing to commit, so what is unnamed now stays so.
    with storage.held(frame, alone=True):
        paths = storage.kept(frame)
        for start in range(0, len(paths), _BATCH):
            part = paths[start : start + _BATCH]
            with frame.read() as tx:
                used = repo.digests_used(tx, [path.name for path in part])
            for path in part:
                if path.name not in used:
                    path.unlink(missing_ok=True)
                    removed += 1
    return removed
