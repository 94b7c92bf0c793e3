"""Queries over clocks, their logs and their policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.clock.model import ActivePolicy, Clock, ClockEvent, ClockPolicy
from keepwell.intervene.clock.state import LIVE
from keepwell.trust.access.model import User
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import (
    Shape,
    current_generation,
    scoped,
    scoped_as,
    shape_of,
    values,
)

_LIVE = [state.value for state in LIVE]
_ORDER = ((Clock.due_rank, False), (Clock.clock_id, False))


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of clocks is narrowed to; None does not matter.

    Attributes:
        subject_kind: case or exit.
        subject_id: of one case or exit request.
        client_id: of one client.
        owner_id: of one member of staff.
        code: one promise.
        state: how they stand.
        due_before: due before an instant.
    """

    subject_kind: str | None = None
    subject_id: str | None = None
    client_id: str | None = None
    owner_id: str | None = None
    code: str | None = None
    state: str | None = None
    due_before: datetime | None = None


def page(tx: Tx, actor: Actor, filters: Filters, limit: int, cursor: str | None) -> Sequence[Clock]:
    """Clocks in the actor's scope by due time, one more than the page."""
    statement = select(Clock).where(scoped(tx, actor, Clock.client_id))
    equal = {
        Clock.subject_kind: filters.subject_kind, Clock.subject_id: filters.subject_id,
        Clock.client_id: filters.client_id, Clock.owner_id: filters.owner_id,
        Clock.code: filters.code, Clock.state: filters.state,
    }  # fmt: skip
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == value)
    if filters.due_before is not None:
        statement = statement.where(Clock.due_rank < filters.due_before)
    kinds = (datetime, str)
    return tx.session.scalars(page_of(statement, _ORDER, kinds, limit, cursor)).all()


def find(tx: Tx, actor: Actor, clock_id: str, lock: bool = False) -> Clock | None:
    """A clock in the actor's scope."""
    statement = select(Clock).where(
        Clock.clock_id == clock_id, scoped(tx, actor, Clock.client_id, few=True)
    )
    return tx.session.scalar(_locked(statement) if lock else statement)


def lock_subject(tx: Tx, clock_id: str) -> None:
    """Lock the case that a clock belongs to: who changes a case locks it before its clocks."""
    from keepwell.intervene.case.model import Case

    statement = (
        select(Case.case_id)  # unscoped: a lock, nothing is shown
        .join(Clock, Clock.subject_id == Case.case_id)
        .where(Clock.clock_id == clock_id, Clock.subject_kind == "case")
        .with_for_update(of=Case)
    )
    tx.session.execute(statement)


def live_of(tx: Tx, kind: str, subject_id: str) -> list[Clock]:
    """Clocks of a subject that have not ended, locked, in the order of their start."""
    statement = (
        select(Clock)  # unscoped: the desk itself winds the clocks of a case
        .where(Clock.subject_kind == kind, Clock.subject_id == subject_id, Clock.state.in_(_LIVE))
        .order_by(Clock.clock_id)
    )
    return list(tx.session.scalars(_locked(statement)))


def of_subjects(tx: Tx, actor: Actor, kind: str, ids: Iterable[str]) -> Sequence[Clock]:
    """Clocks of subjects in the actor's scope, newest round first."""
    named = values(tx, actor) | {"kind": kind, "ids": list(ids)}
    return tx.session.scalars(_of_subjects(shape_of(tx, actor)), named).all()


@lru_cache(maxsize=100)
def _of_subjects(shape: Shape) -> Select[Any]:
    return (
        select(Clock)
        .where(
            Clock.subject_kind == bindparam("kind"),
            Clock.subject_id.in_(bindparam("ids", expanding=True)),
            scoped_as(shape, Clock.client_id, few=True),
        )
        .order_by(Clock.round.desc(), Clock.clock_id)
    )


def codes_of_round(tx: Tx, kind: str, subject_id: str) -> tuple[int, set[str]]:
    """The newest round of a subject, 0 before the first, and the codes started in it."""
    statement = (
        select(Clock.round, Clock.code)  # unscoped: the desk itself winds the clocks of a case
        .where(Clock.subject_kind == kind, Clock.subject_id == subject_id)
    )  # fmt: skip
    rows = tx.session.execute(statement).all()
    newest = max((number for number, _ in rows), default=0)
    return newest, {code for number, code in rows if number == newest}


def forget_tiers(tx: Tx, case_ids: Iterable[str]) -> None:
    """Take the tier out of the clocks of cases (rule PI-4)."""
    statement = select(Clock).where(  # unscoped: a client's right
        Clock.subject_kind == "case", Clock.subject_id.in_(list(case_ids))
    )
    for clock in tx.session.scalars(_locked(statement.order_by(Clock.clock_id))):
        clock.tier = None


def next_due(tx: Tx, kind: str, subject_id: str) -> datetime | None:
    """When the first live clock of a subject is or was due."""
    statement = select(func.min(Clock.due_at)).where(  # unscoped: a fact of one case, for itself
        Clock.subject_kind == kind,
        Clock.subject_id == subject_id,
        Clock.state.in_(_LIVE),
    )
    return tx.session.scalar(statement)


