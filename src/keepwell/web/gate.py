"""Admission: only so many requests at once; what is over is told at once to come back.

Without a limit an overload makes every request wait longer than anybody wants to, and it goes on
long after the load is gone. Clients' exit requests, complaints and other events keep places of
their own, which nothing else may take.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keepwell.core.text import LOCALES
from keepwell.frame.context import Frame
from keepwell.frame.problem import MEDIA_TYPE, TooMany, problem
from keepwell.web.pages.errors import error_page

RESERVED: Final = 0.25
"""Share of places on top that only what must not be lost may take."""

FREE: Final = frozenset({"/healthz", "/readyz", "/metrics", "/live"})
"""Machines ask these to learn how it is, and streams stay open without work: they need no place."""

FILES: Final = "/static/"
"""Begin of the paths of files for the browser, which come from memory."""

FIRST: Final = ("/exits", "/events")
"""Ends of the paths whose POST may take a reserved place."""


class Gate:
    """ASGI middleware: answers 429 when too many requests are at work or wait.

    Args:
        app: what serves.
        prefix: of the API.
    """

    def __init__(self, app: Any, prefix: str) -> None:
        self.app = app
        self.inside = 0
        self._prefix = prefix
        self._first = frozenset(prefix + end for end in FIRST)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or (scope["path"] in FREE or scope["path"].startswith(FILES)):
            await self.app(scope, receive, send)
            return
        frame: Frame = scope["app"].state.frame
        places = frame.settings.in_flight
        if scope["method"] == "POST" and scope["path"] in self._first:
            places += max(1, int(places * RESERVED))
        if self.inside >= places:
            to_program = scope["path"].startswith(f"{self._prefix}/")
            await _refuse(Request(scope), to_program)(scope, receive, send)
            return
        self.inside += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.inside -= 1


def _refuse(request: Request, to_program: bool) -> Response:
    error = TooMany("request.overloaded", retry_after=1)
    number = str(getattr(request.state, "request_id", "–"))
    if not to_program:
        return error_page(request, error, number)
    chinese = request.headers.get("accept-language", "").lower().startswith("zh")
    body = problem(error, number, LOCALES[1] if chinese else LOCALES[0])
    return Response(body.model_dump_json(), body.status, error.headers, MEDIA_TYPE)
