"""Reading verbs of the evidence log: search, receipts, checkpoints, consistency, verification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.trust.access.policy import Actor, Permission, Scope
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import visible
from keepwell.trust.evidence import merkle, receipt, repo
from keepwell.trust.evidence.finding import Finding, Report
from keepwell.trust.evidence.model import EvidenceCheckpoint
from keepwell.trust.evidence.note import NoteError, Verifier, open_checkpoint
from keepwell.trust.evidence.policy import opening_key


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of the log.

    Attributes:
        index: of its leaf; None while it waits for one.
        entry: the entry itself.
    """

    index: int | None
    entry: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Growth:
    """A proof that the log of one size begins with the log of a smaller one."""

    first: int
    second: int
    first_root: bytes
    second_root: bytes
    path: list[bytes]


def token_of(tx: Tx, actor: Actor, client_id: str) -> str | None:
    """The token of a client whom the actor may see; None when no entry is about them.

    Raises:
        NotFound: the client is not visible to the actor.
    """
    if actor.scope is not Scope.ALL:
        seen = visible(tx, actor, Client.client_id).where(Client.client_id == client_id)
        if tx.session.scalar(seen.limit(1)) is None:
            raise NotFound("evidence.client-unknown")
    found = repo.salts(tx, [client_id]).get(client_id)
    return found.token if found else None


