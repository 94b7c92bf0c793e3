"""What was kept, in clients and money: the newest proof, its tables, and budgets on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.errors import KeepwellError
from keepwell.core.ids import new_id
from keepwell.core.money import minor_exponent
from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.frame.text import Id
from keepwell.learn.kept import budget, service
from keepwell.learn.kept.budget import STATES
from keepwell.learn.kept.model import KeptProof
from keepwell.learn.kept.policy import Answer
from keepwell.learn.kept.schema import AnswerIn, BudgetIn
from keepwell.learn.kept.show import budgets_out, proof_item, rule_words, voice_of
from keepwell.learn.kept.words import Speaker, claims, complier, ordered
from keepwell.learn.value.budget import APPROVERS
from keepwell.learn.value.retained import ASSETS, CLIENTS, REVENUE, VALUE
from keepwell.trust.access import users
from keepwell.trust.access.export import download
from keepwell.trust.access.policy import ROLES, Actor, Permission, Role
from keepwell.warn.tier import Tier
from keepwell.web.pages.form import FormError, parse
from keepwell.web.pages.results_frame import framed
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/results/kept"
PAGE: Final = "results/kept.html"
READ: Final = Permission.PROOF_READ
ROWS: Final = 12
"""Proofs and proposals listed."""

_STEPS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Steps of a chart's axis: its ends are whole ones."""

HEADS: Final = (
    "measure", "kept", "low", "high", "raw", "raw_low", "raw_high", "share", "contact",
    "held_out", "unknown_contact", "unknown_held_out", "limit", "managers", "shown",
)  # fmt: skip

ProposalId = Annotated[Id, Path()]
Chosen = Annotated[str | None, Query(max_length=40)]


@router.get(PATH)
def kept_page(proof: Chosen = None, visit: Visit = visiting(READ)) -> Response:
    """The newest proof or another one, and the budgets."""
    return visit.show(PAGE, _page(visit, proof))


@router.get(PATH + ".csv")
def kept_file(proof: Chosen = None, visit: Visit = visiting(READ)) -> Response:
    """The table of measures as a file; money in minor units, clients as they are."""

    def rows(tx: Tx, actor: Actor) -> list[list[Any]]:
        row = _chosen(tx, actor, proof)
        measures = row.record.get("measures", {}) if row else {}
        return [_cells(name, measures[name]) for name in ordered(measures)]

    return download(visit, rows, HEADS, "kept")


@router.post(PATH + "/prove")
def prove(visit: Visit = visiting(Permission.EXPERIMENT_WRITE)) -> Response:
    """Have what was kept computed anew."""
    return visit.act(
        service.ask, PATH, said="What was kept is being computed; come back in a few minutes.",
        again=(PAGE, _page(visit)),
    )  # fmt: skip


