"""Outcomes: what the label says became of clients, and where staff typed something else."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from keepwell.frame.database import Tx
from keepwell.intervene.action.service import list_actions
from keepwell.intervene.case.policy import CLOSE_TITLES, STATE_TITLES
from keepwell.intervene.outcome import service
from keepwell.intervene.outcome.policy import SMALL
from keepwell.intervene.outcome.show import mismatch_out, use_out
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.results_frame import framed
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/results/outcomes"
ROWS: Final = 50
"""Differing cases on the page; the file holds all."""


@router.get(PATH)
def outcomes_page(visit: Visit = visiting(Permission.OUTCOME_READ)) -> Response:
    """Staff against label, by manager and team; scripts and actions with what followed."""
    return visit.show("results/outcomes.html", framed(_page))


def _page(tx: Tx, actor: Actor) -> dict[str, Any]:
    span = service.span_of(tx)
    told = mismatch_out(tx, actor, span, service.agreement(tx, actor, span))
    use = use_out(actor, span, *service.use_of(tx, actor, span))
    return {
        "told": told, "use": use, "states": STATE_TITLES, "reasons": CLOSE_TITLES, "small": SMALL,
        "actions": {known.action.name: known.action.title for known in list_actions(tx)},
        "rows": ROWS, "known": service.known_days(tx),
        "export": actor.may(Permission.CLIENT_EXPORT),
    }  # fmt: skip
