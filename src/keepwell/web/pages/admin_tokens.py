"""Administration of API tokens: everybody's, to be revoked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.text import Id
from keepwell.trust.access import tokens, users
from keepwell.trust.access.api_users import token_out
from keepwell.trust.access.policy import PERMISSIONS, Actor, Permission
from keepwell.web.pages.admin_frame import ROWS, Cursor, framed
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)


@router.get("/admin/tokens")
def tokens_page(cursor: Cursor = None, visit: Visit = visiting(Permission.TOKEN_ADMIN)) -> Response:
    """Everybody's tokens that were not revoked, newest first."""

    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        rows = tokens.listed(tx, None, ROWS, cursor)
        following = encode_cursor([rows[ROWS - 1].token_id]) if len(rows) > ROWS else ""
        shown = [token_out(row) for row in rows[:ROWS]]
        return {
            "tokens": shown, "following": following, "cursor": cursor, "words": PERMISSIONS,
            "logins": users.logins(tx, [row.user_id for row in shown]),
        }  # fmt: skip

    return visit.show("admin/tokens.html", framed(verb))


@router.post("/admin/tokens/{token_id}/revoke")
def revoke_token(
    token_id: Annotated[Id, Path()], visit: Visit = visiting(Permission.TOKEN_ADMIN)
) -> Response:
    """Revoke anybody's token at once."""
    return visit.act(
        lambda tx, actor: tokens.revoke(tx, actor, token_id, None), "/admin/tokens",
        said="The token is revoked.",
    )  # fmt: skip
