"""Cases as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.frame.problem import NotAllowed
from keepwell.intervene.case import policy, repo
from keepwell.intervene.case.model import Case, Reassignment
from keepwell.intervene.case.reassign import PLAN_KEPT
from keepwell.intervene.case.repo import CaseFilter
from keepwell.intervene.case.schema import (
    CaseItem,
    CaseOut,
    Choice,
    ChoicesOut,
    MoveOut,
    OutcomeChoice,
    PlanOut,
)
from keepwell.intervene.case.service import list_cases
from keepwell.trust.access.call import Reply
from keepwell.trust.access.export import csv_reply
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

MOST_ROWS = 100_000
"""Rows of one CSV file."""

_HEADS = (
    "case_id", "client_id", "reason", "tier", "title", "state", "owner_id", "owner_name", "level",
    "retention", "alerts", "next_due_at", "opened_at", "state_at", "contacted_at", "closed_at",
    "close_reason",
)  # fmt: skip


def case_out(tx: Tx, actor: Actor, case: Case) -> CaseOut:
    """A case in full, with its clocks."""
    from keepwell.intervene.clock.service import of_subjects

    out = CaseOut.model_validate(case)
    out.owner_name = repo.staff_name(tx, case.owner_id)
    out.clocks = list(of_subjects(tx, actor, "case", [case.case_id]).get(case.case_id, []))
    return out


def item(case: Case, owner_name: str | None) -> CaseItem:
    """A case in a list."""
    out = CaseItem.model_validate(case)
    out.owner_name = owner_name
    return out


def case_reply(tx: Tx, actor: Actor, case: Case, status: int | None = None) -> Reply:
    """The answer to a read or a change of one case.

    The ETag is set by hand: a case read again must show its clocks anew, so there is no 304.
    """
    headers = {"ETag": f'"{case.version}"', "Cache-Control": "no-store"}
    if status == 201:
        headers["Location"] = f"/api/v1/cases/{case.case_id}"
    return Reply(case_out(tx, actor, case), status, headers=headers)


def cases_csv(tx: Tx, actor: Actor, chosen: CaseFilter, sort: str) -> Reply:
    """All cases of a list as CSV; the download is recorded.

    Raises:
        NotAllowed: the actor may not take lists along.
    """
    if not actor.may(Permission.CLIENT_EXPORT):
        raise NotAllowed("access.permission-missing", permission=Permission.CLIENT_EXPORT.value)
    rows, _ = list_cases(tx, actor, chosen, sort, MOST_ROWS, None)
    record(tx, actor, EvidenceKind.LIST_EXPORTED, data={"list": "cases", "rows": len(rows)})
    shown = (item(case, name) for case, name in rows)
    return csv_reply(([getattr(row, head) for head in _HEADS] for row in shown), _HEADS, "cases")


def plan_out(plan: Reassignment) -> PlanOut:
    """A plan of reassignment."""
    moves = [
        MoveOut(case_id=m["case_id"], giver=m["from"], taker=m["to"], version=m["version"])
        for m in plan.moves
    ]
    return PlanOut(
        plan=plan.plan_id, digest=plan.digest, expires_at=plan.created_at + PLAN_KEPT, moves=moves
    )


def choices(locale: str) -> ChoicesOut:
    """What may be chosen in a case, in a language."""

    def named(titles: dict[Any, str], codes: Iterable[Any]) -> list[Choice]:
        return [Choice(code=str(code), title=tr(titles[code], locale)) for code in codes]

    outcomes = [
        OutcomeChoice(
            code=str(outcome), title=tr(policy.STATE_TITLES[outcome], locale),
            by_system=outcome in policy.BY_SYSTEM, reasons=named(policy.CLOSE_TITLES, reasons),
        )
        for outcome, reasons in policy.OUTCOMES.items()
    ]  # fmt: skip
    return ChoicesOut(
        reasons=named(policy.REASON_TITLES, policy.CaseReason),
        states=named(policy.STATE_TITLES, policy.LIVE),
        outcomes=outcomes,
    )