@router.post(PATH + "/propose")
def propose(visit: Visit = visiting(Permission.BUDGET_PROPOSE)) -> Response:
    """Propose a budget on the newest proof."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(BudgetIn, {
            "proof_id": visit.text("proof_id"), "words": visit.text("words"),
            "amount": _minor(visit.text("amount"), tx.frame.currency),
        })  # fmt: skip
        budget.propose_budget(tx, actor, given.proof_id, given.amount, given.words or "")

    return visit.act(
        verb, PATH + "#budget", said="The budget is proposed.", again=(PAGE, _page(visit))
    )


@router.post(PATH + "/budgets/{proposal_id}/approve")
def approve(
    proposal_id: ProposalId, visit: Visit = visiting(Permission.BUDGET_APPROVE)
) -> Response:
    """Approve a proposal."""
    return _answer(visit, proposal_id, Answer.APPROVE, "Your approval is recorded.")


@router.post(PATH + "/budgets/{proposal_id}/reject")
def reject(proposal_id: ProposalId, visit: Visit = visiting(Permission.BUDGET_APPROVE)) -> Response:
    """Reject a proposal."""
    return _answer(visit, proposal_id, Answer.REJECT, "The proposed budget is rejected.")


def _answer(visit: Visit, proposal_id: str, said: Answer, told: str) -> Response:
    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(AnswerIn, {"words": visit.text("words")})
        budget.answer(tx, actor, proposal_id, said, given.words or "")

    return visit.act(verb, PATH + "#budget", said=told, again=(PAGE, _page(visit)))


def _minor(text: str, currency: str) -> int | None:
    """An amount as people type it, in minor units; None where the field is empty."""
    if not text:
        return None
    try:
        value = Decimal(text.replace(",", "").replace(" ", ""))
        exact = value.scaleb(minor_exponent(currency))
        if not value.is_finite() or exact != exact.to_integral_value():
            raise InvalidOperation
    except InvalidOperation:
        raise FormError({"amount": "A number."}) from None
    return int(exact)


def _chosen(tx: Tx, actor: Actor, proof_id: str | None) -> KeptProof | None:
    if proof_id:
        return service.read_proof(tx, actor, proof_id)
    return service.newest_proof(tx, actor)


def _page(visit: Visit, proof_id: str | None = None) -> Context:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        tongue, voice = visit.tongue(actor), voice_of(tx, actor)
        proof = _chosen(tx, actor, proof_id)
        newest = service.newest_proof(tx, actor)
        past, _ = service.list_proofs(tx, actor, ROWS, None)
        return {
            "proof": proof, "is_newest": proof is not None and proof is newest,
            "past": [proof_item(row) for row in past], "voice": voice,
            "export": actor.may(Permission.CLIENT_EXPORT), "once": new_id("form", tx.at),
            **_told(proof, tongue, voice), **_budgets(tx, actor, newest),
        }  # fmt: skip

    return framed(verb)


def _told(proof: KeptProof | None, tongue: Tongue, voice: Speaker) -> dict[str, Any]:
    """What the page says of a proof."""
    if proof is None:
        return {"claims": [], "measures": [], "tiers": [], "head": [], "charts": {}, "reached": "",
                "costs": None, "revenue": None}  # fmt: skip
    found = proof.record
    measures = found.get("measures", {})
    rows = [(name, voice.name(name), measures[name]) for name in ordered(measures)]
    tiers = [(_tier(one["tier"], tongue), one) for one in found.get("tiers", [])]
    return {
        "claims": claims(proof, voice), "measures": rows, "tiers": tiers,
        "head": [(name, voice.name(name), measures[name]) for name in (CLIENTS, ASSETS, VALUE,
                 REVENUE) if name in measures],
        "charts": {"kept": _shares(measures, voice), "tiers": _by_tier(tiers, voice)},
        "reached": "" if proof.stopped else complier(found, voice),
        "costs": found.get("costs"), "revenue": found.get("revenue"),
    }  # fmt: skip


def _tier(code: str | None, tongue: Tongue) -> str:
    if code is None:
        return tongue.t("Without a score at the draw")
    return next(tier.title(tongue.locale) for tier in Tier if tier.code == code)


def _point(effect: Mapping[str, Any], name: str, voice: Speaker) -> dict[str, Any]:
    ends = voice.t(
        "{low} to {high}", low=voice.percent(effect["low"], 2),
        high=voice.percent(effect["high"], 2),
    )  # fmt: skip
    said = voice.t("{value} ({interval})", value=voice.percent(effect["value"], 2), interval=ends)
    return {
        "value": effect["value"], "low": effect["low"], "high": effect["high"],
        "said": [name, said],
    }  # fmt: skip


def _chart(points: list[dict[str, Any]], voice: Speaker) -> dict[str, Any] | None:
    if not points:
        return None
    low = min(0.0, *(p["low"] for p in points))
    high = max(0.0, *(p["high"] for p in points))
    step = next(s for s in _STEPS if s * 8 >= high - low or s is _STEPS[-1])
    return {
        "names": [p["said"][0] for p in points], "points": points, "unit": "share",
        "horizontal": True, "min": round(math.floor(low / step) * step, 6),
        "max": round(math.ceil(high / step) * step or step, 6),
        "levels": [{"at": 0, "name": voice.t("nothing kept")}],
    }  # fmt: skip


def _shares(measures: Mapping[str, Any], voice: Speaker) -> dict[str, Any] | None:
    """Clients kept of those drawn for contact, and assets of what these had at the draw."""
    effects = {name: measures[name] for name in (CLIENTS, ASSETS) if name in measures}
    shares = {n: one["adjusted"] if n == CLIENTS else one["share"] for n, one in effects.items()}
    return _chart([_point(s, voice.name(n), voice) for n, s in shares.items() if s], voice)


def _by_tier(tiers: list[tuple[str, Any]], voice: Speaker) -> dict[str, Any] | None:
    """Share of clients kept, by the tier at the draw."""
    return _chart(
        [_point(one["measure"]["adjusted"], name, voice) for name, one in tiers if one["measure"]],
        voice,
    )


def _budgets(tx: Tx, actor: Actor, newest: KeptProof | None) -> dict[str, Any]:
    """The rule's answer to the newest proof, and what was proposed."""
    rows, _ = budget.list_budgets(tx, actor, ROWS, None)
    shown = budgets_out(tx, actor, list(rows))
    rule, fault = None, ""
    if newest is not None:
        try:
            rule = budget.ruling(tx, newest)
        except KeepwellError as error:
            fault = error.words(actor.locale)
    people = {one.proposed_by for one in shown} | {a.user_id for b in shown for a in b.approvals}
    return {
        "budgets": shown, "rule": rule, "rule_fault": fault,
        "rule_words": rule_words(budget.plain_rule(rule), actor.locale) if rule else [],
        "states": {state.value: words for state, words in STATES.items()}, "newest": newest,
        "needed": {
            b.proposal_id: tr(", ", actor.locale).join(
                tr(ROLES[Role(role)], actor.locale) for role in b.needed
            )
            for b in shown
        },
        "people": users.logins(tx, people),
        "roles": {code: ROLES[Role(code)] for code in APPROVERS},
        "approves": actor.role is not None and actor.role.value in APPROVERS
        and actor.may(Permission.BUDGET_APPROVE),
    }  # fmt: skip


def _cells(name: str, one: Mapping[str, Any]) -> list[Any]:
    total, raw, share = one["total"], one["raw_total"], one["share"]
    return [
        name, total["value"], total["low"], total["high"], raw["value"], raw["low"], raw["high"],
        share["value"] if share else None, one["treated"], one["held"], *one["unknown"],
        one["limit"], total["clusters"], one["shown"],
    ]  # fmt: skip
