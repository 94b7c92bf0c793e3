"""Endpoints of actions, recommendations and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.text import Code, Id, Moment
from keepwell.intervene.action import refusals, service
from keepwell.intervene.action.gate import Stage
from keepwell.intervene.action.repo import Wanted
from keepwell.intervene.action.schema import (
    ActionOut,
    ActionsOut,
    RecommendationOut,
    RefusalCounts,
    RefusedOut,
)
from keepwell.intervene.action.show import action_out, count_out, recommendation_out, refused_out
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.export import CSV, Format, download
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["actions"])


@router.get(
    "/cases/{case_id}/recommendation", response_model=RecommendationOut,
    operation_id="read_recommendation", summary="Read what to do in a case",
)  # fmt: skip
def read_recommendation(
    case_id: Annotated[Id, Path(description="The case's number.")],
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Computed now; an answer that differs from the one before is kept with all that decided it.

    The ETag is the number of the answer within the case. 404 for a closed case.
    """
    if call.peek(lambda tx, actor: service.advise(tx, actor, case_id).is_new):
        return call.perform(lambda tx, actor: _reply(service.recommend(tx, actor, case_id), actor))

    def verb(tx: Tx, actor: Actor) -> Reply:
        # Between the look and the answer it may have become another one: then it is kept later.
        return _reply(service.advise(tx, actor, case_id), actor)

    return call.answer(verb)


def _reply(advice: service.Advice, actor: Actor) -> Reply:
    out = recommendation_out(advice, actor)
    return Reply(out, version=out.number, anew=True)


@router.get(
    "/actions", response_model=ActionsOut, operation_id="list_actions",
    summary="The catalogue of actions in force", responses=CSV,
)  # fmt: skip
def list_actions(format: Format = "json", call: Call = allow(Permission.ACTION_READ)) -> Response:
    """Who does what in how many minutes, at what cost, and what it needs.

    Each effect says whether an experiment has shown it or it is assumed.
    """

    def items(tx: Tx, actor: Actor) -> list[ActionOut]:
        currency = tx.frame.currency
        return [action_out(known, actor.locale, currency) for known in service.list_actions(tx)]

    def rows(tx: Tx, actor: Actor) -> list[Sequence[Any]]:
        return [list(item.model_dump().values()) for item in items(tx, actor)]

    if format == "csv":
        return download(call, rows, tuple(ActionOut.model_fields), "actions")
    return call.answer(lambda tx, actor: ActionsOut(items=items(tx, actor)))


async def _wanted(
    since: Annotated[Moment | None, Query(description="Not before.")] = None,
    until: Annotated[Moment | None, Query(description="Before.")] = None,
    code: Annotated[Code | None, Query(description="Only with this code.")] = None,
    stage: Annotated[Stage | None, Query(description="Only held here.")] = None,
) -> Wanted:
    return Wanted(since, until, code, stage.value if stage else None)


@router.get(
    "/refusals", response_model=Page[RefusedOut], operation_id="list_refusals",
    summary="What the gate refused", responses=CSV,
)  # fmt: skip
def list_refusals(
    wanted: Annotated[Wanted, Depends(_wanted)],
    format: Format = "json",
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.ACTION_READ),
) -> Response:
    """Why recommendations stored in cases of one's scope left actions out, newest first.

    One row for each recommendation and code. The recommendation's record has all that decided it.
    """
    if format == "csv":
        return download(
            call, lambda tx, actor: refusals.export_refusals(tx, actor, wanted), refusals.HEADS,
            "refusals",
        )  # fmt: skip

    def verb(tx: Tx, actor: Actor) -> Page[RefusedOut]:
        rows, more = refusals.list_refusals(tx, actor, wanted, limit, cursor)
        return Page[RefusedOut](items=[refused_out(row, actor.locale) for row in rows], next=more)

    return call.answer(verb)


@router.get(
    "/refusals/counts", response_model=RefusalCounts, operation_id="count_refusals",
    summary="How often each code refused",
)  # fmt: skip
def count_refusals(
    wanted: Annotated[Wanted, Depends(_wanted)], call: Call = allow(Permission.ACTION_READ)
) -> Response:
    """By code, the most frequent first; within one's scope."""

    def verb(tx: Tx, actor: Actor) -> RefusalCounts:
        found = refusals.count_refusals(tx, actor, wanted)
        return RefusalCounts(items=[count_out(counted, actor.locale) for counted in found])

    return call.answer(verb)
