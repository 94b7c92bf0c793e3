"""What an evidence entry holds: kinds, canonical bytes, tokens and commitments. No database here.

An entry names a client only by a token, and personal values only by commitments, both keyed with
the client's own random salt. When the salt is destroyed nobody can tell any more whom or what they
meant, while the entry's bytes, and so every proof, stay as they are.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final

import rfc8785

FORMAT: Final = 1
"""Version of the entry format, field `v`."""
TEXT_LIMIT: Final = 500
_SAFE_INTEGER: Final = 2**53 - 1


class EvidenceKind(StrEnum):
    """What is proved; grammar `<thing>.<past>`, in the order of the alphabet."""

    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_CLOSED = "alert.closed"
    ALERT_HELD_BACK = "alert.held-back"
    ALERT_MERGED = "alert.merged"
    ALERT_RAISED = "alert.raised"
    ALERT_SNOOZED = "alert.snoozed"
    ALERT_SUPPRESSED = "alert.suppressed"
    ALERT_WOKEN = "alert.woken"
    ATTACHMENT_ADDED = "attachment.added"
    ATTACHMENT_READ = "attachment.read"
    BUDGET_APPROVED = "budget.approved"
    BUDGET_PROPOSED = "budget.proposed"
    BUDGET_REJECTED = "budget.rejected"
    CASE_ALERTED = "case.alerted"
    CASE_CLOSED = "case.closed"
    CASE_EDITED = "case.edited"
    CASE_ESCALATED = "case.escalated"
    CASE_LIMITED = "case.limited"
    CASE_MOVED = "case.moved"
    CASE_NOTED = "case.noted"
    CASE_OPENED = "case.opened"
    CASE_REASSIGNED = "case.reassigned"
    CASE_REASSIGN_UNDONE = "case.reassign-undone"
    CASE_REOPENED = "case.reopened"
    CASE_TASK_ADDED = "case.task-added"
    CASE_TASK_CHANGED = "case.task-changed"
    CASE_TASK_DONE = "case.task-done"
    CLIENT_EXPORTED = "client.exported"
    CLIENT_FORGOTTEN = "client.forgotten"
    CLIENT_GRANTED = "client.granted"
    CLIENT_UNGRANTED = "client.ungranted"
    CLIENT_UNMASKED = "client.unmasked"
    CLOCK_BREACHED = "clock.breached"
    CLOCK_CANCELLED = "clock.cancelled"
    CLOCK_ESCALATED = "clock.escalated"
    CLOCK_MET = "clock.met"
    CLOCK_PAUSED = "clock.paused"
    CLOCK_RESUMED = "clock.resumed"
    CLOCK_STARTED = "clock.started"
    CLOCK_TIGHTENED = "clock.tightened"
    CLOCK_WARNED = "clock.warned"
    CONSENT_GIVEN = "consent.given"
    CONSENT_REFUSED = "consent.refused"
    CONTACT_BREACHED = "contact.breached"
    CONTACT_REFUSED = "contact.refused"
    EVENT_ACCEPTED = "event.accepted"
    EVENT_REFUSED = "event.refused"
    EVIDENCE_EXPORTED = "evidence.exported"
    EXIT_BLOCKED = "exit.blocked"
    EXIT_CANCELLED = "exit.cancelled"
    EXIT_COMPLETED = "exit.completed"
    EXIT_REQUESTED = "exit.requested"
    EXIT_SETTLED = "exit.settled"
    EXIT_UNBLOCKED = "exit.unblocked"
    EXPERIMENT_DRAWN = "experiment.drawn"
    EXPERIMENT_LOOKED = "experiment.looked"
    EXPERIMENT_REGISTERED = "experiment.registered"
    EXPERIMENT_STOPPED = "experiment.stopped"
    GENERATION_ABANDONED = "generation.abandoned"
    GENERATION_PUBLISHED = "generation.published"
    HOLDOUT_DRAWN = "holdout.drawn"
    INCIDENT_ACKNOWLEDGED = "incident.acknowledged"
    INCIDENT_CLOSED = "incident.closed"
    INCIDENT_OPENED = "incident.opened"
    JOB_REPLAYED = "job.replayed"
    KPI_CHANGED = "kpi.changed"
    KPI_REVIEW_CLOSED = "kpi.review-closed"
    KPI_REVIEW_OPENED = "kpi.review-opened"
    LIST_EXPORTED = "list.exported"
    LOGIN_FAILED = "login.failed"
    LOGIN_SUCCEEDED = "login.succeeded"
    OUTCOME_MATURED = "outcome.matured"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    POLICY_ACTIVATED = "policy.activated"
    POLICY_CHANGED = "policy.changed"
    PROFILING_REFUSED = "profiling.refused"
    PROOF_MADE = "proof.made"
    RECOMMENDATION_MADE = "recommendation.made"
    REPORT_MADE = "report.made"
    SESSION_ENDED = "session.ended"
    SETTING_CHANGED = "setting.changed"
    STAFF_CHANGED = "staff.changed"
    TOKEN_CREATED = "token.created"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    TOUCH_LOGGED = "touch.logged"
    TREATMENT_ASSIGNED = "treatment.assigned"
    TREATMENT_GIVEN = "treatment.given"
    TREATMENT_WITHHELD = "treatment.withheld"
    USER_CHANGED = "user.changed"
    USER_CREATED = "user.created"
    USER_DISABLED = "user.disabled"
    WEBHOOK_APPROVED = "webhook.approved"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_REPLAYED = "webhook.replayed"
    WEBHOOK_ROTATED = "webhook.rotated"


TITLES: Final[dict[EvidenceKind, str]] = {
    EvidenceKind.ALERT_ACKNOWLEDGED: "Somebody has seen an alert.",
    EvidenceKind.ALERT_CLOSED: "An alert has ended.",
    EvidenceKind.ALERT_HELD_BACK: "An alert exceeds the day's ceiling and waits.",
    EvidenceKind.ALERT_MERGED: "A further signal was added to a live alert.",
    EvidenceKind.ALERT_RAISED: "A new alert is shown.",
    EvidenceKind.ALERT_SNOOZED: "An alert sleeps until a date or an event.",
    EvidenceKind.ALERT_SUPPRESSED: "An alert is not shown: the client is in the hold-out.",
    EvidenceKind.ALERT_WOKEN: "A sleeping alert is back.",
    EvidenceKind.ATTACHMENT_ADDED: "A file was added to a case; its digest is recorded.",
    EvidenceKind.ATTACHMENT_READ: "A case's file was downloaded.",
    EvidenceKind.BUDGET_APPROVED: "A proposed budget was approved by a second person.",
    EvidenceKind.BUDGET_PROPOSED: "A budget was proposed on the proof of what was kept.",
    EvidenceKind.BUDGET_REJECTED: "A proposed budget was rejected.",
    EvidenceKind.CASE_ALERTED: "A further alert was added to a live case.",
    EvidenceKind.CASE_CLOSED: "A case ended with outcome and reason.",
    EvidenceKind.CASE_EDITED: "Title or plan of a case was changed.",
    EvidenceKind.CASE_ESCALATED: "A case was taken to the next level.",
    EvidenceKind.CASE_LIMITED: "A case has other retention contacts left than before.",
    EvidenceKind.CASE_MOVED: "A case moved on to another state.",
    EvidenceKind.CASE_NOTED: "A note was added to a case.",
    EvidenceKind.CASE_OPENED: "A case was opened.",
    EvidenceKind.CASE_REASSIGNED: "A case has another owner.",
    EvidenceKind.CASE_REASSIGN_UNDONE: "A reassignment was undone.",
    EvidenceKind.CASE_REOPENED: "A closed case is live again.",
    EvidenceKind.CASE_TASK_ADDED: "A task was added to a case.",
    EvidenceKind.CASE_TASK_CHANGED: "A task of a case was changed.",
    EvidenceKind.CASE_TASK_DONE: "A task of a case was done.",
    EvidenceKind.CLIENT_EXPORTED: "A client's data were handed out.",
    EvidenceKind.CLIENT_FORGOTTEN: "A client's salt was destroyed; entries no longer lead to them.",
    EvidenceKind.CLIENT_GRANTED: "A client was lent to somebody outside the book.",
    EvidenceKind.CLIENT_UNGRANTED: "A client lent to somebody was taken back.",
    EvidenceKind.CLIENT_UNMASKED: "Somebody looked at a client's personal fields, for a reason.",
    EvidenceKind.CLOCK_BREACHED: "A promised time has passed.",
    EvidenceKind.CLOCK_CANCELLED: "A clock ended because its subject did.",
    EvidenceKind.CLOCK_ESCALATED: "A clock calls the next level.",
    EvidenceKind.CLOCK_MET: "A promise was kept, in time or late.",
    EvidenceKind.CLOCK_PAUSED: "A clock stands still for a listed reason.",
    EvidenceKind.CLOCK_RESUMED: "A clock runs again.",
    EvidenceKind.CLOCK_STARTED: "A clock runs.",
    EvidenceKind.CLOCK_TIGHTENED: "A clock became shorter as the tier rose.",
    EvidenceKind.CLOCK_WARNED: "A share of the promised time has passed.",
    EvidenceKind.CONSENT_GIVEN: "A client agreed to a purpose.",
    EvidenceKind.CONSENT_REFUSED: "A client refused a purpose.",
    EvidenceKind.CONTACT_BREACHED: "A contact was made although a rule forbade it.",
    EvidenceKind.CONTACT_REFUSED: "A contact was not allowed by a rule.",
    EvidenceKind.EVENT_ACCEPTED: "A batch of events was accepted.",
    EvidenceKind.EVENT_REFUSED: "A row of a feed contradicts what the desk knows.",
    EvidenceKind.EVIDENCE_EXPORTED: "Evidence was exported.",
    EvidenceKind.EXIT_BLOCKED: "A lawful hold was placed on an exit request.",
    EvidenceKind.EXIT_CANCELLED: "A client took an exit request back.",
    EvidenceKind.EXIT_COMPLETED: "An exit request was completed.",
    EvidenceKind.EXIT_REQUESTED: "A client asks to leave or to transfer.",
    EvidenceKind.EXIT_SETTLED: (
        "Application and settlement of an exit are complete; its clock runs."
    ),
    EvidenceKind.EXIT_UNBLOCKED: "A hold on an exit request was lifted.",
    EvidenceKind.EXPERIMENT_DRAWN: "Clients were drawn into the arms of an experiment.",
    EvidenceKind.EXPERIMENT_LOOKED: "An experiment was read out.",
    EvidenceKind.EXPERIMENT_REGISTERED: "An experiment was registered before anybody was drawn.",
    EvidenceKind.EXPERIMENT_STOPPED: "An experiment has ended.",
    EvidenceKind.GENERATION_ABANDONED: "A publication of scores was given up.",
    EvidenceKind.GENERATION_PUBLISHED: "New scores are in force.",
    EvidenceKind.HOLDOUT_DRAWN: "The hold-out was drawn for a period.",
    EvidenceKind.INCIDENT_ACKNOWLEDGED: "Somebody works on an incident of data.",
    EvidenceKind.INCIDENT_CLOSED: "An incident of data is over.",
    EvidenceKind.INCIDENT_OPENED: "Data of a source are late or unusual.",
    EvidenceKind.JOB_REPLAYED: "A dead background job was started again.",
    EvidenceKind.KPI_CHANGED: "Owner or target of a key figure was changed.",
    EvidenceKind.KPI_REVIEW_CLOSED: "A review of a key figure was closed.",
    EvidenceKind.KPI_REVIEW_OPENED: (
        "A key figure was under its target twice running; a review is due."
    ),
    EvidenceKind.LIST_EXPORTED: "A list was downloaded as CSV.",
    EvidenceKind.LOGIN_FAILED: "A log-in failed.",
    EvidenceKind.LOGIN_SUCCEEDED: "Somebody logged in.",
    EvidenceKind.OUTCOME_MATURED: "What became of a client after a decision is known.",
    EvidenceKind.PASSWORD_CHANGED: "A password was changed.",
    EvidenceKind.POLICY_ACTIVATED: "Another clock policy is in force.",
    EvidenceKind.POLICY_CHANGED: "A clock policy has a new version.",
    EvidenceKind.PROFILING_REFUSED: "A client refuses profiling; score and tags are gone.",
    EvidenceKind.PROOF_MADE: "What was kept was computed from the hold-out.",
    EvidenceKind.RECOMMENDATION_MADE: "The desk recommended an action in a case.",
    EvidenceKind.REPORT_MADE: "The two-weekly report was written.",
    EvidenceKind.SESSION_ENDED: "A log-in was ended.",
    EvidenceKind.SETTING_CHANGED: "A setting was changed.",
    EvidenceKind.STAFF_CHANGED: "A person's place, role or capacity was changed.",
    EvidenceKind.TOKEN_CREATED: "An API token was made.",
    EvidenceKind.TOKEN_REVOKED: "An API token was revoked.",
    EvidenceKind.TOUCH_LOGGED: "A contact with the client was recorded.",
    EvidenceKind.TREATMENT_ASSIGNED: "A client was assigned to contact or hold-out.",
    EvidenceKind.TREATMENT_GIVEN: "A client was treated, with the propensity of it.",
    EvidenceKind.TREATMENT_WITHHELD: "A client was not treated, with the propensity of it.",
    EvidenceKind.USER_CHANGED: "A user's role, scope or state was changed.",
    EvidenceKind.USER_CREATED: "A user was made.",
    EvidenceKind.USER_DISABLED: "A user was switched off.",
    EvidenceKind.WEBHOOK_APPROVED: "A webhook was approved.",
    EvidenceKind.WEBHOOK_CHANGED: "A webhook was changed.",
    EvidenceKind.WEBHOOK_CREATED: "A webhook was set up.",
    EvidenceKind.WEBHOOK_DELETED: "A webhook was removed.",
    EvidenceKind.WEBHOOK_DISABLED: "A webhook was switched off after repeated failures.",
    EvidenceKind.WEBHOOK_REPLAYED: "A delivery was sent again by hand.",
    EvidenceKind.WEBHOOK_ROTATED: "A webhook has a new secret.",
}
"""What each entry says, in English."""


_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def following_id(entry_id: str) -> str:
    """The id that sorts right after another, as a ULID counts up within its millisecond.

    Example:
        >>> following_id("ev_01kdvdna00fgzjsdqkfb56fvzz")
        'ev_01kdvdna00fgzjsdqkfb56fw00'
    """
    head, tail = entry_id.rstrip("z"), len(entry_id) - len(entry_id.rstrip("z"))
    return head[:-1] + _DIGITS[_DIGITS.index(head[-1]) + 1] + "0" * tail


def client_token(salt: bytes, client_id: str) -> str:
    """The name under which entries speak of a client.

    Args:
        salt: the client's own.
        client_id: the client.

    Example:
        >>> client_token(bytes(32), "c1")[:8]
        'cl_252e0'
    """
    digest = hmac.new(salt, b"keepwell client\n" + client_id.encode(), hashlib.sha256)
    return f"cl_{digest.hexdigest()[:32]}"


def opening_key(salt: bytes, entry_id: str, field: str) -> bytes:
    """The key that opens one commitment and no other: derived, so the salt itself never leaves."""
    return hmac.digest(salt, f"keepwell opening\n{entry_id}\n{field}".encode(), "sha256")


def commitment(key: bytes, value: str) -> str:
    """HMAC-SHA-256 of a personal value under its opening key, in hexadecimal."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def canonical(document: Mapping[str, Any]) -> str:
    """A JSON document in the one form of RFC 8785; its UTF-8 bytes are what is hashed."""
    return rfc8785.dumps(dict(document)).decode()


