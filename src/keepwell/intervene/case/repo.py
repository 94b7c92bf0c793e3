"""Queries of cases; what a person sees goes through the row scope of their clients."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, or_, select

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of, page_values, prepared_page
from keepwell.intervene.case.model import (
    Case,
    CaseEvent,
    CaseFile,
    CaseNote,
    CaseTask,
    Reassignment,
)
from keepwell.intervene.case.policy import SCORE_REASONS, urgency
from keepwell.trust.access.model import Branch, Staff, User
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.model import Client, ClientGrant
from keepwell.trust.book.repo import (
    Shape,
    current_generation,
    scoped,
    scoped_as,
    shape_of,
    values,
)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases a list holds; None leaves a property open.

    Attributes:
        state: their state.
        tier: their tier.
        reason: their reason.
        owner_id: who owns them.
        level: who answers for them.
        client_id: whom they are about.
        due_before: their first clock is due before this.
        live: whether somebody still works on them.
    """

    state: str | None = None
    tier: str | None = None
    reason: str | None = None
    owner_id: str | None = None
    level: int | None = None
    client_id: str | None = None
    due_before: datetime | None = None
    live: bool | None = None


SORTS: dict[str, tuple[tuple[tuple[Any, bool], ...], tuple[type, ...]]] = {
    "urgency": (
        ((Case.next_due_at, False), (Case.urgency, False), (Case.case_id, False)),
        (datetime, int, str),
    ),
    "opened_at": (((Case.opened_at, False), (Case.case_id, False)), (datetime, str)),
    "-opened_at": (((Case.opened_at, True), (Case.case_id, True)), (datetime, str)),
}
"""Orders of the list, with the kinds of their cursors."""


_SHOWN = (*Case.__table__.c, Staff.__table__.c.name.label("owner_name"))


def list_cases(
    tx: Tx, actor: Actor, chosen: CaseFilter, sort: str, limit: int, cursor: str | None
) -> Sequence[Any]:
    """A page of visible cases, one row longer than the limit.

    Returns:
        Rows with all columns of `Case` and `owner_name`.
    """
    given = {n: value for n in chosen.__slots__ if (value := getattr(chosen, n)) is not None}
    statement = _listing(shape_of(tx, actor), frozenset(given), sort, cursor is not None)
    named = given | values(tx, actor) | page_values(SORTS[sort][1], limit, cursor)
    return tx.rows(statement, named)


@lru_cache(maxsize=500)
def _listing(shape: Shape, given: frozenset[str], sort: str, paged: bool) -> Select[Any]:
    # One client has few cases; each is looked up in the scope.
    statement: Any = (
        select(*_SHOWN)
        .outerjoin(Staff, Staff.staff_id == Case.owner_id)
        .where(scoped_as(shape, Case.client_id, few="client_id" in given))
    )
    for name in sorted(given - {"due_before"}):
        statement = statement.where(getattr(Case, name) == bindparam(name))
    if "due_before" in given:
        statement = statement.where(Case.next_due_at < bindparam("due_before"))
    return prepared_page(statement, SORTS[sort][0], paged)


def shown(tx: Tx, actor: Actor, case_id: str) -> Any:
    """The row of a case that the actor may see, as in a list; None without one."""
    named = values(tx, actor) | {"case_id": case_id}
    found = tx.rows(_one(shape_of(tx, actor)), named)
    return found[0] if found else None


@lru_cache(maxsize=100)
def _one(shape: Shape) -> Select[Any]:
    return (
        select(*_SHOWN)
        .outerjoin(Staff, Staff.staff_id == Case.owner_id)
        .where(Case.case_id == bindparam("case_id"), scoped_as(shape, Case.client_id, few=True))
    )


def find(tx: Tx, actor: Actor, case_id: str, lock: bool = False) -> Case | None:
    """A case that the actor may see; locked, it is read anew and nobody else changes it."""
    named = values(tx, actor) | {"case_id": case_id}
    return tx.session.scalars(_found(shape_of(tx, actor), lock), named).one_or_none()


@lru_cache(maxsize=100)
def _found(shape: Shape, lock: bool) -> Select[Any]:
    statement = select(Case).where(
        Case.case_id == bindparam("case_id"), scoped_as(shape, Case.client_id, few=True)
    )
    return _locked(statement) if lock else statement


