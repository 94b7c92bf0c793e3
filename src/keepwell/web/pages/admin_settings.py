"""Administration of settings: read only, since they are made in desk.yaml and the environment."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from keepwell.frame.database import Tx
from keepwell.frame.settings import FILE_NAME
from keepwell.frame.settings_shown import file_of, listed
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.admin_frame import framed
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PARTS: Final = {
    "": "The desk itself",
    "session": "Log-in of people",
    "holdout": "Hold-out",
    "alert": "Alerts",
    "case": "Cases",
    "calendar": "Calendars",
    "clock": "Clocks",
    "contact": "Retention contacts",
    "action": "Cost of working time",
    "webhook": "Webhooks",
    "kpi": "Key figures",
    "evidence": "Evidence",
    "writer": "Language model for scripts",
}
"""What each part of desk.yaml is about, in English."""

ORIGINS: Final = {"default": "Default", "file": FILE_NAME, "environment": "Environment",
    "start": "Start of the server",
}  # fmt: skip
"""Where a value comes from, in English."""


@router.get("/admin/settings")
def settings_page(visit: Visit = visiting(Permission.JOB_ADMIN)) -> Response:
    """Every setting with its present value, its origin and its meaning; no secret."""
    return visit.show("admin/settings.html", framed(_settings))


def _settings(tx: Tx, _: Actor) -> dict[str, Any]:
    parts: dict[str, list[Any]] = {}
    for setting in listed(tx.frame.settings, file_of(tx.frame.workspace.root)):
        parts.setdefault(setting.part, []).append(setting)
    return {"parts": parts, "titles": PARTS, "origins": ORIGINS, "file": FILE_NAME}