def log(tx: Tx, clock_id: str) -> list[ClockEvent]:
    """The log of a clock, oldest first."""
    statement = (
        select(ClockEvent)  # unscoped: the caller has read the clock in its scope
        .where(ClockEvent.clock_id == clock_id)
        .order_by(ClockEvent.number)
    )
    return list(tx.session.scalars(statement))


def logs(tx: Tx, clock_ids: Collection[str]) -> list[tuple[ClockEvent, str | None]]:
    """The logs of clocks with the names of those who acted, newest first."""
    if not clock_ids:
        return []
    statement = (
        select(ClockEvent, User.name)  # unscoped: the caller has read the clocks in its scope
        .outerjoin(User, User.user_id == ClockEvent.actor_id)
        .where(ClockEvent.clock_id.in_(list(clock_ids)))
        .order_by(ClockEvent.at.desc(), ClockEvent.clock_id, ClockEvent.number.desc())
    )
    return [(row, name) for row, name in tx.session.execute(statement)]


@dataclass(frozen=True, slots=True)
class Person:
    """What policies may ask about a client."""

    birth_year: int | None
    segment: str | None
    cause: str | None


_PERSON = known.hangs_on("clock.person", Client)
_ACTIVE = known.hangs_on("clock.policy", ActivePolicy, ClockPolicy)


def foresee(tx: Tx, clients: Collection[str]) -> None:
    """Look up the policy in force and what policies may ask about many clients."""
    known.learn(tx, _ACTIVE, {1: active_policy(tx)})
    known.learn(tx, _PERSON, _people(tx, clients))


def person(tx: Tx, client_id: str) -> Person:
    """Facts of a client in the generation in force."""
    told: Person = known.recall(tx, _PERSON, client_id)
    return _people(tx, [client_id])[client_id] if told is known.MISSING else told


def _people(tx: Tx, clients: Collection[str]) -> dict[str, Person]:
    facts = (Client.client_id, Client.birth_year, Client.segment, Client.reasons)
    statement = select(*facts).where(  # unscoped: a policy's conditions, shown to nobody
        Client.generation_id == current_generation(), Client.client_id.in_(clients)
    )
    found = dict.fromkeys(clients, Person(None, None, None))
    for row in tx.session.execute(statement):
        first = row.reasons[0] if row.reasons else {}
        found[row.client_id] = Person(row.birth_year, row.segment, first.get("cause"))
    return found


def policy_versions(tx: Tx, name: str) -> Sequence[ClockPolicy]:
    """All versions of a policy, newest first."""
    statement = (
        select(ClockPolicy).where(ClockPolicy.name == name).order_by(ClockPolicy.version.desc())
    )
    return tx.session.scalars(statement).all()


def newest_policy(tx: Tx, name: str) -> ClockPolicy | None:
    """The newest version of a policy."""
    statement = (
        select(ClockPolicy)
        .where(ClockPolicy.name == name)
        .order_by(ClockPolicy.version.desc())
        .limit(1)
    )
    return tx.session.scalar(statement)


def newest_policies(tx: Tx) -> list[ClockPolicy]:
    """The newest version of every policy, by name."""
    statement = select(ClockPolicy).order_by(ClockPolicy.name, ClockPolicy.version)
    return list({row.name: row for row in tx.session.scalars(statement)}.values())


def add_policy(tx: Tx, values: dict[str, Any]) -> None:
    """Store a version; when another transaction stored the same one first, its is kept."""
    insert: Any = sqlite.insert if tx.is_sqlite else postgresql.insert
    tx.session.execute(insert(ClockPolicy).values(values).on_conflict_do_nothing())


def active_policy(tx: Tx) -> ClockPolicy | None:
    """The policy in force, if one was ever chosen."""
    told: ClockPolicy | None = known.recall(tx, _ACTIVE, 1)
    if told is not known.MISSING and told is not None:
        return told
    statement = select(ClockPolicy).join(
        ActivePolicy, ActivePolicy.policy_id == ClockPolicy.policy_id
    )
    return tx.session.scalar(statement)


def activate(tx: Tx, policy_id: str, only_first: bool = False) -> None:
    """Put a version in force; `only_first`: unless one is already."""
    insert: Any = sqlite.insert if tx.is_sqlite else postgresql.insert
    statement = insert(ActivePolicy).values(one=1, policy_id=policy_id)
    if only_first:
        statement = statement.on_conflict_do_nothing()
    else:
        statement = statement.on_conflict_do_update(
            index_elements=[ActivePolicy.one], set_={"policy_id": policy_id}
        )
    tx.session.execute(statement)


def policy_by_id(tx: Tx, policy_id: str) -> ClockPolicy:
    """A stored version."""
    return tx.session.get_one(ClockPolicy, policy_id)


def _locked(statement: Any) -> Any:
    # A timer and a person may come at the same moment; whoever is second sees what the first did.
    return statement.with_for_update().execution_options(populate_existing=True)
