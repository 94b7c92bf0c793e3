"""What stays of a client's profile when profiling is refused: nothing (rule PI-4)."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.intervene.action import repo as actions
from keepwell.intervene.alert import repo as alerts
from keepwell.intervene.case import repo as cases
from keepwell.intervene.clock import repo as clocks
from keepwell.intervene.notice import repo as notices
from keepwell.learn.holdout import repo as holdout
from keepwell.learn.outcome import repo as outcomes
from keepwell.trust.access import repo as access
from keepwell.trust.evidence import repo as evidence

TOLD = ("tier", "old_tier", "score")
"""Names under which a model's word about a client is kept, as fields or as keys of JSON."""


def forget_profile(tx: Tx, client_id: str) -> None:
    """Take score and tier out of all that the desk keeps about a client.

    It runs before the rooms close what is live, so that nothing written on the way says them
    either. That there was an alert or a case stays, and so do tiers that no profile gave: of
    complaints, exit requests and cases by hand.

    Args:
        tx: the unit of work; the client is held in it.
        client_id: who refuses.
    """
    tx.session.flush()
    alerts.forget(tx, client_id)
    clocks.forget_tiers(tx, cases.forget_tiers(tx, client_id))
    notices.forget_tiers(tx, client_id, TOLD)
    actions.forget(tx, client_id)
    outcomes.forget(tx, client_id)
    holdout.forget(tx, client_id)
    evidence.drop_openings(tx, client_id, (*TOLD, "recommended", "said"))
    access.forget_answers(tx, client_id)
    tx.session.flush()
