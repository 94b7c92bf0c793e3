"""What a line of a client's ledger is, and in which order lines stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from keepwell.trust.evidence.finding import Finding


class Kind(StrEnum):
    """What a line is about, in the order in which lines of one instant stand."""

    DECISION = "decision"
    CASE = "case"
    RECOMMENDATION = "recommendation"
    CONTACT = "contact"
    DELIVERY = "delivery"
    OUTCOME = "outcome"


KIND_TITLES: Final[dict[Kind, str]] = {
    Kind.DECISION: "Decision",
    Kind.CASE: "Case",
    Kind.RECOMMENDATION: "Recommendation",
    Kind.CONTACT: "Contact",
    Kind.DELIVERY: "Delivery",
    Kind.OUTCOME: "Outcome",
}
"""Kinds of lines, in English."""


class Status(StrEnum):
    """What a verification found of a line."""

    VERIFIED = "verified"
    WAITING = "waiting"
    EMPTIED = "emptied"
    FAILED = "failed"


STATUS_TITLES: Final[dict[Status, str]] = {
    Status.VERIFIED: "verified",
    Status.WAITING: "not under a signed checkpoint yet",
    Status.EMPTIED: "emptied: the client refuses profiling",
    Status.FAILED: "FAILED",
}
"""Statuses, in English."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that was refused with a recommendation.

    Attributes:
        action: its name and version.
        code: why.
        rules: ids of the rules behind it.
        words: why, in the reader's language.
    """

    action: str
    code: str
    rules: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was decided, done or became known.

    Attributes:
        at: when it was written down.
        kind: what it is about.
        id: number of the row.
        words: what it says, in the reader's language.
        facts: codes and numbers of it.
        refusals: what was refused with a recommendation.
        row: the row itself.
    """

    at: datetime
    kind: Kind
    id: str
    words: str
    facts: Mapping[str, Any]
    row: Any
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a verification found of a line.

    Attributes:
        status: in one word.
        entry_id: the evidence entry that vouches for it; None: there is none.
        index: of the entry's leaf.
        same: whether a recommendation, made again from its record, is the same; None: no
            recommendation, or emptied.
        findings: what is wrong.
    """

    status: Status
    entry_id: str | None = None
    index: int | None = None
    same: bool | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Verdict:
    """What a verification of a ledger found.

    Attributes:
        checked: by the lines' ids.
        missing: what entries vouch for and is not in the ledger any more.
        size: of the newest checkpoint.
        verifier: the log's public key.
    """

    checked: dict[str, Checked] = field(default_factory=dict)
    missing: list[Finding] = field(default_factory=list)
    size: int = 0
    verifier: str = ""

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong; what waits for a checkpoint is not wrong."""
        failed = any(one.status is Status.FAILED for one in self.checked.values())
        return not failed and not self.missing

    def count(self, status: Status) -> int:
        """How many lines have a status."""
        return sum(one.status is status for one in self.checked.values())


def ordered(lines: Iterable[Line]) -> list[Line]:
    """Lines in the order of time; of one instant, what leads comes before what follows."""
    kinds = list(Kind)
    return sorted(lines, key=lambda line: (line.at, kinds.index(line.kind), line.id))
