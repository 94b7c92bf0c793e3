"""Administration: where it begins, and what the roles may do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from keepwell.frame.database import Tx
from keepwell.trust.access.policy import GRANTS, PERMISSIONS, SCOPES, Actor, Permission, Role
from keepwell.web.pages import (
    admin_clocks,
    admin_jobs,
    admin_places,
    admin_settings,
    admin_tokens,
    admin_users,
    admin_webhooks,
)
from keepwell.web.pages.admin_frame import framed, tabs_for
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)


@router.get("/admin")
def begin(visit: Visit = visiting(None)) -> Response:
    """Lead to the first tab that is open to the reader."""
    tabs = visit.peek(lambda _, actor: tabs_for(actor))
    return visit.go(tabs[0].path if tabs else "/account")


@router.get("/admin/roles")
def roles_page(visit: Visit = visiting(Permission.USER_READ)) -> Response:
    """What each role may do, and whose clients it sees."""
    return visit.show("admin/roles.html", framed(_roles))


def _roles(_tx: Tx, _actor: Actor) -> dict[str, Any]:
    return {
        "roles": [
            {"role": role, "scope": SCOPES[GRANTS[role].scope], "unmasked": GRANTS[role].unmasked}
            for role in Role
        ],
        "rows": [
            {"words": words, "held": [p in GRANTS[role].permissions for role in Role]}
            for p, words in PERMISSIONS.items()
        ],
    }  # fmt: skip


for page in (
    admin_users, admin_places, admin_tokens, admin_webhooks, admin_clocks, admin_settings,
    admin_jobs,
):  # fmt: skip
    router.include_router(page.router)
