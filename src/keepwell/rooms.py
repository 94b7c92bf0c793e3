"""The service rooms: which modules hold tables, endpoints, jobs and subscribers.

Importing a room's `jobs` or `listen` module registers what it does; nothing else has side effects.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

ROOMS = (
    "keepwell.jobs",
    "keepwell.trust.access",
    "keepwell.trust.preference",
    "keepwell.trust.book",
    "keepwell.trust.evidence",
    "keepwell.trust.consent",
    "keepwell.learn.holdout",
    "keepwell.learn.outcome",
    "keepwell.learn.experiment",
    "keepwell.learn.kept",
    "keepwell.intervene.notice",
    "keepwell.intervene.clock",
    "keepwell.intervene.contact",
    "keepwell.intervene.case",
    "keepwell.intervene.action",
    "keepwell.intervene.exit",
    "keepwell.intervene.alert",
    "keepwell.intervene.outcome",
    "keepwell.intervene.ledger",
    "keepwell.intervene.rule",
    "keepwell.intervene.incident",
    "keepwell.intervene.context",
    "keepwell.intervene.event",
    "keepwell.intervene.kpi",
    "keepwell.intervene.webhook",
)
"""In the order in which their subscribers hear of an event."""


def load(kind: str) -> list[object]:
    """Import one kind of module of every room that has it.

    Args:
        kind: 'model', 'api', 'jobs' or 'listen'.
    """
    names = [f"{room}.{kind}" for room in ROOMS]
    return [import_module(name) for name in names if find_spec(name) is not None]


def routers() -> list[APIRouter]:
    """The endpoints of every room, in the order of the rooms."""
    found: list[APIRouter] = [module.router for module in load("api")]  # type: ignore[attr-defined]
    return found


def load_all() -> None:
    """Import tables, subscribers and job handlers of every room."""
    for kind in ("model", "listen", "jobs"):
        load(kind)
