"""Administration of users: list, make, change, switch off, new passwords, sessions."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import NotAllowed, RequestError
from keepwell.frame.text import Id
from keepwell.trust.access import sessions, tokens, users
from keepwell.trust.access.api_users import token_out, user_out
from keepwell.trust.access.passwords import in_lane, make_up
from keepwell.trust.access.policy import (
    GRANTS,
    PERMISSIONS,
    ROLES,
    SCOPES,
    Actor,
    Permission,
    Role,
    Scope,
)
from keepwell.trust.access.schema import UserChange, UserIn
from keepwell.web.pages.account import token_days, token_in
from keepwell.web.pages.admin_frame import ROWS, Cursor, framed
from keepwell.web.pages.form import parse
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

PAGE: Final = "admin/user.html"
NEW: Final = "admin/user_new.html"
UserId = Annotated[Id, Path()]
State = Annotated[str, Query(pattern="^(active|off)?$")]
RoleName = Annotated[str, Query(max_length=20)]
_ACTIVE: Final = {"active": True, "off": False}


@router.get("/admin/users")
def users_page(
    search: Annotated[str, Query(max_length=200)] = "",
    role: RoleName = "",
    state: State = "",
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.USER_ADMIN),
) -> Response:
    """Users by log-in name, found by the beginning of it or of the name."""

    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        wanted = Role(role) if role in ROLES else None
        words = search.strip().replace("\x00", "") or None
        rows = users.listed(tx, ROWS, cursor, wanted, _ACTIVE.get(state), words)
        following = encode_cursor([rows[ROWS - 1].user.login]) if len(rows) > ROWS else ""
        return {
            "users": [user_out(row) for row in rows[:ROWS]], "following": following,
            "cursor": cursor, "search": search, "role": role, "state": state, "roles": ROLES,
        }  # fmt: skip

    return visit.show("admin/users.html", framed(verb))


@router.get("/admin/users/new")
def new_user_page(visit: Visit = visiting(Permission.USER_ADMIN)) -> Response:
    """The form for a new user."""
    return visit.show(NEW, _new())


def _new() -> Context:
    return framed(lambda tx, _: {"once": new_id("form", tx.at), "roles": ROLES, "scopes": SCOPES})


@router.post("/admin/users/new")
async def make_user(visit: Visit = visiting(Permission.USER_ADMIN)) -> Response:
    """Make a user; a person's first password is shown once and must be changed."""
    return await in_lane(partial(_make_user, visit))


def _make_user(visit: Visit) -> Response:
    visit.check()
    made: list[str] = []
    try:
        given = parse(
            UserIn,
            {n: visit.text(n) for n in ("login", "name", "role", "scope", "staff_id", "locale")},
        )
        person = given.role is not Role.INTEGRATION
        password = make_up(given.login, _shortest(visit)) if person else ""
        hashed = sessions.new_hash(visit.frame, given.login, password) if person else None
    except RequestError as error:
        return visit.refuse((NEW, _new()), error)

    def verb(tx: Tx, actor: Actor) -> str:
        user = users.create(
            tx, actor, login=given.login, name=given.name, role=given.role, scope=given.scope,
            staff_id=given.staff_id, locale=given.locale, password_hash=hashed,
        ).user  # fmt: skip
        made[:] = [user.user_id]
        return password

    def shown(tx: Tx, actor: Actor) -> dict[str, Any]:
        return _user(visit, made[0])(tx, actor)

    return visit.show_once(verb, PAGE, shown, again=(NEW, _new()))


def _shortest(visit: Visit) -> int:
    return visit.frame.settings.session.password_length


@router.get("/admin/users/{user_id}")
def user_page(user_id: UserId, visit: Visit = visiting(Permission.USER_ADMIN)) -> Response:
    """One user, and what can be done about them."""
    return visit.show(PAGE, _user(visit, user_id))


def _user(visit: Visit, user_id: str) -> Context:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        user = user_out(users.find(tx, user_id))
        program = user.role is Role.INTEGRATION
        looks = program and actor.may(Permission.TOKEN_ADMIN)
        rows = tokens.listed(tx, user_id, ROWS, None) if looks else []
        return {
            "user": user, "roles": ROLES, "scopes": SCOPES, "secret": None,
            "usual": user.scope is GRANTS[user.role].scope,
            "may": [PERMISSIONS[p] for p in sorted(GRANTS[user.role].permissions)],
            "program": program, "tokens": [token_out(row) for row in rows[:ROWS]],
            "words": PERMISSIONS, "options": sorted(GRANTS[user.role].permissions),
            "chosen": set(visit.texts("permissions")), "once": new_id("form", tx.at),
            **token_days(tx),
        }  # fmt: skip

    return framed(verb)


