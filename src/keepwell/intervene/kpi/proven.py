"""What the report tells of proofs, budgets and experiments, as plain data."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.learn.experiment import repo as experiments_repo
from keepwell.learn.kept import budget_repo
from keepwell.learn.kept.policy import ProposalState
from keepwell.learn.kept.service import newest_proof
from keepwell.trust.access.policy import SYSTEM

MOST: Final = 50
"""Experiments and proposals that a report tells of."""


def kept(tx: Tx) -> dict[str, Any] | None:
    """The newest proof of what was kept, and how many budgets wait; None before the first proof.

    Args:
        tx: the unit of work.
    """
    proof = newest_proof(tx, SYSTEM)
    if proof is None:
        return None
    zone = tx.frame.zone
    measures = proof.record.get("measures", {})
    waiting = budget_repo.proposals(tx, MOST, None)
    return {
        "since": proof.since.astimezone(zone).date().isoformat(),
        "until": proof.until.astimezone(zone).date().isoformat(),
        "treated": proof.treated, "held": proof.held, "stopped": proof.stopped is not None,
        "manifest": proof.manifest, "digest": proof.digest,
        "measures": {
            name: {end: one["total"][end] for end in ("value", "low", "high")} | {
                "shown": one["shown"]
            }
            for name, one in measures.items()
        },
        "waiting": sum(p.state == ProposalState.PROPOSED.value for p in waiting),
    }  # fmt: skip


def experiments(tx: Tx) -> list[dict[str, Any]]:
    """Experiments that run or have run, the newest first, each with its newest look.

    Args:
        tx: the unit of work.
    """
    found = []
    for row in experiments_repo.page(tx, None, MOST, None):
        if row.started_at is None:
            continue
        looks = experiments_repo.looks(tx, row.experiment_id)
        last = max(looks, key=lambda look: look.number, default=None)
        found.append(
            {
                "title": row.title, "state": row.state, "looks": len(looks),
                "looked_at": last.at.isoformat() if last else None,
                "verdict": last.verdict if last else None,
                "fraction": last.fraction if last else None,
            }
        )  # fmt: skip
    return found
