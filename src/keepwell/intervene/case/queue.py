"""Verbs of the queue: what calls next, how much there is of it, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.frame.paging import decode_cursor, encode_cursor
from keepwell.intervene.case import queue_repo as repo
from keepwell.intervene.case.queue_repo import MOST, PARTS, Part
from keepwell.intervene.case.urgency import Edges
from keepwell.intervene.clock import policies
from keepwell.intervene.clock.policy import Title
from keepwell.trust.access.policy import Actor, Permission

__all__ = [
    "MOST", "PARTS", "Counts", "NextClock", "Part", "Queue", "Wanted", "done_today", "owners",
    "queue",
]  # fmt: skip

_PLACE: Final = (datetime, int, float, str)
MOST_OWNERS: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a queue are looked at; None leaves a property open.

    Attributes:
        part: one of `PARTS`; None: all that is awake.
        tier: of this tier.
        reason: for this reason.
        state: cases in this state; leaves alerts without a case out.
        owner: of this owner (staff number).
        mine: of this owner or of nobody yet (staff number).
    """

    part: str | None = None
    tier: str | None = None
    reason: str | None = None
    state: str | None = None
    owner: str | None = None
    mine: str | None = None

    def given(self) -> dict[str, Any]:
        """What is asked for besides the part."""
        return {name: found for name in repo.NARROWING if (found := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class NextClock:
    """The clock of a case that ends first.

    Attributes:
        title: what was promised.
        due_at: when it is or was due; None while it stands still.
        pause_reason: code of why it stands still; None while it runs.
    """

    title: Title
    due_at: datetime | None
    pause_reason: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is.

    Attributes:
        all: rows that are awake.
        parts: rows of each of `PARTS`.
        next_due_at: when the next clock ends that has not ended; None when none runs.
        bounded: whether there are more rows than `queue_repo.MOST`, of which only those whose
            clocks end first were counted.
    """

    all: int
    parts: dict[str, int]
    next_due_at: datetime | None
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of the queue.

    Attributes:
        rows: with the columns of `queue_repo.page`.
        clocks: the next clock by case.
        counts: of all rows, however few the page shows.
        more: cursor of the next page; None at the end.
    """

    rows: Sequence[Any]
    clocks: dict[str, NextClock]
    counts: Counts
    more: str | None


def queue(
    tx: Tx, actor: Actor, wanted: Wanted, since: datetime, limit: int, cursor: str | None
) -> Queue:
    """What calls next among the actor's clients, most urgent first (`urgency.place`).

    All pages of one walk are sorted as of the instant of the first, so that no row is met twice.

    Args:
        tx: the unit of work.
        actor: whose scope.
        wanted: which rows.
        since: what came later is new.
        limit: rows of a page.
        cursor: of the page before.

    Raises:
        Unprocessable: it is not such a cursor.
    """
    alerts = actor.may(Permission.ALERT_READ)
    given, (at, *after) = wanted.given(), decode_cursor(cursor, _PLACE) if cursor else [tx.at]
    edges = Edges.at(at, tx.frame.zone)
    form = repo.form_of(tx, actor, given, alerts, wanted.part, paged=bool(after))
    rows = repo.page(tx, actor, form, given, edges, since, after, limit)
    more = None
    if len(rows) > limit:
        last = rows[limit - 1]
        more = encode_cursor([at, last.step, float(last.weight), last.id])
    rows = rows[:limit]
    whole = repo.form_of(tx, actor, given, alerts, repo.WHOLE)
    found = repo.counts(tx, actor, whole, given, Edges.at(tx.at, tx.frame.zone), since)
    parts = {part: int(getattr(found, part)) for part in PARTS}
    bounded = whole.wide and int(found.all) + parts[Part.ASLEEP] >= MOST
    counts = Counts(int(found.all), parts, found.next_due_at, bounded)
    return Queue(rows, _clocks(tx, rows), counts, more)


def _clocks(tx: Tx, rows: Sequence[Any]) -> dict[str, NextClock]:
    first: dict[str, Any] = {}
    for clock in repo.next_clocks(tx, [row.case_id for row in rows if row.case_id]):
        known = first.get(clock.subject_id)
        if known is None or _ends(clock) < _ends(known):
            first[clock.subject_id] = clock
    out = {}
    for case_id, clock in first.items():
        spec = policies.body_by_id(tx, clock.policy_id).spec(clock.code)
        if spec is not None:
            out[case_id] = NextClock(spec.title, clock.due_at, clock.pause_reason)
    return out


def _ends(clock: Any) -> tuple[bool, float]:
    return clock.due_at is None, clock.due_at.timestamp() if clock.due_at else 0.0


def owners(tx: Tx, actor: Actor) -> list[tuple[str, str]]:
    """Number and name of the managers whose work the actor sees; [] where they are too many."""
    found = repo.owners(tx, actor, MOST_OWNERS + 1)
    return found if len(found) <= MOST_OWNERS else []


def done_today(tx: Tx, actor: Actor) -> dict[str, int]:
    """How often the actor did what on the exchange's day, by kind of a case's history."""
    zone = tx.frame.zone
    return repo.done_since(tx, actor, datetime.combine(tx.at.astimezone(zone), time(), zone))
