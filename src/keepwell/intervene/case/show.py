"""Cases as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.frame.problem import NotFound
from keepwell.intervene.case import policy, repo
from keepwell.intervene.case.model import Case, Reassignment
from keepwell.intervene.case.policy import NOT_DUE
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
from keepwell.trust.access.call import Reply
from keepwell.trust.access.export import MOST_ROWS
from keepwell.trust.access.policy import Actor

HEADS = (
    "case_id", "client_id", "reason", "tier", "title", "state", "owner_id", "owner_name", "level",
    "retention", "alerts", "next_due_at", "opened_at", "state_at", "contacted_at", "closed_at",
    "close_reason",
)  # fmt: skip

_ITEM = tuple(CaseItem.model_fields)
_FURTHER = tuple(CaseOut.model_fields.keys() - CaseItem.model_fields.keys() - {"clocks"})


def case_out(tx: Tx, actor: Actor, case: Case) -> CaseOut:
    """A case in full, with its clocks."""
    from keepwell.intervene.clock.service import of_subjects

    out = CaseOut.model_validate(case)
    out.owner_name = repo.staff_name(tx, case.owner_id)
    out.clocks = list(of_subjects(tx, actor, "case", [case.case_id]).get(case.case_id, []))
    return out


def item(row: Any) -> dict[str, Any]:
    """A row of the list as the fields of a `CaseItem`; the table's checks hold for them."""
    fields = {name: getattr(row, name) for name in _ITEM}
    if row.next_due_at == NOT_DUE:
        fields["next_due_at"] = None
    return fields


def read_reply(tx: Tx, actor: Actor, case_id: str) -> Reply:
    """The answer to a read of one case, as `case_reply` gives it.

    Raises:
        NotFound: there is none, or it is not the actor's to see.
    """
    from keepwell.intervene.clock.service import of_subjects

    row = repo.shown(tx, actor, case_id)
    if row is None:
        raise NotFound("case.case-unknown")
    fields = item(row) | {name: getattr(row, name) for name in _FURTHER}
    fields["clocks"] = of_subjects(tx, actor, "case", [case_id])[case_id]
    return Reply(fields, headers={"ETag": f'"{row.version}"', "Cache-Control": "no-store"})


def case_reply(tx: Tx, actor: Actor, case: Case, status: int | None = None) -> Reply:
    """The answer to a read or a change of one case.

    The ETag is set by hand: a case read again must show its clocks anew, so there is no 304.
    """
    headers = {"ETag": f'"{case.version}"', "Cache-Control": "no-store"}
    if status == 201:
        headers["Location"] = f"/api/v1/cases/{case.case_id}"
    return Reply(case_out(tx, actor, case), status, headers=headers)


def cells(tx: Tx, actor: Actor, chosen: CaseFilter, sort: str) -> Iterator[list[Any]]:
    """The rows of a list of cases for a file, one more than may be handed out at most."""
    for row in repo.list_cases(tx, actor, chosen, sort, MOST_ROWS, None):
        shown = item(row)
        yield [shown[head] for head in HEADS]


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
