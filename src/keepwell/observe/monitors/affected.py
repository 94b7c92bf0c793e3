"""What rests on data that are late or unusual: indicators, and the reasons made of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from keepwell.observe.indicators.registry import INDICATORS, model_inputs
from keepwell.observe.monitors.finding import Finding
from keepwell.observe.monitors.watch import last_findings, late

if TYPE_CHECKING:
    from keepwell.observe.rhythm import IsOpen
    from keepwell.observe.workspace import Workspace

KEPT: Final = timedelta(minutes=1)
"""For so long an answer is given again: pages ask at every look."""


def standing(workspace: Workspace, now: datetime, is_open: IsOpen) -> tuple[Finding, ...]:
    """What the last watch found, and what is late at an instant; one finding per table and kind.

    Args:
        workspace: whose.
        now: the instant.
        is_open: whether the exchange trades on a day.
    """
    minute = now.replace(second=0, microsecond=0)
    return _standing(
        _Asked(workspace, is_open), workspace.root.as_posix(), minute, _stamp(workspace)
    )


class _Asked:
    """What a question needs but is not told apart by."""

    def __init__(self, workspace: Workspace, is_open: IsOpen) -> None:
        self.workspace, self.is_open = workspace, is_open

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=8)
def _standing(
    asked: _Asked, root: str, minute: datetime, stamp: tuple[int, int]
) -> tuple[Finding, ...]:
    del root, stamp  # they tell questions apart
    found = [*late(asked.workspace, minute, asked.is_open, None), *last_findings(asked.workspace)]
    first = {(one.table, one.kind): one for one in reversed(found)}
    return tuple(one for one in found if first[one.table, one.kind] is one)


def _stamp(workspace: Workspace) -> tuple[int, int]:
    """Changes with every watch and every manifest."""
    manifest = workspace.lake.manifest()
    try:
        watched = (workspace.state / "monitors" / "found.json").stat().st_mtime_ns
    except OSError:
        watched = 0
    return watched, manifest.id if manifest else 0


def indicators_on(table: str) -> frozenset[str]:
    """Ids of the indicators that models are trained on and that read a table.

    Example:
        >>> "days_since_trade" in indicators_on("trade"), indicators_on("news")
        (True, frozenset())
    """
    return _readers().get(table, frozenset())


@lru_cache(maxsize=1)
def _readers() -> dict[str, frozenset[str]]:
    items = [INDICATORS[id] for id in model_inputs()]
    tables = {table for item in items for table in item.sources}
    return {table: frozenset(i.id for i in items if table in i.sources) for table in tables}


def touching(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Of some findings those about tables that a model's inputs read: scores rest on them."""
    return tuple(found for found in findings if indicators_on(found.table))


__all__ = ["indicators_on", "standing", "touching"]
