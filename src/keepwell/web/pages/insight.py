"""Insight: how assets moved, who keeps clients and where they leave, and how good the model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from keepwell.frame.database import Tx
from keepwell.frame.problem import NotFound
from keepwell.trust.access.export import download
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.insight_files import LISTS, rows_of
from keepwell.web.pages.insight_view import PATH, View, read_query
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)


@router.get(PATH)
def insight_page(
    days: str = "", sort: str = "", branch_id: str = "",
    visit: Visit = visiting(Permission.INSIGHT_READ),
) -> Response:  # fmt: skip
    """All of it for the reader's clients, or for one branch."""
    query = {"days": days, "sort": sort, "branch_id": branch_id}
    return visit.show("insight/page.html", lambda tx, actor: _view(tx, actor, visit, query).page())


@router.get(PATH + "/{name}.csv")
def insight_file(
    name: str, days: str = "", sort: str = "", branch_id: str = "",
    visit: Visit = visiting(Permission.INSIGHT_READ),
) -> Response:  # fmt: skip
    """One of the page's lists as a file; the download is recorded."""
    asked = {"days": days, "sort": sort, "branch_id": branch_id}

    def rows(tx: Tx, actor: Actor) -> list[list[Any]]:
        if name not in LISTS:
            raise NotFound("request.path-unknown")
        return rows_of(_view(tx, actor, visit, asked), name)

    return download(visit, rows, LISTS.get(name, ()), f"insight-{name}")


def _view(tx: Tx, actor: Actor, visit: Visit, query: Mapping[str, str]) -> View:
    return View(tx, actor, visit.tongue(actor), read_query(query))
