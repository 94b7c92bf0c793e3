"""What follows from an attempt: delivered, tried again later, given up, endpoint switched off."""

from __future__ import annotations

from dataclasses import dataclass

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.webhook import repo
from keepwell.intervene.webhook.model import WebhookDelivery, WebhookEndpoint, WebhookMessage
from keepwell.intervene.webhook.policy import PING, Fault, delay, derive_secret, secret_numbers
from keepwell.intervene.webhook.send import Outcome, Parcel
from keepwell.intervene.webhook.service import schedule
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose turn it is.

    Attributes:
        parcel: what to send; None when its endpoint is off.
        number: number of this attempt.
    """

    parcel: Parcel | None
    number: int


def due(frame: Frame, endpoint_id: str, message_id: str) -> Due | None:
    """What a delivery job has to do, seen now; None when nothing is left to do."""
    with frame.read() as tx:
        endpoint = repo.endpoint(tx, endpoint_id)
        message = repo.message(tx, endpoint_id, message_id)
        if endpoint is None or message is None or message.state != "pending":
            return None
        if not endpoint.active or endpoint.approved_at is None:
            return Due(None, message.tried + 1)
        numbers = secret_numbers(endpoint.secret_number, endpoint.rotated_at, tx.at)
        secrets = [derive_secret(frame.secret, endpoint_id, n) for n in numbers]
        return Due(Parcel(endpoint.url, message_id, message.body, secrets), message.tried + 1)


def settle(tx: Tx, endpoint_id: str, message_id: str, number: int, outcome: Outcome | None) -> None:
    """Store what came of an attempt, in the transaction that finishes its job.

    Args:
        tx: that transaction.
        endpoint_id: where it went.
        message_id: what was sent.
        number: number of the attempt; one that is stored already changes nothing.
        outcome: None when nothing was sent because the endpoint is off.
    """
    endpoint = repo.endpoint(tx, endpoint_id, lock=True)
    message = repo.message(tx, endpoint_id, message_id, lock=True)
    if endpoint is None or message is None or message.state != "pending":
        return
    if outcome is None:
        _end(tx, message, "dead", Fault.OFF)
        return
    if message.tried + 1 != number:
        return
    message.tried = number
    _log(tx, message, outcome)
    if outcome.fault is None:
        _end(tx, message, "delivered", None)
        endpoint.dead_in_row = 0
    elif outcome.fault is Fault.GONE:
        _end(tx, message, "dead", outcome.fault)
        _switch_off(tx, endpoint, "gone")
    else:
        _failed(tx, endpoint, message, outcome)


def _failed(tx: Tx, endpoint: WebhookEndpoint, message: WebhookMessage, outcome: Outcome) -> None:
    settings = tx.frame.settings.webhook
    attempt = message.tried - message.tried_before
    # A test is for somebody who is watching: it says at once what is wrong.
    most = 1 if message.event == PING else settings.attempts
    message.fault = outcome.fault or ""
    if attempt < most:
        pause = delay(attempt, message.message_id)
        schedule(tx, message, tx.at + max(pause, outcome.wait or pause))
        return
    _end(tx, message, "dead", outcome.fault)
    if message.event == PING:
        return
    endpoint.dead_in_row += 1
    if endpoint.active and endpoint.dead_in_row >= settings.disable_after:
        _switch_off(tx, endpoint, "dead")


def _log(tx: Tx, message: WebhookMessage, outcome: Outcome) -> None:
    tx.session.add(
        WebhookDelivery(
            endpoint_id=message.endpoint_id, message_id=message.message_id, number=message.tried,
            at=tx.at, status=outcome.status, fault=outcome.fault or "",
            milliseconds=outcome.milliseconds, response=outcome.response,
        )
    )  # fmt: skip


def _end(tx: Tx, message: WebhookMessage, state: str, fault: Fault | None) -> None:
    message.state = state
    message.fault = fault or ""
    message.next_at = None
    message.ended_at = tx.at


def _switch_off(tx: Tx, endpoint: WebhookEndpoint, reason: str) -> None:
    endpoint.active = False
    endpoint.off_reason = reason
    endpoint.version += 1
    endpoint.changed_at = tx.at
    repo.changed(tx)
    data = {"reason": reason, "dead": endpoint.dead_in_row}
    record(tx, SYSTEM, EvidenceKind.WEBHOOK_DISABLED, subject=endpoint.endpoint_id, data=data)
