"""Overload: what is over the limit is refused at once, exits and events keep their places."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from keepwell.web.app import PREFIX
from keepwell.web.gate import Gate


class Crowd:
    """Requests that stay inside until let out."""

    def __init__(self, places):
        settings = SimpleNamespace(in_flight=places)
        self.state = SimpleNamespace(frame=SimpleNamespace(settings=settings))
        self.out = asyncio.Event()
        self.gate = Gate(self._serve, PREFIX)
        self.tasks = []

    async def _serve(self, scope, receive, send):
        await self.out.wait()
        if scope["path"].endswith("/broken"):
            raise RuntimeError("broken")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(self, method="GET", path=f"{PREFIX}/cases", language="en"):
        """The status if the answer is there at once, else None: the request is inside."""
        answer = SimpleNamespace(status=None, headers={}, body=b"")

        async def send(message):
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = dict(message["headers"])
            answer.body += message.get("body", b"")

        scope = {
            "type": "http", "method": method, "path": path, "state": {},
            "headers": [(b"accept-language", language.encode())],
            "app": SimpleNamespace(state=self.state),
        }  # fmt: skip
        self.tasks.append(asyncio.ensure_future(self.gate(scope, None, send)))
        for _ in range(3):
            await asyncio.sleep(0)
        return answer

    async def leave(self):
        self.out.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


def test_what_is_over_the_limit_is_told_to_come_back():
    async def play():
        crowd = Crowd(4)
        inside = [await crowd.ask() for _ in range(4)]
        assert [a.status for a in inside] == [None] * 4
        over = await crowd.ask(language="zh")
        assert over.status == 429
        assert over.headers[b"retry-after"] == b"1"
        assert "请求过多" in over.body.decode()
        await crowd.leave()
        assert [a.status for a in inside] == [200] * 4
        assert crowd.gate.inside == 0

    asyncio.run(play())


def test_exits_and_events_have_places_of_their_own():
    async def play():
        crowd = Crowd(4)
        for _ in range(4):
            await crowd.ask()
        assert (await crowd.ask("GET", f"{PREFIX}/exits")).status == 429
        assert (await crowd.ask("POST", f"{PREFIX}/cases")).status == 429
        assert (await crowd.ask("POST", f"{PREFIX}/exits")).status is None
        assert (await crowd.ask("POST", f"{PREFIX}/events")).status == 429, (
            "the one on top is taken"
        )
        await crowd.leave()

    asyncio.run(play())


def test_probes_need_no_place_and_a_failure_gives_its_place_back():
    async def play():
        crowd = Crowd(1)
        await crowd.ask(path=f"{PREFIX}/broken")
        assert (await crowd.ask(path="/healthz")).status is None
        errors = await crowd.leave()
        assert [type(e).__name__ for e in errors] == ["RuntimeError", "NoneType"]
        assert crowd.gate.inside == 0

    asyncio.run(play())
