"""The spool: batches of events on disk before anybody is told that they arrived.

A folder of segments, each an append-only file of records: length, CRC-32 and JSON. A segment is
named by the number of its first record; records are numbered without gaps. A record counts when
its segment was synced; `append` returns only then. Several threads share one sync, several
processes take turns by a file lock. A torn record at the end, left by a process that was killed,
is cut off when the next one looks. What the disk refused is never acknowledged: after a failed
write or sync nothing more goes into that segment, since nobody knows what of it is stored
(PostgreSQL's lesson of 2018); the next record begins a new one, and a segment counts only up to
where the next begins.

Example:
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> spool = Spool(Path(tempfile.mkdtemp()))
    >>> first = spool.append("crm", "b-1", {"rows": []}, datetime(2026, 1, 1, tzinfo=UTC))
    >>> again = spool.append("crm", "b-1", {"rows": []}, datetime(2026, 1, 2, tzinfo=UTC))
    >>> first.sequence, again.sequence, again.repeated
    (1, 1, True)
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import atomic_write, sync_folder

SEGMENT_BYTES: Final = 4_000_000
"""Size from which on a new segment is begun."""

WAIT: Final = 10.0
"""Seconds to wait for another process."""

_HEAD: Final = struct.Struct("<II")
_LARGEST: Final = 64_000_000
_SUFFIX: Final = ".log"


@dataclass(frozen=True)
class Appended:
    """What became of a batch.

    Attributes:
        sequence: its number.
        at: when it was acknowledged.
        repeated: it was there already.
    """

    sequence: int
    at: datetime
    repeated: bool


@dataclass(frozen=True)
class Record:
    """A batch in the spool.

    Attributes:
        sequence: its number.
        at: when it was acknowledged.
        source: who sent it.
        batch: the sender's id of it.
        digest: of its content, in hex.
        content: what was sent, and what was found about it.
    """

    sequence: int
    at: datetime
    source: str
    batch: str
    digest: str
    content: dict[str, Any]


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 of a content, in hex; the order of keys does not matter."""
    return hashlib.sha256(_json(content)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Place:
    segment: int
    offset: int
    source: str
    batch: str
    digest: str
    at: datetime


@dataclass(slots=True)
class _Ticket:
    source: str
    batch: str
    digest: str
    content: dict[str, Any]
    at: datetime
    done: Appended | None = None
    error: Exception | None = None


@dataclass
class _Index:
    """What of the files is known; brought up to date under the lock."""

    places: dict[int, _Place] = field(default_factory=dict)
    batches: dict[tuple[str, str], int] = field(default_factory=dict)
    segment: int = 0
    """First number of the newest segment; 0 without one."""
    end: int = 0
    """How far into it the records reach."""
    last: int = 0
    first: int = 1


class Spool:
    """The batches of one workspace.

    Args:
        folder: made when it is missing.
        floor: called when there is no segment: a number below which no record may be given, for
            when others still know numbers of a spool that was lost.
        sync: forces a file to disk; tests give one that fails.
    """

    def __init__(
        self,
        folder: Path,
        floor: Callable[[], int] | None = None,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._floor = floor or (lambda: 0)
        self._sync = sync
        self._lock = FileLock(folder / ".lock", timeout=WAIT, thread_local=False)
        self._turn = threading.Lock()
        self._gate = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._index = _Index()
        self._spoilt = False

    def append(
        self,
        source: str,
        batch: str,
        content: dict[str, Any],
        at: datetime,
        digest: str | None = None,
    ) -> Appended:
        """Store a batch durably, once.

        Args:
            source: who sends it.
            batch: the sender's id; names the batch within the source.
            content: JSON-safe.
            at: when it arrived, with a time zone.
            digest: what tells a repeat from another content; default: of the whole content.

        Raises:
            DataError: the same id came with other content, or the disk refuses; nothing is
                acknowledged.
            UsageError: another process does not let go of the spool.
        """
        ticket = _Ticket(source, batch, digest or digest_of(content), content, at)
        with self._gate:
            self._waiting.append(ticket)
        with self._turn:
            if ticket.done is None and ticket.error is None:
                with self._gate:
                    together, self._waiting = self._waiting, []
                self._serve(together)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.done is not None
        return ticket.done

    def find(self, source: str, batch: str) -> Record | None:
        """The batch with an id, if it is still in the spool."""
        with self._held():
            sequence = self._index.batches.get((source, batch))
            return self._read(sequence) if sequence is not None else None

    def read(self, sequence: int) -> Record | None:
        """A batch by its number, or None when it is not here: not yet, or no longer."""
        with self._turn:
            if sequence in self._index.places:
                try:
                    return self._read(sequence)
                except OSError:
                    pass  # another process has removed the segment; look again
        with self._held():
            return self._read(sequence) if sequence in self._index.places else None

    def records(self, after: int, until: int | None = None) -> Iterator[Record]:
        """The stored batches with numbers in (after, until], ascending."""
        with self._held():
            numbers = [n for n in self._index.places if n > after and (until is None or n <= until)]
        for number in sorted(numbers):
            record = self.read(number)
            if record is not None:
                yield record

    def sequences(self) -> dict[int, datetime]:
        """Numbers of the batches that are here, and when they were acknowledged."""
        with self._held():
            return {number: place.at for number, place in self._index.places.items()}

    @property
    def last(self) -> int:
        """The newest number given; 0 before the first."""
        with self._held():
            return self._index.last

    @property
    def drained(self) -> int:
        """The number up to which everything is durably in the lake."""
        try:
            return int((self.folder / "drained").read_text("ascii"))
        except FileNotFoundError:
            return 0

    def set_drained(self, sequence: int) -> None:
        """Note that everything up to a number is durably in the lake."""
        if sequence > self.drained:
            atomic_write(self.folder / "drained", str(sequence))

    def release(self, until: int) -> int:
        """Remove segments of which nobody needs anything any more; how many went.

        Args:
            until: nobody needs this number or any before it. What is not in the lake stays all
                the same, and so does the newest segment.
        """
        until = min(until, self.drained)
        with self._held():
            segments = self._segments()
            gone = [s for s, following in pairwise(segments) if following - 1 <= until]
            for segment in gone:
                self._path(segment).unlink()
            if gone:
                sync_folder(self.folder)
                self._drop(gone)
            return len(gone)

    # Under the lock

    def _held(self) -> _Held:
        return _Held(self)

    def _serve(self, tickets: list[_Ticket]) -> None:
        try:
            with self._locked():
                self._look()
                self._write(tickets)
        except (DataError, UsageError) as error:
            _fail(tickets, error)
        except OSError as error:
            _fail(tickets, DataError("spool.disk-failed", why=_why(error)))
        except BaseException as error:
            _fail(tickets, DataError("spool.disk-failed", why=type(error).__name__))
            raise

    def _locked(self) -> _Locked:
        return _Locked(self._lock)

    def _write(self, tickets: list[_Ticket]) -> None:
        fresh: dict[tuple[str, str], tuple[int, _Ticket, bytes]] = {}
        for ticket in tickets:
            name = (ticket.source, ticket.batch)
            known = self._index.batches.get(name)
            if known is not None:
                place = self._index.places[known]
                _repeat(ticket, known, place.digest, place.at)
            elif name not in fresh:
                number = self._index.last + len(fresh) + 1
                fresh[name] = number, ticket, _frame(number, ticket)
        if fresh:
            new = list(fresh.values())
            offset = self._store(b"".join(frame for _, _, frame in new))
            for number, ticket, frame in new:
                self._add(number, _Place(self._index.segment, offset, *_named(ticket)))
                offset += len(frame)
                ticket.done = Appended(number, ticket.at, repeated=False)
            self._index.end = offset
        for ticket in tickets:
            if ticket.done is None and ticket.error is None:
                number, first, _ = fresh[(ticket.source, ticket.batch)]
                _repeat(ticket, number, first.digest, first.at)

    def _store(self, blob: bytes) -> int:
        """Write and sync; the offset at which it stands."""
        index = self._index
        if index.segment == 0 or self._spoilt or index.end >= SEGMENT_BYTES:
            self._begin()
        path, start = self._path(index.segment), index.end
        handle = os.open(path, os.O_WRONLY)
        try:
            os.lseek(handle, start, os.SEEK_SET)
            view = memoryview(blob)
            while view:
                view = view[os.write(handle, view) :]
            self._sync(handle)
        except BaseException:
            self._spoil(handle, start)
            raise
        finally:
            os.close(handle)
        return start

    def _spoil(self, handle: int, start: int) -> None:
        """Nothing more goes into this segment, and what was not synced does not count."""
        self._spoilt = True
        # If the disk takes nothing at all, the next append tries to begin a segment again.
        with suppress(OSError):
            os.ftruncate(handle, start)
            self._begin()

    def _begin(self) -> None:
        first = self._index.last + 1
        path = self._path(first)
        # One of the same number holds only what was never acknowledged.
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._sync(handle)
        finally:
            os.close(handle)
        sync_folder(self.folder)
        self._index.segment, self._index.end, self._spoilt = first, 0, False

    def _look(self) -> None:
        """Learn what other processes have written; cut off what one of them left unfinished."""
        index, segments = self._index, self._segments()
        if not segments:
            if not index.places and index.last == 0:
                index.last = max(self._floor(), self.drained)
            elif index.segment:
                index.places.clear()
                index.batches.clear()
            index.segment = index.end = 0
            return
        if segments[0] > index.first:
            self._drop([s for s in {p.segment for p in index.places.values()} if s < segments[0]])
            index.first = segments[0]
        for place, segment in enumerate(segments):
            if segment < index.segment:
                continue
            following = segments[place + 1] if place + 1 < len(segments) else None
            known = index.end if segment == index.segment else 0
            if segment > index.segment:
                index.last = max(index.last, segment - 1)
            end = self._scan(segment, known, following)
            if following is None:
                self._spoilt = self._spoilt and segment == index.segment
                index.segment, index.end = segment, end

    def _scan(self, segment: int, start: int, following: int | None) -> int:
        path = self._path(segment)
        size = path.stat().st_size
        if size <= start or (self._spoilt and segment == self._index.segment):
            return start
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
        offset = 0
        while (found := _unframe(data, offset)) is not None:
            raw, after = found
            sequence = int(raw["seq"])
            if following is not None and sequence >= following:
                break  # begun anew in the next segment: never acknowledged here
            self._add(sequence, _Place(
                segment, start + offset, raw["source"], raw["batch"], raw["digest"],
                datetime.fromisoformat(raw["at"]),
            ))  # fmt: skip
            offset = after
        if following is None:
            self._mend(path, start, data[:offset], torn=offset < len(data))
        return start + offset

    def _mend(self, path: Path, start: int, whole: bytes, torn: bool) -> None:
        """Make durable what another process may have written and not synced; cut what is torn.

        It is written again, since a sync that failed before may have marked it as stored.
        """
        handle = os.open(path, os.O_WRONLY)
        try:
            os.pwrite(handle, whole, start)
            if torn:
                os.ftruncate(handle, start + len(whole))
            self._sync(handle)
        finally:
            os.close(handle)

    def _add(self, sequence: int, place: _Place) -> None:
        self._index.places[sequence] = place
        self._index.batches[(place.source, place.batch)] = sequence
        self._index.last = max(self._index.last, sequence)

    def _drop(self, segments: list[int]) -> None:
        index, gone = self._index, set(segments)
        for number in [n for n, place in index.places.items() if place.segment in gone]:
            place = index.places.pop(number)
            index.batches.pop((place.source, place.batch), None)

    def _read(self, sequence: int) -> Record:
        place = self._index.places[sequence]
        with self._path(place.segment).open("rb") as file:
            file.seek(place.offset)
            head = file.read(_HEAD.size)
            size, check = _HEAD.unpack(head)
            body = file.read(size)
        if zlib.crc32(body) != check:
            raise DataError("spool.record-damaged", sequence=sequence)
        raw = json.loads(body)
        return Record(sequence, place.at, place.source, place.batch, place.digest, raw["content"])

    def _segments(self) -> list[int]:
        names = (entry.name for entry in os.scandir(self.folder))
        return sorted(int(n.removesuffix(_SUFFIX)) for n in names if n.endswith(_SUFFIX))

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:012d}{_SUFFIX}"


class _Locked:
    """The file lock, with our own error."""

    def __init__(self, lock: FileLock) -> None:
        self.lock = lock

    def __enter__(self) -> None:
        try:
            self.lock.acquire()
        except Timeout:
            raise UsageError("spool.busy") from None

    def __exit__(self, *_: object) -> None:
        self.lock.release()


class _Held:
    """The spool's own turn and the file lock, with the index up to date."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool

    def __enter__(self) -> None:
        self.spool._turn.acquire()
        try:
            self.spool._locked().__enter__()
            try:
                self.spool._look()
            except BaseException:
                self.spool._lock.release()
                raise
        except BaseException:
            self.spool._turn.release()
            raise

    def __exit__(self, *_: object) -> None:
        self.spool._lock.release()
        self.spool._turn.release()


def _named(ticket: _Ticket) -> tuple[str, str, str, datetime]:
    return ticket.source, ticket.batch, ticket.digest, ticket.at


def _repeat(ticket: _Ticket, sequence: int, digest: str, at: datetime) -> None:
    if ticket.digest == digest:
        ticket.done = Appended(sequence, at, repeated=True)
    else:
        ticket.error = DataError("spool.batch-conflict", source=ticket.source, batch=ticket.batch)


def _fail(tickets: list[_Ticket], error: Exception) -> None:
    for ticket in tickets:
        if ticket.done is None and ticket.error is None:
            ticket.error = error


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _frame(sequence: int, ticket: _Ticket) -> bytes:
    body = _json(
        {
            "seq": sequence, "at": ticket.at.isoformat(), "source": ticket.source,
            "batch": ticket.batch, "digest": ticket.digest, "content": ticket.content,
        }
    )  # fmt: skip
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _unframe(data: bytes, offset: int) -> tuple[dict[str, Any], int] | None:
    """The record at an offset and where the next begins; None when it is not whole."""
    if offset + _HEAD.size > len(data):
        return None
    size, check = _HEAD.unpack_from(data, offset)
    start = offset + _HEAD.size
    body = data[start : start + size]
    if size == 0 or size > _LARGEST or len(body) < size or zlib.crc32(body) != check:
        return None
    raw: dict[str, Any] = json.loads(body)
    return raw, start + size
