"""Receipts: an entry, its proof and a signed checkpoint. Checked offline, without a database."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keepwell.trust.evidence import merkle
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.note import Checkpoint, NoteError, Verifier, open_checkpoint
from keepwell.trust.evidence.policy import FORMAT, canonical, commitment

RECEIPT: Final = "keepwell-receipt/1"
ENTRY_KEYS: Final = {"v", "id", "kind", "at", "actor", "via", "subject", "data"}


def coded(hashes: Sequence[bytes]) -> list[str]:
    """Hashes as receipts and bundles write them: base64."""
    return [base64.b64encode(value).decode() for value in hashes]


def decoded(texts: Any) -> list[bytes]:
    """Hashes of a receipt or bundle.

    Raises:
        ValueError: they are not 32 bytes of base64 in its one form.
    """
    if not isinstance(texts, list) or len(texts) > 64:
        raise ValueError("a proof has at most 64 hashes")
    found = []
    for text in texts:
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError("not base64") from None
        if len(value) != 32 or base64.b64encode(value).decode() != text:
            raise ValueError("not 32 bytes of base64 in its one form")
        found.append(value)
    return found


def parse_entry(text: str) -> dict[str, Any]:
    """An entry from its canonical text.

    Raises:
        ValueError: the text is no entry, or not in its one form.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        same = isinstance(document, dict) and canonical(document) == text
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not same or not ENTRY_KEYS <= set(document) <= ENTRY_KEYS | {"client", "personal", "rows"}:
        raise ValueError("not an entry in its one form")
    if document["v"] != FORMAT or not isinstance(document["id"], str):
        raise ValueError("an entry of another format")
    return document


def build(
    *,
    verifier: str,
    checkpoint: str,
    index: int,
    path: Sequence[bytes],
    text: str,
    openings: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """A receipt as JSON.

    Args:
        verifier: public key of the log.
        checkpoint: signed note whose tree holds the entry.
        index: of the entry's leaf.
        path: inclusion proof.
        text: the entry's canonical text.
        openings: field, key and value of commitments.
    """
    return {
        "format": RECEIPT, "verifier": verifier, "checkpoint": checkpoint, "index": index,
        "path": coded(path), "entry": json.loads(text), "openings": [dict(o) for o in openings],
    }  # fmt: skip


def check_receipt(
    receipt: Mapping[str, Any], verifier: Verifier | None, report: Report
) -> Checkpoint | None:
    """Check a receipt.

    Args:
        receipt: as `build` made it.
        verifier: the log's key, known from elsewhere; None: the receipt's own is taken, which
            shows only that the receipt agrees with itself.
        report: takes what is wrong.

    Returns:
        The checkpoint, if its signature holds.
    """
    try:
        named = Verifier.parse(_text(receipt, "verifier"))
        note, entry = _text(receipt, "checkpoint"), receipt.get("entry")
        index, path = receipt.get("index"), decoded(receipt.get("path"))
        if receipt.get("format") != RECEIPT or type(index) is not int:
            raise ValueError("another format")
        if not isinstance(entry, dict):
            raise ValueError("entry is missing")
        text = canonical(entry)
        parse_entry(text)
    except (ValueError, RecursionError) as error:
        report.add("receipt.broken", problem=str(error) or type(error).__name__)
        return None
    report.entries += 1
    if verifier is not None and named != verifier:
        report.add("key.different", found=str(named))
    report.verifier = str(named)
    try:
        checkpoint = open_checkpoint(note, verifier or named)
    except NoteError:
        report.add("checkpoint.invalid", name=note[:60].replace("\n", " "))
        return None
    report.checkpoints, report.size = report.checkpoints + 1, max(report.size, checkpoint.size)
    leaf = merkle.leaf_hash(text.encode())
    if not merkle.verify_inclusion(leaf, index, checkpoint.size, path, checkpoint.root):
        report.add("entry.unproven", index=index)
    check_openings(entry, receipt.get("openings") or [], report)
    return checkpoint


def check_openings(entry: Mapping[str, Any], openings: Any, report: Report) -> None:
    """Check that the values given are those that an entry committed to."""
    sealed = entry.get("personal") or {}
    for opening in openings if isinstance(openings, list) else [None]:
        given: Mapping[str, Any] = opening if isinstance(opening, Mapping) else {}
        name = given.get("field")
        try:
            fits = commitment(bytes.fromhex(given["key"]), given["value"]) == sealed[name]
        except (KeyError, TypeError, ValueError, AttributeError):
            fits = False
        if not fits:
            report.add("opening.wrong", id=entry["id"], field=name)


def _text(receipt: Mapping[str, Any], key: str) -> str:
    value = receipt.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is missing")
    return value
