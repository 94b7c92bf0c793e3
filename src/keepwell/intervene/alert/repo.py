"""Queries of alerts: the desk's own over everybody, people's within their scope."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_values, prepared_page
from keepwell.intervene.alert.model import Alert, AlertSignal, TierRow, Treatment
from keepwell.intervene.alert.policy import (
    LOOKS_HELD_BACK,
    MANDATORY,
    SERVICE_WEIGHT,
    Decision,
    Status,
)
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import (
    Shape,
    current_generation,
    scoped,
    scoped_as,
    shape_of,
    values,
)
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import refusing


@dataclass(frozen=True, slots=True)
class BookFacts:
    """What the book says about a client.

    Attributes:
        client_id: who.
        manager_id: whose book; None for nobody's.
        assets: minor units; None where unknown.
        score: None without one.
    """

    client_id: str
    manager_id: str | None = None
    assets: int | None = None
    score: float | None = None


_BOOK = (Client.client_id, Client.manager_id, Client.assets, Client.score)


_BOOK_OF: Final = select(*_BOOK).where(  # unscoped: the desk decides about every client
    Client.generation_id == current_generation(),
    Client.client_id.in_(bindparam("client_ids", expanding=True)),
)


def book_facts(tx: Tx, clients: Collection[str]) -> dict[str, BookFacts]:
    """Facts of clients in the generation in force; of an unknown client nothing is known."""
    rows = tx.rows(_BOOK_OF, {"client_ids": list(clients)})
    found = {row[0]: BookFacts(*row) for row in rows}
    return {client: found.get(client, BookFacts(client)) for client in clients}


def candidates(
    tx: Tx, generation_id: int, lowest: float, after: tuple[float, str] | None, limit: int
) -> list[BookFacts]:
    """The next clients of a generation whose score reaches a tier, most endangered first."""
    statement = select(*_BOOK).where(  # unscoped: the sweep looks at the whole book
        Client.generation_id == generation_id, Client.rank_score >= lowest
    )
    if after is not None:
        rank, client = after
        statement = statement.where(
            or_(
                Client.rank_score < rank,
                and_(Client.rank_score == rank, Client.client_id > client),
            )
        )
    ordered = statement.order_by(Client.rank_score.desc(), Client.client_id).limit(limit)
    return [BookFacts(*row) for row in tx.session.execute(ordered)]


def states(tx: Tx, clients: Collection[str]) -> dict[str, TierRow]:
    """Stored tiers of clients."""
    rows = tx.session.scalars(
        select(TierRow).where(TierRow.client_id.in_(clients))  # unscoped: the sweep's own
    )
    return {row.client_id: row for row in rows}


def leftover(tx: Tx, generation_id: int, limit: int) -> list[str]:
    """Clients with a stored tier at whom a generation's sweep has not looked yet."""
    return list(
        tx.session.scalars(
            select(TierRow.client_id)  # unscoped: the sweep's own
            .where(TierRow.generation_id < generation_id)
            .order_by(TierRow.client_id)
            .limit(limit)
        )
    )


def refusing_of(tx: Tx, clients: Collection[str]) -> set[str]:
    """Those of the clients who refused profiling."""
    all_of_them = refusing(tx, Purpose.PROFILING).subquery()
    column = next(iter(all_of_them.c))
    return set(tx.session.scalars(select(column).where(column.in_(clients))))  # unscoped: a rule's


def live(tx: Tx, clients: Collection[str]) -> dict[str, dict[str, Alert]]:
    """Live alerts of clients, by client and reason, locked."""
    statement = select(Alert).where(  # unscoped: the desk decides about every client
        Alert.client_id.in_(clients), Alert.status != Status.CLOSED
    )
    rows = tx.session.scalars(_locked(statement))
    found: dict[str, dict[str, Alert]] = {client: {} for client in clients}
    for alert in rows:
        found[alert.client_id][alert.reason] = alert
    return found


_WAS_SHOWN: Final = (
    select(Treatment.treatment_id)  # unscoped: the desk's own log
    .where(
        Treatment.client_id == bindparam("client_id"),
        Treatment.period.in_(bindparam("periods", expanding=True)),
        Treatment.decision == Decision.SHOWN,
    )
    .limit(1)
)


def was_shown(tx: Tx, client_id: str, *periods: str) -> bool:
    """Whether an alert about a client, mandatory service apart, was shown in one of the periods."""
    return bool(tx.rows(_WAS_SHOWN, {"client_id": client_id, "periods": periods}))


def newest_treatment(tx: Tx, alert_id: str) -> Treatment | None:
    """The newest decision about an alert."""
    return tx.session.scalars(_NEWEST, {"alert_id": alert_id}).first()


