"""What the API says about proofs and budgets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from keepwell.frame.text import Note

_AT = "2026-07-01T02:00:00Z"
_PROOF = "proof_01kdvdna00fgzjsdqkfb56fv6q"
Tail = Annotated[str, Field(max_length=1000)]


class EffectOut(BaseModel):
    """A difference with its interval.

    Attributes:
        value: the estimate; null where it cannot be told.
        low: lower end; null where nothing bounds it.
        high: upper end; null where nothing bounds it.
    """

    value: float | None = Field(examples=[412.5])
    low: float | None = Field(examples=[180.2])
    high: float | None = Field(examples=[644.8])


class MeasureOut(BaseModel):
    """What was kept by one measure; money in minor units.

    Attributes:
        measure: clients, assets, value, revenue or revenue.<line>.
        title: its name in the caller's language.
        total: kept in all, adjusted: the figure that is claimed.
        each: the same per client drawn for contact.
        share: money kept as a share of the opening assets; null of clients.
        raw: kept in all, as it is, neither cut nor adjusted.
        treated: clients drawn for contact whose outcome is known.
        held: clients held out whose outcome is known.
        unknown: clients whose outcome is not known: drawn for contact, held out.
        limit: where outcomes were cut; null of clients.
        clusters: managers by whom the interval is clustered.
        few: whether there are too few managers for the interval.
        shown: whether the interval does not hold zero.
        detectable: smallest effect per client that is shown in four of five cases.
    """

    measure: str = Field(examples=["clients"])
    title: str = Field(examples=["clients kept"])
    total: EffectOut
    each: EffectOut
    share: EffectOut | None
    raw: EffectOut
    treated: int = Field(ge=0, examples=[80000])
    held: int = Field(ge=0, examples=[20000])
    unknown: tuple[int, int] = Field(examples=[[12, 3]])
    limit: float | None = Field(examples=[9300000.0])
    clusters: int = Field(examples=[300])
    few: bool = Field(examples=[False])
    shown: bool = Field(examples=[True])
    detectable: float | None = Field(examples=[0.0042])


class TierOut(BaseModel):
    """Clients kept among those of one tier at the draw.

    Attributes:
        tier: none, mild, moderate or severe; null where no score was stored.
        treated: drawn for contact.
        held: held out.
        each: difference of the shares that stayed, adjusted; null where an arm is empty.
        total: the same in clients.
    """

    tier: str | None = Field(examples=["severe"])
    treated: int = Field(ge=0, examples=[800])
    held: int = Field(ge=0, examples=[200])
    each: EffectOut | None
    total: EffectOut | None


class ProofItem(BaseModel):
    """A proof as listed.

    Attributes:
        proof_id: its number.
        at: when it was made.
        period: of the hold-out.
        since: the draw.
        until: end of the span.
        days: whole days between.
        manifest: state of the lake that it was read from.
        treated: clients drawn for contact.
        held: clients held out.
        stopped: why nothing was read out; null where all was.
        clients: clients kept, adjusted; null when stopped.
        digest: SHA-256 of the whole finding, which the evidence log names.
    """

    proof_id: str = Field(examples=[_PROOF])
    at: datetime = Field(examples=[_AT])
    period: str = Field(examples=["2026"])
    since: datetime = Field(examples=["2026-01-05T02:00:00Z"])
    until: datetime = Field(examples=[_AT])
    days: int = Field(ge=1, examples=[177])
    manifest: int = Field(examples=[42])
    treated: int = Field(ge=0, examples=[80000])
    held: int = Field(ge=0, examples=[20000])
    stopped: Literal["ratio", "arms-lost"] | None = Field(examples=[None])
    clients: EffectOut | None
    digest: str = Field(examples=["9f2c" * 16])


class ProofOut(ProofItem):
    """A proof with all it found: a figure over all clients drawn, whatever the caller's scope.

    Attributes:
        currency: ISO 4217 code of all amounts.
        claims: what is claimed and of what, in the caller's language.
        measures: the headline ones first.
        tiers: clients kept by tier at the draw, the gravest first.
        reached: clients who heard a retention contact: drawn for contact, held out; null where no
            contacts are kept.
        complier: effect on those whom the draw made be reached, apart from the claim.
        left_out: clients drawn later or one by one.
        ratio_p: sample-ratio check over everybody drawn.
    """

    currency: str = Field(examples=["CNY"])
    claims: list[str]
    measures: list[MeasureOut]
    tiers: list[TierOut]
    reached: tuple[int, int] | None = Field(examples=[[5200, 40]])
    complier: EffectOut | None
    left_out: int = Field(ge=0, examples=[120])
    ratio_p: float = Field(ge=0, le=1, examples=[0.83])


class ProveIn(BaseModel):
    """Which proof to make.

    Attributes:
        period: of the hold-out; default: the newest.
    """

    period: Annotated[str, Field(pattern=r"^\d{4}$")] | None = Field(
        default=None, examples=["2026"]
    )


class ProveOut(BaseModel):
    """That a proof is being made.

    Attributes:
        job_id: the job that makes it; null when one is at work already.
    """

    job_id: str | None = Field(examples=["job_77"])


class BudgetIn(BaseModel):
    """A budget to propose.

    Attributes:
        proof_id: the newest proof.
        amount: of a year, minor units; default: the usual share of revenue.
        words: why.
    """

    proof_id: str = Field(examples=[_PROOF], max_length=40)
    amount: int | None = Field(default=None, ge=0, le=10**15, examples=[120000000])
    words: Note | None = Field(default=None, max_length=1000, examples=["Twice the calls."])


class AnswerIn(BaseModel):
    """What one says to a proposal.

    Attributes:
        words: why.
    """

    words: Note | None = Field(default=None, max_length=1000, examples=["Agreed on 3 July."])


class PartOut(BaseModel):
    """One part of a budget.

    Attributes:
        name: as keepwell.yaml names it.
        amount: minor units.
    """

    name: str = Field(examples=["part 1"])
    amount: int = Field(ge=0, examples=[54000000])


class ApprovalOut(BaseModel):
    """One person's answer.

    Attributes:
        user_id: who.
        role: director or compliance.
        answer: approve or reject.
        at: when.
        words: why.
    """

    user_id: str = Field(examples=["user_d1"])
    role: str = Field(examples=["director"])
    answer: Literal["approve", "reject"] = Field(examples=["approve"])
    at: datetime = Field(examples=[_AT])
    words: str = Field(examples=["Agreed on 3 July."])


class BudgetOut(BaseModel):
    """A proposed budget.

    Attributes:
        proposal_id: its number.
        proof_id: the proof that it rests on.
        newest: whether that is still the newest proof.
        at: when it was proposed.
        proposed_by: by whom; this person cannot approve.
        state: proposed, approved, rejected or expired.
        expires_at: from then on nobody can approve it.
        kind: what the rule proposes: more, same or less.
        why: what spoke for or against, in the caller's language.
        amount: of a year, minor units.
        parts: its parts; they make the amount.
        currency: ISO 4217 code.
        words: why it was proposed.
        needed: roles that still must approve.
        approvals: who answered what.
    """

    proposal_id: str = Field(examples=["budget_01kdvdna00fgzjsdqkfb56fv6q"])
    proof_id: str = Field(examples=[_PROOF])
    newest: bool = Field(examples=[True])
    at: datetime = Field(examples=[_AT])
    proposed_by: str = Field(examples=["user_analyst"])
    state: Literal["proposed", "approved", "rejected", "expired"] = Field(examples=["proposed"])
    expires_at: datetime = Field(examples=["2026-07-31T02:00:00Z"])
    kind: Literal["more", "same", "less"] = Field(examples=["more"])
    why: list[str] = Field(
        examples=[["Even at the lower bound, what was kept exceeds cost and harm."]]
    )
    amount: int = Field(ge=0, examples=[120000000])
    parts: list[PartOut]
    currency: str = Field(examples=["CNY"])
    words: str = Field(examples=["Twice the calls."])
    needed: list[str] = Field(examples=[["director", "compliance"]])
    approvals: list[ApprovalOut]
