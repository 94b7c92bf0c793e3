"""The hold-out over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from keepwell.frame.paging import Cursor, Limit
from keepwell.learn.holdout import service
from keepwell.learn.holdout.schema import HoldoutOut
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Permission

router = APIRouter(tags=["hold-out"])


@router.get(
    "/holdout", response_model=HoldoutOut, operation_id="read_holdout",
    summary="Share, counts by manager and sample-ratio check of the hold-out",
)  # fmt: skip
def read_holdout(
    period: Annotated[
        str | None, Query(pattern=r"^\d{4}$", description="Calendar year; default: the newest.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.HOLDOUT_READ),
) -> Response:
    """Who is held out is told only by the log of treatments, to those who may see it."""
    return call.answer(lambda tx, actor: service.read_holdout(tx, actor, period, limit, cursor))
