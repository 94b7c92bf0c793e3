"""Lending a case's client to whoever holds the case and is not the client's manager."""

from __future__ import annotations

from keepwell.frame.database import Tx
from keepwell.intervene.case import repo
from keepwell.intervene.case.model import Case
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


def source(case_id: str) -> str:
    """The name under which a case lends."""
    return f"case:{case_id}"


def lend(tx: Tx, actor: Actor, case: Case, staff_id: str | None) -> None:
    """Let somebody see the client until the case closes; the client's manager needs no loan."""
    if staff_id is None or staff_id == repo.carers(tx, case.client_id)[0]:
        return
    if repo.grant(tx, staff_id, case.client_id, source(case.case_id)):
        record(
            tx, actor, EvidenceKind.CLIENT_GRANTED, client_id=case.client_id,
            subject=case.case_id, data={"staff_id": staff_id},
        )  # fmt: skip


def lend_to_holders(tx: Tx, actor: Actor, case: Case) -> None:
    """Lend to the owner and to the person to whom the case was escalated."""
    for staff_id in dict.fromkeys((case.owner_id, case.escalated_to)):
        lend(tx, actor, case, staff_id)


def take_back(tx: Tx, actor: Actor, case: Case, staff_id: str | None = None) -> None:
    """End the loan of one person who no longer holds the case, or all of them."""
    if staff_id is not None and staff_id == case.escalated_to:
        return
    if repo.ungrant(tx, source(case.case_id), staff_id):
        record(
            tx, actor, EvidenceKind.CLIENT_UNGRANTED, client_id=case.client_id,
            subject=case.case_id, data={"staff_id": staff_id or "all"},
        )  # fmt: skip
