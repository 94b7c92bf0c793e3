"""Recurring work: turning ticks of time into jobs, once each, by however many workers."""

from __future__ import annotations

from datetime import datetime

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.jobs import registry, repo, service
from keepwell.jobs.registry import Recurring


class Agenda:
    """What recurs, and which ticks this process has seen to already.

    Args:
        frame: the desk.
    """

    def __init__(self, frame: Frame) -> None:
        self._zone = frame.zone
        self._seen: dict[str, datetime] = {}
        self._looked: dict[str, datetime] = {}

    def due(self, now: datetime) -> list[tuple[Recurring, datetime]]:
        """The newest tick of each kind that was not seen to yet."""
        found = []
        for item in registry.recurring():
            # The shortest step of a cron expression is a minute.
            minute = now.replace(second=0, microsecond=0)
            if item.cron is not None and self._looked.get(item.kind) == minute:
                continue
            tick = registry.newest_tick(item, now, self._zone)
            if self._seen.get(item.kind) != tick:
                found.append((item, tick))
            elif item.cron is not None:
                self._looked[item.kind] = minute
        return found

    def enqueue(self, tx: Tx, due: list[tuple[Recurring, datetime]]) -> None:
        """Make jobs of ticks unless another worker has, or one of the kind still lives."""
        for item, tick in due:
            _enqueue(tx, item, tick)

    def saw(self, due: list[tuple[Recurring, datetime]]) -> None:
        """Remember ticks whose transaction was committed."""
        for item, tick in due:
            self._seen[item.kind] = tick


def _enqueue(tx: Tx, item: Recurring, tick: datetime) -> None:
    key = f"{service.EVERY}{item.kind}"
    if item.cron is not None and repo.first_tick(tx, item.kind, tick):
        return  # the tick before the desk's first start is nobody's
    if repo.live_key(tx, key) is not None:
        return
    if repo.advance(tx, item.kind, tick):
        service.enqueue(tx, item.kind, {"tick": tick.isoformat()}, key=key, due_at=tick)