def compose(
    *,
    entry_id: str,
    kind: EvidenceKind,
    at: datetime,
    actor: str,
    via: str,
    subject: str,
    client: str | None,
    data: Mapping[str, Any],
    personal: Mapping[str, str],
    rows: Mapping[str, str] | None = None,
) -> str:
    """The canonical text of an entry.

    Args:
        entry_id: its id.
        kind: what happened.
        at: when, with a time zone.
        actor: user id, or 'system'.
        via: how the actor came: session, token, local or system.
        subject: id of what it happened to.
        client: the client's token.
        data: codes, ids and numbers, made plain by `plain`.
        personal: name of a personal value to its commitment.
        rows: name of a row that the entry vouches for to the commitment to its digest.
    """
    document: dict[str, Any] = {
        "v": FORMAT, "id": entry_id, "kind": kind.value, "at": instant(at), "actor": actor,
        "via": via, "subject": subject, "data": dict(data),
    }  # fmt: skip
    if client is not None:
        document["client"] = client
    if personal:
        document["personal"] = dict(personal)
    if rows:
        document["rows"] = dict(rows)
    return canonical(document)


def instant(at: datetime) -> str:
    """An instant as entries write it: UTC, microseconds, Z.

    Example:
        >>> instant(datetime(2026, 1, 1, tzinfo=UTC))
        '2026-01-01T00:00:00.000000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(value: Any, client_id: str | None = None, token: str | None = None) -> Any:
    """A value as RFC 8785 takes it.

    Instants and days become ISO text, sets lists, integers beyond 2^53 text, not-a-number null.
    A text that is the client's id becomes the token: a caller's slip must not lead to a person.

    Args:
        value: of an entry's data.
        client_id: whom the entry is about.
        token: how the entry names them.

    Raises:
        ValueError: a text is longer than `TEXT_LIMIT`, or a value has no JSON form.
    """
    if isinstance(value, Mapping):
        pairs = ((plain(k, client_id, token), v) for k, v in value.items())
        return {str(key): plain(v, client_id, token) for key, v in pairs}
    if isinstance(value, (list, tuple)):
        return [plain(v, client_id, token) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(v, client_id, token) for v in value), key=str)
    return _plain_scalar(value, client_id, token)


def _plain_scalar(value: Any, client_id: str | None, token: str | None) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, (date, Decimal)):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        if len(value) > TEXT_LIMIT:
            raise ValueError("evidence data hold codes, ids and numbers, not long text")
        return token if token is not None and value == client_id else value
    raise ValueError(f"evidence data cannot hold {type(value).__name__}")
