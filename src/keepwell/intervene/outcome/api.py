"""Endpoints of outcomes: what the label says, where staff say something else, what was used."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.text import ClientId
from keepwell.intervene.outcome import service
from keepwell.intervene.outcome.schema import MismatchOut, OutcomeOut, UseOut
from keepwell.intervene.outcome.show import (
    CASE_HEADS,
    HEADS,
    differing_out,
    mismatch_out,
    outcome_out,
    use_out,
)
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.export import CSV, MOST_ROWS, Format, download
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["outcomes"])

Since = Annotated[date | None, Query(description="On this day or later; default: two years ago.")]
Until = Annotated[date | None, Query(description="Before this day; default: tomorrow.")]


@router.get(
    "/outcomes", response_model=Page[OutcomeOut], operation_id="list_outcomes",
    summary="List what became of clients after decisions", responses=CSV,
)  # fmt: skip
def list_outcomes(
    client: Annotated[ClientId | None, Query(description="The client's number.")] = None,
    since: Annotated[date | None, Query(description="Decided on this day or later.")] = None,
    until: Annotated[date | None, Query(description="Decided before this day.")] = None,
    left: Annotated[bool | None, Query(description="Only who left, or who stayed.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = "json",
    call: Call = allow(Permission.OUTCOME_READ),
) -> Response:
    """By the workspace's label once its horizon is over, the newest matured first.

    What was withheld or held back is only for readers of the hold-out.
    """
    wanted = service.Wanted(client, since, until, left)

    def rows(tx: Tx, actor: Actor) -> list[list[object]]:
        found = service.export_outcomes(tx, actor, wanted, MOST_ROWS + 1)
        told = (outcome_out(row, actor).model_dump() for row in found)
        return [[row[name] for name in HEADS] for row in told]

    def verb(tx: Tx, actor: Actor) -> Page[OutcomeOut]:
        found, more = service.list_outcomes(tx, actor, wanted, limit, cursor)
        return Page[OutcomeOut](items=[outcome_out(row, actor) for row in found], next=more)

    return download(call, rows, HEADS, "outcomes") if format == "csv" else call.answer(verb)


@router.get(
    "/outcomes/mismatch", response_model=MismatchOut, operation_id="read_outcome_mismatch",
    summary="Compare what staff typed with what the label says", responses=CSV,
)  # fmt: skip
def read_mismatch(
    since: Since = None,
    until: Until = None,
    format: Format = "json",
    call: Call = allow(Permission.OUTCOME_READ),
) -> Response:
    """Of closed cases in scope, by outcome typed, manager and team; as a file the differing ones.

    Recovered and false alarm say that the client stays, lost says that they leave.
    """

    def rows(tx: Tx, actor: Actor) -> list[list[object]]:
        found = service.agreement(tx, actor, service.span_of(tx, since, until))
        told = (differing_out(one, actor).model_dump() for one in found.differing)
        return [[row[name] for name in CASE_HEADS] for row in told]

    def verb(tx: Tx, actor: Actor) -> MismatchOut:
        span = service.span_of(tx, since, until)
        return mismatch_out(tx, actor, span, service.agreement(tx, actor, span))

    if format == "csv":
        return download(call, rows, CASE_HEADS, "outcome-mismatch")
    return call.answer(verb)


@router.get(
    "/outcomes/use", response_model=UseOut, operation_id="read_outcomes_by_use",
    summary="What became of clients, by script and by action",
)  # fmt: skip
def read_use(
    since: Since = None, until: Until = None, call: Call = allow(Permission.OUTCOME_READ)
) -> Response:
    """No effect: nobody drew by lot who gets which script."""

    def verb(tx: Tx, actor: Actor) -> UseOut:
        span = service.span_of(tx, since, until)
        return use_out(actor, span, *service.use_of(tx, actor, span))

    return call.answer(verb)
