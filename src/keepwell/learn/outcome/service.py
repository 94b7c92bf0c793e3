"""Verbs of outcomes: read them from the label when they are known, and again when data change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from keepwell.core.days import day_number, midnight
from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.learn.outcome import repo
from keepwell.learn.outcome.model import Outcome, OutcomeDay
from keepwell.learn.outcome.policy import (
    UNKNOWN,
    Decided,
    Told,
    batch_digest,
    rule_of,
    seal_of,
    told_by,
)
from keepwell.observe.engines.base import Engine
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.repo import make_salts
from keepwell.trust.evidence.service import record
from keepwell.warn.label import LabelDefinition, all_known, label_clients

CHUNK: Final = 1_000
"""Outcomes of one transaction, one batch and one entry of the evidence."""

MOST_DAYS: Final = 62
"""Days of decisions read for the first time in one publication: each is a pass of the label over
the whole lake, and a publication shall not be held up by the years before the first one."""

AGAIN: Final = 7
"""Days read again in one publication, in turn, to see corrections of data."""

OfDay = Callable[[Tx, date], Sequence[Decided]]
"""(unit of work, day) -> what was decided on it, one for each client."""


@dataclass(frozen=True, slots=True)
class Matured:
    """What a reading of outcomes did.

    Attributes:
        days: days of decisions read for the first time.
        outcomes: outcomes stored for them.
        again: days read again.
        changed: outcomes that were corrected by a new revision.
        waiting: mature days left for the next time.
    """

    days: int = 0
    outcomes: int = 0
    again: int = 0
    changed: int = 0
    waiting: int = 0


def mature(
    frame: Frame, engine: Engine, days: Sequence[date], of_day: OfDay, known_by: datetime
) -> Matured:
    """Read the outcomes of days of decisions from the workspace's primary label.

    Each day is labelled as of its beginning, in one pass for all clients. A day is done in
    transactions of `CHUNK` outcomes and marked when it is whole; after a crash it is taken up
    again, and what stands already is not written twice.

    Args:
        frame: the desk.
        engine: the lake, pinned.
        days: on which something was decided or may have been, mature ones, in order.
        of_day: what was decided on a day, without clients who refuse profiling.
        known_by: nothing learned later is used.
    """
    definition = LabelDefinition.of(engine.workspace)
    rule = rule_of(definition)
    with frame.read() as tx:
        known = repo.known_days(tx, rule)
        stale = repo.stale_days(tx, rule, engine.manifest.id, AGAIN)
    fresh = [day for day in days if day not in known]
    job = _Job(frame, engine, definition, rule, of_day, known_by)
    read = outcomes = waiting = 0
    for position, day in enumerate(fresh):
        if read == MOST_DAYS:
            waiting = len(fresh) - position
            break
        clients, written, _ = job.read(day)
        read += clients > 0
        outcomes += written
    changed = sum(job.read(day)[2] for day in stale)
    return Matured(read, outcomes, len(stale), changed, waiting)


def mature_until(engine: Engine, now: datetime) -> datetime:
    """The instant by which labels may use what the lake holds: never later than the desk's now."""
    return min(all_known(engine), now)


@dataclass(frozen=True, slots=True)
class _Job:
    frame: Frame
    engine: Engine
    definition: LabelDefinition
    rule: str
    of_day: OfDay
    known_by: datetime

    def read(self, day: date) -> tuple[int, int, int]:
        """Read a day; clients decided about, outcomes written first and written anew."""
        with self.frame.read() as tx:
            decided = self.of_day(tx, day)
            stored = repo.newest_of_day(tx, day, self.rule) if decided else {}
        zone = self.frame.zone
        as_of = midnight(day_number(day), zone)
        ends = self.definition.matures_at(as_of, zone)
        told: Mapping[str, Told] = {}
        if decided:
            told = told_by(label_clients(self.engine, as_of, self.definition, self.known_by))
        new = []
        for one in decided:
            said, last = told.get(one.client_id, UNKNOWN), stored.get(one.client_id)
            if last is None or Told(last.y, last.why or "", last.left_day) != said:
                new.append((one, said, last.revision + 1 if last else 1))
        for start in range(0, len(new), CHUNK):
            chunk = new[start : start + CHUNK]
            with self.frame.write() as tx:
                self._store(tx, day, ends, chunk)
        with self.frame.write() as tx:
            self._mark(tx, day, ends, len(decided))
        first = sum(revision == 1 for _, _, revision in new)
        return len(decided), first, len(new) - first

    def _store(
        self, tx: Tx, day: date, ends: datetime, chunk: Sequence[tuple[Decided, Told, int]]
    ) -> None:
        batch = new_id("batch", tx.at)
        salts = make_salts(tx, [one.client_id for one, _, _ in chunk])
        rows = []
        for one, said, revision in chunk:
            row = self._row(tx, day, ends, one, said, revision) | {"batch_id": batch}
            rows.append(row | {"seal": seal_of(salts[one.client_id].salt, row)})
        repo.add(tx, rows)
        data = {
            "day": day, "rule": self.rule, "label": self.definition.name,
            "label_version": self.definition.version, "horizon": self.definition.horizon,
            "outcomes": len(rows), "manifest": self.engine.manifest.id,
            "digest": batch_digest(str(row["seal"]) for row in rows),
        }  # fmt: skip
        record(tx, SYSTEM, EvidenceKind.OUTCOME_MATURED, subject=batch, data=data)

    def _row(
        self, tx: Tx, day: date, ends: datetime, one: Decided, said: Told, revision: int
    ) -> dict[str, Any]:
        made = self.definition
        return {
            "outcome_id": new_id("outcome", tx.at), "client_id": one.client_id, "day": day,
            "rule": self.rule, "revision": revision, "treatment_id": one.treatment_id,
            "decision": one.decision, "arm": one.arm, "propensity": one.propensity,
            "period": one.period, "owner_id": one.owner_id, "alert_id": one.alert_id,
            "case_id": one.case_id, "generation_id": one.generation_id, "label": made.name,
            "label_version": made.version, "horizon": made.horizon, "gap": made.gap,
            "y": said.y, "why": said.why, "left_day": said.left_day, "matured_at": ends,
            "recorded_at": tx.at, "manifest": self.engine.manifest.id,
        }  # fmt: skip

    def _mark(self, tx: Tx, day: date, ends: datetime, clients: int) -> None:
        row = repo.day_row(tx, self.rule, day)
        if row is None:
            row = OutcomeDay(
                rule=self.rule, day=day, definition=self.definition.to_json(), matured_at=ends
            )
            tx.session.add(row)
        row.clients, row.checked_at = clients, tx.at
        row.manifest = self.engine.manifest.id


def erased(row: Outcome) -> bool:
    """Whether an outcome was emptied because the client refuses profiling."""
    return row.why is None
