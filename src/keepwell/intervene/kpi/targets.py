"""Which owner and target hold in which month: pure, over what was set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from keepwell.learn.kpi.catalogue import Kpi


class Set(Protocol):
    """One setting of owner and target."""

    from_month: date
    set_at: datetime
    target: float | None
    owner_id: str | None


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds in a month.

    Attributes:
        target: None where none was set.
        owner_id: None while nobody was named; then the catalogue's role answers.
        by_source: the target is the source's, nobody set one.
    """

    target: float | None
    owner_id: str | None
    by_source: bool


def in_force(kpi: Kpi, settings: Sequence[Set], month: date) -> InForce:
    """What holds in a month: of what begins by then the latest month's, of those the newest.

    Args:
        kpi: the key figure.
        settings: of it, in any order.
        month: its first day.
    """
    begun = [s for s in settings if s.from_month <= month]
    if not begun:
        return InForce(kpi.target.value if kpi.target else None, None, kpi.target is not None)
    last = max(begun, key=lambda s: (s.from_month, s.set_at))
    return InForce(last.target, last.owner_id, False)