@router.post("/admin/users/{user_id}")
def change_user(user_id: UserId, visit: Visit = visiting(Permission.USER_ADMIN)) -> Response:
    """Change name, role, scope, staff number and language; it holds at once."""

    def verb(tx: Tx, actor: Actor) -> None:
        names = ("name", "role", "scope", "staff_id", "locale")
        given = parse(UserChange, {name: visit.text(name) for name in names})
        changes: dict[str, Any] = {
            "name": given.name, "role": given.role, "staff_id": given.staff_id,
            "locale": given.locale,
            # Nothing chosen means: as the role has it.
            "scope": Scope(given.scope) if visit.text("scope") else GRANTS[given.role].scope,
        }  # fmt: skip
        if not given.name:
            changes.pop("name")
        users.change(tx, actor, user_id, visit.expected_version(), changes)

    return visit.act(
        verb, _at(user_id), said="The change holds from now on.",
        again=(PAGE, _user(visit, user_id)),
    )  # fmt: skip


def _at(user_id: str) -> str:
    return f"/admin/users/{user_id}"


@router.post("/admin/users/{user_id}/active")
def switch_user(user_id: UserId, visit: Visit = visiting(Permission.USER_ADMIN)) -> Response:
    """Switch a user off, which ends sessions and revokes tokens, or on again."""
    on = visit.text("active") == "true"

    def verb(tx: Tx, actor: Actor) -> None:
        users.change(tx, actor, user_id, visit.expected_version(), {"active": on})

    return visit.act(
        verb, _at(user_id),
        said="The user may log in again." if on
        else "The user is switched off: logged out everywhere, tokens revoked.",
        again=(PAGE, _user(visit, user_id)),
    )  # fmt: skip


@router.post("/admin/users/{user_id}/sessions")
def end_sessions(user_id: UserId, visit: Visit = visiting(Permission.USER_ADMIN)) -> Response:
    """Log a user out everywhere; tokens go on."""

    def verb(tx: Tx, actor: Actor) -> None:
        users.find(tx, user_id)
        sessions.end_all(tx, actor, user_id)

    return visit.act(verb, _at(user_id), said="The user is logged out everywhere.")


@router.post("/admin/users/{user_id}/password")
async def give_password(
    user_id: UserId, visit: Visit = visiting(Permission.USER_ADMIN)
) -> Response:  # fmt: skip
    """Give a user a new password, shown once, that must be changed at the next log-in."""
    return await in_lane(partial(_give_password, visit, user_id))


def _give_password(visit: Visit, user_id: str) -> Response:
    login, mine = visit.peek(
        lambda tx, actor: (users.find(tx, user_id).user.login, actor.user_id == user_id)
    )
    if mine:  # it would end the very session that is to show it
        return visit.go("/account/password")
    password = make_up(login, _shortest(visit))
    hashed = sessions.new_hash(visit.frame, login, password)

    def verb(tx: Tx, actor: Actor) -> str:
        sessions.set_password(tx, actor, users.find(tx, user_id).user, hashed, must_change=True)
        return password

    reading = _user(visit, user_id)
    return visit.show_once(verb, PAGE, reading, again=(PAGE, reading))


@router.post("/admin/users/{user_id}/tokens")
def make_token(user_id: UserId, visit: Visit = visiting(Permission.TOKEN_ADMIN)) -> Response:
    """Make a token for a program and show its secret, this once; people make their own."""

    def verb(tx: Tx, actor: Actor) -> str:
        given = token_in(visit)
        user = users.find(tx, user_id).user
        if user.role != Role.INTEGRATION:
            raise NotAllowed("access.token-foreign")
        return tokens.make(
            tx, actor, user, given.name, given.permissions, given.expires_at
        ).secret  # fmt: skip

    reading = _user(visit, user_id)
    return visit.show_once(verb, PAGE, reading, again=(PAGE, reading))
