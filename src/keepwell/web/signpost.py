"""The short way to an endpoint: by its first words, not by trying a hundred patterns in turn.

The framework tries every route, twice for those of included routers, which costs as much as a
whole small query. What the table does not know (other methods, other paths) goes the usual way.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import compile_path


class _Way(NamedTuple):
    """A pattern of a path, what turns its parts into values, and the route."""

    pattern: re.Pattern[str]
    convertors: dict[str, Any]
    route: APIRoute


class Signpost:
    """ASGI application before the router: sends requests to their endpoint, or to the router.

    Args:
        app: with all its endpoints; an inclusion may add a prefix, nothing that acts.
        prefix: of the endpoints.
    """

    def __init__(self, app: FastAPI, prefix: str) -> None:
        self._router = app.router.middleware_stack
        self._depth = prefix.count("/") + 1
        self._ways: dict[tuple[str, str, int], list[_Way]] = defaultdict(list)
        for context in iter_route_contexts(app.routes):
            route, path = context.original_route, context.path
            if not isinstance(route, APIRoute) or not path or not path.startswith(f"{prefix}/"):
                continue
            pattern, _, convertors = compile_path(path)
            if any(type(c).__name__ == "PathConvertor" for c in convertors.values()):
                continue  # it takes any number of words
            for method in route.methods or ():
                self._ways[self._key(method, path)].append(_Way(pattern, convertors, route))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope.get("root_path"):
            path = scope["path"]
            for way in self._ways.get(self._key(scope["method"], path), ()):
                found = way.pattern.match(path)
                if found:
                    parts = found.groupdict()
                    scope["path_params"] = {
                        name: way.convertors[name].convert(part) for name, part in parts.items()
                    }
                    scope["endpoint"], scope["route"] = way.route.endpoint, way.route
                    await way.route.handle(scope, receive, send)
                    return
        await self._router(scope, receive, send)

    def _key(self, method: str, path: str) -> tuple[str, str, int]:
        words = path.split("/")
        return method, words[self._depth] if len(words) > self._depth else "", len(words)


def put_up(app: FastAPI, prefix: str) -> None:
    """Let an application's requests take the short way.

    Args:
        app: with all its endpoints.
        prefix: of the endpoints.
    """
    app.router.middleware_stack = Signpost(app, prefix)
