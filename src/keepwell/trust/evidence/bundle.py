"""Bundles: the log, or some of its entries with proofs, as one file that anybody can verify.

`verify_bundle` needs nothing but the file: no database, no network, no key of ours. Every member
that bears evidence must be in the one form that an export writes, so no bit of it can be changed.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from keepwell.core.errors import UsageError
from keepwell.trust.evidence import merkle
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.note import Checkpoint, NoteError, Verifier, open_checkpoint
from keepwell.trust.evidence.policy import canonical
from keepwell.trust.evidence.receipt import check_openings, decoded, parse_entry

FORMAT: Final = "keepwell-evidence/1"
WHOLE: Final = "log"
SELECTION: Final = "selection"
MANIFEST, VERIFIER, CHECKPOINT = "manifest.json", "verifier.txt", "checkpoint.txt"
ENTRIES, PROOFS, EARLIER = "entries.jsonl", "proofs.jsonl", "checkpoints.jsonl"
BRIDGES, OPENINGS = "consistency.jsonl", "openings.jsonl"
_LINE_LIMIT = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError,
    OSError, ValueError, KeyError,
)  # fmt: skip


class _Broken(Exception):
    """A member that is not as an export writes it."""

    def __init__(self, file: str, line: int = 0) -> None:
        super().__init__(file)
        self.file, self.line = file, line


@dataclass
class _Case:
    """A bundle under examination."""

    archive: zipfile.ZipFile
    report: Report
    verifier: Verifier
    checkpoint: Checkpoint
    manifest: dict[str, Any]
    outside: list[Checkpoint]
    personal: dict[str, dict[str, Any]] = field(default_factory=dict)


def verify_bundle(
    path: Path, key: Verifier | None = None, checkpoints: Sequence[tuple[str, str]] = ()
) -> Report:
    """Verify a bundle.

    Args:
        path: the file.
        key: the log's public key, known from elsewhere; None: the bundle's own.
        checkpoints: name and text of older checkpoints of the log, kept elsewhere.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError("evidence.file-missing", path=path)
    report = Report()
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(set(names)) != len(names):
                raise _Broken("bundle")
            _verify(archive, key, checkpoints, report)
    except _Broken as broken:
        if broken.line:
            report.add("bundle.line-broken", file=broken.file, line=broken.line)
        else:
            report.add("bundle.broken", file=broken.file)
    except _UNREADABLE:
        report.add("bundle.broken", file=path.name)
    return report


def _verify(
    archive: zipfile.ZipFile,
    key: Verifier | None,
    checkpoints: Sequence[tuple[str, str]],
    report: Report,
) -> None:
    manifest = _manifest(archive)
    named = _verifier(archive)
    report.verifier = str(named)
    if key is not None and key != named:
        report.add("key.different", found=str(named))
    verifier = key or named
    try:
        checkpoint = open_checkpoint(_read(archive, CHECKPOINT), verifier)
    except NoteError:
        report.add("checkpoint.invalid", name=CHECKPOINT)
        return
    if manifest["size"] != checkpoint.size:
        report.add("bundle.count-wrong", named=manifest["size"], found=checkpoint.size)
    outside = [c for name, note in checkpoints if (c := _opened(name, note, verifier, report))]
    case = _Case(archive, report, verifier, checkpoint, manifest, outside)
    (_whole if manifest["kind"] == WHOLE else _selection)(case)
    if report.entries != manifest["entries"]:
        report.add("bundle.count-wrong", named=manifest["entries"], found=report.entries)
    _openings(case)


def _opened(name: str, note: str, verifier: Verifier, report: Report) -> Checkpoint | None:
    report.checkpoints += 1
    try:
        return open_checkpoint(note, verifier)
    except NoteError:
        report.add("checkpoint.invalid", name=name)
        return None


def check_growth(report: Report, builder: merkle.Builder, due: list[Checkpoint]) -> None:
    """Compare the tree, as it has grown so far, with every checkpoint of this size.

    Args:
        report: takes what is wrong.
        builder: the tree.
        due: checkpoints not yet compared, largest first; those compared are taken away.
    """
    while due and due[-1].size <= builder.size:
        checkpoint = due.pop()
        if builder.root() != checkpoint.root:
            report.add("checkpoint.root-wrong", size=checkpoint.size)
        else:
            report.size = max(report.size, checkpoint.size)


def _whole(case: _Case) -> None:
    report, builder = case.report, merkle.Builder()
    due = [case.checkpoint, *case.outside]
    for line, document in _documents(case.archive, EARLIER):
        note = document.get("note")
        opened = _opened(f"{EARLIER}:{line}", str(note), case.verifier, report)
        if set(document) != {"note"} or opened is None:
            continue
        due.append(opened)
    due.sort(key=lambda c: -c.size)
    check_growth(report, builder, due)
    seen: set[str] = set()
    for index, (text, entry) in enumerate(_entries(case.archive, report)):
        if entry is not None:
            _note_entry(case, seen, index, entry)
        builder.add([merkle.leaf_hash(text.encode())])
        report.entries += 1
        check_growth(report, builder, due)
    for checkpoint in reversed(due):
        report.add("checkpoint.beyond", size=checkpoint.size, entries=builder.size)
    if builder.size > case.checkpoint.size:
        report.add("bundle.count-wrong", named=case.checkpoint.size, found=builder.size)


