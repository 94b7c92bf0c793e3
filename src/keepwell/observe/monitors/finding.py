"""What a monitor found, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from keepwell.observe.mapping_monitor import MonitorKind


@dataclass(frozen=True, slots=True)
class Finding:
    """What one monitor says of one column of one table.

    Attributes:
        table: contract table.
        kind: which monitor.
        column: whose values; '' for rows and freshness.
        since: first day concerned.
        until: last day concerned; of freshness the newest fact's.
        value: what was found: rows, a share, an index, a median, trading days missing.
        usual: the same as it usually is.
        rows: rows looked at.
        factor: of a change of unit, how many times the usual the values are.
        source: sources of the table, joined with '+'; 'events' for tables without any.
        owner: who answers for it, as keepwell.yaml says; '' for nobody.
    """

    table: str
    kind: MonitorKind
    column: str
    since: date
    until: date
    value: float
    usual: float
    rows: int
    factor: float
    source: str
    owner: str


def finding_from(raw: Mapping[str, Any]) -> Finding:
    """A finding from what `finding_to` made of it."""
    days = {name: date.fromisoformat(raw[name]) for name in ("since", "until")}
    return Finding(**{**raw, **days, "kind": MonitorKind(raw["kind"])})


def finding_to(found: Finding) -> dict[str, Any]:
    """A finding as plain values, for JSON."""
    return {
        **asdict(found), "kind": str(found.kind), "since": found.since.isoformat(),
        "until": found.until.isoformat(),
    }  # fmt: skip


__all__ = ["Finding", "finding_from", "finding_to"]
