"""Endpoints for administrators of users."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor
from keepwell.frame.problem import NotAllowed, also
from keepwell.frame.text import Id, Line
from keepwell.trust.access import sessions, tokens, users
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.model import ApiToken
from keepwell.trust.access.passwords import in_lane
from keepwell.trust.access.policy import Actor, Permission, Role, Scope
from keepwell.trust.access.schema import (
    Ended,
    PasswordGiven,
    TokenIn,
    TokenMade,
    TokenOut,
    UserChange,
    UserIn,
    UserOut,
)
from keepwell.trust.access.tokens import Made
from keepwell.trust.access.users import Person

router = APIRouter()
UserId = Annotated[Id, Path(description="The user.")]
Search = Annotated[Line | None, Query(description="Beginning of the log-in name or the name.")]


def user_out(person: Person) -> UserOut:
    """A user as shown."""
    user, staff = person.user, person.staff
    return UserOut(
        user_id=user.user_id, login=user.login, name=user.name, role=Role(user.role),
        scope=Scope(user.scope), staff_id=user.staff_id,
        team_id=staff.team_id if staff else None, branch_id=staff.branch_id if staff else None,
        region_id=staff.region_id if staff else None, locale=user.locale, active=user.active,
        must_change=user.must_change, version=user.version, created_at=user.created_at,
    )  # fmt: skip


def token_out(token: ApiToken) -> TokenOut:
    """A token as listed."""
    return TokenOut(**_plain(token))


def shown_once(made: Made) -> Reply:
    """A new token with its secret, not kept for a repeat."""
    shown = TokenMade(**_plain(made.token), secret=made.secret)
    return Reply(shown, secret=True)


def _plain(token: ApiToken) -> dict[str, object]:
    return {
        name: getattr(token, name)
        for name in (
            "token_id", "user_id", "name", "prefix", "permissions", "created_at", "expires_at",
            "used_at",
        )
    }  # fmt: skip


def _reply(person: Person) -> Reply:
    return Reply(user_out(person), version=person.user.version)


@router.get("/users", response_model=Page[UserOut], operation_id="list_users", summary="Users")
def list_users(
    role: Role | None = None,
    active: bool | None = None,
    search: Search = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.USER_READ),
) -> Response:
    """Users by log-in name."""

    def verb(tx: Tx, _: Actor) -> Page[UserOut]:
        rows = users.listed(tx, limit, cursor, role, active, search)
        more = encode_cursor([rows[limit - 1].user.login]) if len(rows) > limit else None
        return Page[UserOut](items=[user_out(row) for row in rows[:limit]], next=more)

    return call.answer(verb)


@router.post(
    "/users", response_model=UserOut, status_code=201, operation_id="create_user",
    summary="Make a user",
)  # fmt: skip
async def create_user(body: UserIn, call: Call = allow(Permission.USER_ADMIN)) -> Response:
    """Make a user, with a first password unless it is a program."""
    return await in_lane(partial(_create_user, call, body))


def _create_user(call: Call, body: UserIn) -> Response:
    call.check()
    given = body.password.get_secret_value() if body.password else None
    hashed = sessions.new_hash(call.frame, body.login, given) if given else None
    return call.perform(
        lambda tx, actor: _reply(
            users.create(
                tx, actor, login=body.login, name=body.name, role=body.role, scope=body.scope,
                staff_id=body.staff_id, locale=body.locale, password_hash=hashed,
            )
        ),
        status=201,
    )  # fmt: skip


@router.get("/users/{user_id}", response_model=UserOut, operation_id="read_user", summary="A user")
def read_user(user_id: UserId, call: Call = allow(Permission.USER_READ)) -> Response:
    """One user."""
    return call.answer(lambda tx, _: _reply(users.find(tx, user_id)))


@router.patch(
    "/users/{user_id}", response_model=UserOut, operation_id="change_user",
    summary="Change a user", responses=also(412, 428),
)  # fmt: skip
def change_user(
    user_id: UserId, body: UserChange, call: Call = allow(Permission.USER_ADMIN)
) -> Response:
    """Change role, scope, place or language, or switch the user off; it holds at once."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    return call.perform(
        lambda tx, actor: _reply(users.change(tx, actor, user_id, call.expected_version(), changes))
    )


@router.post(
    "/users/{user_id}/password", status_code=204, operation_id="give_password",
    summary="Give a user a new password",
)  # fmt: skip
async def give_password(
    user_id: UserId, body: PasswordGiven, call: Call = allow(Permission.USER_ADMIN)
) -> Response:
    """Give a password that must be changed at the next log-in; all sessions of the user end."""
    return await in_lane(partial(_give_password, call, user_id, body))


def _give_password(call: Call, user_id: str, body: PasswordGiven) -> Response:
    login = call.peek(lambda tx, _: users.find(tx, user_id).user.login)
    hashed = sessions.new_hash(call.frame, login, body.password.get_secret_value())

    def verb(tx: Tx, actor: Actor) -> None:
        sessions.set_password(tx, actor, users.find(tx, user_id).user, hashed, must_change=True)

    return call.perform(verb)


@router.delete(
    "/users/{user_id}/sessions", response_model=Ended, operation_id="end_sessions",
    summary="End all sessions of a user",
)  # fmt: skip
def end_sessions(user_id: UserId, call: Call = allow(Permission.USER_ADMIN)) -> Response:
    """Log a user out everywhere; tokens go on."""

    def verb(tx: Tx, actor: Actor) -> Ended:
        users.find(tx, user_id)
        return Ended(sessions=sessions.end_all(tx, actor, user_id))

    return call.perform(verb)


@router.post(
    "/users/{user_id}/tokens", response_model=TokenMade, status_code=201,
    operation_id="create_token", summary="Make a token for a program",
)  # fmt: skip
def create_token(
    user_id: UserId, body: TokenIn, call: Call = allow(Permission.TOKEN_ADMIN)
) -> Response:
    """Make a token for a user of the role integration; people make their own."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        user = users.find(tx, user_id).user
        if user.role != Role.INTEGRATION:
            raise NotAllowed("access.token-foreign")
        return shown_once(
            tokens.make(tx, actor, user, body.name, body.permissions, body.expires_at)
        )

    return call.perform(verb, status=201)
