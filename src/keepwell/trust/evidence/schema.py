"""API types of the evidence log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

Hash = Annotated[
    str, Field(max_length=100, examples=["bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hREGow+hoB0="])
]
Note = Annotated[
    str,
    Field(
        max_length=20_000,
        examples=["keepwell/broker\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hREGow+hoB0=\n\n— …\n"],
    ),
]


class EntryOut(BaseModel):
    """An entry of the evidence log.

    Attributes:
        index: of its leaf; null for the second in which it waits for one.
        entry: the entry: v, id, kind, at, actor, subject, client (a token), data, personal
            (commitments).
    """

    index: int | None = Field(examples=[41])
    entry: dict[str, Any] = Field(
        examples=[
            {
                "v": 1, "id": "ev_01kdvdna00fgzjsdqkfb56fv6q", "kind": "case.opened",
                "at": "2026-03-04T02:00:00.000000Z", "actor": "system", "via": "system",
                "subject": "case_01kdvdna00fgzjsdqkfb56fv6q",
                "client": "cl_4603e5761d93c20977c09e365666e0f8", "data": {"reason": "risk"},
            }
        ]
    )  # fmt: skip


class Opening(BaseModel):
    """What opens one commitment of an entry: HMAC-SHA-256(key, value) is the commitment.

    Attributes:
        field: name of the personal value.
        key: 32 bytes, hexadecimal.
        value: the value.
    """

    field: str = Field(max_length=100, examples=["note"])
    key: str = Field(max_length=64, examples=["00" * 32])
    value: str = Field(max_length=20_000, examples=["Call back on Monday."])


class Receipt(BaseModel):
    """An entry, the proof that it is in the log, and the signed checkpoint of that log.

    Attributes:
        format: keepwell-receipt/1.
        verifier: public key of the log: name+id+key.
        checkpoint: C2SP tlog-checkpoint.
        index: of the entry's leaf.
        path: RFC 9162 inclusion proof, base64.
        entry: the entry; its RFC 8785 bytes are the leaf.
        openings: of the entry's commitments, for who sees personal fields unmasked.
    """

    format: str = Field(max_length=40, examples=["keepwell-receipt/1"])
    verifier: str = Field(max_length=300, examples=["keepwell/broker+0a1b2c3d+AeX5…"])
    checkpoint: Note
    index: int = Field(ge=0, le=2**53, examples=[41])
    path: list[Hash] = Field(max_length=64)
    entry: dict[str, Any]
    openings: list[Opening] = Field(default=[], max_length=100)


class CheckpointOut(BaseModel):
    """The newest signed checkpoint.

    Attributes:
        size: number of entries that it covers.
        signed_at: when it was signed.
        verifier: public key of the log.
        note: C2SP tlog-checkpoint; keep it: later it shows that nothing before it was changed.
    """

    size: int = Field(examples=[500])
    signed_at: datetime
    verifier: str = Field(examples=["keepwell/broker+0a1b2c3d+AeX5…"])
    note: Note


class ConsistencyOut(BaseModel):
    """A proof that the log only grew.

    Attributes:
        first: the smaller size.
        second: the larger size.
        first_root: root of the smaller log, base64.
        second_root: root of the larger log, base64.
        path: RFC 9162 consistency proof, base64.
    """

    first: int = Field(examples=[100])
    second: int = Field(examples=[500])
    first_root: Hash
    second_root: Hash
    path: list[Hash]


class VerifyIn(BaseModel):
    """Receipts to verify.

    Attributes:
        receipts: as they were handed out.
        verifier: key that they must be signed with; default: this log's.
        checkpoint: an older checkpoint, kept elsewhere, that must be of this log too.
    """

    receipts: list[Receipt] = Field(default=[], max_length=500, examples=[[]])
    verifier: str | None = Field(default=None, max_length=300, examples=[None])
    checkpoint: str | None = Field(default=None, max_length=20_000, examples=[None])


class FindingOut(BaseModel):
    """Something wrong.

    Attributes:
        code: what.
        message: in the caller's language.
    """

    code: str = Field(examples=["entry.unproven"])
    message: str = Field(examples=["The proof does not show that entry 41 is in the log."])


class VerifyOut(BaseModel):
    """The result of a verification.

    Attributes:
        valid: whether nothing is wrong.
        entries: how many entries were checked.
        checkpoints: how many checkpoints were checked.
        findings: what is wrong, at most a hundred.
    """

    valid: bool
    entries: int = Field(examples=[1])
    checkpoints: int = Field(examples=[1])
    findings: list[FindingOut]
