"""Verbs for those who lead: who has how much to do, whose cases, what a reassignment does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import NotFound
from keepwell.intervene.alert.service import list_ceilings
from keepwell.intervene.case import team_repo as repo
from keepwell.intervene.case.model import Reassignment
from keepwell.intervene.case.reassign import PLAN_KEPT, UNDO_KEPT
from keepwell.intervene.case.urgency import Edges
from keepwell.trust.access.mask import mask_name
from keepwell.trust.access.policy import Actor

MOST: Final = 500
"""People in one overview."""
LATELY: Final = timedelta(days=7)
"""For how long a promise that was broken is told."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much one person has to do.

    Attributes:
        staff_id: who; None for cases that are nobody's.
        name: their name.
        live: live cases.
        overdue: of them those whose first clock has run out.
        today: of them those whose first clock runs out today.
        silent: of them those in which the client was not reached yet.
        late: clocks that ran out in the last seven days.
        capacity: new alerts a day; None for those without a ceiling.
        shown: new alerts shown today.
        held: alerts that the ceiling holds back.
        manager: whether cases can be given to them.
    """

    staff_id: str | None
    name: str
    live: int = 0
    overdue: int = 0
    today: int = 0
    silent: int = 0
    late: int = 0
    capacity: int | None = None
    shown: int = 0
    held: int = 0
    manager: bool = False

    @property
    def trouble(self) -> tuple[int, ...]:
        """What sorts those in trouble first."""
        return (-self.overdue, -self.late, -self.today, -self.live, -self.held)


def overview(tx: Tx, actor: Actor) -> list[Load]:
    """Everybody in scope who has cases or could be given some, those in trouble first."""
    ends = Edges.at(tx.at, tx.frame.zone).today
    work = {row.owner_id: row for row in repo.loads(tx, actor, ends)}
    late = repo.late(tx, actor, tx.at - LATELY)
    ceilings = {c.manager_id: c for c in list_ceilings(tx, actor, MOST, None).items}
    named = dict(repo.managers(tx, actor, MOST))
    others = (work.keys() | late.keys()) - named.keys() - {None}
    known = named | repo.names(tx, [str(other) for other in others])
    found = []
    for staff_id in [*known, *([None] if None in work else [])]:
        row, ceiling = work.get(staff_id), ceilings.get(staff_id or "")
        more = {n: int(getattr(row, n)) for n in ("live", "overdue", "today", "silent")} \
            if row else {}  # fmt: skip
        found.append(
            Load(
                staff_id, known.get(staff_id or "", ""), **more, late=late.get(staff_id, 0),
                capacity=ceiling.capacity if ceiling else None,
                shown=ceiling.shown_today if ceiling else 0,
                held=ceiling.held_back if ceiling else 0, manager=staff_id in named,
            )
        )  # fmt: skip
    return sorted(found, key=lambda load: (load.trouble, load.staff_id or ""))


def cases_of(
    tx: Tx, actor: Actor, owner_id: str | None, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """A page of an owner's live cases as rows, most urgent first, and the cursor of the next."""
    rows = repo.cases_of(tx, actor, owner_id, limit, cursor)
    more = None
    if len(rows) > limit:
        last = rows[limit - 1]
        more = encode_cursor([last.next_due_at, last.urgency, last.case_id])
    return rows[:limit], more


def client_names(tx: Tx, actor: Actor, client_ids: Collection[str]) -> dict[str, str | None]:
    """Masked names of clients in scope, by number."""
    found = repo.client_names(tx, actor, client_ids) if client_ids else {}
    return {client: shown_name(actor, name) for client, name in found.items()}


def shown_name(actor: Actor, name: str | None) -> str | None:
    """A client's name as the actor may see it."""
    return name if actor.unmasked else mask_name(name)


@dataclass(frozen=True, slots=True)
class Told:
    """A plan or a batch, for somebody who has to decide about it.

    Attributes:
        plan: the row.
        gives: how many cases leave whom; None stands for nobody's.
        gets: how many cases come to whom.
        moves: case row (None if it is not visible any more), giver and taker of each.
        changed: ids of cases that somebody changed since.
        back: how many of an undone batch are with their giver.
        names: of the staff, by number.
        until: a plan is good, a batch can be undone, until then.
    """

    plan: Reassignment
    gives: dict[str | None, int]
    gets: dict[str, int]
    moves: list[tuple[Any, str | None, str]]
    changed: list[str]
    back: int
    names: dict[str, str] = field(default_factory=dict)
    until: datetime | None = None


def plan(tx: Tx, actor: Actor, plan_id: str) -> Told:
    """A plan of one's own, and what changed since it was made.

    Raises:
        NotFound: no such plan of the actor's.
    """
    found = repo.plan(tx, actor, plan_id)
    if found is None:
        raise NotFound("case.plan-unknown")
    return _told(tx, actor, found, "version", found.created_at + PLAN_KEPT)


def batch(tx: Tx, actor: Actor, batch_id: str) -> Told:
    """A batch of one's own, and what changed since it was carried out.

    Raises:
        NotFound: no such batch of the actor's.
    """
    found = repo.batches(tx, actor, tx.at, 1, batch_id)
    if not found or found[0].done_at is None:
        raise NotFound("case.batch-unknown")
    return _told(tx, actor, found[0], "after", found[0].done_at + UNDO_KEPT)


def undoable(tx: Tx, actor: Actor) -> list[Reassignment]:
    """One's own batches that can still be undone, newest first."""
    found = repo.batches(tx, actor, tx.at - UNDO_KEPT, 10)
    return [row for row in found if row.undone_at is None]


def _told(tx: Tx, actor: Actor, found: Reassignment, version: str, until: datetime) -> Told:
    cases = repo.cases_by_id(tx, actor, [move["case_id"] for move in found.moves])
    gives = Counter(move["from"] for move in found.moves)
    gets = Counter(move["to"] for move in found.moves)
    changed, back = [], 0
    for move in found.moves:
        case = cases.get(move["case_id"])
        if case is None or not case.live or case.version != move[version]:
            changed.append(move["case_id"])
        back += case is not None and case.owner_id == move["from"]
    moves = [(cases.get(move["case_id"]), move["from"], move["to"]) for move in found.moves]
    people = [staff for staff in gives.keys() | gets.keys() if staff is not None]
    return Told(
        found, dict(gives.most_common()), dict(gets.most_common()), moves, changed, back,
        repo.names(tx, people), until,
    )  # fmt: skip
