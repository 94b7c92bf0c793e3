"""Queries of incidents; whose sources an actor answers for is asked in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy.dialects.postgresql as postgresql
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, true

from keepwell.frame.database import Base, Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.incident.model import Incident, IncidentOwner, StaleMark
from keepwell.intervene.incident.policy import LIVE
from keepwell.trust.access.model import Staff, User
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book.model import Generation, Pointer


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents.

    Attributes:
        live: True: those that last; False: those that are over; None: all.
        source: only of this source.
        kind: only of this monitor.
    """

    live: bool | None = None
    source: str | None = None
    kind: str | None = None


def owned_by(actor: Actor) -> ColumnElement[bool]:
    """The condition for incidents of sources that an actor answers for."""
    own: ColumnElement[bool] = IncidentOwner.user_id == actor.user_id
    if actor.staff_id:
        own = or_(own, IncidentOwner.staff_id == actor.staff_id)
    return Incident.incident_id.in_(select(IncidentOwner.incident_id).where(own))


def visible(actor: Actor) -> ColumnElement[bool]:
    """The condition for incidents that an actor may see: all, or those of their own sources."""
    sees_all = actor.may(Permission.DATA_READ) or actor.may(Permission.INCIDENT_ADMIN)
    return true() if sees_all else owned_by(actor)


def workable(actor: Actor) -> ColumnElement[bool]:
    """The condition for incidents that an actor may acknowledge and close."""
    return true() if actor.may(Permission.INCIDENT_ADMIN) else owned_by(actor)


def page(
    tx: Tx, actor: Actor, wanted: Wanted, limit: int, cursor: str | None
) -> Sequence[Incident]:
    """A page of incidents and one more, the newest first."""
    statement = _narrowed(select(Incident).where(visible(actor)), wanted)
    columns = [(Incident.opened_at, True), (Incident.incident_id, True)]
    return tx.session.scalars(page_of(statement, columns, [datetime, str], limit, cursor)).all()


