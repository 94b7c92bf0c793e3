"""A request's body may only be so large: refused before it is read, or as soon as it is."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keepwell.core.text import LOCALES
from keepwell.frame.context import Frame
from keepwell.frame.problem import MEDIA_TYPE, TooLarge, problem
from keepwell.web.pages.errors import error_page

_MB = 1_000_000
_ENVELOPE = 0.1
"""MB that a multipart body may hold besides the file."""


class BodyLimit:
    """ASGI middleware: answers 413 to a body above the settings' limit.

    A body without Content-Length is counted as it comes; nothing above the limit is kept.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        frame: Frame = scope["app"].state.frame
        limit = _limit(request, frame)
        said = request.headers.get("content-length", "")
        if said.isdigit() and int(said) > limit * _MB:
            await _refuse(request, limit)(scope, receive, send)
            return
        seen, over = 0, False

        async def count() -> Any:
            nonlocal seen, over
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit * _MB:
                over = True
                return {"type": "http.disconnect"}
            return message

        async def tell(message: Any) -> None:
            if not over:
                await send(message)

        try:
            await self.app(scope, count, tell)
        except Exception:
            if not over:
                raise
        if over:
            await _refuse(request, limit)(scope, receive, send)


def _limit(request: Request, frame: Frame) -> float:
    """The limit of this request in MB."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        return frame.settings.case.attachment_mb + _ENVELOPE
    return frame.settings.body_mb


def _refuse(request: Request, limit: float) -> Response:
    error = TooLarge("request.body-too-large", limit=int(limit))
    number = str(getattr(request.state, "request_id", "–"))
    if not request.url.path.startswith("/api/"):
        page = error_page(request, error, number)
        page.headers["Connection"] = "close"
        return page
    chinese = request.headers.get("accept-language", "").lower().startswith("zh")
    body = problem(error, number, LOCALES[1] if chinese else LOCALES[0])
    return Response(body.model_dump_json(), body.status, {"Connection": "close"}, MEDIA_TYPE)
