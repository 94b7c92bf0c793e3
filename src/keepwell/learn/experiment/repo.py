"""Queries of experiments. Of assignments people see counts only; the desk goes by the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, exists, func, insert, select, update

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.learn.experiment.model import (
    ExperimentAssignment,
    ExperimentDraw,
    ExperimentEffect,
    ExperimentLook,
    ExperimentRow,
)
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.policy import CONTACT
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import current_generation, visible
from keepwell.trust.consent.model import Consent
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.repo import refusing

_ORDER = ((ExperimentRow.created_at, True), (ExperimentRow.experiment_id, True))


def page(tx: Tx, state: str | None, limit: int, cursor: str | None) -> Sequence[ExperimentRow]:
    """Experiments, newest first, one more than the page."""
    statement = select(ExperimentRow)
    if state is not None:
        statement = statement.where(ExperimentRow.state == state)
    return tx.session.scalars(page_of(statement, _ORDER, (datetime, str), limit, cursor)).all()


def find(tx: Tx, experiment_id: str, lock: bool = False) -> ExperimentRow | None:
    """An experiment; locked for a change."""
    if not lock:
        return tx.session.get(ExperimentRow, experiment_id)
    return tx.session.get(
        ExperimentRow, experiment_id, with_for_update=True, populate_existing=True
    )


def generation(tx: Tx) -> int | None:
    """The generation of the book in force."""
    return tx.session.scalar(select(current_generation()))


def _eligible(
    tx: Tx, actor: Actor, row: ExperimentRow, tiers: Sequence[str], segments: Sequence[str],
    period: str, *columns: Any,
) -> Any:  # fmt: skip
    contactable = exists().where(
        HoldoutArm.period == period, HoldoutArm.client_id == Client.client_id,
        HoldoutArm.arm == CONTACT,
    )  # fmt: skip
    taken = exists().where(
        ExperimentAssignment.client_id == Client.client_id,
        ExperimentAssignment.experiment_id == ExperimentRow.experiment_id,
        ExperimentRow.state == "running", ExperimentRow.about == row.about,
        ExperimentRow.experiment_id != row.experiment_id,
    )  # fmt: skip
    statement = visible(tx, actor, *columns).where(
        Client.note == "scored", contactable, ~taken,
        Client.client_id.not_in(refusing(Purpose.PROFILING)),
    )  # fmt: skip
    if tiers:
        statement = statement.where(Client.tier.in_(tiers))
    if segments:
        statement = statement.where(Client.segment.in_(segments))
    return statement


def candidates(
    tx: Tx, actor: Actor, row: ExperimentRow, tiers: Sequence[str], segments: Sequence[str],
    period: str,
) -> Sequence[Any]:  # fmt: skip
    """Who may enter now: id, manager, tier, chance to leave and assets of each, by id.

    In the actor's scope, scored, of the tiers and segments chosen (none: all), in the contact arm
    of the hold-out, not refusing profiling, in no other running experiment about the same thing.
    Those who are in this one already are among them.
    """
    columns = (
        Client.client_id, Client.manager_id, Client.tier, Client.probability, Client.assets,
    )  # fmt: skip
    statement = _eligible(tx, actor, row, tiers, segments, period, *columns)
    return tx.session.execute(statement.order_by(Client.client_id)).all()


def prospects(
    tx: Tx, actor: Actor, tiers: Sequence[str], segments: Sequence[str]
) -> tuple[int, float | None]:
    """Clients in scope who are scored, of tiers and segments; and their mean chance to leave."""
    statement = visible(tx, actor, func.count(), func.avg(Client.probability)).where(
        Client.note == "scored"
    )
    if tiers:
        statement = statement.where(Client.tier.in_(tiers))
    if segments:
        statement = statement.where(Client.segment.in_(segments))
    count, mean = tx.session.execute(statement).one()
    return int(count), None if mean is None else float(mean)


def add_assignments(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Store arms."""
    # The plain table: a hundred thousand rows need no mapper.
    tx.session.execute(insert(ExperimentAssignment.__table__), rows)  # type: ignore[arg-type]


def draws(tx: Tx, experiment_id: str) -> Sequence[ExperimentDraw]:
    """The draws of an experiment, first to last."""
    return tx.session.scalars(
        select(ExperimentDraw)
        .where(ExperimentDraw.experiment_id == experiment_id)
        .order_by(ExperimentDraw.batch)
    ).all()