def _narrowed(statement: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.live is not None:
        among = Incident.state.in_(LIVE)
        statement = statement.where(among if wanted.live else ~among)
    if wanted.source is not None:
        # Several sources of one table are joined with '+'.
        joined = "+" + Incident.source + "+"
        statement = statement.where(joined.contains(f"+{wanted.source}+", autoescape=True))
    if wanted.kind is not None:
        statement = statement.where(Incident.kind == wanted.kind)
    return statement


def one(tx: Tx, actor: Actor, incident_id: str, lock: bool = False) -> Incident | None:
    """An incident that the actor may see."""
    statement = select(Incident).where(Incident.incident_id == incident_id, visible(actor))
    return tx.session.scalar(statement.with_for_update() if lock else statement)


def may_work(tx: Tx, actor: Actor, incident_ids: Collection[str]) -> set[str]:
    """Those of some incidents that the actor may acknowledge and close."""
    statement = select(Incident.incident_id).where(
        Incident.incident_id.in_(incident_ids), workable(actor)
    )
    return set(tx.session.scalars(statement))


def live_count(tx: Tx, actor: Actor) -> int:
    """How many incidents last that the actor may see."""
    statement = select(func.count()).select_from(Incident)
    statement = statement.where(Incident.state.in_(LIVE), visible(actor))
    return int(tx.session.scalar(statement) or 0)


def owners(tx: Tx, incident_ids: Collection[str]) -> dict[str, list[str]]:
    """Owners of some incidents, as keepwell.yaml names them."""
    statement = select(IncidentOwner).where(IncidentOwner.incident_id.in_(incident_ids))
    found: dict[str, list[str]] = {}
    for row in tx.session.scalars(statement.order_by(IncidentOwner.owner)):
        found.setdefault(row.incident_id, []).append(row.owner)
    return found


def told_owners(tx: Tx, incident_id: str) -> Sequence[IncidentOwner]:
    """Owners of an incident with the people behind them."""
    statement = select(IncidentOwner).where(IncidentOwner.incident_id == incident_id)
    return tx.session.scalars(statement.order_by(IncidentOwner.owner)).all()


def known(tx: Tx, incident_ids: Collection[str]) -> dict[str, Incident]:
    """The desk's rows of some incidents, and of all that last, locked."""
    statement = select(Incident).where(
        or_(Incident.incident_id.in_(incident_ids), Incident.state.in_(LIVE))
    )
    # In one order: two that bring in at once must not wait for each other.
    rows = tx.session.scalars(statement.order_by(Incident.incident_id).with_for_update())
    return {row.incident_id: row for row in rows}


def add(tx: Tx, row: Mapping[str, Any]) -> Incident | None:
    """Add an incident; None where somebody else was faster."""
    dialect: Any = sqlite if tx.is_sqlite else postgresql
    statement = dialect.insert(Incident).values(dict(row)).on_conflict_do_nothing()
    made = tx.session.scalar(statement.returning(Incident.incident_id))
    return tx.session.get(Incident, made) if made is not None else None


def set_owners(tx: Tx, incident_id: str, named: Collection[str]) -> None:
    """Write down who answers, and which member of staff or user that is."""
    staff = set(tx.session.scalars(select(Staff.staff_id).where(Staff.staff_id.in_(named))))
    logins = select(User.login, User.user_id).where(User.login.in_(named))
    users = {row[0]: row[1] for row in tx.session.execute(logins)}
    tx.session.execute(delete(IncidentOwner).where(IncidentOwner.incident_id == incident_id))
    for owner in sorted(named):
        tx.session.add(
            IncidentOwner(
                incident_id=incident_id, owner=owner,
                staff_id=owner if owner in staff else None, user_id=users.get(owner),
            )
        )  # fmt: skip
    tx.session.flush()


def newest_of(tx: Tx, source: str, kind: str) -> str | None:
    """The newest incident of a source and a monitor."""
    statement = select(Incident.incident_id).where(Incident.source == source, Incident.kind == kind)
    newest = statement.order_by(Incident.opened_at.desc(), Incident.number.desc())
    return tx.session.scalar(newest.limit(1))


def in_force(tx: Tx) -> Generation | None:
    """The generation in force."""
    statement = select(Generation).join(Pointer, Pointer.generation_id == Generation.generation_id)
    return tx.session.scalar(statement)


def put_marks(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mark a generation; what is marked already is left as it was found."""
    if not rows:
        return
    dialect: Any = sqlite if tx.is_sqlite else postgresql
    model: type[Base] = StaleMark
    tx.session.execute(dialect.insert(model).on_conflict_do_nothing(), [dict(r) for r in rows])


def marks(tx: Tx, generation_id: int) -> Sequence[tuple[StaleMark, Incident | None]]:
    """The marks of a generation with their incidents, but for what was called right."""
    statement = (
        select(StaleMark, Incident)
        .outerjoin(Incident, Incident.incident_id == StaleMark.incident_id)
        .where(
            StaleMark.generation_id == generation_id,
            or_(Incident.called_right.is_(None), ~Incident.called_right),
        )
        .order_by(StaleMark.table_name, StaleMark.kind)
    )
    return [(row[0], row[1]) for row in tx.session.execute(statement)]


def marked(tx: Tx, incident_id: str) -> Sequence[int]:
    """Numbers of the generations that an incident marks, the newest first."""
    statement = select(StaleMark.generation_id).where(StaleMark.incident_id == incident_id)
    order = StaleMark.generation_id.desc()
    return tx.session.scalars(statement.distinct().order_by(order).limit(100)).all()


def marked_in(tx: Tx, generation_id: int) -> set[str]:
    """Incidents that mark a generation."""
    statement = select(StaleMark.incident_id).where(StaleMark.generation_id == generation_id)
    return {found for found in tx.session.scalars(statement) if found is not None}