_NEWEST: Final = (
    select(Treatment)  # unscoped: the desk's own log
    .where(Treatment.alert_id == bindparam("alert_id"))
    .order_by(Treatment.at.desc(), Treatment.treatment_id.desc())
    .limit(1)
)


def silenced(tx: Tx, client_id: str, since: datetime) -> set[str]:
    """Reasons of the alerts that an exit request closed or kept from being raised."""
    closed = select(Alert.reason).where(  # unscoped: the desk's own decisions
        Alert.client_id == client_id,
        Alert.closed_reason == "exit-requested",
        Alert.closed_at >= since,
    )
    kept = select(Treatment.reason).where(  # unscoped: the desk's own decisions
        Treatment.client_id == client_id,
        Treatment.decision == Decision.EXIT_REQUESTED,
        Treatment.at >= since,
    )
    return set(tx.session.scalars(closed)) | set(tx.session.scalars(kept))


def capacity(tx: Tx, owner_id: str) -> int | None:
    """A person's ceiling; locks the row, so that two transactions do not fill one place."""
    return tx.session.scalar(
        select(Staff.capacity).where(Staff.staff_id == owner_id).with_for_update()
    )


def shown_on(tx: Tx, owner_id: str, day: date) -> int:
    """How many alerts were shown to a person on a day."""
    count = tx.session.scalar(
        select(func.count()).where(  # unscoped: counts against the ceiling
            Alert.owner_id == owner_id, Alert.shown_day == day
        )
    )
    return int(count or 0)


def waiting_owners(
    tx: Tx, day: date, usual: int, since: datetime, after: str, limit: int
) -> list[str]:
    """Owners of alerts held back who have room today or whose alerts are not decided yet.

    Args:
        tx: the unit of work.
        day: the exchange's day.
        usual: ceiling of those who have none of their own.
        since: undecided alerts raised later are left to the sweep that raised them.
        after: the owner before the first.
        limit: at most so many.
    """
    shown = (
        select(Alert.owner_id, func.count().label("n"))  # unscoped: counts against the ceiling
        .where(Alert.shown_day == day)
        .group_by(Alert.owner_id)
        .subquery()
    )
    undecided = func.sum(case((Alert.held_at.is_(None), 1), else_=0))
    showable = func.sum(case((Alert.status == Status.HELD_BACK, 1), else_=0))
    statement = (
        select(Alert.owner_id)  # unscoped: the job releases everybody's
        .outerjoin(shown, shown.c.owner_id == Alert.owner_id)
        .outerjoin(Staff, Staff.staff_id == Alert.owner_id)
        .where(_waits(since), Alert.owner_id > after)
        .group_by(Alert.owner_id)
        .having(
            or_(
                undecided > 0,
                and_(
                    showable > 0,
                    func.max(func.coalesce(Staff.capacity, usual))
                    > func.max(func.coalesce(shown.c.n, 0)),
                ),
            )
        )
        .order_by(Alert.owner_id)
        .limit(limit)
    )
    return [str(owner) for owner in tx.session.scalars(statement)]


def _waits(since: datetime, undecided: bool = False) -> ColumnElement[bool]:
    """Held back, or held out and not yet told as if it were held back."""
    ripe = and_(Alert.held_at.is_(None), Alert.raised_at <= since)
    if undecided:
        return and_(Alert.status.in_(LOOKS_HELD_BACK), ripe)
    told = and_(Alert.status == Status.HELD_BACK, Alert.held_at.is_not(None))
    return and_(Alert.status.in_(LOOKS_HELD_BACK), or_(ripe, told))


_URGENT = (Alert.tier_rank.desc(), Alert.weight.desc(), Alert.alert_id)


def waiting_clients(
    tx: Tx, owner_id: str, since: datetime, limit: int, undecided: bool = False
) -> list[str]:
    """Whom the alerts are about that `held_back` would find, without locking them."""
    statement = select(Alert.client_id).where(  # unscoped: the job releases everybody's
        Alert.owner_id == owner_id, _waits(since, undecided)
    )
    if not undecided:
        statement = statement.where(Alert.status == Status.HELD_BACK)
    return list(tx.session.scalars(statement.order_by(*_URGENT).limit(limit)))


