"""Live pages: one stream of server-sent events per tab, which says that something is new.

An event carries no data of clients; the page asks for the part that changed, with its own scope.
One look at the database a second serves all streams of the process, and only while there are any.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse

from keepwell.frame.context import Frame
from keepwell.intervene.notice.news_repo import News, since
from keepwell.trust.access.policy import Actor
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/live"
EVERY: Final = 1.0
"""Seconds between two looks."""
QUIET: Final = 20.0
"""Seconds of silence after which a stream says that it lives, lest something on the way ends it."""
LIFE: Final = 600.0
"""Seconds after which a stream ends; the browser opens another, and proves anew who it is."""
OVERLAP: Final = timedelta(seconds=15)
"""A transaction may end so long after the ids that it made; looks overlap by it."""


@dataclass(eq=False, slots=True)
class Listener:
    """One tab.

    Attributes:
        user_id: who looks.
        staff_id: their staff number.
        all_staff: whether news of everybody's cases concern them: leads and above.
        waiting: names of events to be sent.
        wake: set when there are any.
    """

    user_id: str
    staff_id: str | None
    all_staff: bool
    waiting: set[str] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: str) -> None:
        """Send an event soon; twice the same is once."""
        self.waiting.add(event)
        self.wake.set()


class Live:
    """All streams of a process, and the one look that serves them.

    Args:
        frame: the desk.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._listeners: set[Listener] = set()
        self._looking: asyncio.Task[None] | None = None
        self._seen: set[str] = set()
        self._limiter = CapacityLimiter(1)

    def add(self, listener: Listener) -> None:
        """Open a stream."""
        self._listeners.add(listener)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())

    def remove(self, listener: Listener) -> None:
        """Close a stream."""
        self._listeners.discard(listener)

    async def _look_on(self) -> None:
        self._seen = {item.key for item in await self._look()}
        while self._listeners:
            await asyncio.sleep(EVERY)
            found = await self._look()
            fresh = [item for item in found if item.key not in self._seen]
            self._seen = {item.key for item in found}
            for item in fresh:
                for listener in self._listeners:
                    if item.concerns(listener.user_id, listener.staff_id, listener.all_staff):
                        listener.tell(item.event)

    async def _look(self) -> list[News]:
        # A database that does not answer is reported elsewhere; the streams wait for it.
        with suppress(SQLAlchemyError, OSError):
            return await anyio.to_thread.run_sync(self._read, limiter=self._limiter)
        return []

    def _read(self) -> list[News]:
        with self._frame.read() as tx:
            return since(tx, tx.at - OVERLAP)


@router.get(PATH)
async def live(request: Request, visit: Visit = visiting(None)) -> Response:
    """The stream of one tab: events `queue` and `notices`."""

    def who(_tx: Any, actor: Actor) -> Listener:
        wide = actor.staff_id is None or actor.role not in ("manager", "adviser")
        return Listener(actor.user_id, actor.staff_id, wide)

    listener = await anyio.to_thread.run_sync(visit.peek, who)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    hub = _hub(request)
    return StreamingResponse(_stream(hub, listener), 200, headers, "text/event-stream")


def _hub(request: Request) -> Live:
    state = request.app.state
    hub: Live | None = getattr(state, "live", None)
    if hub is None:
        hub = state.live = Live(state.frame)
    return hub


async def _stream(hub: Live, listener: Listener) -> AsyncIterator[bytes]:
    hub.add(listener)
    loop = asyncio.get_running_loop()
    end = loop.time() + LIFE
    try:
        yield b"retry: 3000\n\n"
        while loop.time() < end:
            with suppress(TimeoutError):
                await asyncio.wait_for(listener.wake.wait(), QUIET)
            listener.wake.clear()
            names, listener.waiting = sorted(listener.waiting), set()
            if not names:
                yield b":\n\n"
            for name in names:
                yield f"event: {name}\ndata: {name}\n\n".encode()
    finally:
        hub.remove(listener)
