"""Endpoints of access: log-in, one's own password and tokens, roles."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from keepwell.core.text import tr
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor
from keepwell.frame.problem import also
from keepwell.frame.text import Id
from keepwell.trust.access import api_places, api_users, sessions, tokens
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.identity import cookie_name, refuse_other_sites
from keepwell.trust.access.model import ApiToken
from keepwell.trust.access.passwords import in_lane
from keepwell.trust.access.policy import GRANTS, PERMISSIONS, ROLES, SCOPES, Actor, Permission, Role
from keepwell.trust.access.schema import (
    LogIn,
    Me,
    PasswordChange,
    RoleOut,
    SessionOut,
    TokenIn,
    TokenMade,
    TokenOut,
)
from keepwell.trust.access.users import find

router = APIRouter(tags=["access"])
TokenId = Annotated[Id, Path(description="The token.")]


@router.post(
    "/session", response_model=SessionOut, status_code=201, operation_id="log_in",
    summary="Log in by password", responses=also(429),
)  # fmt: skip
async def log_in(request: Request, body: LogIn) -> Response:
    """Open a session; its cookie comes with the answer.

    Wrong attempts lead to pauses that double, for the log-in name and for the address.
    """
    refuse_other_sites(request)
    frame: Frame = request.app.state.frame
    name = cookie_name(frame.settings.session.secure)
    address = request.client.host if request.client else ""
    opened = await in_lane(
        partial(
            sessions.log_in, frame, body.login, body.password.get_secret_value(), address,
            request.cookies.get(name),
        )
    )  # fmt: skip
    shown = SessionOut(
        user_id=opened.user_id, must_change=opened.must_change, expires_at=opened.expires_at
    )
    response = Response(shown.model_dump_json(), 201, media_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        name, opened.secret, max_age=frame.settings.session.hours * 3600, path="/",
        secure=frame.settings.session.secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return response


@router.delete("/session", status_code=204, operation_id="log_out", summary="Log out")
def log_out(call: Call = allow(None, early=True)) -> Response:
    """End the session that the request came with; a token is not touched."""

    def verb(tx: Tx, actor: Actor) -> None:
        if actor.via == "session" and call.identity is not None:
            sessions.log_out(tx, actor, call.identity.digest)

    response = call.perform(verb)
    secure = call.frame.settings.session.secure
    response.delete_cookie(
        cookie_name(secure), path="/", secure=secure, httponly=True, samesite="lax"
    )
    return response


@router.get("/me", response_model=Me, operation_id="read_me", summary="Who is calling")
def read_me(call: Call = allow(None, early=True)) -> Response:
    """Who is calling, with permissions and scope."""
    return call.answer(lambda _, actor: _me(call, actor))


def _me(call: Call, actor: Actor) -> Me:
    assert call.identity is not None
    assert actor.role is not None
    return Me(
        user_id=actor.user_id, login=call.identity.login, name=actor.name, role=actor.role,
        scope=actor.scope, permissions=sorted(actor.permissions), staff_id=actor.staff_id,
        team_id=actor.team_id, branch_id=actor.branch_id, region_id=actor.region_id,
        via=actor.via, locale=actor.locale, must_change=call.identity.must_change,
    )  # fmt: skip


@router.post(
    "/me/password", status_code=204, operation_id="change_password",
    summary="Change one's own password", responses=also(429),
)  # fmt: skip
async def change_password(
    request: Request, body: PasswordChange, call: Call = allow(None, early=True)
) -> Response:
    """Change one's own password; all other sessions of the user end."""
    address = request.client.host if request.client else ""
    return await in_lane(partial(_change_password, call, body, address))


