"""Where a client's score comes from: reasons, one indicator, its tile rows, the sources' rows."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.text import Code
from keepwell.intervene.context.lineage import LISTED, asked, told, traced
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.client import ThisClient
from keepwell.web.pages.data import NAMES
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)


@router.get("/clients/{client_id}/lineage")
def lineage_page(
    client_id: ThisClient,
    indicator: Annotated[Code | None, Query()] = None,
    visit: Visit = visiting(Permission.CLIENT_READ),
) -> Response:
    """The way down from a score, to the rows where an indicator was chosen."""
    what = visit.peek(lambda tx, actor: asked(tx, actor, client_id, indicator))
    found = traced(visit.frame, what)

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        return {
            "told": told(tx, actor, what, found), "names": NAMES, "listed": LISTED,
            "client_id": client_id, "chosen": indicator,
        }  # fmt: skip

    return visit.show("client/lineage.html", verb)