def held_back(
    tx: Tx,
    owner_id: str,
    since: datetime,
    limit: int,
    clients: Collection[str],
    undecided: bool = False,
) -> list[Alert]:
    """Alerts of an owner that wait, most urgent first, locked; see `waiting_owners` for `since`.

    Args:
        tx: the unit of work.
        owner_id: whose.
        since: as of `waiting_owners`.
        limit: at most so many.
        clients: about these, whom the caller holds.
        undecided: only those nobody has been told of, also of the hold-out; else those that the
            ceiling alone keeps back.
    """
    statement = select(Alert).where(  # unscoped: the job releases everybody's
        Alert.owner_id == owner_id, _waits(since, undecided), Alert.client_id.in_(clients)
    )
    if not undecided:
        statement = statement.where(Alert.status == Status.HELD_BACK)
    return list(tx.session.scalars(_anew(statement.order_by(*_URGENT).limit(limit))))


def of_case(tx: Tx, case_id: str) -> list[Alert]:
    """Live alerts that belong to a case, locked."""
    statement = select(Alert).where(  # unscoped: the case's own, changed by its events
        Alert.case_id == case_id, Alert.status != Status.CLOSED
    )
    return list(tx.session.scalars(_locked(statement)))


def sleeping(tx: Tx, event: str, clients: Collection[str]) -> list[Alert]:
    """Sleeping alerts of clients that an event wakes, locked."""
    statement = select(Alert).where(  # unscoped: events of any client wake alerts
        Alert.status == Status.SNOOZED, Alert.wake_on == event, Alert.client_id.in_(clients)
    )
    return list(tx.session.scalars(_locked(statement)))


def _locked(statement: Select[Any]) -> Select[Any]:
    """In one order of locking for all, so that two transactions do not wait for each other."""
    return _anew(statement.order_by(Alert.alert_id))


def _anew(statement: Select[Any]) -> Select[Any]:
    # A person may have changed an alert since this transaction read it.
    return statement.with_for_update().execution_options(populate_existing=True)


def forget(tx: Tx, client_id: str) -> None:
    """Take scores and tiers out of everything kept about a client (rule PI-4)."""
    own = select(Alert.alert_id).where(Alert.client_id == client_id)  # unscoped: a client's right
    plain: dict[str, Any] = {"synchronize_session": False}
    tx.session.execute(
        delete(TierRow).where(TierRow.client_id == client_id), execution_options=plain
    )
    tx.session.execute(
        update(AlertSignal)
        .where(AlertSignal.alert_id.in_(own.where(Alert.reason.not_in(list(MANDATORY)))))
        .values(score=None, tier="none", facts={}),
        execution_options=plain,
    )
    tx.session.execute(
        update(AlertSignal).where(AlertSignal.alert_id.in_(own)).values(score=None),
        execution_options=plain,
    )
    tx.session.execute(
        update(Alert).where(Alert.client_id == client_id).values(score=None),
        execution_options=plain,
    )
    tx.session.execute(
        update(Alert)
        .where(Alert.client_id == client_id, Alert.weight < SERVICE_WEIGHT)
        .values(weight=0.0),
        execution_options=plain,
    )
    kept = [*MANDATORY, "manual"]  # tiers that no profile gave
    for table in (Alert, Treatment):
        values: dict[str, Any] = {"tier": "none"}
        if table is Alert:
            values |= {"tier_rank": 0, "version": Alert.version + 1}
        tx.session.execute(
            update(table)
            .where(table.client_id == client_id, table.reason.not_in(kept))
            .values(**values),
            execution_options=plain,
        )
    tx.session.execute(
        update(Treatment).where(Treatment.client_id == client_id).values(score=None),
        execution_options=plain,
    )
    tx.session.expire_all()


# What people see


SORTS: Final[dict[str, tuple[tuple[Any, type], ...]]] = {
    "urgency": ((Alert.tier_rank, int), (Alert.weight, float), (Alert.alert_id, str)),
    "raised_at": ((Alert.raised_at, datetime), (Alert.alert_id, str)),
}
"""Names by which alerts can be sorted, with columns and types of the cursor's values."""

_LOOKS = case((Alert.status == Status.HELD_OUT, Status.HELD_BACK.value), else_=Alert.status)
_SHOWN: Final = [
    _LOOKS.label("status") if column.key == "status" else column for column in Alert.__table__.c
]
"""The columns of the list: nobody there can tell the hold-out from the ceiling."""

_AMONG: Final = ("status", "tier", "reason")
_EQUAL: Final = {"owner": Alert.owner_id, "client": Alert.client_id}


def list_alerts(
    tx: Tx,
    actor: Actor,
    given: dict[str, Any],
    sort: tuple[str, bool],
    limit: int,
    cursor: str | None,
) -> Sequence[Any]:
    """A page of the alerts that an actor may see, as rows of all columns; one row longer.

    Args:
        tx: the unit of work.
        actor: whose clients.
        given: lists of status, tier and reason; owner, client, since; live ones without a status.
        sort: a name of `SORTS` and whether it descends.
        limit: rows.
        cursor: of the page before.
    """
    statement = _listing(
        shape_of(tx, actor), _sees_held(actor), frozenset(given), *sort, cursor is not None
    )
    kinds = [kind for _, kind in SORTS[sort[0]]]
    named = given | values(tx, actor) | page_values(kinds, limit, cursor)
    return tx.rows(statement, named)


