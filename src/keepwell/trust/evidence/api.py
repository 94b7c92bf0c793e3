"""Endpoints of the evidence log."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.text import ClientId, Id, Moment
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.evidence import prove, repo
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.schema import (
    CheckpointOut,
    ConsistencyOut,
    EntryOut,
    FindingOut,
    Receipt,
    VerifyIn,
    VerifyOut,
)

router = APIRouter(tags=["evidence"])

EntryId = Annotated[Id, Path(max_length=200, description="Id of an entry.")]
Size = Annotated[int, Query(ge=1, le=2**53, description="Number of entries.")]


@router.get(
    "/evidence/entries", response_model=Page[EntryOut], operation_id="list_evidence",
    summary="Search the evidence log",
)  # fmt: skip
def list_evidence(
    kind: Annotated[EvidenceKind | None, Query(description="Kind of entry.")] = None,
    client_id: Annotated[ClientId | None, Query(description="About this client.")] = None,
    subject: Annotated[ClientId | None, Query(description="Id of what it happened to.")] = None,
    actor_id: Annotated[Id | None, Query(description="User who did it.")] = None,
    since: Annotated[Moment | None, Query(description="Not before.")] = None,
    until: Annotated[Moment | None, Query(description="Before.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.EVIDENCE_READ),
) -> Response:
    """Entries, newest first."""

    def verb(tx: Tx, actor: Actor) -> Page[EntryOut]:
        prove.of_time(since, until)
        wanted = repo.Search(kind and kind.value, subject, actor_id, None, since, until)
        found, following = prove.search(
            tx, actor, wanted, client_id=client_id, limit=limit, cursor=cursor
        )
        items = [EntryOut(index=one.index, entry=one.entry) for one in found]
        return Page[EntryOut](items=items, next=following)

    return call.answer(verb)


@router.get(
    "/evidence/entries/{entry_id}", response_model=EntryOut, operation_id="read_evidence",
    summary="Read one entry",
)  # fmt: skip
def read_evidence(entry_id: EntryId, call: Call = allow(Permission.EVIDENCE_READ)) -> Response:
    """An entry, and the index of its leaf."""

    def verb(tx: Tx, actor: Actor) -> EntryOut:
        found = prove.read_entry(tx, actor, entry_id)
        return EntryOut(index=found.index, entry=found.entry)

    return call.answer(verb)


@router.get(
    "/evidence/entries/{entry_id}/receipt", response_model=Receipt, operation_id="read_receipt",
    summary="Get the receipt of an entry",
)  # fmt: skip
def read_receipt(entry_id: EntryId, call: Call = allow(Permission.EVIDENCE_READ)) -> Response:
    """Entry, inclusion proof and signed checkpoint; 409 until a checkpoint covers the entry."""
    return call.answer(lambda tx, actor: Receipt(**prove.read_receipt(tx, actor, entry_id)))


@router.get(
    "/evidence/checkpoint", response_model=CheckpointOut, operation_id="read_checkpoint",
    summary="Get the newest signed checkpoint",
)  # fmt: skip
def read_checkpoint(call: Call = allow(Permission.EVIDENCE_READ)) -> Response:
    """Keep it: given to a later verification, it shows that nothing before it was changed."""

    def verb(tx: Tx, actor: Actor) -> CheckpointOut:  # noqa: ARG001
        verifier, row = prove.latest_checkpoint(tx)
        return CheckpointOut(
            size=row.size, signed_at=row.signed_at, verifier=verifier, note=row.note
        )

    return call.answer(verb)


@router.get(
    "/evidence/consistency", response_model=ConsistencyOut, operation_id="read_consistency",
    summary="Prove that the log only grew",
)  # fmt: skip
def read_consistency(
    first: Size, second: Size, call: Call = allow(Permission.EVIDENCE_READ)
) -> Response:
    """A proof that the log's first `second` entries begin with its first `first`."""

    def verb(tx: Tx, actor: Actor) -> ConsistencyOut:  # noqa: ARG001
        found = prove.consistency(tx, first, second)
        return ConsistencyOut(
            first=first, second=second, first_root=_coded(found.first_root),
            second_root=_coded(found.second_root), path=[_coded(h) for h in found.path],
        )  # fmt: skip

    return call.answer(verb)


@router.post(
    "/evidence/verify", response_model=VerifyOut, operation_id="verify_evidence",
    summary="Verify receipts",
)  # fmt: skip
def verify_evidence(body: VerifyIn, call: Call = allow(Permission.EVIDENCE_READ)) -> Response:
    """Check proofs, signatures and openings, and that the checkpoints are of this log."""

    def verb(tx: Tx, actor: Actor) -> VerifyOut:
        key = prove.given_key(body.verifier)
        given: list[dict[str, Any]] = [one.model_dump() for one in body.receipts]
        report = prove.verify_receipts(tx, given, key, body.checkpoint)
        words = [FindingOut(code=f.code, message=f.words(actor.locale)) for f in report.findings]
        return VerifyOut(
            valid=report.valid, entries=report.entries, checkpoints=report.checkpoints,
            findings=words,
        )  # fmt: skip

    return call.answer(verb)


@router.get(
    "/clients/{client_id}/receipts", response_model=Page[Receipt],
    operation_id="list_client_receipts", summary="Get receipts of what was done about a client",
)  # fmt: skip
def list_client_receipts(
    client_id: Annotated[ClientId, Path(max_length=200, description="The client.")],
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CLIENT_READ),
) -> Response:
    """Newest first; what no checkpoint covers yet follows within seconds."""

    def verb(tx: Tx, actor: Actor) -> Page[Receipt]:
        found, following = prove.list_receipts(tx, actor, client_id, limit=limit, cursor=cursor)
        return Page[Receipt](items=[Receipt(**one) for one in found], next=following)

    return call.answer(verb)


def _coded(value: bytes) -> str:
    return base64.b64encode(value).decode()
