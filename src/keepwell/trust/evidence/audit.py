"""Verification of the log in the database: every row, also what the guards should have stopped."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from keepwell.frame.database import Tx
from keepwell.trust.evidence import merkle, repo
from keepwell.trust.evidence.bundle import check_growth
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.match import Told, compare
from keepwell.trust.evidence.note import Checkpoint, NoteError, Verifier, open_checkpoint
from keepwell.trust.evidence.policy import instant
from keepwell.trust.evidence.receipt import parse_entry

_BLOCK = 1024
_COLUMNS = {"entry_id": "id", "kind": "kind", "actor": "actor", "subject": "subject"}


def audit(
    tx: Tx, key: Verifier | None = None, checkpoints: Sequence[tuple[str, str]] = ()
) -> Report:
    """Verify the whole log.

    Args:
        tx: a reading transaction.
        key: the log's public key, known from elsewhere; None: the one the log began with.
        checkpoints: name and text of older checkpoints, kept elsewhere. Without one, a log that
            was rolled back or written anew with the same key looks like any other.
    """
    report = Report()
    told = Told()
    repo.hold_still(tx)
    head = repo.head(tx)
    size = head.size if head else 0
    due: list[Checkpoint] = []
    if head is None:
        if checkpoints:
            report.add("checkpoint.beyond", size="?", entries=0)
    else:
        own = _verifier(head.verifier, report)
        report.verifier = head.verifier
        if key is not None and own is not None and key != own:
            report.add("key.different", found=head.verifier)
        if (verifier := key or own) is not None:
            due = _checkpoints(tx, verifier, checkpoints, report)
    builder = merkle.Builder()
    inner = _leaves(tx, builder, due, report, told)
    for checkpoint in reversed(due):
        report.add("checkpoint.beyond", size=checkpoint.size, entries=builder.size)
    if builder.size != size:
        report.add("head.size-wrong", named=size, found=builder.size)
    stored = repo.count_nodes(tx)
    if stored != inner:
        report.add("node.wrong", level="–", position="–")
    for entry_id in repo.lost_entries(tx):
        report.add("entry.lost", id=entry_id)
    for row in repo.stream_pending(tx):
        with suppress(ValueError):
            told.hear(parse_entry(row.body))
    compare(tx, told, report)
    return report


def _verifier(text: str, report: Report) -> Verifier | None:
    try:
        return Verifier.parse(text)
    except NoteError:
        report.add("key.different", found=text)
        return None


def _checkpoints(
    tx: Tx, verifier: Verifier, outside: Sequence[tuple[str, str]], report: Report
) -> list[Checkpoint]:
    found = []
    rows = [(str(row.size), row.note, row.size) for row in repo.checkpoints(tx, 2**62)]
    for name, note, size in [*rows, *((name, note, None) for name, note in outside)]:
        report.checkpoints += 1
        try:
            checkpoint = open_checkpoint(note, verifier)
            if size is not None and checkpoint.size != size:
                raise NoteError("stored under another size")
        except NoteError:
            report.add("checkpoint.invalid", name=name)
            continue
        found.append(checkpoint)
    return sorted(found, key=lambda c: -c.size)


def _leaves(
    tx: Tx, builder: merkle.Builder, due: list[Checkpoint], report: Report, told: Told
) -> int:
    """Go through all leaves; how many complete subtrees there must be above them."""
    inner = 0
    check_growth(report, builder, due)
    for block in repo.blocks(repo.stream_leaves(tx), _BLOCK):
        made: list[tuple[merkle.Place, bytes]] = []
        for row in block:
            if row.leaf_index != builder.size:
                report.add("entry.missing", index=builder.size)
                return inner
            made += builder.add([_leaf(row, report, told)])
            check_growth(report, builder, due)
        inner += len(made)
        stored = repo.nodes(tx, [place for place, _ in made])
        for place, value in made:
            if stored.get(place) != value:
                report.add("node.wrong", level=place[0], position=place[1])
    return inner


def _leaf(row: Any, report: Report, told: Told) -> bytes:
    index = row.leaf_index
    if row.body is None:
        report.add("entry.missing", index=index)
        return bytes(row.hash)
    report.entries += 1
    leaf = merkle.leaf_hash(row.body.encode())
    if leaf != bytes(row.hash):
        report.add("entry.hash-wrong", index=index)
    try:
        entry = parse_entry(row.body)
    except ValueError:
        report.add("entry.text-wrong", index=index)
        return leaf
    told.hear(entry)
    for column, name in _COLUMNS.items():
        if getattr(row, column) != entry[name]:
            report.add("entry.column-wrong", index=index, column=column)
    if row.client != entry.get("client"):
        report.add("entry.column-wrong", index=index, column="client")
    if instant(row.at) != entry["at"]:
        report.add("entry.column-wrong", index=index, column="at")
    return leaf
