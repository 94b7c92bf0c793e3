"""What has just happened on the desk and whom it concerns, for pages that are open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.intervene.alert.model import Alert, AlertSignal
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.intervene.notice.model import Notice

MOST: Final = 2_000
"""Rows of each kind that one look takes; in a flood of news everybody is told anyway."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened.

    Attributes:
        key: id of the row that says it.
        event: 'queue' for alerts and cases, 'notices' for notices.
        staff_id: whose case or alert it is, or who is told.
        user_id: who is told, without a staff number.
    """

    key: str
    event: str
    staff_id: str | None
    user_id: str | None = None

    def concerns(self, user_id: str, staff_id: str | None, wide: bool) -> bool:
        """Whether somebody's open page should look again.

        Args:
            user_id: who.
            staff_id: their staff number.
            wide: whether they see other people's work.
        """
        if self.user_id is not None:
            return self.user_id == user_id
        if self.staff_id is not None and self.staff_id == staff_id:
            return True
        return wide and self.event == "queue"


def since(tx: Tx, at: datetime) -> list[News]:
    """What happened since an instant; ids begin with the time, so each look is a short range.

    Args:
        tx: the unit of work.
        at: the instant.
    """
    # Of clients nothing is read: only that something is new, and whose it is.
    told = tx.session.execute(
        select(Notice.notice_id, Notice.staff_id, Notice.user_id)  # unscoped: no client's data
        .where(Notice.notice_id > _floor("notice", at))
        .limit(MOST)
    )
    found = [News(key, "notices", staff, user) for key, staff, user in told]
    signals = tx.session.execute(
        select(AlertSignal.signal_id, Alert.owner_id)  # unscoped: no client's data
        .join(Alert, Alert.alert_id == AlertSignal.alert_id)
        .where(AlertSignal.signal_id > _floor("signal", at))
        .limit(MOST)
    )
    found += [News(key, "queue", owner) for key, owner in signals]
    cases = tx.session.execute(
        select(CaseEvent.event_id, Case.owner_id)  # unscoped: no client's data
        .join(Case, Case.case_id == CaseEvent.case_id)
        .where(CaseEvent.event_id > _floor("caseev", at))
        .limit(MOST)
    )
    found += [News(key, "queue", owner) for key, owner in cases]
    return found


def _floor(kind: str, at: datetime) -> str:
    """The least id of a kind that could have been made at an instant."""
    return new_id(kind, at)[: len(kind) + 11]
