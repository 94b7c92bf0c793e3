"""Endpoints of cases."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.frame.text import ClientId, Id, Moment
from keepwell.intervene.case import api_reassign, api_work, service, show
from keepwell.intervene.case.policy import CaseReason, CloseReason, State
from keepwell.intervene.case.repo import CaseFilter
from keepwell.intervene.case.schema import (
    CaseIn,
    CaseItem,
    CaseOut,
    CasePatch,
    ChoicesOut,
    CloseIn,
    Level,
    MoveIn,
    Tier,
)
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.export import CSV, Format, download
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["cases"])

CaseId = Annotated[Id, Path(description="The case's number.")]


@router.get(
    "/cases", response_model=Page[CaseItem], operation_id="list_cases", summary="List cases",
    responses=CSV,
)  # fmt: skip
def list_cases(
    state: Annotated[State | None, Query(description="Only in this state.")] = None,
    tier: Annotated[Tier | None, Query(description="Only of this tier.")] = None,
    reason: Annotated[CaseReason | None, Query(description="Only for this reason.")] = None,
    owner: Annotated[Id | None, Query(description="Only of this owner (staff number).")] = None,
    level: Annotated[Level | None, Query(description="Only at this level.")] = None,
    client: Annotated[ClientId | None, Query(description="Only about this client.")] = None,
    due_before: Annotated[
        Moment | None, Query(description="Only with a clock due before this instant.")
    ] = None,
    live: Annotated[bool | None, Query(description="Only live ones, or only closed ones.")] = None,
    sort: Annotated[
        Literal["urgency", "opened_at", "-opened_at"], Query(description="The order.")
    ] = "urgency",
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = "json",
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Cases about the clients you see; by urgency, the first clock due comes first."""
    chosen = CaseFilter(state, tier, reason, owner, level, client, due_before, live)
    if format == "csv":
        return download(
            call, lambda tx, actor: show.cells(tx, actor, chosen, sort), show.HEADS, "cases"
        )

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        rows, more = service.list_cases(tx, actor, chosen, sort, limit, cursor)
        return {"items": [show.item(row) for row in rows], "next": more}

    return call.answer(verb)


@router.get(
    "/cases/choices", response_model=ChoicesOut, operation_id="list_case_choices",
    summary="What may be chosen in a case",
)  # fmt: skip
def list_case_choices(call: Call = allow(Permission.CASE_READ)) -> Response:
    """Reasons, states and outcomes with their names in your language."""
    return call.answer(lambda tx, actor: show.choices(actor.locale))  # noqa: ARG005


@router.post(
    "/cases", response_model=CaseOut, status_code=201, operation_id="open_case",
    summary="Open a case by hand",
)  # fmt: skip
def open_case(body: CaseIn, call: Call = allow(Permission.CASE_WRITE)) -> Response:
    """A case closed lately for the same client and reason is reopened instead."""
    return call.perform(
        lambda tx, actor: show.case_reply(
            tx, actor,
            service.open_manually(
                tx, actor, body.client_id, body.reason, body.tier, body.title or ""
            ),
            201,
        )
    )  # fmt: skip


@router.get(
    "/cases/{case_id}", response_model=CaseOut, operation_id="read_case", summary="Read a case"
)
def read_case(case_id: CaseId, call: Call = allow(Permission.CASE_READ)) -> Response:
    """A case with its clocks; the ETag is what changes must send as If-Match."""
    return call.answer(lambda tx, actor: show.read_reply(tx, actor, case_id))


@router.patch(
    "/cases/{case_id}", response_model=CaseOut, operation_id="edit_case",
    summary="Change a case's title or plan", responses=also(412, 428),
)  # fmt: skip
def edit_case(
    case_id: CaseId, body: CasePatch, call: Call = allow(Permission.CASE_WRITE)
) -> Response:
    """What is left out stays. Another owner: see the reassignment."""
    version = call.expected_version
    return call.perform(
        lambda tx, actor: show.case_reply(
            tx, actor, service.edit(tx, actor, case_id, version(), body.title, body.plan)
        )
    )


@router.post(
    "/cases/{case_id}/move", response_model=CaseOut, operation_id="move_case",
    summary="Take a case forward", responses=also(412, 428),
)  # fmt: skip
def move_case(case_id: CaseId, body: MoveIn, call: Call = allow(Permission.CASE_WRITE)) -> Response:
    """To a later live state; states may be skipped, and no case goes back."""
    version = call.expected_version
    return call.perform(
        lambda tx, actor: show.case_reply(
            tx, actor, service.move(tx, actor, case_id, version(), State(body.state))
        )
    )


@router.post(
    "/cases/{case_id}/close", response_model=CaseOut, operation_id="close_case",
    summary="End a case", responses=also(412, 428),
)  # fmt: skip
def close_case(
    case_id: CaseId, body: CloseIn, call: Call = allow(Permission.CASE_CLOSE)
) -> Response:
    """With outcome, a reason that belongs to it, and a note."""
    version = call.expected_version
    return call.perform(
        lambda tx, actor: show.case_reply(
            tx, actor,
            service.close(
                tx, actor, case_id, version(), State(body.outcome), CloseReason(body.reason),
                body.note,
            ),
        )
    )  # fmt: skip


@router.post(
    "/cases/{case_id}/reopen", response_model=CaseOut, operation_id="reopen_case",
    summary="Make a closed case live again", responses=also(412, 428),
)  # fmt: skip
def reopen_case(case_id: CaseId, call: Call = allow(Permission.CASE_CLOSE)) -> Response:
    """Within the days of `case.reopen_days`; after that open a new one, which is linked."""
    version = call.expected_version
    return call.perform(
        lambda tx, actor: show.case_reply(tx, actor, service.reopen(tx, actor, case_id, version()))
    )


router.include_router(api_work.router)
router.include_router(api_reassign.router)
