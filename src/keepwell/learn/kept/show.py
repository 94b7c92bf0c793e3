"""Proofs and budgets as the API and the pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.learn.holdout.policy import CONTACT, HOLD_OUT
from keepwell.learn.kept import budget_repo, repo
from keepwell.learn.kept.budget import state_of
from keepwell.learn.kept.model import BudgetProposal, KeptProof
from keepwell.learn.kept.policy import Answer, ProposalState
from keepwell.learn.kept.schema import (
    ApprovalOut,
    BudgetOut,
    EffectOut,
    MeasureOut,
    PartOut,
    ProofItem,
    ProofOut,
    TierOut,
)
from keepwell.learn.kept.words import Speaker, claims, ordered
from keepwell.learn.value.budget import APPROVERS, KIND_WORDS, WHY_WORDS, Kind, Why
from keepwell.learn.value.retained import CLIENTS
from keepwell.trust.access.policy import Actor


def voice_of(tx: Tx, actor: Actor) -> Speaker:
    """The caller's language, and the workspace's currency and zone."""
    return Speaker(actor.locale, tx.frame.currency, tx.frame.zone)


def proof_item(row: KeptProof) -> ProofItem:
    """A proof as listed."""
    return ProofItem(**_head(row))


def _head(row: KeptProof) -> dict[str, Any]:
    kept = row.record.get("measures", {}).get(CLIENTS)
    names = ProofItem.model_fields.keys() - {"clients"}
    return {name: getattr(row, name) for name in names} | {
        "clients": None if kept is None else _effect(kept["total"])
    }


def _effect(given: Mapping[str, Any]) -> EffectOut:
    return EffectOut(value=given["value"], low=given["low"], high=given["high"])


def proof_out(tx: Tx, actor: Actor, row: KeptProof) -> ProofOut:
    """A proof with all it found, in the caller's language."""
    voice, found = voice_of(tx, actor), row.record
    complied = found.get("complied")
    measures = found.get("measures", {})
    reached = None if complied is None else complied["received"]
    return ProofOut(
        **_head(row), currency=found["currency"], claims=claims(row, voice),
        measures=[_measure(name, measures[name], voice) for name in ordered(measures)],
        tiers=[_tier(one) for one in found.get("tiers", [])],
        reached=None if reached is None else (reached[CONTACT], reached[HOLD_OUT]),
        complier=_effect(complied["effect"]) if complied and complied["effect"] else None,
        left_out=found["later"] + found["alone"], ratio_p=found["ratio"]["p"],
    )  # fmt: skip


def _measure(name: str, one: Mapping[str, Any], voice: Speaker) -> MeasureOut:
    return MeasureOut(
        measure=name, title=voice.name(name), total=_effect(one["total"]),
        each=_effect(one["adjusted"]),
        share=None if one["share"] is None else _effect(one["share"]),
        raw=_effect(one["raw_total"]), treated=one["treated"], held=one["held"],
        unknown=tuple(one["unknown"]), limit=one["limit"], clusters=one["adjusted"]["clusters"],
        few=one["few"], shown=one["shown"], detectable=one["detectable"],
    )  # fmt: skip


def _tier(one: Mapping[str, Any]) -> TierOut:
    kept = one["measure"]
    return TierOut(
        tier=one["tier"], treated=one["treated"], held=one["held"],
        each=None if kept is None else _effect(kept["adjusted"]),
        total=None if kept is None else _effect(kept["total"]),
    )  # fmt: skip


def budgets_out(tx: Tx, actor: Actor, rows: list[BudgetProposal]) -> list[BudgetOut]:
    """Proposals with who answered what."""
    newest = repo.newest(tx)
    given = budget_repo.approvals(tx, [row.proposal_id for row in rows])
    return [
        _budget(tx, actor, row, given[row.proposal_id], newest.proof_id if newest else "")
        for row in rows
    ]


def _budget(
    tx: Tx, actor: Actor, row: BudgetProposal, given: list[Any], newest: str
) -> BudgetOut:  # fmt: skip
    state = state_of(row, tx)
    had = {one.role for one in given if one.answer == Answer.APPROVE.value}
    waits = state is ProposalState.PROPOSED
    return BudgetOut(
        proposal_id=row.proposal_id, proof_id=row.proof_id, newest=row.proof_id == newest,
        at=row.at, proposed_by=row.proposed_by, state=state.value, expires_at=row.expires_at,
        kind=row.kind, why=rule_words(row.rule, actor.locale), amount=row.amount,
        parts=[PartOut(**part) for part in row.parts], currency=tx.frame.currency,
        words=row.words, needed=[r for r in APPROVERS if r not in had] if waits else [],
        approvals=[
            ApprovalOut(
                user_id=one.user_id, role=one.role, answer=one.answer, at=one.at, words=one.words
            )
            for one in given
        ],
    )  # fmt: skip


def rule_words(rule: Mapping[str, Any], locale: str) -> list[str]:
    """What the rule proposes and why, one sentence each."""
    why = [tr(WHY_WORDS[Why(code)], locale) for code in rule["why"]]
    return [tr(KIND_WORDS[Kind(rule["kind"])], locale), *why]
