"""Looking up for many clients at once what will be asked about each of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from keepwell.frame.database import Tx
from keepwell.learn.holdout import service as holdout
from keepwell.trust.consent import repo as consent
from keepwell.trust.evidence.service import prepare

LEAST: Final = 4
"""Clients decided about in one transaction however long it takes: to look up what is asked of
them, to claim the job and to sync the disk costs about as much as two of them."""


def foresee(tx: Tx, clients: Collection[str], owners: Collection[str | None]) -> None:
    """Let the rooms look up what a decision about each client asks of them.

    The decisions themselves are the same for one client, of whom nothing was looked up before.

    Args:
        tx: the unit of work; it holds the clients.
        clients: who will be decided about.
        owners: their managers.
    """
    from keepwell.intervene.case import repo as cases
    from keepwell.intervene.clock import repo as clocks
    from keepwell.intervene.exit import repo as exits
    from keepwell.intervene.notice import repo as notices
    from keepwell.intervene.rule import repo as rules

    if not clients:
        return
    ids = sorted(clients)
    prepare(tx, ids)
    holdout.foresee(tx, ids)
    for room in (consent, exits, rules, cases, clocks):
        room.foresee(tx, ids)
    notices.foresee(tx, {owner for owner in owners if owner is not None})
