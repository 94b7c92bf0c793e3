"""My account: who I am and what I may do, my password, my API tokens."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from keepwell.core.errors import ERRORS
from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import RequestError
from keepwell.frame.text import Id
from keepwell.trust.access import places, sessions, tokens
from keepwell.trust.access.api_users import token_out
from keepwell.trust.access.model import Branch, Region, Team
from keepwell.trust.access.passwords import LONGEST, in_lane
from keepwell.trust.access.policy import PERMISSIONS, SCOPES, Actor, Permission
from keepwell.trust.access.schema import PasswordChange, TokenIn
from keepwell.trust.access.tokens import Made
from keepwell.trust.access.users import find
from keepwell.trust.preference import service as preferences
from keepwell.trust.preference.service import TIPS
from keepwell.web.pages.form import FormError, local_moment, parse
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

TOKENS: Final = "account/tokens.html"
PASSWORD: Final = "account/password.html"  # noqa: S105
ROWS: Final = 50
USUAL_DAYS: Final = 90
"""So long a token lasts unless another day is chosen."""

AT_FIELD: Final = {
    "access.password-wrong": "current", "access.password-length": "new",
    "access.password-weak": "new",
}  # fmt: skip
"""The field of the password form that an error is about."""

TokenId = Annotated[Id, Path()]
Cursor = Annotated[str | None, Query(max_length=500)]


@router.get("/account")
def account_page(visit: Visit = visiting(None)) -> Response:
    """Who the reader is, what they may see and do."""
    return visit.show("account/page.html", _account)


def _account(tx: Tx, actor: Actor) -> dict[str, Any]:
    return {
        "place": _place(tx, actor),
        "scope_words": SCOPES[actor.scope],
        "permissions": [PERMISSIONS[p] for p in sorted(actor.permissions)],
    }


def _place(tx: Tx, actor: Actor) -> list[tuple[str, str, str]]:
    """Kind, number and name of the team, branch and region that the reader belongs to."""
    found = []
    for kind, table, key in (
        ("team", Team, actor.team_id), ("branch", Branch, actor.branch_id),
        ("region", Region, actor.region_id),
    ):  # fmt: skip
        if key is not None:
            found.append((kind, key, places.find(tx, table, key).name))
    return found


@router.post("/account/tips")
def show_tips_again(visit: Visit = visiting(None)) -> Response:
    """Show the first-time tips again."""
    return visit.act(
        lambda tx, actor: preferences.put(tx, actor, TIPS, []), "/account",
        said="The tips are shown again.",
    )  # fmt: skip


@router.get("/account/password")
def password_page(visit: Visit = visiting(None, early=True)) -> Response:
    """The form for a new password, also for a user who must change theirs first."""
    return visit.show(PASSWORD, partial(_password, visit))


def _password(visit: Visit, _tx: Tx, _actor: Actor) -> dict[str, Any]:
    identity = visit.identity
    return {
        "must_change": identity is not None and identity.must_change,
        "shortest": visit.frame.settings.session.password_length, "longest": LONGEST,
    }  # fmt: skip


@router.post("/account/password")
async def change_password(
    request: Request, visit: Visit = visiting(None, early=True)
) -> Response:  # fmt: skip
    """Change one's own password; all other sessions of the user end."""
    address = request.client.host if request.client else ""
    return await in_lane(partial(_changed_or_told, visit, address))


def _changed_or_told(visit: Visit, address: str) -> Response:
    try:
        return _change_password(visit, address)
    except RequestError as error:
        return visit.refuse((PASSWORD, partial(_password, visit)), at_field(error))


def at_field(error: RequestError) -> RequestError:
    """An error about a password, told at the field that it is about."""
    name = AT_FIELD.get(error.code)
    return FormError({name: (ERRORS[error.code], error.fields)}) if name else error


