"""The one way from an HTTP request to a service function and back.

An endpoint is a plain `def` that names its permission and hands one function to the call:

    @router.get("/cases/{case_id}", response_model=CaseOut)
    def read_case(case_id: str, call: Call = allow(Permission.CASE_READ)) -> Response:
        return call.answer(lambda tx, actor: service.read_case(tx, actor, case_id))

Authentication, permission, unit of work, idempotency and the answer's headers happen inside
`answer` (reads) and `perform` (writes), in one thread and one transaction. Nothing of it is a
dependency that holds a connection: that pattern deadlocks under load.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from keepwell.core.errors import nearest
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.problem import (
    ConditionMissing,
    Conflict,
    NotAllowed,
    Stale,
    Unprocessable,
)
from keepwell.trust.access.identity import Identity, identify
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.access.replay import KeyTaken, Once

PAUSES: Final = (0.01, 0.03, 0.1)
"""Seconds, about, before a transaction that stood in another one's way is tried again."""
PATIENCE: Final = 5.0
"""Whoever has waited so long already is told that the database does not answer."""
_PASSING: Final = frozenset({"40P01", "40001"})  # PostgreSQL: deadlock, serialization failure

Verb = Callable[[Tx, Actor], Any]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Reply:
    """What a service verb may return instead of a plain model, to set status or headers.

    Attributes:
        content: a pydantic model, a list of them, bytes, or None.
        status: HTTP status; default: the call's.
        version: becomes the ETag.
        headers: further headers.
        media_type: of bytes.
        secret: whether the content must not be kept for a repeat by Idempotency-Key; the repeat
            then answers 409, and does nothing.
        anew: whether the content changes without a new version, so that it is always sent whole.
    """

    content: Any
    status: int | None = None
    version: int | None = None
    headers: dict[str, str] | None = None
    media_type: str = "application/json"
    secret: bool = False
    anew: bool = False


