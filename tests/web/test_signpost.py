"""The short way to an endpoint leads where the framework's own router leads, whatever is asked."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from keepwell.web.app import PREFIX
from keepwell.web.signpost import Signpost

OWN = {"content-length", "date", "x-request-id"}
"""Headers that two answers need not share: one has the length, packed, of a number that differs."""

ODD = [
    f"{PREFIX}/cases", f"{PREFIX}/cases/", f"{PREFIX}//cases", f"/{PREFIX}/cases", f"{PREFIX}",
    f"{PREFIX}/", "/", "", "/api", f"{PREFIX}/cases/choices", f"{PREFIX}/cases/choices/",
    f"{PREFIX}/alerts/ceiling", f"{PREFIX}/alerts/none", f"{PREFIX}/clients/c1",
    f"{PREFIX}/clients/c1/", f"{PREFIX}/clients/%631", f"{PREFIX}/clients/c%2F1",
    f"{PREFIX}/clients/c1%20", f"{PREFIX}/clients/%E7%8E%8B%E6%98%8E", f"{PREFIX}/clients/%FF",
    f"{PREFIX}/clients/c1%0A", f"{PREFIX}/clients/%00", f"{PREFIX}/clients/c1%3Fx=1",
    f"{PREFIX}/clients/c1?x=1", f"{PREFIX}/clients/..", f"{PREFIX}/clients/%2E%2E",
    f"{PREFIX}/clients/c1;x", f"{PREFIX}/Clients/c1", f"{PREFIX}/clients/{{client_id}}",
    f"{PREFIX}/clients/c1/consents/x/y/z", f"{PREFIX}/nothing", f"{PREFIX}/nothing/at/all",
    f"{PREFIX}/openapi.json", f"{PREFIX}x/cases", "/healthz", "/healthz/", "/metrics/none",
]  # fmt: skip
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "NONSENSE"]


def described(app):
    """Method and path of every operation of the API."""
    paths = app.openapi()["paths"]
    return [(m.upper(), p) for p in paths if p.startswith(PREFIX) for m in paths[p]]


class Ways:
    """One application asked over the short way and over the framework's router alone."""

    def __init__(self, desk) -> None:
        self.desk, self.router = desk, desk.app.router
        self.signpost = self.router.middleware_stack
        assert isinstance(self.signpost, Signpost)
        self.ended = None
        """Endpoint and parameters to which the last request was led."""

    async def short(self, scope, receive, send) -> None:
        await self.signpost(scope, receive, send)
        self._note(scope)

    async def usual(self, scope, receive, send) -> None:
        await self.signpost._router(scope, receive, send)
        self._note(scope)

    def _note(self, scope) -> None:
        self.ended = scope.get("endpoint"), scope.get("path_params", {})

    def ask(self, way, method, path, who="auditor", root_path=""):
        """All of an answer that a caller can see, and where it came from."""
        self.router.middleware_stack = way
        self.ended = None
        http = TestClient(
            self.desk.app, base_url="http://127.0.0.1", root_path=root_path,
            headers={**self.desk.http(who).headers, "Accept-Encoding": "identity"},
            raise_server_exceptions=False,
        )  # fmt: skip
        got = http.request(method, path, follow_redirects=False)
        body = re.sub(r"req_\w+", "req", got.text)
        # A cookie that ends says when, and the second may change between two requests.
        headers = sorted(
            (k, re.sub(r"expires=[^;]+", "", v)) for k, v in got.headers.items() if k not in OWN
        )
        return got.status_code, headers, body, self.ended

    def agree(self, method, path, **more):
        short = self.ask(self.short, method, path, **more)
        assert short == self.ask(self.usual, method, path, **more), (method, path)
        return short


@pytest.fixture
def ways(sqlite_desk):
    sqlite_desk.usual()
    made = Ways(sqlite_desk)
    yield made
    made.router.middleware_stack = made.signpost


@pytest.mark.parametrize("method", METHODS)
def test_odd_paths_and_methods_are_answered_alike(ways, method):
    assert {ways.agree(method, path)[0] for path in ODD} >= {404}


def test_the_answers_compared_are_of_every_sort(ways):
    """So that the test above does not compare one refusal with itself."""
    path = f"{PREFIX}/clients/c1"
    status, _, body, (endpoint, values) = ways.agree("GET", path)
    assert (status, endpoint.__name__, values) == (200, "read_client", {"client_id": "c1"})
    assert '"client_id":"c1"' in body
    assert ways.agree("GET", f"{PREFIX}/clients/%631")[3] == (endpoint, values)
    assert ways.agree("GET", f"{path}/")[0] == 404
    assert ways.agree("GET", f"{PREFIX}/nothing")[0] == 404
    assert dict(ways.agree("HEAD", path)[1])["allow"] == "GET"
    assert ways.agree("OPTIONS", path)[0] == 405
    assert ways.agree("DELETE", path)[0] == 405
    assert ways.agree("GET", f"{PREFIX}/clients/none")[0] == 404
    assert ways.agree("GET", path, who=None)[0] == 401
    assert ways.agree("GET", f"{path}?nonsense=1")[0] == 422


def test_every_endpoint_is_reached_alike_with_any_parameters(ways):
    paths = described(ways.desk.app)
    assert len(paths) > 100
    for value in ("x", "%E7%8E%8B%20c1"):
        found = {ways.agree(m, re.sub(r"{\w+}", value, path))[3][0] for m, path in paths}
        assert len(found) == len(paths), "each is an endpoint of its own"


def test_no_endpoint_needs_the_long_way(ways):
    """That is what it is for; the router's own is asked for what the table does not know."""
    long = []

    async def router(scope, receive, send):
        long.append(scope["path"])
        await kept(scope, receive, send)

    kept, ways.signpost._router = ways.signpost._router, router
    try:
        for method, path in described(ways.desk.app):
            ways.ask(ways.signpost, method, re.sub(r"{\w+}", "x", path))
        assert long == []
        ways.ask(ways.signpost, "GET", f"{PREFIX}/nothing")
        assert long == [f"{PREFIX}/nothing"]
    finally:
        ways.signpost._router = kept


def test_below_another_root_the_answers_are_the_routers(ways):
    for path in (f"/desk{PREFIX}/clients/c1", f"{PREFIX}/clients/c1", "/desk/nothing"):
        ways.agree("GET", path, root_path="/desk")
