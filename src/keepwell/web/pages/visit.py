"""One visit of a page: from the request of a browser to HTML, and from a form to a verb.

A page is a plain `def` that names its permission, as an endpoint of the API does:

    @router.get("/cases/{case_id}")
    def case_page(case_id: Id, visit: Visit = visiting(Permission.CASE_READ)) -> Response:
        return visit.show("case/page.html", lambda tx, actor: _case(tx, actor, case_id))

`show` reads and renders; `act` runs a verb in a unit of work that commits, then sends the browser
on; when the verb refuses, the page comes again with the reason and with all that was typed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import Depends, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from keepwell.core.errors import KeepwellError
from keepwell.frame.database import Tx
from keepwell.frame.problem import RequestError
from keepwell.intervene.notice.service import unread_count
from keepwell.trust.access.call import Call, Reply, Verb
from keepwell.trust.access.identity import identify
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.preference import service as preferences
from keepwell.trust.preference.service import TIPS
from keepwell.web.pages.form import FormError
from keepwell.web.pages.navigation import entries_for, home_of
from keepwell.web.pages.render import html, respond
from keepwell.web.pages.tongue import Tongue

Context = Callable[[Tx, Actor], dict[str, Any]]
"""Reads what a template needs."""

SAID: Final = "keepwell-said"
"""Cookie that carries what was done to the next page."""
THEME: Final = "keepwell-theme"
"""Cookie that holds the colours chosen: 'light' or 'dark'; none: the system's."""


class Visit(Call):
    """One request of a page; see the module."""

    form: FormData = FormData()

    def show(
        self, template: str, verb: Context, *, part: str | None = None, status: int = 200,
        ancestors: str = "'none'",
    ) -> Response:  # fmt: skip
        """Read and render.

        Args:
            template: the page's template.
            verb: gets the unit of work and the actor; returns what the template needs.
            part: the template of the part that is asked for again by itself, which the page
                includes; sent alone when the page's script asks.
            status: HTTP status.
            ancestors: sites that may show the page in a frame.

        Raises:
            NotAuthenticated: nobody, or no longer.
            NotAllowed: the reader lacks the permission.
        """
        with self.frame.read() as tx:
            actor = self._actor(tx)
            chosen = part if part is not None and self.wants_part else template
            body = html(chosen, self._context(tx, actor, verb(tx, actor)))
        self._touch()
        response = respond(self.request, body, status, ancestors)
        if SAID in self.request.cookies and not self.wants_part:
            response.delete_cookie(SAID, path="/", httponly=True, samesite="lax")
        return response

    def act(
        self, verb: Verb, then: str | Callable[[Any], str], *,
        said: str | Callable[[Any], tuple[str, dict[str, Any]]] = "",
        again: tuple[str, Context] | None = None, **fields: Any,
    ) -> Response:  # fmt: skip
        """Do what a form asks for, then send the browser to a page.

        Args:
            verb: gets the unit of work and the actor; may refuse by raising.
            then: where to go on; or what says so from the verb's result.
            said: what was done, in English, a key of the catalogue; shown on the next page. Or
                what says so from the verb's result, with the fields.
            again: template and reading verb of the page to show again when the verb refuses.
            **fields: values of `said`.

        Raises:
            NotAuthenticated: nobody, or no longer.
        """
        results: list[Any] = []

        def kept(tx: Tx, actor: Actor) -> None:
            result = verb(tx, actor)
            results[:] = [result.content if isinstance(result, Reply) else result]

        try:
            self.perform(kept)
        except RequestError as error:
            return self.refuse(again, error)
        # A repeat by key does nothing, so there is no result to go by.
        place = then if isinstance(then, str) else then(results[0]) if results else home_path(self)
        if not isinstance(said, str):
            said, fields = said(results[0]) if results else ("", {})
        return self.go(place, said, **fields)

    def show_once(
        self, verb: Verb, template: str, context: Context, *, again: tuple[str, Context]
    ) -> Response:  # fmt: skip
        """Do what a form asks for, then show what came of it in this one answer: a secret.

        Args:
            verb: gets the unit of work and the actor; may refuse by raising.
            template: the page that shows it.
            context: as for `show`; the template gets the verb's result as `secret` besides.
            again: template and reading verb of the page to show again when the verb refuses.

        Raises:
            NotAuthenticated: nobody, or no longer.
        """
        results: list[Any] = []

        def kept(tx: Tx, actor: Actor) -> Reply:
            results[:] = [verb(tx, actor)]
            return Reply(None, secret=True)

        try:
            self.perform(kept)
        except RequestError as error:
            return self.refuse(again, error)
        return self.show(template, lambda tx, actor: {**context(tx, actor), "secret": results[0]})

    def refuse(self, again: tuple[str, Context] | None, error: RequestError) -> Response:
        """Show a page again with the reason why a form was refused, and what was typed.

        Args:
            again: template and reading verb of the page; None: there is none to show.
            error: the reason.

        Raises:
            RequestError: the error, when the page would not help.
        """
        if again is None or error.status in (401, 403, 404):
            raise error
        return self._again(again, error)

    def reveal(self, verb: Verb, template: str, shown: Callable[[Any], Context]) -> Response:
        """Do what a form asks for and answer with a page that shows its result this once.

        Args:
            verb: gets the unit of work and the actor; may refuse by raising.
            template: the page, also after a refusal.
            shown: reads what the page needs, from the verb's result; None after a refusal.

        Raises:
            NotAuthenticated: nobody, or no longer.
        """
        results: list[Any] = []

        def kept(tx: Tx, actor: Actor) -> None:
            results[:] = [verb(tx, actor)]

        try:
            self.perform(kept)
        except RequestError as error:
            if error.status in (401, 403, 404):
                raise
            return self._again((template, shown(None)), error)
        return self.show(template, shown(results[0]))

    def go(self, place: str, said: str = "", **fields: Any) -> Response:
        """Send the browser to a page.

        Args:
            place: its address on this site.
            said: what was done, in English, a key of the catalogue.
            **fields: its values.
        """
        response: Response
        if self.by_script:
            response = Response(None, 204, {"HX-Redirect": place})
        else:
            response = RedirectResponse(place, 303)
        response.headers["Cache-Control"] = "no-store"
        if said:
            packed = base64.urlsafe_b64encode(json.dumps([said, fields]).encode()).decode()
            response.set_cookie(SAID, packed, max_age=60, path="/", httponly=True, samesite="lax")
        return response

    @property
    def by_script(self) -> bool:
        """Whether the page's script asks, and not the browser itself."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def wants_part(self) -> bool:
        """Whether only a part of the page is asked for."""
        again = self.request.headers.get("hx-history-restore-request") == "true"
        return self.by_script and not again

    def text(self, name: str) -> str:
        """What a field of the form holds, without spaces around; '' if it is not there."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a field that may come more than once."""
        return [value for value in self.form.getlist(name) if isinstance(value, str) and value]

    def expected_version(self) -> int:
        """The version that the form was filled in for: its field `version`.

        Raises:
            FormError: there is none.
        """
        given = self.text("version")
        if not given.isdigit() or len(given) > 9:
            raise FormError({"version": "This form is not complete; open the page again."})
        return int(given)

    def tongue(self, actor: Actor) -> Tongue:
        """The reader's language."""
        frame = self.frame
        return Tongue(actor.locale, frame.currency, frame.zone, frame.now())

    def _again(self, again: tuple[str, Context], error: RequestError) -> Response:
        template, verb = again
        with self.frame.read() as tx:
            actor = self._actor(tx)
            context = self._context(tx, actor, verb(tx, actor))
            context["problem"] = _problem(error, actor.locale)
            context["typed"] = {k: v for k, v in self.form.items() if isinstance(v, str)}
            return respond(self.request, html(template, context), error.status)

    def _context(self, tx: Tx, actor: Actor, own: Mapping[str, Any]) -> dict[str, Any]:
        tongue = self.tongue(actor)
        identity = self.identity
        frame: dict[str, Any] = {
            "t": tongue.t, "f": tongue, "actor": actor, "P": Permission,
            "login": identity.login if identity else "",
            "nav": entries_for(actor), "home": home_of(actor),
            "here": self.request.url.path, "query": dict(self.request.query_params),
            "address": self.request.url.path + ("?" + q if (q := self.request.url.query) else ""),
            "unread": unread_count(tx, actor), "said": self._said(tongue),
            "theme": self.request.cookies.get(THEME, ""),
            "broker": self.frame.workspace.mapping.name,
            "tips_seen": frozenset(preferences.get(tx, actor, TIPS, [])),
            "problem": None, "typed": {},
        }  # fmt: skip
        return frame | dict(own)

    def _said(self, tongue: Tongue) -> str:
        packed = self.request.cookies.get(SAID)
        if not packed:
            return ""
        try:
            message, fields = json.loads(base64.urlsafe_b64decode(packed))
            return tongue.t(str(message), **{str(k): v for k, v in fields.items()})
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return ""  # not of ours

    def _spoken(self, actor: Actor) -> Actor:
        # On pages people choose their language; what the browser would like counts before log-in.
        return actor

    def _key(self) -> str | None:
        return self.text("once") or super()._key()