class Call:
    """One request that needs a permission."""

    def __init__(
        self, request: Request, permission: Permission | None, body: bytes, early: bool = False
    ) -> None:
        self.request = request
        self.permission = permission
        self.body = body
        self.early = early
        self.identity: Identity | None = None

    @property
    def frame(self) -> Frame:
        """The desk that serves the request."""
        frame: Frame = self.request.app.state.frame
        return frame

    def answer(self, verb: Verb, status: int = 200) -> Response:
        """Read: authenticate, check the permission, run the verb in a reading unit of work.

        Args:
            verb: gets the unit of work and the actor; returns a model, a list of models, a
                `Reply` or None.
            status: HTTP status when all goes well.

        Raises:
            NotAuthenticated: nobody, or no longer.
            NotAllowed: the actor lacks the permission.
            Unprocessable: a query parameter that the endpoint does not have.
        """
        with self.frame.read() as tx:
            actor = self._actor(tx)
            response = self._response(_reply(verb(tx, actor), status))
        self._touch()
        return response

    def peek(self, verb: Callable[[Tx, Actor], Value]) -> Value:
        """Read as `answer` does, for an endpoint that goes on with the value outside of the unit.

        Raises:
            NotAuthenticated: nobody, or no longer.
            NotAllowed: the actor lacks the permission.
        """
        with self.frame.read() as tx:
            return verb(tx, self._actor(tx))

    def ask(self, verb: Verb) -> Any:
        """Read what must be known before work outside the database, which `perform` concludes.

        Args:
            verb: gets the unit of work and the actor.

        Returns:
            What the verb returned.

        Raises:
            NotAuthenticated: nobody, or no longer.
            NotAllowed: the actor lacks the permission.
            Conflict: the Idempotency-Key was used for another request.
        """
        key = self._key()
        with self.frame.read() as tx:
            actor = self._writer(tx)
            if key:
                Once(self.request, self.body, actor, key).known(tx)
            return verb(tx, actor)

    def perform(self, verb: Verb, status: int = 200) -> Response:
        """Write: as `answer`, in a unit of work that commits; repeats by Idempotency-Key.

        A request with an Idempotency-Key that was answered before gets the same answer again and
        does nothing; the key, the answer and the effect are one transaction. When the database
        ends it because two transactions waited for each other, it is tried again.

        Raises:
            NotAuthenticated: nobody, or no longer.
            NotAllowed: the actor lacks the permission, or another site sent the request.
            Conflict: the key was used for another request, or somebody else was faster.
        """
        key = self._key()
        begun = time.monotonic()
        for pause in PAUSES:
            try:
                return self._perform(verb, status, key)
            except OperationalError as error:
                if not is_passing(error) or time.monotonic() - begun > PATIENCE:
                    raise
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        return self._perform(verb, status, key)

    def _perform(self, verb: Verb, status: int, key: str | None) -> Response:
        try:
            with self.frame.write() as tx:
                actor = self._writer(tx)
                once = Once(self.request, self.body, actor, key) if key else None
                known = once and once.begin(tx)
                if known:
                    return known
                reply = _reply(verb(tx, actor), status)
                response = self._response(reply)
                if once:
                    once.end(tx, response, reply.secret)
                if self.identity and self.identity.is_due(tx.at):
                    self.identity.touch(tx)
                tx.session.flush()
                return response
        except KeyTaken as taken:
            # Two requests with one key at once: the other was first; its answer is the answer.
            with self.frame.read() as tx:
                self._actor(tx)
                return taken.once.answer(tx)
        except IntegrityError as error:
            if _is_unique(error):
                raise Conflict("request.state-conflict") from None
            raise

    def cover(self, content: bytes) -> None:
        """Let the Idempotency-Key stand for this content too: an uploaded file.

        The body of a multipart request is not read as a whole, so its endpoint says what counts.
        """
        self.body += content

    def check(self) -> None:
        """Only authenticate and check the permission.

        Raises:
            NotAuthenticated: nobody, or no longer.
            NotAllowed: the actor lacks the permission, or another site sent the request.
        """
        with self.frame.read() as tx:
            self._actor(tx)

    def expected_version(self) -> int:
        """The version that the caller says it changes, from If-Match.

        Raises:
            ConditionMissing: there is no If-Match.
            Unprocessable: it is not an ETag of ours.
        """
        given = self.request.headers.get("if-match")
        if not given:
            raise ConditionMissing("request.condition-missing")
        text = given.strip().removeprefix("W/").strip('"')
        if not text.isdigit() or len(text) > 9:
            raise Stale("request.condition-stale", current="–", given=given[:40])
        return int(text)

    def _writer(self, tx: Tx) -> Actor:
        # What changes things may lend the actor a client on the way.
        return replace(self._actor(tx), lent=True)

    def _actor(self, tx: Tx) -> Actor:
        self.identity = identity = identify(tx, self.request)
        actor = identity.actor
        actor = self._spoken(actor)
        self.request.state.locale = actor.locale
        self.request.state.user_id = actor.user_id
        if identity.must_change and actor.via == "session" and not self.early:
            raise NotAllowed("access.password-change-needed")
        if self.permission is not None and not actor.may(self.permission):
            raise NotAllowed("access.permission-missing", permission=self.permission.value)
        self._check_query()
        return actor

    def _spoken(self, actor: Actor) -> Actor:
        language = self.request.headers.get("accept-language", "")
        if not language:
            return actor
        return replace(actor, locale="zh" if language.lower().startswith("zh") else "en")

    def _check_query(self) -> None:
        # A filter with a typing error must not quietly mean everything.
        given = set(self.request.query_params)
        if not given:
            return
        known = query_names(self.request.scope.get("route"))
        for name in sorted(given - known):
            raise Unprocessable(
                "request.query-unknown", name=name[:100],
                nearest=nearest(name[:100], sorted(known)) or "–",
                known=", ".join(sorted(known)) or "–",
            )  # fmt: skip

    def _touch(self) -> None:
        if self.identity and self.identity.is_due(self.frame.now()):
            # A read is not refused because a note about it cannot be written just now.
            with suppress(OperationalError), self.frame.write() as tx:
                self.identity.touch(tx)

    def _key(self) -> str | None:
        key = self.request.headers.get("idempotency-key")
        if key is None:
            return None
        if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
            raise Unprocessable("request.key-invalid")
        return key

    def _response(self, reply: Reply) -> Response:
        # What the desk says is about people; no cache on the way may keep it.
        headers = {"Cache-Control": "no-store", **(reply.headers or {})}
        if reply.version is not None:
            headers["ETag"] = f'"{reply.version}"'
            if (
                self.request.method == "GET"
                and not reply.anew
                and (self.request.headers.get("if-none-match") == headers["ETag"])
            ):
                return Response(None, 304, headers)
        status = reply.status or 200
        if reply.content is None:
            return Response(None, 204 if status == 200 else status, headers)
        return Response(_encode(reply.content), status, headers, reply.media_type)


