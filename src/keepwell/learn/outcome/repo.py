"""Queries of outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Select, exists, func, insert, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.learn.outcome.model import ERASED, Outcome, OutcomeDay
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped

_FEW: Final = 500


def newest_of_day(tx: Tx, day: date, rule: str) -> dict[str, Outcome]:
    """The newest outcome of each client on a day."""
    statement = (
        select(Outcome)  # unscoped: labels are read for every client at once
        .where(Outcome.day == day, Outcome.rule == rule)
        .order_by(Outcome.revision)
    )
    return {row.client_id: row for row in tx.session.scalars(statement)}


def add(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Store outcomes."""
    tx.session.execute(insert(Outcome.__table__), rows)  # type: ignore[arg-type]


def known_days(tx: Tx, rule: str) -> set[date]:
    """Days whose outcomes were read."""
    return set(tx.session.scalars(select(OutcomeDay.day).where(OutcomeDay.rule == rule)))


def stale_days(tx: Tx, rule: str, manifest: int, limit: int) -> list[date]:
    """Days with decisions that were read from an older manifest, the longest not looked at first.

    Args:
        tx: the unit of work.
        rule: of which definition.
        manifest: the present one.
        limit: at most so many.
    """
    statement = (
        select(OutcomeDay.day)
        .where(OutcomeDay.rule == rule, OutcomeDay.clients > 0, OutcomeDay.manifest < manifest)
        .order_by(OutcomeDay.checked_at, OutcomeDay.day)
        .limit(limit)
    )
    return list(tx.session.scalars(statement))


def day_row(tx: Tx, rule: str, day: date) -> OutcomeDay | None:
    """What is known of a day."""
    return tx.session.get(OutcomeDay, (rule, day))


def span_of(tx: Tx, rule: str) -> tuple[date | None, date | None]:
    """First and last day of decisions whose outcomes are known."""
    row = tx.session.execute(
        select(func.min(OutcomeDay.day), func.max(OutcomeDay.day)).where(
            OutcomeDay.rule == rule, OutcomeDay.clients > 0
        )
    ).one()
    return row[0], row[1]


def of_batch(tx: Tx, batch_id: str) -> list[str]:
    """The seals of a batch."""
    statement = select(Outcome.seal)  # unscoped: commitments, which tell nothing
    return list(tx.session.scalars(statement.where(Outcome.batch_id == batch_id)))


def stream(tx: Tx) -> Iterator[Any]:
    """Every outcome, batch by batch."""
    statement = select(*Outcome.__table__.c)  # unscoped: the audit reads everything
    ordered = statement.order_by(Outcome.batch_id, Outcome.outcome_id)
    yield from tx.session.execute(ordered.execution_options(yield_per=1000))


def forget(tx: Tx, client_id: str) -> None:
    """Empty what the label says of a client who refuses profiling (rule PI-4)."""
    tx.session.execute(
        update(Outcome)  # unscoped: the client's own word
        .where(Outcome.client_id == client_id)
        .values(**dict.fromkeys(ERASED))
        .execution_options(synchronize_session="fetch")
    )


# What people see


def _newest() -> ColumnElement[bool]:
    later = aliased(Outcome)
    return ~exists().where(
        later.client_id == Outcome.client_id, later.day == Outcome.day,
        later.rule == Outcome.rule, later.revision > Outcome.revision,
    )  # fmt: skip


def listing(
    tx: Tx,
    actor: Actor,
    *,
    decisions: Collection[str] | None = None,
    client_id: str | None = None,
    since: date | None = None,
    until: date | None = None,
    y: int | None = None,
    rule: str | None = None,
) -> Select[Any]:
    """The newest outcome of each client and day in scope.

    Args:
        tx: the unit of work.
        actor: whose scope.
        decisions: only of these decisions; None: of all.
        client_id: only of this client.
        since: only of decisions on this day or later.
        until: only of decisions before this day.
        y: only who left (1) or stayed (0).
        rule: only by this definition of leaving.
    """
    statement = select(Outcome).where(scoped(tx, actor, Outcome.client_id), _newest())
    if decisions is not None:
        statement = statement.where(Outcome.decision.in_(list(decisions)))
    if since is not None:
        statement = statement.where(Outcome.day >= since)
    if until is not None:
        statement = statement.where(Outcome.day < until)
    for column, wanted in ((Outcome.client_id, client_id), (Outcome.y, y), (Outcome.rule, rule)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


ORDER: Final = ((Outcome.matured_at, True), (Outcome.outcome_id, True))
"""The newest matured first."""


def page(tx: Tx, statement: Select[Any], limit: int, cursor: str | None) -> Sequence[Outcome]:
    """A page of outcomes, one row more to tell whether others follow."""
    return tx.session.scalars(page_of(statement, ORDER, (datetime, str), limit, cursor)).all()


def some(tx: Tx, statement: Select[Any], limit: int) -> Sequence[Outcome]:
    """Outcomes of a listing, the newest matured first."""
    ordered = statement.order_by(*(c.desc() for c, _ in ORDER)).limit(limit)
    return tx.session.scalars(ordered).all()


def of_clients(
    tx: Tx, actor: Actor, clients: Iterable[str], decisions: Collection[str] | None = None
) -> dict[str, list[Outcome]]:
    """The newest outcomes of clients in scope, by client, in the order of their days."""
    found: dict[str, list[Outcome]] = {}
    ids = sorted(set(clients))
    for start in range(0, len(ids), _FEW):
        chosen = listing(tx, actor, decisions=decisions).where(
            Outcome.client_id.in_(ids[start : start + _FEW])
        )
        for row in tx.session.scalars(chosen.order_by(Outcome.client_id, Outcome.day)):
            found.setdefault(row.client_id, []).append(row)
    return found


def all_of(tx: Tx, actor: Actor, client_id: str) -> list[Outcome]:
    """Every outcome of a client, all revisions, in the order in which they were recorded."""
    statement = (
        select(Outcome)
        .where(Outcome.client_id == client_id, scoped(tx, actor, Outcome.client_id, few=True))
        .order_by(Outcome.recorded_at, Outcome.outcome_id)
    )
    return list(tx.session.scalars(statement))
