"""Rules of outcomes: what a row commits to, and how rows are sealed. No database here."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import rfc8785

from keepwell.core.days import to_date
from keepwell.trust.evidence.attest import seal
from keepwell.trust.evidence.policy import instant
from keepwell.warn.label import LabelDefinition, Labels, Why

SEALED: Final = (
    "outcome_id", "client_id", "day", "rule", "revision", "treatment_id", "decision", "arm",
    "propensity", "period", "owner_id", "alert_id", "case_id", "generation_id", "label",
    "label_version", "horizon", "gap", "y", "why", "left_day", "matured_at", "recorded_at",
    "manifest", "batch_id",
)  # fmt: skip
"""Columns that a row's seal commits to: all but the seal."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the desk decided about a client on a day.

    Attributes:
        client_id: about whom.
        treatment_id: the decision that counts, in the log of treatments.
        decision: its code.
        arm: 'contact' or 'hold-out'.
        propensity: the chance of the decision.
        period: of the hold-out.
        owner_id: the client's manager then.
        alert_id: about which alert, if any.
        case_id: the case that it led to, if any.
        generation_id: the generation in force.
    """

    client_id: str
    treatment_id: str
    decision: str
    arm: str
    propensity: float
    period: str
    owner_id: str | None
    alert_id: str | None
    case_id: str | None
    generation_id: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """What the label says of a client.

    Attributes:
        y: 1 left, 0 stayed, None not known or not counted.
        why: code of `Why`.
        left_day: of leaving, where an event dates it.
    """

    y: int | None
    why: str
    left_day: date | None


UNKNOWN: Final = Told(None, Why.UNKNOWN_START.value, None)
"""Of a client of whom the lake knew nothing on the day of the decision."""


def rule_of(definition: LabelDefinition) -> str:
    """Fingerprint of a definition of leaving, by which outcomes of one definition are found."""
    text = json.dumps(definition.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def told_by(labels: Labels) -> dict[str, Told]:
    """What labels say, by client."""
    rows = zip(labels.clients, labels.y, labels.why, labels.left_day, strict=True)
    return {
        client: Told(
            None if math.isnan(y) else int(y), str(why),
            None if math.isnan(left) else to_date(int(left)),
        )
        for client, y, why, left in rows
    }  # fmt: skip


def seal_of(salt: bytes, values: Mapping[str, Any]) -> str:
    """The commitment to an outcome's row: it tells nothing once the client is forgotten.

    Args:
        salt: the client's own.
        values: the columns in `SEALED`.
    """
    plain = {name: _plain(values[name]) for name in SEALED}
    digest = hashlib.sha256(rfc8785.dumps(plain)).digest()
    return seal(salt, values["batch_id"], f"outcome/{values['outcome_id']}", digest)


def batch_digest(seals: Iterable[str]) -> str:
    """One digest, in hex, of the seals of a batch in any order."""
    return hashlib.sha256("\n".join(sorted(seals)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return value.isoformat() if isinstance(value, date) else value
