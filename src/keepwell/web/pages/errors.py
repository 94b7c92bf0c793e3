"""What a person sees when a page cannot be shown: what happened, and a way on."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from keepwell.core.errors import KeepwellError
from keepwell.core.text import tr
from keepwell.frame.problem import NotAuthenticated, RequestError
from keepwell.web.pages.form import FormError
from keepwell.web.pages.shell import bare, language_of
from keepwell.web.pages.visit import log_in_path

_HEADINGS: Final = {
    400: "This request cannot be read",
    403: "This is not open to you",
    404: "There is nothing here",
    409: "That does not fit any more",
    412: "Somebody was faster",
    413: "That is too large",
    422: "Something is missing or does not fit",
    429: "Too much at once",
    500: "Something went wrong on our side",
    503: "The desk does not answer just now",
}
"""Heading of an error page by HTTP status."""

_WAYS: Final = {
    403: "Your role does not include it. If you need it, ask your administrator.",
    404: "It may have been removed, or it is not among the clients that you look after.",
    412: "Open the page again to see what changed. What you typed is kept below.",
    429: "Wait a moment, then try again.",
    500: "Nothing was changed. Try again; if it happens again, tell your administrator the number "
    "below.",
    503: "Nothing is lost. Try again in a moment.",
}
"""What to do next, by HTTP status."""


_SILENT: Final = frozenset({"current", "new", "next", "once", "password", "repeat", "version"})
"""Fields that nobody typed, or that must not be seen."""


def error_page(request: Request, error: KeepwellError, number: str) -> Response:
    """The answer to a page request that failed.

    Args:
        request: what was asked for.
        error: why it failed.
        number: of the request, for the administrator.
    """
    if isinstance(error, NotAuthenticated):
        place = log_in_path(request)
        if request.headers.get("hx-request") == "true":
            return Response(None, 204, {"HX-Redirect": place, "Cache-Control": "no-store"})
        return RedirectResponse(place, 303, {"Cache-Control": "no-store"})
    if error.code == "access.password-change-needed":
        return RedirectResponse("/account/password", 303, {"Cache-Control": "no-store"})
    status = error.status if isinstance(error, RequestError) else 400
    locale = language_of(request)
    faults = error.told(locale) if isinstance(error, FormError) else {}
    response = bare(
        request, "error.html", status, heading=tr(_HEADINGS.get(status, _HEADINGS[400]), locale),
        words=error.words(locale), way=tr(_WAYS[status], locale) if status in _WAYS else "",
        number=number, faults=list(faults.values()), typed=_typed(request),
    )  # fmt: skip
    if isinstance(error, RequestError):
        response.headers.update({k: v for k, v in error.headers.items() if k == "Retry-After"})
    return response


def _typed(request: Request) -> list[str]:
    """Longer texts of a form that failed, so that nobody has to write them twice."""
    form = getattr(request, "_form", None)
    values = form.multi_items() if form is not None else []
    told = [v for name, v in values if isinstance(v, str) and name not in _SILENT]
    return [v for v in told if " " in v or len(v) > 12]
