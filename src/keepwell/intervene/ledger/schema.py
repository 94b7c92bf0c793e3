"""What the API says about the ledger of a client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from keepwell.intervene.ledger.policy import Kind, Status

_AT = "2026-03-04T02:00:00Z"


class FindingOut(BaseModel):
    """Something wrong.

    Attributes:
        code: of the finding.
        words: in the caller's language.
    """

    code: str = Field(examples=["row.changed"])
    words: str = Field(examples=["contact/contact_01 is not as entry ev_01 vouches for it."])


class RefusedOut(BaseModel):
    """An action that was refused with a recommendation.

    Attributes:
        action: its name and version.
        code: why.
        rules: ids of the rules behind it.
        words: why, in the caller's language.
    """

    action: str = Field(examples=["maturing-talk@1"])
    code: str = Field(examples=["suitability.level-above"])
    rules: list[str] = Field(examples=[["SU-1", "SU-2"]])
    words: str = Field(examples=["R2 is above the client's level C1."])


class CheckOut(BaseModel):
    """What a verification found of a line.

    Attributes:
        status: 'verified'; 'waiting' for a signed checkpoint; 'emptied' because the client
            refuses profiling; 'failed'.
        entry_id: the evidence entry that vouches for the line.
        index: of the entry's leaf in the log.
        same: whether a recommendation, made again from its record, is the same.
        findings: what is wrong.
    """

    status: Status = Field(examples=["verified"])
    entry_id: str | None = Field(examples=["ev_01kdvdna00fgzjsdqkfb56fv6q"])
    index: int | None = Field(examples=[12])
    same: bool | None = Field(examples=[None])
    findings: list[FindingOut] = Field(examples=[[]])


class LineOut(BaseModel):
    """Something that was decided, done or became known.

    Attributes:
        at: when it was written down.
        kind: what it is about.
        id: number of the row.
        words: what it says, in the caller's language.
        facts: codes and numbers of it.
        refusals: what was refused with a recommendation.
        check: what the verification found; null where none was asked for.
    """

    at: datetime = Field(examples=[_AT])
    kind: Kind = Field(examples=["contact"])
    id: str = Field(examples=["contact_01kdvdna00fgzjsdqkfb56fv6q"])
    words: str = Field(examples=["We contacted the client (Phone): Reached"])
    facts: dict[str, Any] = Field(examples=[{"channel": "phone", "result": "reached"}])
    refusals: list[RefusedOut] = Field(examples=[[]])
    check: CheckOut | None = Field(default=None)


class VerdictOut(BaseModel):
    """What a verification of the whole found.

    Attributes:
        valid: whether nothing is wrong; what waits for a checkpoint is not wrong.
        verified: lines whose row and entry hold.
        waiting: lines whose entry no signed checkpoint covers yet.
        emptied: lines whose content the client's refusal of profiling removed.
        failed: lines that do not hold.
        missing: what entries vouch for and is gone.
        size: of the newest checkpoint.
        verifier: public key of the log.
    """

    valid: bool = Field(examples=[True])
    verified: int = Field(examples=[14])
    waiting: int = Field(examples=[0])
    emptied: int = Field(examples=[0])
    failed: int = Field(examples=[0])
    missing: list[FindingOut] = Field(examples=[[]])
    size: int = Field(examples=[1024])
    verifier: str = Field(examples=["keepwell+1a2b3c4d+key"])


class LedgerOut(BaseModel):
    """All that was decided, done and became known about a client, in the order of time.

    Attributes:
        client_id: about whom.
        decisions: whether decisions and what was withheld are among the lines; they are only for
            readers of the hold-out.
        lines: in the order of time.
        verdict: of the verification; null where none was asked for.
    """

    client_id: str = Field(examples=["c1"])
    decisions: bool = Field(examples=[True])
    lines: list[LineOut]
    verdict: VerdictOut | None = Field(default=None)