def _problem(error: KeepwellError, locale: str) -> dict[str, Any]:
    faults = error.told(locale) if isinstance(error, FormError) else {}
    status = error.status if isinstance(error, RequestError) else 400
    return {"words": error.words(locale), "faults": faults, "status": status, "code": error.code}


def home_path(visit: Visit) -> str:
    """Where a visitor begins, read anew."""
    with visit.frame.read() as tx:
        return home_of(identify(tx, visit.request).actor)


def log_in_path(request: Request) -> str:
    """The log-in page, which leads back to what was asked for."""
    if request.method != "GET" or request.url.path in ("/", "/login"):
        return "/login"
    place = request.url.path + ("?" + request.url.query if request.url.query else "")
    return "/login?next=" + quote(place, safe="")


class Visiting:
    """The dependency behind `visiting`; tests read its permission off the routes."""

    def __init__(self, permission: Permission | None, early: bool = False) -> None:
        self.permission = permission
        self.early = early

    async def __call__(self, request: Request) -> AsyncIterator[Visit]:
        """Wrap the request; a form is read and closed, no thread and no connection is taken."""
        body, form = b"", FormData()
        if request.method not in ("GET", "HEAD"):
            if not request.headers.get("content-type", "").startswith("multipart/"):
                body = await request.body()
            form = await request.form()
        visit = Visit(request, self.permission, body, self.early)
        visit.form = form
        try:
            yield visit
        finally:
            await form.close()


def visiting(permission: Permission | None, early: bool = False) -> Any:
    """A page's `visit` parameter: who visits must hold this permission.

    Args:
        permission: None: any user.
        early: also before a password that somebody else chose was changed.
    """
    return Depends(Visiting(permission, early))