def find_many(tx: Tx, actor: Actor, case_ids: Iterable[str], lock: bool = False) -> list[Case]:
    """Those of the cases that the actor may see, by id."""
    statement = (
        select(Case)
        .where(Case.case_id.in_(list(case_ids)), scoped(tx, actor, Case.client_id, few=True))
        .order_by(Case.case_id)  # one order of locking for all, so that none waits for another
    )
    return list(tx.session.scalars(_locked(statement) if lock else statement))


def owned(tx: Tx, actor: Actor, owner_id: str, limit: int) -> list[Case]:
    """Live cases of an owner that the actor may see, most urgent first."""
    statement = (
        select(Case)
        .where(Case.owner_id == owner_id, Case.live, scoped(tx, actor, Case.client_id))
        .order_by(Case.next_due_at, Case.urgency, Case.case_id)
        .limit(limit)
    )
    return list(tx.session.scalars(statement))


def _locked(statement: Select[Any]) -> Select[Any]:
    # SQLite has one writer at a time anyway and the clause is left out there.
    return statement.with_for_update(of=Case).execution_options(populate_existing=True)


_CASELESS = known.hangs_on("case.none")
_CARERS = known.hangs_on("case.carers", Client)


def foresee(tx: Tx, clients: Collection[str]) -> None:
    """Look up who never had a case, and who cares for whom, of many whom the caller holds."""
    with_case = set(
        tx.session.scalars(
            select(Case.client_id).where(Case.client_id.in_(clients))  # unscoped: the desk's own
        )
    )
    known.learn(tx, _CASELESS, dict.fromkeys(set(clients) - with_case, True))
    carers = (Client.client_id, Client.manager_id, Client.adviser_id)
    statement = select(*carers).where(  # unscoped: the desk asks
        Client.generation_id == current_generation(), Client.client_id.in_(clients)
    )
    known.learn(tx, _CARERS, dict.fromkeys(clients, (None, None)))
    found = {row[0]: (row[1], row[2]) for row in tx.session.execute(statement)}
    known.learn(tx, _CARERS, found)


def add(tx: Tx, case: Case) -> None:
    """Store a new case."""
    known.unlearn(tx, _CASELESS, case.client_id)
    tx.session.add(case)
    tx.session.flush()


def latest(tx: Tx, client_id: str, reason: str) -> Case | None:
    """The live case of a client and reason, else the one closed last; locked."""
    if known.recall(tx, _CASELESS, client_id) is True:
        return None
    statement = (
        select(Case)  # unscoped: there is one case, whoever asks
        .where(Case.client_id == client_id, Case.reason == reason)
        .order_by(Case.live.desc(), Case.opened_at.desc(), Case.case_id.desc())
        .limit(1)
    )
    return tx.session.scalars(_locked(statement)).one_or_none()


def get(tx: Tx, case_id: str) -> Case | None:
    """A case by its id, locked; for the desk itself."""
    statement = select(Case).where(Case.case_id == case_id)  # unscoped: the desk's own events
    return tx.session.scalars(_locked(statement)).one_or_none()


def unlocked(tx: Tx, case_id: str) -> Case | None:
    """A case by its id; for the desk itself, where it overwrites nobody's change."""
    return tx.session.get(Case, case_id)


def live_of(tx: Tx, client_id: str, also: str = "") -> list[Case]:
    """Live cases of a client, and one that need not be, locked; for the desk itself."""
    if known.recall(tx, _CASELESS, client_id) is True:
        return []
    return list(tx.session.scalars(_LIVE, {"client_id": client_id, "also": also}))


_LIVE: Final = _locked(
    select(Case)  # unscoped: the desk's own events
    .where(
        Case.client_id == bindparam("client_id"),
        or_(Case.live, Case.case_id == bindparam("also")),
    )
    .order_by(Case.case_id)
)