@lru_cache(maxsize=500)
def _listing(
    shape: Shape, held: bool, given: frozenset[str], sort: str, down: bool, paged: bool
) -> Select[Any]:
    statement: Select[Any] = select(*_SHOWN).where(  # unscoped: `_seen` holds the scope
        _seen(scoped_as(shape, Alert.client_id, few="client" in given), held)
    )
    if "status" not in given:
        statement = statement.where(Alert.status != Status.CLOSED)
    for name in _AMONG:
        if name in given:
            among = getattr(Alert, name).in_(bindparam(name, expanding=True))
            statement = statement.where(among)
    for name, column in _EQUAL.items():
        if name in given:
            statement = statement.where(column == bindparam(name))
    if "since" in given:
        statement = statement.where(Alert.raised_at >= bindparam("since"))
    return prepared_page(statement, [(column, down) for column, _ in SORTS[sort]], paged)


def _sees_held(actor: Actor) -> bool:
    """Whether an actor may know of what the ceiling holds back: leads, not managers."""
    return actor.scope not in (Scope.OWN, Scope.NONE)


def _seen(scope: ColumnElement[bool], held: bool) -> ColumnElement[bool]:
    """The condition on alerts that an actor may know of.

    What the ceiling holds back is the lead's to see, not the manager's; alerts of the hold-out
    look the same.
    """
    shown: ColumnElement[bool] = Alert.shown_at.is_not(None)
    if held:
        shown = or_(shown, Alert.held_at.is_not(None))
    return and_(shown, scope)


def find(tx: Tx, actor: Actor, alert_id: str, lock: bool = False) -> Alert | None:
    """An alert that an actor may see."""
    scope = scoped(tx, actor, Alert.client_id, few=True)
    statement = select(Alert).where(Alert.alert_id == alert_id, _seen(scope, _sees_held(actor)))
    if lock:
        statement = _anew(statement)
    found: Alert | None = tx.session.scalar(statement)
    return found


def signals(tx: Tx, alert_id: str, limit: int = 200) -> list[AlertSignal]:
    """The newest signals of an alert that was found visible before."""
    return list(
        tx.session.scalars(
            select(AlertSignal)
            .where(AlertSignal.alert_id == alert_id)
            .order_by(AlertSignal.at.desc(), AlertSignal.signal_id.desc())
            .limit(limit)
        )
    )


def treatments(tx: Tx, actor: Actor) -> Select[Any]:
    """Decisions about clients in the actor's scope."""
    return select(Treatment).where(  # unscoped: the condition is the scope
        scoped(tx, actor, Treatment.client_id)
    )


def managers_in_scope(actor: Actor) -> ColumnElement[bool]:
    """The condition on staff whose ceilings an actor may see."""
    if actor.scope is Scope.ALL:
        return Staff.staff_id.is_not(None)
    if actor.scope is Scope.TEAM and actor.team_id:
        return Staff.team_id == actor.team_id
    if actor.scope is Scope.BRANCH and actor.branch_id:
        return Staff.branch_id == actor.branch_id
    if actor.scope is Scope.REGION and actor.region_id:
        region = select(Branch.branch_id).where(Branch.region_id == actor.region_id)
        return or_(Staff.region_id == actor.region_id, Staff.branch_id.in_(region))
    return Staff.staff_id == actor.staff_id


def ceilings(actor: Actor, day: date) -> Select[Any]:
    """Managers in scope with capacity, alerts shown today and alerts held back."""
    shown = (
        select(func.count())  # unscoped: counts of a manager in scope
        .where(Alert.owner_id == Staff.staff_id, Alert.shown_day == day)
        .correlate(Staff)
        .scalar_subquery()
    )
    waiting = (
        select(func.count())  # unscoped: counts of a manager in scope
        .where(
            Alert.owner_id == Staff.staff_id,
            Alert.status.in_(LOOKS_HELD_BACK),
            Alert.held_at.is_not(None),
        )
        .correlate(Staff)
        .scalar_subquery()
    )
    return select(Staff.staff_id, Staff.capacity, shown, waiting).where(
        managers_in_scope(actor), Staff.role == "manager"
    )


def current(tx: Tx) -> int | None:
    """The generation in force."""
    return tx.session.scalar(select(current_generation()))


def lock(tx: Tx, alert_id: str) -> Alert | None:
    """An alert for a job to change."""
    return tx.session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
