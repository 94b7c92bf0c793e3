"""Endpoints of notices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor
from keepwell.intervene.notice import repo, service
from keepwell.intervene.notice.schema import NoticeOut, ReadIn, ReadOut, shown
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["notices"])


@router.get(
    "/notices", response_model=Page[NoticeOut], operation_id="list_notices",
    summary="One's own notices, unread first, then newest first",
)  # fmt: skip
def list_notices(
    unread: Annotated[bool, Query(description="Only those not read yet.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.NOTICE_READ),
) -> Response:
    """Titles are in the reader's language; notices read long ago are gone."""

    def verb(tx: Tx, actor: Actor) -> Page[NoticeOut]:
        rows = service.page(tx, actor, limit, cursor, unread)
        following = encode_cursor(repo.sort_values(rows[limit - 1])) if len(rows) > limit else None
        items = [shown(notice, actor.locale) for notice in rows[:limit]]
        return Page[NoticeOut](items=items, next=following)

    return call.answer(verb)


@router.post(
    "/notices/read", response_model=ReadOut, operation_id="read_notices",
    summary="Mark one's own notices as read",
)  # fmt: skip
def read_notices(body: ReadIn, call: Call = allow(Permission.NOTICE_READ)) -> Response:
    """Ids of other people's notices are left alone."""
    return call.perform(
        lambda tx, actor: ReadOut(
            marked=service.mark_read(tx, actor, None if body.all else body.ids)
        )
    )
