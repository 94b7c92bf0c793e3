"""The endpoints of the application; FastAPI keeps included routers nested, so one must walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute

from keepwell.trust.access.call import Allow
from keepwell.web.app import PREFIX

PAGES = "keepwell.web.pages."


def endpoints(app: Any) -> list[APIRoute]:
    """Every endpoint below `PREFIX`, in the order in which they are tried; paths without it.

    Pages for people have tests of their own.
    """
    found = [r for r in walk(app.routes) if not r.endpoint.__module__.startswith(PAGES)]
    described = sum(
        len(item) for path, item in app.openapi()["paths"].items() if path.startswith(PREFIX)
    )
    assert sum(len(route.methods) for route in found if route.include_in_schema) == described
    return found


def walk(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from walk(route.original_router.routes)


def permissions(route: APIRoute) -> list[Any]:
    """What `allow(…)` says of an endpoint: permissions, or None for any user."""
    calls = [d.call for d in route.dependant.dependencies]
    return [call.permission for call in calls if isinstance(call, Allow)]
