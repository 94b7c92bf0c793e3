"""The application: one factory that puts the rooms' endpoints, errors and frame together."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from keepwell import __version__, rooms
from keepwell.core.errors import KeepwellError
from keepwell.core.ids import new_id
from keepwell.core.text import LOCALES
from keepwell.frame.context import Frame
from keepwell.frame.problem import MEDIA_TYPE, Fault, RequestError, Unavailable, answer, problem
from keepwell.trust.access.call import vet
from keepwell.web import health, operations, pages
from keepwell.web.body_limit import BodyLimit
from keepwell.web.describe import describe, methods_at
from keepwell.web.gate import Gate
from keepwell.web.pages.errors import error_page
from keepwell.web.signpost import put_up

PREFIX = "/api/v1"


def create_app(frame: Frame) -> FastAPI:
    """The web application of a desk.

    Args:
        frame: the open desk; closed by its owner, not by the application.
    """
    rooms.load_all()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # More threads only fight over the interpreter (reference/stack.md, trap 2).
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = app.state.frame.settings.threads
        yield

    app = FastAPI(
        title="keepwell", version=__version__, lifespan=lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None, redoc_url=None, responses=PROBLEMS, redirect_slashes=False,
    )  # fmt: skip
    app.state.frame = frame
    for router in (*rooms.routers(), operations.router):
        app.include_router(router, prefix=PREFIX)
    app.add_exception_handler(KeepwellError, _keepwell)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(PoolTimeout, _database)
    app.add_exception_handler(Exception, _unexpected)
    health.install(app)
    pages.install(app)
    describe(app)
    put_up(app, PREFIX)
    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, prefix=PREFIX)
    app.add_middleware(RequestId)
    return app


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: answer(words)
    for status, words in {
        400: "The request cannot be read.",
        401: "Nobody is logged in, or the token is not valid.",
        403: "Not permitted.",
        404: "No such thing, or not yours to see.",
        409: "It does not fit the present state.",
        413: "The body is too large.",
        422: "The content is not acceptable.",
        429: "Too many requests at once; come back after Retry-After seconds.",
        503: "The database does not answer.",
    }.items()
}
"""Answers that every endpoint may give."""


class RequestId:
    """ASGI middleware: gives every request a number, returned as X-Request-ID."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        frame: Frame = scope["app"].state.frame
        number = new_id("req", frame.now())
        scope.setdefault("state", {})["request_id"] = number

        async def tell(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", number.encode()))
            await send(message)

        await self.app(scope, receive, tell)


def _locale(request: Request) -> str:
    known = getattr(request.state, "locale", None)
    if known:
        return str(known)
    language = request.headers.get("accept-language", "").lower()
    return LOCALES[1] if language.startswith("zh") else LOCALES[0]


def _answer(request: Request, error: KeepwellError, faults: list[Fault] | None = None) -> Response:
    if not request.url.path.startswith(f"{PREFIX}/"):
        return error_page(request, error, _request_id(request))
    body = problem(error, _request_id(request), _locale(request), faults)
    headers = error.headers if isinstance(error, RequestError) else {}
    return Response(body.model_dump_json(), body.status, headers, MEDIA_TYPE)


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", "–"))


async def _keepwell(request: Request, error: Any) -> Response:
    return _answer(request, error)


async def _invalid(request: Request, error: Any) -> Response:
    from keepwell.frame.problem import Unprocessable

    first = await _before(request)
    if first is not None:
        return first
    faults = [
        Fault(where=".".join(str(p) for p in e["loc"]), message=e["msg"]) for e in error.errors()
    ]
    return _answer(request, Unprocessable("request.body-invalid"), faults)


class _Plain(RequestError):
    """A plain HTTP error of the framework in our shape."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self._status = status

    @property
    def status(self) -> int:  # type: ignore[override]
        """The framework's status."""
        return self._status


async def _before(request: Request) -> Response | None:
    """Who asks comes before what is wrong with the request: 401 and 403 before 400 and 422."""
    try:
        await vet(request)
    except KeepwellError as error:
        return _answer(request, error)
    except (OperationalError, PoolTimeout) as error:
        return await _database(request, error)
    return None


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == 400:  # a body that cannot be parsed
        first = await _before(request)
        if first is not None:
            return first
    code = {404: "request.path-unknown", 405: "request.method-unknown"}.get(
        error.status_code, "request.body-invalid"
    )
    response = _answer(request, _Plain(code, error.status_code))
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        # The framework names the methods of the first route at an address only.
        response.headers["Allow"] = ", ".join(methods_at(request.app, request.url.path))
    return response


async def _database(request: Request, error: Any) -> Response:
    if isinstance(error, OperationalError) and _is_our_fault(error):
        raise error  # answered by `_unexpected`, and logged as every error of ours
    return _answer(request, Unavailable("request.unavailable"))


def _is_our_fault(error: OperationalError) -> bool:
    """Whether the database did answer: that it does not know a table or column, or the syntax.

    SQLite says so by the class of errors that otherwise means a busy, full or broken database.
    """
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


async def _unexpected(request: Request, error: Any) -> Response:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _answer(request, Unavailable("request.unavailable"))
    failed = _Plain("request.failed", 500)
    failed.fields["request_id"] = _request_id(request)
    return _answer(request, failed)