def forget_tiers(tx: Tx, client_id: str) -> list[str]:
    """Take the tiers out of cases that came from profiling, and out of their history (PI-4).

    The history still tells the case: its lines say 'none' where they said a tier.

    Returns:
        Ids of the cases.
    """
    statement = (
        select(Case)  # unscoped: a client's right
        .where(Case.client_id == client_id, Case.reason.in_(SCORE_REASONS))
        .order_by(Case.case_id)
    )
    found = {case.case_id: case for case in tx.session.scalars(_locked(statement))}
    for case in found.values():
        case.tier, case.urgency = "none", urgency("none")
        case.version += 1
    lines = select(CaseEvent).where(  # unscoped: a client's right
        CaseEvent.case_id.in_(list(found))
    )
    for line in tx.session.scalars(lines):
        line.old, line.new = _untiered(line.old), _untiered(line.new)
    return list(found)


def _untiered(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "tier": "none"} if told.get("tier") else told


# History, notes, tasks, files: their case was found in scope before.


def last_number(tx: Tx, case_id: str) -> int:
    """Number of the newest line of a case's history; 0 without any."""
    return tx.rows(_LAST_NUMBER, {"case_id": case_id})[0][0] or 0


_LAST_NUMBER: Final = select(func.max(CaseEvent.number)).where(  # unscoped: the case is
    CaseEvent.case_id == bindparam("case_id")
)


def history(
    tx: Tx, case_id: str, limit: int, cursor: str | None
) -> list[tuple[CaseEvent, str | None]]:
    """A page of a case's history with the names of those who acted, oldest first."""
    statement: Any = (
        select(CaseEvent, User.name)  # unscoped: the case is
        .outerjoin(User, User.user_id == CaseEvent.actor_id)
        .where(CaseEvent.case_id == case_id)
    )
    statement = page_of(statement, ((CaseEvent.number, False),), (int,), limit, cursor)
    return [(row, name) for row, name in tx.session.execute(statement)]


def history_back(
    tx: Tx, case_id: str, limit: int, upto: int | None
) -> list[tuple[CaseEvent, str | None]]:
    """Lines of a case's history up to a number, with the names of those who acted, newest first."""
    statement = (
        select(CaseEvent, User.name)  # unscoped: the case is
        .outerjoin(User, User.user_id == CaseEvent.actor_id)
        .where(CaseEvent.case_id == case_id)
        .order_by(CaseEvent.number.desc())
        .limit(limit)
    )
    if upto is not None:
        statement = statement.where(CaseEvent.number <= upto)
    return [(row, name) for row, name in tx.session.execute(statement)]


def by_ids(tx: Tx, table: Any, case_id: str, ids: Collection[str]) -> dict[str, Any]:
    """Notes, tasks or files (`table`) of a case by their ids."""
    if not ids:
        return {}
    key = table.__mapper__.primary_key[0]
    statement = select(table).where(  # unscoped: the case is
        key.in_(list(ids)), table.case_id == case_id
    )
    return {getattr(row, key.key): row for row in tx.session.scalars(statement)}


def corrected(tx: Tx, case_id: str, note_ids: Collection[str]) -> set[str]:
    """Those of a case's notes that a later one corrects."""
    if not note_ids:
        return set()
    statement = select(CaseNote.corrects_id).where(  # unscoped: the case is
        CaseNote.corrects_id.in_(list(note_ids)), CaseNote.case_id == case_id
    )
    return {str(found) for found in tx.session.scalars(statement)}


def tasks_to_show(tx: Tx, case_id: str, limit: int) -> list[CaseTask]:
    """Tasks of a case: those that wait first, each kind newest first."""
    statement = (
        select(CaseTask)  # unscoped: the case is
        .where(CaseTask.case_id == case_id)
        .order_by(CaseTask.done_at.is_not(None), CaseTask.number.desc())
        .limit(limit)
    )
    return list(tx.session.scalars(statement))


def page(tx: Tx, table: Any, case_id: str, limit: int, cursor: str | None) -> Sequence[Any]:
    """A page of a case's notes, tasks or files (`table`), oldest first."""
    statement = select(table).where(table.case_id == case_id)  # unscoped: the case is
    keys = ((table.number, False),)
    return tx.session.scalars(page_of(statement, keys, (int,), limit, cursor)).all()


def open_tasks(tx: Tx, case_id: str, assignee_id: str) -> list[CaseTask]:
    """Tasks of a case that wait for somebody."""
    statement = (
        select(CaseTask)  # unscoped: the case is
        .where(
            CaseTask.case_id == case_id, CaseTask.assignee_id == assignee_id,
            CaseTask.done_at.is_(None),
        )
        .order_by(CaseTask.task_id)
    )  # fmt: skip
    return list(tx.session.scalars(statement))