def _reply(result: Any, status: int) -> Reply:
    if not isinstance(result, Reply):
        return Reply(result, status)
    return result if result.status is not None else replace(result, status=status)


_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def _encode(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, BaseModel):
        return content.__pydantic_serializer__.to_json(content)
    return _ANY.dump_json(content)


def check_version(current: int, given: int) -> None:
    """Refuse a change to something that somebody else changed in the meantime.

    Raises:
        Stale: the versions differ.
    """
    if current != given:
        raise Stale("request.condition-stale", current=current, given=given)


class Allow:
    """The dependency behind `allow`; tests read its permission off the routes."""

    def __init__(self, permission: Permission | None, early: bool = False) -> None:
        self.permission = permission
        self.early = early

    async def __call__(self, request: Request) -> Call:
        """Wrap the request; no thread and no connection is taken here."""
        body = b"" if request.method in ("GET", "HEAD") else await _body(request)
        return Call(request, self.permission, body, self.early)


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").startswith("multipart/"):
        return b""  # read as a stream; the endpoint says by `Call.cover` what it was
    return await request.body()


def allow(permission: Permission | None, early: bool = False) -> Any:
    """An endpoint's `call` parameter: who calls must hold this permission.

    Args:
        permission: None: any user.
        early: also before a password that somebody else chose was changed.
    """
    return Depends(Allow(permission, early))


def guard(route: Any) -> Allow | None:
    """The `Allow` of a route; None for one without."""
    dependant = getattr(route, "dependant", None)
    for inner in getattr(dependant, "dependencies", ()):
        if isinstance(inner.call, Allow):
            return inner.call
    return None


def query_names(route: Any) -> frozenset[str]:
    """Names of the query parameters that an endpoint takes."""
    if getattr(route, "dependant", None) is None:
        return frozenset()
    known = _QUERY.get(route.endpoint)
    if known is None:
        known = _QUERY[route.endpoint] = frozenset(_names_in(route.dependant))
    return known


def _names_in(dependant: Any) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for inner in dependant.dependencies:
        yield from _names_in(inner)


_QUERY: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


async def vet(request: Request) -> None:
    """Ask who calls before saying what is wrong with a request that cannot be read.

    The framework looks at path, query and body before the endpoint runs; without this, strangers
    would learn the shape of requests, and 422 would come before 401 and 403. Only requests that
    fail pay for it.

    Raises:
        NotAuthenticated: nobody, or no longer.
        NotAllowed: the actor lacks the permission, or another site sent the request.
    """
    allowed = guard(request.scope.get("route"))
    if allowed is not None:
        call = Call(request, allowed.permission, b"", allowed.early)
        await run_in_threadpool(call.check)


def is_passing(error: DBAPIError) -> bool:
    """Whether the database ended a transaction only because another one was in its way."""
    state = getattr(error.orig, "sqlstate", None)
    return state in _PASSING if state else "database is locked" in str(error.orig)


def _is_unique(error: IntegrityError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state == "23505" if state else "UNIQUE constraint" in str(error.orig)
