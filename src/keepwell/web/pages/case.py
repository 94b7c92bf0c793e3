"""The page of a case: read it, write title and plan, move it on, close and reopen it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.text import Id
from keepwell.intervene.case import service
from keepwell.intervene.case.policy import CloseReason, State
from keepwell.intervene.case.schema import CasePatch, CloseIn, MoveIn
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages import case_work
from keepwell.web.pages.case_advice import keep_advice
from keepwell.web.pages.case_form import CaseId, again, parsed, place
from keepwell.web.pages.case_view import case_context
from keepwell.web.pages.form import FormError
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)


@router.get("/cases")
def cases(visit: Visit = visiting(Permission.CASE_READ)) -> Response:
    """The list of cases is the day's queue."""
    visit.check()
    return visit.go("/today")


@router.get("/cases/{case_id}")
def case_page(
    case_id: CaseId,
    upto: Annotated[int | None, Query(ge=1, le=10**9)] = None,
    seen: Annotated[int | None, Query(ge=0, le=10**9)] = None,
    correct: Annotated[Id | None, Query()] = None,
    use: Annotated[str, Query(max_length=70)] = "",
    visit: Visit = visiting(Permission.CASE_READ),
) -> Response:
    """One case; the timeline and the top come alone when something is new."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        return case_context(tx, actor, visit, case_id, upto, seen, correct or "", use)

    if not visit.wants_part:
        keep_advice(visit, case_id)
    return visit.show("case/page.html", verb, part="case/news.html")


@router.post("/cases/{case_id}/plan")
def write_plan(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Write the plan, and take the case on to 'plan' if it was agreed."""

    def verb(tx: Tx, actor: Actor) -> None:
        body = _patch(visit, "plan")
        case = service.edit(tx, actor, case_id, visit.expected_version(), None, body.plan)
        if visit.text("plan_agreed"):
            service.move(tx, actor, case_id, case.version, State.PLAN)

    return visit.act(verb, place(case_id), said="Plan kept.", again=again(visit, case_id))


@router.post("/cases/{case_id}/title")
def write_title(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Say in a few words what the case is about."""

    def verb(tx: Tx, actor: Actor) -> None:
        body = _patch(visit, "title")
        service.edit(tx, actor, case_id, visit.expected_version(), body.title, None)

    return visit.act(verb, place(case_id), said="Title kept.", again=again(visit, case_id))


def _patch(visit: Visit, name: str) -> CasePatch:
    # The type leaves out what is not given; a form that was sent empty has forgotten something.
    given = visit.text(f"{name}_text")
    if not given:
        raise FormError({f"{name}_text": "Fill this in."})
    return parsed(name, CasePatch, {name: given}, {name: f"{name}_text"})


@router.post("/cases/{case_id}/move")
def move(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Take the case to a later state."""

    def verb(tx: Tx, actor: Actor) -> None:
        body = parsed("move", MoveIn, {"state": visit.text("move_state")})
        service.move(tx, actor, case_id, visit.expected_version(), State(body.state))

    return visit.act(verb, place(case_id), said="Moved on.", again=again(visit, case_id))


@router.post("/cases/{case_id}/close")
def close(case_id: CaseId, visit: Visit = visiting(Permission.CASE_CLOSE)) -> Response:
    """End the case: outcome and reason come as one choice, so that they always fit."""

    def verb(tx: Tx, actor: Actor) -> None:
        outcome, _, reason = visit.text("close_reason").partition("/")
        given = {"outcome": outcome, "reason": reason, "note": visit.text("close_note")}
        body = parsed("close", CloseIn, given, {"outcome": "close_reason"})
        service.close(
            tx, actor, case_id, visit.expected_version(), State(body.outcome),
            CloseReason(body.reason), body.note,
        )  # fmt: skip

    return visit.act(verb, place(case_id), said="Case closed.", again=again(visit, case_id))


@router.post("/cases/{case_id}/reopen")
def reopen(case_id: CaseId, visit: Visit = visiting(Permission.CASE_CLOSE)) -> Response:
    """Make the closed case live again."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.reopen(tx, actor, case_id, visit.expected_version())

    return visit.act(verb, place(case_id), said="Case reopened.", again=again(visit, case_id))


router.include_router(case_work.router)


@router.get("/cases/{case_id}/{action:path}")
def back(
    case_id: CaseId,
    action: Annotated[str, Path(max_length=300)],
    visit: Visit = visiting(Permission.CASE_READ),
) -> Response:
    """Lead back to the case from the address of one of its forms, as after a reload."""
    del action
    visit.check()
    return visit.go(place(case_id))