def tasks_by_id(tx: Tx, task_ids: Iterable[str]) -> list[CaseTask]:
    """Tasks by their ids."""
    statement = select(CaseTask).where(  # unscoped: their cases are
        CaseTask.task_id.in_(list(task_ids))
    )
    return list(tx.session.scalars(statement))


def task_of(tx: Tx, case_id: str, task_id: str) -> CaseTask | None:
    """A task of a case, locked."""
    statement = (
        select(CaseTask)  # unscoped: the case is
        .where(CaseTask.task_id == task_id, CaseTask.case_id == case_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return tx.session.scalars(statement).one_or_none()


def note_of(tx: Tx, case_id: str, note_id: str) -> CaseNote | None:
    """A note of a case."""
    statement = select(CaseNote).where(  # unscoped: the case is
        CaseNote.note_id == note_id, CaseNote.case_id == case_id
    )
    return tx.session.scalars(statement).one_or_none()


def file_of(tx: Tx, case_id: str, file_id: str) -> CaseFile | None:
    """A file of a case."""
    statement = select(CaseFile).where(  # unscoped: the case is
        CaseFile.file_id == file_id, CaseFile.case_id == case_id
    )
    return tx.session.scalars(statement).one_or_none()


def digests_used(tx: Tx, digests: Iterable[str]) -> set[str]:
    """Those of the contents that some case still has attached."""
    statement = select(CaseFile.sha256).where(  # unscoped: digests, not rows
        CaseFile.sha256.in_(list(digests))
    )
    return set(tx.session.scalars(statement))


# Staff and grants


def staff_in_scope(tx: Tx, actor: Actor, staff_ids: Iterable[str]) -> dict[str, Staff]:
    """Those of the active staff to whom the actor may give cases."""
    statement = select(Staff).where(  # unscoped: staff, narrowed below
        Staff.staff_id.in_(list(staff_ids)), Staff.active
    )
    if actor.scope is Scope.TEAM:
        statement = statement.where(Staff.team_id == actor.team_id)
    elif actor.scope is Scope.BRANCH:
        statement = statement.where(Staff.branch_id == actor.branch_id)
    elif actor.scope is Scope.REGION:
        branches = select(Branch.branch_id).where(  # unscoped: places
            Branch.region_id == actor.region_id
        )
        statement = statement.where(
            or_(Staff.region_id == actor.region_id, Staff.branch_id.in_(branches))
        )
    elif actor.scope is not Scope.ALL:
        statement = statement.where(Staff.staff_id == actor.staff_id)
    return {row.staff_id: row for row in tx.session.scalars(statement)}


def still_active(tx: Tx, staff_ids: Iterable[str]) -> set[str]:
    """Those of the staff who are active."""
    statement = select(Staff.staff_id).where(  # unscoped: staff
        Staff.staff_id.in_(list(staff_ids)), Staff.active
    )
    return set(tx.session.scalars(statement))


def staff_name(tx: Tx, staff_id: str | None) -> str | None:
    """The name of a member of staff."""
    found = tx.session.get(Staff, staff_id) if staff_id else None
    return found.name if found else None


def staff_names(tx: Tx, staff_ids: Iterable[str | None]) -> dict[str, str]:
    """The names of members of staff by their numbers."""
    wanted = {staff_id for staff_id in staff_ids if staff_id}
    if not wanted:
        return {}
    statement = select(Staff.staff_id, Staff.name).where(  # unscoped: staff
        Staff.staff_id.in_(wanted)
    )
    return {str(staff_id): str(name) for staff_id, name in tx.session.execute(statement)}


def live_load(tx: Tx, staff_ids: Iterable[str], apart: Iterable[str]) -> dict[str, int]:
    """How many live cases each has, besides some that are about to be given out anew."""
    load = dict.fromkeys(staff_ids, 0)
    statement = (
        select(Case.owner_id, func.count())  # unscoped: numbers only
        .where(Case.live, Case.owner_id.in_(list(load)), Case.case_id.not_in(list(apart)))
        .group_by(Case.owner_id)
    )
    return load | {str(owner): n for owner, n in tx.session.execute(statement)}


def user_of(tx: Tx, staff_id: str) -> tuple[User, Staff] | None:
    """The active log-in of a member of staff."""
    statement = (
        select(User, Staff)  # unscoped: staff
        .join(Staff, Staff.staff_id == User.staff_id)
        .where(User.staff_id == staff_id, User.active, Staff.active)
    )
    found = tx.session.execute(statement).one_or_none()
    return (found[0], found[1]) if found else None


def carers(tx: Tx, client_id: str) -> tuple[str | None, str | None]:
    """Manager and adviser of a client at present."""
    told: tuple[str | None, str | None] = known.recall(tx, _CARERS, client_id)
    if told is not known.MISSING:
        return told
    statement = select(Client.manager_id, Client.adviser_id).where(  # unscoped: the desk asks
        Client.generation_id == current_generation(), Client.client_id == client_id
    )
    found = tx.session.execute(statement).one_or_none()
    return (found[0], found[1]) if found else (None, None)


def visible_client(tx: Tx, actor: Actor, client_id: str) -> bool:
    """Whether a client is in the book and in the actor's scope."""
    statement = select(Client.client_id).where(
        Client.generation_id == current_generation(),
        Client.client_id == client_id,
        scoped(tx, actor, Client.client_id, few=True),
    )
    return tx.session.scalar(statement) is not None


def grant(tx: Tx, staff_id: str, client_id: str, source: str) -> bool:
    """Lend a client; whether it was not lent before."""
    if tx.session.get(ClientGrant, (staff_id, client_id, source)) is not None:
        return False
    tx.session.add(ClientGrant(staff_id=staff_id, client_id=client_id, source=source))
    tx.session.flush()
    return True


def ungrant(tx: Tx, source: str, staff_id: str | None = None) -> int:
    """Take back what a source lent, from one person or from all; how many grants."""
    tx.session.flush()
    statement = delete(ClientGrant).where(ClientGrant.source == source)
    if staff_id is not None:
        statement = statement.where(ClientGrant.staff_id == staff_id)
    found: Any = tx.session.execute(statement)
    return int(found.rowcount)


def strangers(tx: Tx, limit: int) -> list[Case]:
    """Live cases whose owner is no longer the client's manager and was lent nothing yet."""
    lent = (
        select(ClientGrant.source)  # unscoped: the desk's own job
        .where(
            ClientGrant.staff_id == Case.owner_id, ClientGrant.client_id == Case.client_id,
            ClientGrant.source == "case:" + Case.case_id,
        )
        .exists()
    )  # fmt: skip
    statement = (
        select(Case)  # unscoped: the desk's own job
        .join(
            Client,
            (Client.client_id == Case.client_id) & (Client.generation_id == current_generation()),
        )
        .where(
            Case.live, Case.owner_id.is_not(None), ~lent,
            or_(Client.manager_id.is_(None), Client.manager_id != Case.owner_id),
        )
        .order_by(Case.case_id)
        .limit(limit)
    )  # fmt: skip
    return list(tx.session.scalars(statement))


# Reassignments


def plan(tx: Tx, actor: Actor, plan_id: str) -> Reassignment | None:
    """A plan that the actor made, locked."""
    statement = select(Reassignment).where(  # unscoped: one's own plan
        Reassignment.plan_id == plan_id, Reassignment.user_id == actor.user_id
    )
    return tx.session.scalars(_locked_plan(statement)).one_or_none()


def batch(tx: Tx, actor: Actor, batch_id: str) -> Reassignment | None:
    """A batch that the actor carried out, locked."""
    statement = select(Reassignment).where(  # unscoped: one's own batch
        Reassignment.batch_id == batch_id, Reassignment.user_id == actor.user_id
    )
    return tx.session.scalars(_locked_plan(statement)).one_or_none()


def _locked_plan(statement: Select[Any]) -> Select[Any]:
    return statement.with_for_update().execution_options(populate_existing=True)


def drop_plans(tx: Tx, before: datetime) -> int:
    """Remove plans that were never carried out in time."""
    statement = delete(Reassignment).where(
        Reassignment.batch_id.is_(None), Reassignment.created_at < before
    )
    found: Any = tx.session.execute(statement)
    return int(found.rowcount)
