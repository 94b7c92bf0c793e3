"""Pages of the workbench: each module here holds a `router`; the list below is their order.

A package may add pages of its own: an entry point of the group `keepwell.pages` names a module
with a `router` and, if it wants a place in the navigation, an `ENTRY`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from fastapi import APIRouter, FastAPI

PAGES: Final = (
    "shell", "live", "account", "admin", "today", "case", "client", "client_lineage", "explore",
    "team", "insight", "results", "data", "incidents", "evidence",
)  # fmt: skip
"""Modules of this package."""


def modules() -> Iterator[Any]:
    """The modules of all pages: ours, then those that other packages add."""
    for name in PAGES:
        yield import_module(f"{__name__}.{name}")
    for found in sorted(entry_points(group="keepwell.pages"), key=lambda e: e.name):
        yield found.load()


def install(app: FastAPI) -> None:
    """Add the pages and their files to the application.

    Args:
        app: with the API installed.
    """
    from keepwell.web.pages.assets import PREFIX, serve_asset

    for module in modules():
        router: APIRouter = module.router
        app.include_router(router)
    app.add_route(PREFIX + "{path:path}", serve_asset, methods=["GET"], include_in_schema=False)
