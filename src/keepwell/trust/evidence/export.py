"""Writing a bundle from the log."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from keepwell.core.errors import DataError, UsageError
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence import bundle, merkle, repo
from keepwell.trust.evidence.note import Checkpoint, NoteError, Verifier, open_checkpoint
from keepwell.trust.evidence.policy import EvidenceKind, canonical
from keepwell.trust.evidence.prove import reveal, token_of
from keepwell.trust.evidence.receipt import coded
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.trust.evidence.service import record

_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bundle shall hold; nothing named means the whole log.

    Attributes:
        client_id: entries about this client.
        since: not before.
        until: before.
        openings: with the personal values that the entries are committed to.
        checkpoints: name and text of checkpoints kept elsewhere, to which a proof shall lead.
    """

    client_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    openings: bool = False
    checkpoints: tuple[tuple[str, str], ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the whole log is wanted."""
        return self.client_id is None and self.since is None and self.until is None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Attributes:
        path: the file.
        kind: 'log' or 'selection'.
        entries: how many.
        size: of the checkpoint.
        verifier: public key of the log.
    """

    path: Path
    kind: str
    entries: int
    size: int
    verifier: str


def export(frame: Frame, actor: Actor, path: Path, wanted: Wanted) -> Exported:
    """Write a bundle; that it was written is an entry itself.

    Args:
        frame: the desk.
        actor: who exports.
        path: the file; replaced only when the bundle is complete.
        wanted: what it shall hold.

    Raises:
        UsageError: no entry is about the client.
        DataError: the signing key is not the log's, or a checkpoint given is not one of this log.
    """
    with frame.write() as tx:
        if wanted.client_id is not None and token_of(tx, actor, wanted.client_id) is None:
            raise UsageError("evidence.client-nothing", client=wanted.client_id)
        record(
            tx, actor, EvidenceKind.EVIDENCE_EXPORTED, client_id=wanted.client_id,
            data={
                "kind": bundle.WHOLE if wanted.whole else bundle.SELECTION,
                "since": wanted.since, "until": wanted.until, "openings": wanted.openings,
            },
        )  # fmt: skip
        sequence_all(tx)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with frame.read() as tx, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            exported = _write(tx, actor, archive, path, wanted)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return exported


def _write(tx: Tx, actor: Actor, archive: zipfile.ZipFile, path: Path, wanted: Wanted) -> Exported:
    head, newest = repo.head(tx), repo.latest_checkpoint(tx)
    assert head is not None
    assert newest is not None
    verifier = Verifier.parse(head.verifier)
    kind = bundle.WHOLE if wanted.whole else bundle.SELECTION
    archive.writestr("README.txt", _README)
    archive.writestr(bundle.VERIFIER, f"{verifier}\n")
    archive.writestr(bundle.CHECKPOINT, newest.note)
    entries = _entries(tx, actor, archive, wanted, newest.size)
    if wanted.whole:
        earlier = (canonical({"note": c.note}) for c in repo.checkpoints(tx, newest.size - 1))
        _lines(archive, bundle.EARLIER, earlier)
    else:
        _lines(archive, bundle.BRIDGES, _bridges(tx, wanted.checkpoints, verifier, newest.size))
    manifest = {"format": bundle.FORMAT, "kind": kind, "size": newest.size, "entries": entries}
    archive.writestr(bundle.MANIFEST, canonical(manifest) + "\n")
    return Exported(path, kind, entries, newest.size, str(verifier))


def _entries(tx: Tx, actor: Actor, archive: zipfile.ZipFile, wanted: Wanted, size: int) -> int:
    """Write entries; proofs and openings wait, for one member is written at a time."""
    token = token_of(tx, actor, wanted.client_id) if wanted.client_id is not None else None
    search = repo.Search(token=token, since=wanted.since, until=wanted.until, below=size)
    proofs: list[str] = []
    opened: list[str] = []
    total = 0
    with _member(archive, bundle.ENTRIES) as member:
        for block in repo.blocks(repo.stream_entries(tx, actor, search), _BLOCK):
            total += len(block)
            member.write("".join(f"{row.body}\n" for row in block).encode())
            if not wanted.whole:
                proofs += _proofs(tx, [row.leaf_index for row in block], size)
            if wanted.openings:
                opened += _openings(tx, [row.entry_id for row in block])
    if not wanted.whole:
        _lines(archive, bundle.PROOFS, proofs)
    if opened:
        _lines(archive, bundle.OPENINGS, opened)
    return total


def _proofs(tx: Tx, indices: Sequence[int], size: int) -> list[str]:
    spans = {index: merkle.inclusion_spans(index, size) for index in indices}
    places = {p for some in spans.values() for span in some for p in merkle.subtrees(span)}
    known = repo.nodes(tx, places)
    return [
        canonical({"index": index, "path": coded(merkle.proof(some, known.__getitem__))})
        for index, some in spans.items()
    ]


def _openings(tx: Tx, entry_ids: Sequence[str]) -> list[str]:
    found = reveal(tx, entry_ids)
    return [canonical({"id": i, **opening}) for i in entry_ids for opening in found.get(i, [])]


def _bridges(
    tx: Tx, given: Sequence[tuple[str, str]], verifier: Verifier, size: int
) -> Iterator[str]:
    for name, note in given:
        old = _own(name, note, verifier)
        if old.size > size:
            raise DataError("evidence.checkpoint-foreign", name=name)
        if 0 < old.size < size:
            path = repo.span_hashes(tx, merkle.consistency_spans(old.size, size))
            yield canonical({"first": old.size, "path": coded(path)})


def _own(name: str, note: str, verifier: Verifier) -> Checkpoint:
    try:
        return open_checkpoint(note, verifier)
    except NoteError:
        raise DataError("evidence.checkpoint-foreign", name=name) from None


def _lines(archive: zipfile.ZipFile, name: str, lines: Iterator[str] | Sequence[str]) -> None:
    with _member(archive, name) as member:
        for line in lines:
            member.write(f"{line}\n".encode())


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as member:
        yield member


_README = """\
Evidence of keepwell / keepwell 存证

  keepwell evidence verify FILE.zip --key KEY --checkpoint OLDER

checks this file without a database or a network. Compare the key with the one that the broker has
published, and keep checkpoint.txt: given to a later verification, it shows that nothing before it
was changed or cut off. A selection proves that its entries are in the log, not that there are no
others. 本命令可离线核验。请将密钥与券商公布的密钥核对，并妥善保存 checkpoint.txt。

entries.jsonl      entries, RFC 8785 JSON, one a line; a whole log has them in the log's order
proofs.jsonl       of a selection: for each entry its index and RFC 9162 inclusion proof, base64
checkpoint.txt     signed root, C2SP tlog-checkpoint; checkpoints.jsonl: earlier ones
consistency.jsonl  of a selection: RFC 9162 proofs from older checkpoints to this one
openings.jsonl     personal values that entries are committed to, where asked for
verifier.txt       the log's public key, as of a C2SP signed note
manifest.json      kind (log or selection), size of the log, number of entries

Leaf: SHA-256(0x00 || entry). Node: SHA-256(0x01 || left || right).
Commitment: HMAC-SHA-256(key, value).
"""