def _selection(case: _Case) -> None:
    report, checkpoint = case.report, case.checkpoint
    report.checkpoints, report.size = report.checkpoints + 1, checkpoint.size
    proofs = _documents(case.archive, PROOFS)
    seen: set[str] = set()
    before = -1
    for text, document in _entries(case.archive, report):
        line, proof = next(proofs, (report.entries + 1, {}))
        index, path = proof.get("index"), _path(PROOFS, line, proof)
        if type(index) is not int or set(proof) != {"index", "path"} or index <= before:
            raise _Broken(PROOFS, line)
        before, leaf = index, merkle.leaf_hash(text.encode())
        if document is not None:
            _note_entry(case, seen, index, document)
        if not merkle.verify_inclusion(leaf, index, checkpoint.size, path, checkpoint.root):
            report.add("entry.unproven", index=index)
        report.entries += 1
    if next(proofs, None) is not None:
        raise _Broken(PROOFS)
    _bridges(case)


def _bridges(case: _Case) -> None:
    """Every checkpoint from outside must lead to the bundle's by a proof in the bundle."""
    new, bridges = case.checkpoint, {}
    for line, document in _documents(case.archive, BRIDGES):
        first = document.get("first")
        if set(document) != {"first", "path"} or type(first) is not int:
            raise _Broken(BRIDGES, line)
        bridges[first] = _path(BRIDGES, line, document)
    for old in case.outside:
        if old.size > new.size:
            case.report.add("checkpoint.beyond", size=old.size, entries=new.size)
        elif old.size not in bridges and 0 < old.size < new.size:
            case.report.add("checkpoint.unbridged", size=old.size)
        elif not merkle.verify_consistency(
            old.size, new.size, old.root, new.root, bridges.get(old.size, [])
        ):
            case.report.add("checkpoint.root-wrong", size=old.size)


def _openings(case: _Case) -> None:
    for line, document in _documents(case.archive, OPENINGS):
        entry = case.personal.get(str(document.get("id")))
        if set(document) != {"id", "field", "key", "value"}:
            raise _Broken(OPENINGS, line)
        if entry is None:
            case.report.add("opening.wrong", id=document["id"], field=document["field"])
        else:
            check_openings(entry, [document], case.report)


def _note_entry(case: _Case, seen: set[str], index: int, document: dict[str, Any]) -> None:
    if document["id"] in seen:
        case.report.add("entry.twice", index=index)
    seen.add(document["id"])
    if "personal" in document:
        case.personal[document["id"]] = document


def _entries(
    archive: zipfile.ZipFile, report: Report
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for index, text in enumerate(_lines(archive, ENTRIES)):
        document = None
        try:
            document = parse_entry(text)
        except ValueError:
            report.add("entry.text-wrong", index=index)
        yield text, document


def _documents(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """JSON objects of a member, a line each, in their one form; none where it is absent."""
    if name not in archive.namelist():
        return
    for line, text in enumerate(_lines(archive, name), start=1):
        yield line, _document(name, line, text)


def _document(name: str, line: int, text: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
        if not isinstance(document, dict) or canonical(document) != text:
            raise _Broken(name, line)
    except (ValueError, RecursionError):
        raise _Broken(name, line) from None
    return document


def _path(name: str, line: int, document: Mapping[str, Any]) -> list[bytes]:
    try:
        return decoded(document.get("path"))
    except ValueError:
        raise _Broken(name, line) from None


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[str]:
    """Lines of a member; each ends with a newline, also the last."""
    try:
        member = archive.open(name)
    except KeyError:
        raise _Broken(name) from None
    with member:
        number = 0
        while raw := member.readline(_LINE_LIMIT):
            number += 1
            if raw[-1:] != b"\n":
                raise _Broken(name, number)
            try:
                yield raw[:-1].decode()
            except UnicodeDecodeError:
                raise _Broken(name, number) from None


def _read(archive: zipfile.ZipFile, name: str) -> str:
    try:
        with archive.open(name) as member:
            return member.read(_LINE_LIMIT).decode()
    except (KeyError, UnicodeDecodeError):
        raise _Broken(name) from None


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    text = _read(archive, MANIFEST)
    found = _document(MANIFEST, 1, text.removesuffix("\n"))
    shape = {"format": str, "kind": str, "size": int, "entries": int}
    if set(found) != set(shape) or any(type(found[k]) is not t for k, t in shape.items()):
        raise _Broken(MANIFEST, 1)
    if found["format"] != FORMAT or found["kind"] not in (WHOLE, SELECTION):
        raise _Broken(MANIFEST, 1)
    return found


def _verifier(archive: zipfile.ZipFile) -> Verifier:
    text = _read(archive, VERIFIER)
    try:
        found = Verifier.parse(text)
    except NoteError:
        raise _Broken(VERIFIER) from None
    if f"{found}\n" != text:
        raise _Broken(VERIFIER)
    return found
