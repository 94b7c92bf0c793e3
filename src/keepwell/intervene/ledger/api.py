"""Endpoint of the ledger of a client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.text import ClientId
from keepwell.intervene.ledger import service
from keepwell.intervene.ledger.policy import Checked, Line, Status, Verdict
from keepwell.intervene.ledger.schema import (
    CheckOut,
    FindingOut,
    LedgerOut,
    LineOut,
    RefusedOut,
    VerdictOut,
)
from keepwell.trust.access.call import Call, allow
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.evidence.finding import Finding

router = APIRouter(tags=["outcomes"])


@router.get(
    "/clients/{client_id}/ledger", response_model=LedgerOut, operation_id="read_client_ledger",
    summary="Read and verify all that was decided and done about a client",
)  # fmt: skip
def read_ledger(
    client_id: Annotated[ClientId, Path(description="The client's number.")],
    verify: Annotated[
        bool, Query(description="Verify every line in the evidence log; needs evidence:read.")
    ] = False,
    call: Call = allow(Permission.OUTCOME_READ),
) -> Response:
    """Decisions, recommendations with what was refused, contacts, cases and outcomes, in order.

    Verified, each recommendation is made again from its record, each row's digest is computed
    again and its entry is proved to be in the log that was signed.
    """
    return call.answer(lambda tx, actor: ledger_out(tx, actor, client_id, verify))


def ledger_out(tx: Tx, actor: Actor, client_id: str, check: bool) -> LedgerOut:
    """The ledger of a client as the API and the shell show it.

    Args:
        tx: a reading unit of work.
        actor: who reads.
        client_id: about whom.
        check: whether to verify it.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
        NotAllowed: a verification without `evidence:read`.
    """
    lines, verdict = service.read_ledger(tx, actor, client_id, check=check)
    locale = actor.locale
    return LedgerOut(
        client_id=client_id, decisions=actor.may(Permission.HOLDOUT_READ),
        lines=[_line(line, verdict, locale) for line in lines],
        verdict=_verdict(verdict, locale) if verdict else None,
    )  # fmt: skip


def _line(line: Line, verdict: Verdict | None, locale: str) -> LineOut:
    refused = [
        RefusedOut(action=one.action, code=one.code, rules=list(one.rules), words=one.words)
        for one in line.refusals
    ]
    return LineOut(
        at=line.at, kind=line.kind, id=line.id, words=line.words, facts=dict(line.facts),
        refusals=refused, check=_check(verdict.checked[line.id], locale) if verdict else None,
    )  # fmt: skip


def _check(one: Checked, locale: str) -> CheckOut:
    return CheckOut(
        status=one.status, entry_id=one.entry_id, index=one.index, same=one.same,
        findings=_findings(one.findings, locale),
    )  # fmt: skip


def _verdict(found: Verdict, locale: str) -> VerdictOut:
    return VerdictOut(
        valid=found.valid, verified=found.count(Status.VERIFIED),
        waiting=found.count(Status.WAITING), emptied=found.count(Status.EMPTIED),
        failed=found.count(Status.FAILED), missing=_findings(found.missing, locale),
        size=found.size, verifier=found.verifier,
    )  # fmt: skip


def _findings(found: Iterable[Finding], locale: str) -> list[FindingOut]:
    return [FindingOut(code=one.code, words=one.words(locale)) for one in found]