def _change_password(visit: Visit, address: str) -> Response:
    # Authenticates before anything is hashed; hashing happens outside of any transaction.
    user_id, login, kept = visit.peek(
        lambda tx, actor: (
            actor.user_id, visit.identity.login if visit.identity else "",
            find(tx, actor.user_id).user.password_hash,
        )
    )  # fmt: skip
    given = parse(PasswordChange, {name: _typed(visit, name) for name in ("current", "new")})
    if _typed(visit, "repeat") != given.new.get_secret_value():
        raise FormError({"repeat": "The two new passwords differ."})
    frame = visit.frame
    sessions.check_password(frame, login, kept, given.current.get_secret_value(), address)
    hashed = sessions.new_hash(frame, login, given.new.get_secret_value())
    first = visit.identity is not None and visit.identity.must_change

    def verb(tx: Tx, actor: Actor) -> None:
        mine = visit.identity.digest if visit.identity and actor.via == "session" else None
        user = find(tx, user_id).user
        sessions.set_password(tx, actor, user, hashed, must_change=False, but=mine)

    said = "Your password is changed. You are logged out everywhere else."
    return visit.act(verb, "/" if first else "/account", said=said)


def _typed(visit: Visit, name: str) -> str:
    """A password as typed: spaces at its ends belong to it."""
    value = visit.form.get(name, "")
    return value if isinstance(value, str) else ""


@router.get("/account/tokens")
def tokens_page(cursor: Cursor = None, visit: Visit = visiting(Permission.TOKEN_OWN)) -> Response:
    """The reader's own tokens, and the form for a new one."""
    return visit.show(TOKENS, partial(_tokens, visit, cursor))


def _tokens(visit: Visit, cursor: str | None, tx: Tx, actor: Actor) -> dict[str, Any]:
    rows = tokens.listed(tx, actor.user_id, ROWS, cursor)
    following = encode_cursor([rows[ROWS - 1].token_id]) if len(rows) > ROWS else ""
    return {
        "tokens": [token_out(row) for row in rows[:ROWS]], "following": following,
        "cursor": cursor, "words": PERMISSIONS, "mine": sorted(actor.permissions),
        "chosen": set(visit.texts("permissions")), "once": new_id("form", tx.at), "secret": None,
        **token_days(tx),
    }  # fmt: skip


def token_days(tx: Tx) -> dict[str, date]:
    """The days on which a new token may end."""
    today = tx.at.astimezone(tx.frame.zone).date()
    return {
        "usual_end": today + timedelta(days=USUAL_DAYS), "earliest": today,
        "latest": today + tokens.LONGEST - timedelta(days=1),
    }  # fmt: skip


@router.post("/account/tokens")
def make_token(visit: Visit = visiting(Permission.TOKEN_OWN)) -> Response:
    """Make a token of one's own and show its secret, this once."""

    def verb(tx: Tx, actor: Actor) -> Made:
        given = token_in(visit)
        user = find(tx, actor.user_id).user
        return tokens.make(tx, actor, user, given.name, given.permissions, given.expires_at)

    reading = partial(_tokens, visit, None)
    return visit.show_once(_secret(verb), TOKENS, reading, again=(TOKENS, reading))


def _secret(verb: Any) -> Any:
    """The secret alone: the row must not outlive its unit of work."""
    return lambda tx, actor: verb(tx, actor).secret


def token_in(visit: Visit) -> TokenIn:
    """The token that a form asks for; it ends with the day chosen.

    Raises:
        FormError: the fields do not fit.
    """
    day = visit.text("expires_at")
    end = local_moment(f"{day}T23:59:59", visit.frame.zone) if day else ""
    permissions = visit.texts("permissions")
    if not permissions:
        raise FormError({"permissions": "Choose at least one."})
    return parse(
        TokenIn, {"name": visit.text("name"), "permissions": permissions, "expires_at": end}
    )


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(token_id: TokenId, visit: Visit = visiting(Permission.TOKEN_OWN)) -> Response:
    """Revoke a token of one's own at once."""
    return visit.act(
        lambda tx, actor: tokens.revoke(tx, actor, token_id, actor.user_id), "/account/tokens",
        said="The token is revoked.",
    )  # fmt: skip
