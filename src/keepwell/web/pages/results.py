"""Results: where they begin; each page has a module of its own."""

from __future__ import annotations

from fastapi import APIRouter, Response

from keepwell.web.pages import (
    results_actions,
    results_experiments,
    results_kept,
    results_kpi,
    results_outcomes,
)
from keepwell.web.pages.results_frame import tabs_for
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)
router.include_router(results_actions.router)
router.include_router(results_experiments.router)
router.include_router(results_kept.router)
router.include_router(results_kpi.router)
router.include_router(results_outcomes.router)


@router.get("/results")
def begin(visit: Visit = visiting(None)) -> Response:
    """Lead to the first tab that is open to the reader."""
    tabs = visit.peek(lambda _, actor: tabs_for(actor))
    return visit.go(tabs[0].path if tabs else "/account")
