"""Incidents: one per source and monitor while what it found lasts.

A watch opens it, and closes it when the monitor is well again. A person closes it by calling right
what was found, with a reason: that is the new usual from then on. All stand in one small file of
the workspace's state, written whole under a lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock

from keepwell.core.errors import UsageError
from keepwell.core.files import atomic_write
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors.accepted import Accepted, accepted_in, write_accepted
from keepwell.observe.monitors.finding import Finding, finding_from, finding_to

if TYPE_CHECKING:
    from pathlib import Path

    from keepwell.observe.workspace import Workspace

FILE_NAME: Final = "incidents.json"
MONITOR: Final = "monitor"
"""Who closed an incident that ended by itself."""
KEPT: Final = 200
"""Closed incidents that are remembered."""


@dataclass(frozen=True, slots=True)
class Incident:
    """What is or was wrong with one source by one monitor.

    Attributes:
        number: counts from 1 in a workspace.
        source: as a finding's.
        kind: which monitor.
        owner: who answers for the source, as keepwell.yaml said when it was last seen.
        opened_at: when it was first found (UTC).
        findings: what was found when it was last seen.
        closed_at: when it ended (UTC); None while it lasts.
        closed_by: `MONITOR`, or whoever called it right; '' while it lasts.
        reason: why it was called right.
    """

    number: int
    source: str
    kind: MonitorKind
    owner: str
    opened_at: datetime
    findings: tuple[Finding, ...]
    closed_at: datetime | None = None
    closed_by: str = ""
    reason: str = ""


def incidents_of(workspace: Workspace) -> tuple[Incident, ...]:
    """All incidents that are remembered, by number; none where the file is missing or broken."""
    try:
        raw = json.loads(_file(workspace).read_text(encoding="utf-8"))
        return tuple(_from(one) for one in raw)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def settle(workspace: Workspace, findings: Iterable[Finding], at: datetime) -> tuple[Incident, ...]:
    """Open what is new, keep what lasts, close what is well again.

    Args:
        workspace: whose.
        findings: of a whole watch.
        at: when it was (UTC).

    Returns:
        The incidents that last.
    """
    groups: dict[tuple[str, MonitorKind], list[Finding]] = {}
    for found in findings:
        groups.setdefault((found.source, found.kind), []).append(found)
    with _lock(workspace):
        before = incidents_of(workspace)
        after = [_seen(one, groups.pop((one.source, one.kind), []), at) for one in before]
        number = max((one.number for one in before), default=0)
        for (source, kind), some in groups.items():
            number += 1
            after.append(Incident(number, source, kind, some[0].owner, at, tuple(some)))
        _write(workspace, before, after)
    return tuple(one for one in after if one.closed_at is None)


def _seen(one: Incident, found: list[Finding], at: datetime) -> Incident:
    if one.closed_at is not None:
        return one
    if not found:
        return replace(one, closed_at=at, closed_by=MONITOR)
    return replace(one, findings=tuple(found), owner=found[0].owner)


def close(
    workspace: Workspace, number: int, by: str, reason: str, at: datetime | None = None
) -> Incident:
    """Call right what an incident found; from now on it is the usual.

    Args:
        workspace: whose.
        number: of an incident that lasts.
        by: who says so.
        reason: why it is right.
        at: when; default: now.

    Raises:
        UsageError: there is no such incident, or it is closed.
    """
    with _lock(workspace):
        before = incidents_of(workspace)
        found = next((one for one in before if one.number == number), None)
        if found is None or found.closed_at is not None:
            raise UsageError("monitor.incident-unknown", number=number)
        # First what keeps it closed: killed in between, the next watch closes the incident itself.
        said = accepted_in(workspace)
        for one in found.findings:
            said[one.table, one.kind, one.column] = Accepted(one.since, one.until)
        write_accepted(workspace, said)
        ended = replace(found, closed_at=at or datetime.now(UTC), closed_by=by, reason=reason)
        _write(workspace, before, [ended if one is found else one for one in before])
    return ended


def plain(one: Incident) -> dict[str, Any]:
    """An incident as plain values, for JSON."""
    return {
        **asdict(one), "kind": str(one.kind), "opened_at": one.opened_at.isoformat(),
        "closed_at": one.closed_at and one.closed_at.isoformat(),
        "findings": [finding_to(found) for found in one.findings],
    }  # fmt: skip


def _from(raw: Mapping[str, Any]) -> Incident:
    closed = raw["closed_at"]
    return Incident(
        raw["number"], raw["source"], MonitorKind(raw["kind"]), raw["owner"],
        datetime.fromisoformat(raw["opened_at"]),
        tuple(finding_from(found) for found in raw["findings"]),
        closed and datetime.fromisoformat(closed), raw["closed_by"], raw["reason"],
    )  # fmt: skip


def _write(workspace: Workspace, before: Iterable[Incident], after: list[Incident]) -> None:
    if tuple(before) == tuple(after):
        return
    closed = [one for one in after if one.closed_at is not None]
    forgotten = {one.number for one in closed[: max(0, len(closed) - KEPT)]}
    rows = [plain(one) for one in after if one.number not in forgotten]
    atomic_write(_file(workspace), json.dumps(rows, indent=1) + "\n")


def _lock(workspace: Workspace) -> FileLock:
    folder = _file(workspace).parent
    folder.mkdir(exist_ok=True)
    return FileLock(folder / "lock")


def _file(workspace: Workspace) -> Path:
    return workspace.state / "monitors" / FILE_NAME


__all__ = ["MONITOR", "Incident", "close", "incidents_of", "plain", "settle"]
