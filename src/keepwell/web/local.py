"""The desk in this very process, without a server: for the command line on the same machine.

Whoever can open the workspace's database could do anything with it anyway; the user named is
whose scope and permissions apply, and who stands in the evidence.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import httpx2
from anyio.from_thread import start_blocking_portal

from keepwell.frame.context import Frame
from keepwell.trust.access.identity import LOCAL_LOGIN


class LocalTransport(httpx2.BaseTransport):
    """Requests of a client go straight into the application, as one user.

    Args:
        frame: the open desk; closed by its owner.
        login: log-in name of the user.
    """

    def __init__(self, frame: Frame, login: str) -> None:
        from keepwell.web.app import create_app

        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())
        app = create_app(frame)

        async def as_user(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, LOCAL_LOGIN: login}, receive, send)

        self._inside = httpx2.ASGITransport(as_user, raise_app_exceptions=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        request.read()
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inside.handle_async_request(request)
        return httpx2.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )

    def close(self) -> None:
        """End the thread in which the application runs."""
        self._stack.close()
