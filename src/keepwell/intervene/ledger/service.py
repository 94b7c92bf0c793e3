"""Verbs of the ledger: read it, and verify it."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.frame.problem import NotAllowed, NotFound
from keepwell.intervene.case import repo as cases
from keepwell.intervene.ledger.gather import lines_of
from keepwell.intervene.ledger.policy import Line, Verdict
from keepwell.intervene.ledger.verify import verify
from keepwell.trust.access.policy import Actor, Permission, Scope


def read_ledger(
    tx: Tx, actor: Actor, client_id: str, *, check: bool = False
) -> tuple[list[Line], Verdict | None]:
    """All that was decided, done and became known about a client, in the order of time.

    Args:
        tx: a reading unit of work.
        actor: whose scope, permissions and language.
        client_id: about whom.
        check: whether to verify it; needs `evidence:read`.

    Returns:
        The lines, and what the verification found; None where none was asked for.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
        NotAllowed: a verification without `evidence:read`.
    """
    if check and not actor.may(Permission.EVIDENCE_READ):
        raise NotAllowed("access.permission-missing", permission=Permission.EVIDENCE_READ.value)
    visible = cases.visible_client(tx, actor, client_id)
    if not visible and actor.scope is not Scope.ALL:
        raise NotFound("access.client-unknown")
    lines = lines_of(tx, actor, client_id)
    if not visible and not lines:
        raise NotFound("access.client-unknown")
    if not check:
        return lines, None
    return lines, verify(tx, client_id, lines, whole=actor.may(Permission.HOLDOUT_READ))
