"""The sequencer: gives waiting entries their leaves, one after the other, and signs checkpoints.

Whoever records an entry does not wait for its place in the log; one sequencer at a time holds the
head's row and appends what has been committed. All it does is one transaction, so a sequencer
that dies leaves no gap.
"""

from __future__ import annotations

from datetime import timedelta

from keepwell.frame.database import Tx
from keepwell.trust.evidence import merkle, repo
from keepwell.trust.evidence.key import load_signer
from keepwell.trust.evidence.model import EvidenceLog
from keepwell.trust.evidence.note import Checkpoint, Signer

BATCH = 2000
"""Entries of one transaction: a writer on SQLite waits for it."""


def sequence(tx: Tx, limit: int = BATCH, *, sign: bool = False) -> int:
    """Append waiting entries to the log; sign a checkpoint when one is due.

    Args:
        tx: a writing transaction.
        limit: at most so many.
        sign: sign a checkpoint over every leaf even if none is due.

    Returns:
        How many entries got their leaf.

    Raises:
        DataError: the signing key is missing or is not the log's.
    """
    head = _head(tx)
    rows = repo.pending(tx, limit)
    if rows:
        _append(tx, head, rows)
    if head.size > head.signed_size and (sign or _due(tx, head)):
        _sign(tx, head)
    tx.session.flush()
    return len(rows)


def sequence_all(tx: Tx) -> int:
    """Append everything that waits, and sign; for exports and tests."""
    total = 0
    while done := sequence(tx):
        total += done
    sequence(tx, sign=True)
    return total


def _head(tx: Tx) -> EvidenceLog:
    head = repo.lock_head(tx)
    if head is None:
        signer = load_signer(tx.frame)
        repo.make_head(tx, str(signer.verifier))
        head = repo.lock_head(tx)
    assert head is not None
    return head


def _append(tx: Tx, head: EvidenceLog, rows: list[tuple[str, str]]) -> None:
    hashes = [merkle.leaf_hash(body.encode()) for _, body in rows]
    places = merkle.subtrees((0, head.size))
    known = repo.nodes(tx, places)
    made, _ = merkle.extend(head.size, [known[place] for place in places], hashes)
    repo.add_leaves(tx, head.size, [entry_id for entry_id, _ in rows], hashes)
    repo.add_nodes(tx, made)
    head.size += len(rows)


def _due(tx: Tx, head: EvidenceLog) -> bool:
    settings = tx.frame.settings.evidence
    if head.signed_at is None or head.size - head.signed_size >= settings.checkpoint_entries:
        return True
    return tx.at - head.signed_at >= timedelta(seconds=settings.checkpoint_seconds)


def _sign(tx: Tx, head: EvidenceLog) -> None:
    signer: Signer = load_signer(tx.frame, head.verifier)
    root = repo.root_at(tx, head.size)
    note = signer.sign(Checkpoint(signer.name, head.size, root).text())
    repo.add_checkpoint(tx, head.size, note)
    head.signed_size, head.signed_at = head.size, tx.at
