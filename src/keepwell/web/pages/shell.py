"""What frames the pages: beginning, log-in and log-out, language, colours, notices."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from keepwell.core.text import LOCALES
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.problem import RequestError
from keepwell.intervene.notice import service as notices
from keepwell.intervene.notice.schema import shown
from keepwell.trust.access import sessions
from keepwell.trust.access.identity import cookie_name, refuse_other_sites
from keepwell.trust.access.passwords import in_lane
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.access.users import set_locale
from keepwell.trust.preference import service as preferences
from keepwell.trust.preference.service import TIPS
from keepwell.web.pages.render import html, respond
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import THEME, Visit, home_path, visiting

router = APIRouter(include_in_schema=False)

LANGUAGE = "keepwell-language"
"""Cookie that holds the language chosen before the log-in."""
_YEAR = 365 * 86_400
MOST_NOTICES = 50


def language_of(request: Request) -> str:
    """The language of somebody who is not logged in: chosen, else the browser's."""
    chosen = request.cookies.get(LANGUAGE)
    if chosen in LOCALES:
        return str(chosen)
    wanted = request.headers.get("accept-language", "").lower()
    return LOCALES[1] if wanted.startswith("zh") else LOCALES[0]


def on_this_site(place: str, otherwise: str = "/") -> str:
    """An address if it leads to a page of this site, else another one."""
    parts = urlsplit(place)
    plain = place.startswith("/") and not place.startswith(("//", "/\\"))
    return place if plain and not parts.netloc and place.isprintable() else otherwise


def bare(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page for somebody who is not logged in, or about whom nothing could be read.

    Args:
        request: what is answered.
        template: the page.
        status: HTTP status.
        **context: what the template needs besides language and colours.
    """
    frame: Frame = request.app.state.frame
    tongue = Tongue(language_of(request), frame.currency, frame.zone, frame.now())
    given = {
        "t": tongue.t, "f": tongue, "theme": request.cookies.get(THEME, ""),
        "broker": frame.workspace.mapping.name, "here": request.url.path,
    }  # fmt: skip
    return respond(request, html(template, given | context), status)


@router.get("/")
def begin(visit: Visit = visiting(None, early=True)) -> Response:
    """Lead to the page where the reader's day begins."""
    visit.check()
    if visit.identity is not None and visit.identity.must_change:
        return visit.go("/account/password")
    return visit.go(home_path(visit))


@router.get("/login")
def log_in_page(request: Request, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """The log-in."""
    return bare(request, "login.html", next=on_this_site(next), login="", problem="")


@router.post("/login")
async def log_in(
    request: Request,
    login: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
    locale: Annotated[str, Form(max_length=2)] = "",
) -> Response:
    """Open a session, or say why not; the pages speak as the log-in page did."""
    refuse_other_sites(request)
    frame: Frame = request.app.state.frame
    secure = frame.settings.session.secure
    name = cookie_name(secure)
    address = request.client.host if request.client else ""
    try:
        opened = await in_lane(
            partial(
                sessions.log_in, frame, login.strip(), password, address, request.cookies.get(name)
            )
        )
    except RequestError as error:
        words = error.words(language_of(request))
        return bare(
            request, "login.html", error.status, next=on_this_site(next), login=login, problem=words
        )
    if locale in LOCALES:
        await in_lane(partial(_speak, frame, opened.user_id, locale))
    place = "/account/password" if opened.must_change else on_this_site(next)
    response = RedirectResponse(place, 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        name, opened.secret, max_age=frame.settings.session.hours * 3600, path="/",
        secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return response


def _speak(frame: Frame, user_id: str, locale: str) -> None:
    with frame.write() as tx:
        set_locale(tx, user_id, locale)


@router.post("/logout")
def log_out(visit: Visit = visiting(None, early=True)) -> Response:
    """End the session."""

    def verb(tx: Tx, actor: Actor) -> None:
        if actor.via == "session" and visit.identity is not None:
            sessions.log_out(tx, actor, visit.identity.digest)

    response = visit.act(verb, "/login")
    secure = visit.frame.settings.session.secure
    response.delete_cookie(
        cookie_name(secure), path="/", secure=secure, httponly=True, samesite="lax"
    )
    return response


@router.post("/language")
async def choose_language(
    request: Request,
    locale: Annotated[str, Form(max_length=2)],
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Choose the language: of the user who is logged in, and of this browser's log-in page."""
    refuse_other_sites(request)
    chosen = locale if locale in LOCALES else LOCALES[0]
    frame: Frame = request.app.state.frame
    await in_lane(partial(_speak_if_known, frame, request, chosen))
    response = RedirectResponse(on_this_site(next), 303, {"Cache-Control": "no-store"})
    response.set_cookie(LANGUAGE, chosen, max_age=_YEAR, path="/", httponly=True, samesite="lax")
    return response


def _speak_if_known(frame: Frame, request: Request, locale: str) -> None:
    from keepwell.trust.access.identity import identify

    try:
        with frame.read() as tx:
            user_id = identify(tx, request).actor.user_id
    except RequestError:
        return  # nobody is logged in: the cookie alone remembers
    _speak(frame, user_id, locale)


@router.post("/theme")
async def choose_theme(
    request: Request,
    theme: Annotated[str, Form(max_length=5)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Choose light or dark colours for this browser; neither: as the system has them."""
    refuse_other_sites(request)
    response = RedirectResponse(on_this_site(next), 303, {"Cache-Control": "no-store"})
    if theme in ("light", "dark"):
        response.set_cookie(THEME, theme, max_age=_YEAR, path="/", httponly=True, samesite="lax")
    else:
        response.delete_cookie(THEME, path="/", httponly=True, samesite="lax")
    return response


@router.post("/tips/{name}")
def close_tip(
    name: Annotated[str, Path(max_length=40, pattern=r"^[a-z-]+$")],
    visit: Visit = visiting(None),
) -> Response:
    """Never show a tip again."""
    place = on_this_site(visit.text("next"))
    if visit.by_script:
        return visit.perform(lambda tx, actor: preferences.add(tx, actor, TIPS, name))
    return visit.act(lambda tx, actor: preferences.add(tx, actor, TIPS, name), place)


@router.get("/notices")
def notices_page(visit: Visit = visiting(Permission.NOTICE_READ)) -> Response:
    """What the desk told the reader, unread first."""
    return visit.show("notices.html", _notices, part="notices_part.html")


def _notices(tx: Tx, actor: Actor) -> dict[str, Any]:
    rows = notices.page(tx, actor, MOST_NOTICES, None)
    return {
        "notices": [shown(row, actor.locale) for row in rows[:MOST_NOTICES]],
        "more": len(rows) > MOST_NOTICES,
    }


@router.post("/notices/read")
def read_notices(visit: Visit = visiting(Permission.NOTICE_READ)) -> Response:
    """Mark all of one's notices as read."""
    return visit.act(lambda tx, actor: notices.mark_read(tx, actor, None), "/notices")