def search(
    tx: Tx,
    actor: Actor,
    wanted: repo.Search,
    *,
    client_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[list[Found], str | None]:
    """Entries, newest first, and the next page's cursor.

    Args:
        tx: the transaction.
        actor: whose scope.
        wanted: what is looked for.
        client_id: entries about this client only.
        limit: rows of a page.
        cursor: of the page.

    Raises:
        NotFound: the client is not visible to the actor.
    """
    rows, following = _page(tx, actor, wanted, client_id, limit, cursor)
    return [Found(row.leaf_index, json.loads(row.body)) for row in rows], following


def read_entry(tx: Tx, actor: Actor, entry_id: str) -> Found:
    """An entry.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
    """
    row = repo.find_entry(tx, actor, entry_id)
    if row is None:
        raise NotFound("evidence.entry-unknown")
    return Found(row.leaf_index, json.loads(row.body))


def read_receipt(tx: Tx, actor: Actor, entry_id: str) -> dict[str, Any]:
    """An entry's receipt: entry, inclusion proof, checkpoint, and openings for who sees unmasked.

    Raises:
        NotFound: there is no such entry, or it is not the actor's to see.
        Conflict: no checkpoint covers it yet.
    """
    row = repo.find_entry(tx, actor, entry_id)
    if row is None:
        raise NotFound("evidence.entry-unknown")
    checkpoint = repo.latest_checkpoint(tx)
    if row.leaf_index is None or checkpoint is None or row.leaf_index >= checkpoint.size:
        raise Conflict("evidence.entry-waiting")
    return _receipts(tx, actor, [row], checkpoint)[0]


def list_receipts(
    tx: Tx, actor: Actor, client_id: str, *, limit: int = 50, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Receipts of what was done about a client, newest first; what waits for proof is left out.

    Raises:
        NotFound: the client is not visible to the actor.
    """
    checkpoint = repo.latest_checkpoint(tx)
    # Of treatments even the number would tell who is held out.
    hidden = None if actor.may(Permission.HOLDOUT_READ) else "treatment."
    wanted = repo.Search(below=checkpoint.size if checkpoint else 0, without=hidden)
    rows, following = _page(tx, actor, wanted, client_id, limit, cursor)
    return (_receipts(tx, actor, rows, checkpoint) if checkpoint else []), following


@dataclass(frozen=True, slots=True)
class Seen:
    """What an entry about a client says, and where it stands.

    Attributes:
        entry: the entry itself.
        index: of its leaf; None while it waits for one.
        covered: whether a signed checkpoint covers it.
        findings: what is wrong with its place in the log.
    """

    entry: dict[str, Any]
    index: int | None
    covered: bool
    findings: tuple[Finding, ...]


def verify_entries(tx: Tx, actor: Actor, wanted: repo.Search) -> list[Seen]:
    """Verify that entries are in the log that was signed, each by its proof; oldest first.

    Args:
        tx: the transaction.
        actor: whose scope.
        wanted: which entries.
    """
    rows = list(repo.stream_entries(tx, actor, wanted))
    checkpoint, head = repo.latest_checkpoint(tx), repo.head(tx)
    size = checkpoint.size if checkpoint else 0
    below = [row for row in rows if row.leaf_index is not None and row.leaf_index < size]
    proofs: dict[str, dict[str, Any]] = {}
    if checkpoint is not None:
        made = _receipts(tx, replace(actor, unmasked=False), below, checkpoint)
        proofs = {row.entry_id: proof for row, proof in zip(below, made, strict=True)}
    key = Verifier.parse(head.verifier) if head else None
    log = Report()
    if checkpoint is not None and key is not None:
        with suppress(NoteError):  # else each receipt says so
            _same_log(tx, size, open_checkpoint(checkpoint.note, key).root, log)
    found = []
    for row in sorted(rows, key=lambda row: row.entry_id):
        report = Report()
        if row.entry_id in proofs:
            receipt.check_receipt(proofs[row.entry_id], key, report)
        findings = (*report.findings, *(log.findings if row.entry_id in proofs else ()))
        covered = row.entry_id in proofs
        found.append(Seen(json.loads(row.body), row.leaf_index, covered, findings))
    return found


def _page(
    tx: Tx,
    actor: Actor,
    wanted: repo.Search,
    client_id: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[repo.AnyRow], str | None]:
    if client_id is not None:
        token = token_of(tx, actor, client_id)
        if token is None:
            return [], None
        wanted = wanted.about(token)
    rows = repo.search_entries(tx, actor, wanted, limit, cursor)
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, encode_cursor([rows[-1].at, rows[-1].entry_id]) if more else None


def _receipts(
    tx: Tx, actor: Actor, rows: Sequence[repo.AnyRow], checkpoint: EvidenceCheckpoint
) -> list[dict[str, Any]]:
    head = repo.head(tx)
    assert head is not None
    spans = {r.entry_id: merkle.inclusion_spans(r.leaf_index, checkpoint.size) for r in rows}
    places = {p for some in spans.values() for span in some for p in merkle.subtrees(span)}
    known = repo.nodes(tx, places)
    opened = reveal(tx, [row.entry_id for row in rows]) if actor.unmasked else {}
    return [
        receipt.build(
            verifier=head.verifier, checkpoint=checkpoint.note, index=row.leaf_index,
            path=merkle.proof(spans[row.entry_id], known.__getitem__), text=row.body,
            openings=opened.get(row.entry_id, []),
        )
        for row in rows
    ]  # fmt: skip


def reveal(tx: Tx, entry_ids: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """The openings of entries' commitments: field, key, value.

    Args:
        tx: the transaction.
        entry_ids: entries that the caller may see, with the personal values in them.
    """
    found = repo.openings(tx, entry_ids)
    salts = repo.salts(tx, {row.client_id for rows in found.values() for row in rows})
    return {
        entry_id: [
            {
                "field": row.field, "value": row.value,
                "key": opening_key(salts[row.client_id].salt, entry_id, row.field).hex(),
            }
            for row in rows
            if row.client_id in salts
        ]
        for entry_id, rows in found.items()
    }  # fmt: skip


def latest_checkpoint(tx: Tx) -> tuple[str, EvidenceCheckpoint]:
    """The log's public key and its newest checkpoint.

    Raises:
        NotFound: nothing was signed yet.
    """
    head, checkpoint = repo.head(tx), repo.latest_checkpoint(tx)
    if head is None or checkpoint is None:
        raise NotFound("evidence.checkpoint-none")
    return head.verifier, checkpoint


def consistency(tx: Tx, first: int, second: int) -> Growth:
    """A proof that the log's first `second` entries begin with its first `first`.

    Raises:
        Unprocessable: the log is not as large, or the sizes are not in order.
    """
    head = repo.head(tx)
    size = head.size if head else 0
    if not 0 < first <= second <= size:
        raise Unprocessable("evidence.sizes-invalid", first=first, second=second, size=size)
    path = repo.span_hashes(tx, merkle.consistency_spans(first, second))
    return Growth(first, second, repo.root_at(tx, first), repo.root_at(tx, second), path)


def verify_receipts(
    tx: Tx,
    receipts: Sequence[Mapping[str, Any]],
    verifier: Verifier | None = None,
    checkpoint: str | None = None,
) -> Report:
    """Verify receipts against this log: their proofs, and that their checkpoints are of this log.

    Args:
        tx: the transaction.
        receipts: as handed out.
        verifier: the key they must be signed with; default: this log's.
        checkpoint: an older checkpoint that must be one of this log too.
    """
    head = repo.head(tx)
    report = Report()
    own = Verifier.parse(head.verifier) if head else None
    key = verifier or own
    for given in receipts:
        stated = receipt.check_receipt(given, key, report)
        if stated is not None and key == own:
            _same_log(tx, stated.size, stated.root, report)
    if checkpoint is not None:
        report.checkpoints += 1
        try:
            if key is None:
                raise NoteError("there is no key")
            older = open_checkpoint(checkpoint, key)
        except NoteError:
            report.add("checkpoint.invalid", name="checkpoint")
        else:
            _same_log(tx, older.size, older.root, report)
    return report


def clients_of(tx: Tx, actor: Actor, found: Sequence[Found]) -> dict[str, str]:
    """Tokens of entries to the clients whom they mean, as far as the actor may see them."""
    tokens = {one.entry["client"] for one in found if "client" in one.entry}
    return repo.clients_of(tx, actor, tokens) if tokens else {}


def verify_log(tx: Tx, older: str | None = None) -> Report:
    """Verify that the log as it stands is the one that was signed: by its tree, not every entry.

    Args:
        tx: the transaction.
        older: a checkpoint kept elsewhere, which must be of this log too.

    Raises:
        NotFound: nothing was signed yet.
    """
    _, newest = latest_checkpoint(tx)
    report = verify_receipts(tx, [], None, newest.note)
    head = repo.head(tx)
    assert head is not None
    report.verifier, report.size = head.verifier, newest.size
    if report.valid:
        grown = consistency(tx, newest.size, head.size)
        if not merkle.verify_consistency(
            grown.first, grown.second, grown.first_root, grown.second_root, grown.path
        ):
            report.add("checkpoint.unbridged", size=newest.size)
    if older is not None:
        told = verify_receipts(tx, [], None, older)
        report.checkpoints += told.checkpoints
        for finding in told.findings:
            report.add(finding.code, **finding.fields)
    return report


def _same_log(tx: Tx, size: int, root: bytes, report: Report) -> None:
    head = repo.head(tx)
    entries = head.size if head else 0
    if size > entries:
        report.add("checkpoint.beyond", size=size, entries=entries)
    elif repo.root_at(tx, size) != root:
        report.add("checkpoint.foreign", size=size)


def of_time(since: datetime | None, until: datetime | None) -> None:
    """Refuse instants without a zone, or that UTC has not.

    Raises:
        Unprocessable: one is so.
    """
    for value in (since, until):
        if value is None:
            continue
        try:
            if value.tzinfo is None:
                raise OverflowError
            value.astimezone(UTC)
        except OverflowError:
            text = value.isoformat()
            raise Unprocessable("evidence.instant-invalid", text=text) from None


def given_key(text: str | None) -> Verifier | None:
    """A public key that a caller gave.

    Raises:
        Unprocessable: it is none.
    """
    try:
        return None if text is None else Verifier.parse(text)
    except NoteError:
        raise Unprocessable("evidence.verifier-invalid", text=str(text)[:80]) from None