def assigned(tx: Tx, experiment_id: str) -> Sequence[Any]:
    """Every assignment of an experiment, by batch and client."""
    a = ExperimentAssignment
    return tx.session.execute(
        select(  # unscoped: a read-out is about all who were drawn; only sums are shown
            a.client_id, a.unit_id, a.arm, a.propensity, a.batch, a.block, a.drawn_at,
            a.manager_id, a.probability, a.assets,
        )
        .where(a.experiment_id == experiment_id)
        .order_by(a.batch, a.client_id)
    ).all()  # fmt: skip


def units(tx: Tx, experiment_id: str) -> Sequence[Any]:
    """Arm, propensity, block of every unit drawn: unit, arm, propensity, block."""
    a = ExperimentAssignment
    return tx.session.execute(
        select(  # unscoped: the draw goes on from all that was drawn
            a.unit_id, a.arm, a.propensity, func.max(a.block)
        )
        .where(a.experiment_id == experiment_id)
        .group_by(a.unit_id, a.arm, a.propensity)
    ).all()


def members(tx: Tx, experiment_id: str) -> set[str]:
    """Ids of the clients of an experiment."""
    return set(
        tx.session.scalars(
            select(ExperimentAssignment.client_id).where(  # unscoped: nobody is drawn twice
                ExperimentAssignment.experiment_id == experiment_id
            )
        )
    )


def counts(tx: Tx, experiment_ids: Iterable[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """Units and clients by experiment and arm."""
    a = ExperimentAssignment
    found: dict[str, dict[str, tuple[int, int]]] = {}
    rows = tx.session.execute(
        select(  # unscoped: counts over everybody
            a.experiment_id, a.arm, func.count(a.unit_id.distinct()), func.count()
        )
        .where(a.experiment_id.in_(list(experiment_ids)))
        .group_by(a.experiment_id, a.arm)
    )
    for experiment_id, arm, of_units, clients in rows:
        found.setdefault(experiment_id, {})[arm] = (int(of_units), int(clients))
    return found


def looks(tx: Tx, experiment_id: str) -> Sequence[ExperimentLook]:
    """The looks at an experiment, first to last."""
    return tx.session.scalars(
        select(ExperimentLook)
        .where(ExperimentLook.experiment_id == experiment_id)
        .order_by(ExperimentLook.number)
    ).all()


def effects(tx: Tx) -> Sequence[Any]:
    """What experiments proved, oldest first: the effect and the experiment's title."""
    return tx.session.execute(
        select(ExperimentEffect, ExperimentRow.title)
        .join(ExperimentRow, ExperimentRow.experiment_id == ExperimentEffect.experiment_id)
        .order_by(ExperimentEffect.at, ExperimentEffect.experiment_id, ExperimentEffect.arm)
    ).all()


def effects_of(tx: Tx, experiment_id: str) -> Sequence[ExperimentEffect]:
    """What one experiment proved."""
    return tx.session.scalars(
        select(ExperimentEffect)
        .where(ExperimentEffect.experiment_id == experiment_id)
        .order_by(ExperimentEffect.arm)
    ).all()


def running_of(tx: Tx, client_id: str) -> Sequence[Any]:
    """A client's assignments in experiments that run: the assignment and its experiment."""
    return tx.session.execute(_RUNNING, {"client_id": client_id}).all()


_RUNNING: Final = (
    select(ExperimentAssignment, ExperimentRow)  # unscoped: decides what the desk does
    .join(ExperimentRow, ExperimentRow.experiment_id == ExperimentAssignment.experiment_id)
    .where(
        ExperimentAssignment.client_id == bindparam("client_id"), ExperimentRow.state == "running"
    )
    .order_by(ExperimentAssignment.drawn_at, ExperimentAssignment.experiment_id)
)


def opt_outs(tx: Tx, since: datetime, until: datetime) -> dict[str, float]:
    """Refusals of retention contacts by client, within a span."""
    rows = tx.session.execute(
        select(Consent.client_id, func.count())  # unscoped: summed over an arm
        .where(
            Consent.purpose == Purpose.MARKETING.value, Consent.granted.is_(False),
            Consent.at >= since, Consent.at < until,
        )
        .group_by(Consent.client_id)
    )  # fmt: skip
    return {client: float(count) for client, count in rows}


def forget(tx: Tx, client_id: str) -> None:
    """Empty what the score said of a client at the draw (rule PI-4)."""
    tx.session.execute(
        update(ExperimentAssignment)  # unscoped: the client's own word
        .where(ExperimentAssignment.client_id == client_id)
        .values(tier=None, probability=None, block=None)
        .execution_options(synchronize_session="fetch")
    )
