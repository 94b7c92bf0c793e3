"""Pure rules of incidents: their ids, who may settle one, which scores rest on what was found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors.affected import indicators_on, touching
from keepwell.observe.monitors.finding import Finding

if TYPE_CHECKING:
    from keepwell.observe.monitors.incidents import Incident
    from keepwell.observe.workspace import Workspace


class State(StrEnum):
    """How an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


STATES: Final[dict[State, str]] = {
    State.OPEN: "Not acknowledged",
    State.ACKNOWLEDGED: "Being worked on",
    State.CLOSED: "Over",
}
"""Each state in a few words, in English."""

LIVE: Final = (State.OPEN.value, State.ACKNOWLEDGED.value)


def incident_id(one: Incident) -> str:
    """The desk's id of an incident of the workspace; the same at every look.

    The number alone would not do: where the workspace's file is lost, it counts from 1 again.
    """
    made_of = f"{one.number}|{one.source}|{one.kind}|{one.opened_at.isoformat()}"
    return f"incident_{hashlib.sha256(made_of.encode()).hexdigest()[:26]}"


def owners_of(workspace: Workspace, one: Incident) -> tuple[str, ...]:
    """Everybody who answers for a source of an incident, as keepwell.yaml names them.

    Args:
        workspace: its mapping.
        one: an incident; several sources that feed one table are joined in it.
    """
    mapping = workspace.mapping
    named = [
        mapping.sources[name].owner or mapping.monitors.owner
        for name in one.source.split("+") if name in mapping.sources
    ]  # fmt: skip
    return tuple(dict.fromkeys(owner[:200] for owner in (*named, one.owner) if owner))


def concerning(findings: Iterable[Finding], as_of: date) -> tuple[Finding, ...]:
    """Of some findings those that scores as of a day may rest on, one per table and monitor.

    What is wrong with a day that the scores did not look at yet does not touch them; a source that
    stopped does, whatever the day.

    Args:
        findings: some.
        as_of: local day of the scores' instant.
    """
    found: dict[tuple[str, MonitorKind], Finding] = {}
    for one in touching(findings):
        if one.kind is MonitorKind.FRESHNESS or one.since < as_of:
            found.setdefault((one.table, one.kind), one)
    return tuple(found.values())


def read_by(tables: Iterable[str]) -> list[str]:
    """Ids of the indicators behind scores that read one of some tables, in order."""
    return sorted({name for table in tables for name in indicators_on(table)})