def _change_password(call: Call, body: PasswordChange, address: str) -> Response:
    user_id, login, kept = call.peek(
        lambda tx, actor: (
            actor.user_id, call.identity.login if call.identity else "",
            find(tx, actor.user_id).user.password_hash,
        )
    )  # fmt: skip
    frame = call.frame
    sessions.check_password(frame, login, kept, body.current.get_secret_value(), address)
    hashed = sessions.new_hash(frame, login, body.new.get_secret_value())

    def verb(tx: Tx, actor: Actor) -> None:
        user = find(tx, user_id).user
        mine = call.identity.digest if call.identity and actor.via == "session" else None
        sessions.set_password(tx, actor, user, hashed, must_change=False, but=mine)

    return call.perform(verb)


@router.get(
    "/me/tokens", response_model=Page[TokenOut], operation_id="list_my_tokens",
    summary="One's own tokens",
)  # fmt: skip
def list_my_tokens(
    limit: Limit = 50, cursor: Cursor = None, call: Call = allow(Permission.TOKEN_OWN)
) -> Response:
    """One's own tokens that were not revoked, newest first."""
    return call.answer(lambda tx, actor: _page(tx, actor.user_id, limit, cursor))


@router.post(
    "/me/tokens", response_model=TokenMade, status_code=201, operation_id="create_my_token",
    summary="Make a token of one's own",
)  # fmt: skip
def create_my_token(body: TokenIn, call: Call = allow(Permission.TOKEN_OWN)) -> Response:
    """Make a token for a program of one's own; the secret is shown only in this answer."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        user = find(tx, actor.user_id).user
        made = tokens.make(tx, actor, user, body.name, body.permissions, body.expires_at)
        return api_users.shown_once(made)

    return call.perform(verb, status=201)


@router.delete(
    "/me/tokens/{token_id}", status_code=204, operation_id="revoke_my_token",
    summary="Revoke a token of one's own",
)  # fmt: skip
def revoke_my_token(token_id: TokenId, call: Call = allow(Permission.TOKEN_OWN)) -> Response:
    """Revoke a token at once."""
    return call.perform(lambda tx, actor: tokens.revoke(tx, actor, token_id, actor.user_id))


@router.get(
    "/tokens", response_model=Page[TokenOut], operation_id="list_tokens", summary="All tokens"
)
def list_tokens(
    limit: Limit = 50, cursor: Cursor = None, call: Call = allow(Permission.TOKEN_ADMIN)
) -> Response:
    """Everybody's tokens that were not revoked, newest first."""
    return call.answer(lambda tx, _: _page(tx, None, limit, cursor))


@router.delete(
    "/tokens/{token_id}", status_code=204, operation_id="revoke_token", summary="Revoke a token"
)
def revoke_token(token_id: TokenId, call: Call = allow(Permission.TOKEN_ADMIN)) -> Response:
    """Revoke anybody's token at once."""
    return call.perform(lambda tx, actor: tokens.revoke(tx, actor, token_id, None))


@router.get(
    "/roles", response_model=list[RoleOut], operation_id="list_roles",
    summary="Roles and permissions",
)  # fmt: skip
def list_roles(call: Call = allow(Permission.USER_READ)) -> Response:
    """All roles with scope and permissions, in the caller's language."""
    return call.answer(lambda _, actor: [_role(role, actor.locale) for role in Role])


def _role(role: Role, locale: str) -> RoleOut:
    grant = GRANTS[role]
    return RoleOut(
        role=role, title=tr(ROLES[role], locale), scope=grant.scope,
        scope_title=tr(SCOPES[grant.scope], locale),
        permissions={p.value: tr(PERMISSIONS[p], locale) for p in sorted(grant.permissions)},
    )  # fmt: skip


def _page(tx: Tx, user_id: str | None, limit: int, cursor: str | None) -> Page[TokenOut]:
    rows: list[ApiToken] = tokens.listed(tx, user_id, limit, cursor)
    more = encode_cursor([rows[limit - 1].token_id]) if len(rows) > limit else None
    return Page[TokenOut](items=[api_users.token_out(t) for t in rows[:limit]], next=more)


router.include_router(api_users.router)
router.include_router(api_places.router)
