"""Queries of the hold-out.

Arms decide what the desk does, so the desk reads them for any client; people see only counts, by
managers whose clients they may see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Select, bindparam, exists, func, insert, select, update

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.frame.paging import after, decode_cursor
from keepwell.learn.holdout.model import HoldoutArm, HoldoutBlock, HoldoutPeriod
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book import repo as book
from keepwell.trust.book.model import Client, Generation


def managers(tx: Tx, generation_id: int) -> list[tuple[str | None, int]]:
    """The managers of a generation with the number of their clients."""
    rows = tx.session.execute(
        select(Client.manager_id, func.count())  # unscoped: the draw covers the whole book
        .where(Client.generation_id == generation_id)
        .group_by(Client.manager_id)
        .order_by(Client.manager_id)
    )
    return [(manager, count) for manager, count in rows]


def undrawn(
    tx: Tx, generation_id: int, period: str, of: Sequence[str | None]
) -> list[tuple[str, str | None, float | None, str]]:
    """Clients of managers (a lone None: of nobody) who have no arm in a period yet.

    Each with manager, probability of leaving and tier in the generation.
    """
    rows = tx.session.execute(
        _undrawn(generation_id, period, of)
        .add_columns(Client.probability, Client.tier)
        .order_by(Client.manager_id, Client.client_id)
    )
    return [(client, manager, p, tier) for client, manager, p, tier in rows]


def any_undrawn(tx: Tx, generation_id: int, period: str, of: Sequence[str | None]) -> bool:
    """Whether any client of these managers has no arm in a period yet."""
    return tx.session.execute(_undrawn(generation_id, period, of).limit(1)).first() is not None


def _undrawn(generation_id: int, period: str, of: Sequence[str | None]) -> Select[str, str | None]:
    known = exists().where(HoldoutArm.period == period, HoldoutArm.client_id == Client.client_id)
    named = [manager for manager in of if manager is not None]
    theirs = Client.manager_id.in_(named) if named else Client.manager_id.is_(None)
    return select(Client.client_id, Client.manager_id).where(  # unscoped: draws the whole book
        Client.generation_id == generation_id, theirs, ~known
    )


def add(tx: Tx, block: dict[str, Any], arms: list[dict[str, Any]]) -> None:
    """Store a block and its arms."""
    tx.session.execute(insert(HoldoutBlock), [block])
    # The plain table: three million rows need no mapper.
    tx.session.execute(insert(HoldoutArm.__table__), arms)  # type: ignore[arg-type]


def count_alone(tx: Tx, period: str, manager_id: str, held_out: int) -> None:
    """Count a client who was drawn alone."""
    stratum = f"{manager_id}/-"
    changed = tx.session.execute(
        update(HoldoutBlock)
        .where(HoldoutBlock.period == period, HoldoutBlock.stratum == stratum)
        .values(clients=HoldoutBlock.clients + 1, held_out=HoldoutBlock.held_out + held_out)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount == 0:  # type: ignore[attr-defined]
        tx.session.execute(
            insert(HoldoutBlock).values(
                period=period, stratum=stratum, manager_id=manager_id, clients=1,
                held_out=held_out, drawn_at=tx.at,
            )
        )  # fmt: skip


_ARMS = known.hangs_on("holdout.arm", HoldoutArm)
_PERIOD = known.hangs_on("holdout.period", HoldoutPeriod)


def foresee(tx: Tx, row: HoldoutPeriod, clients: Collection[str]) -> None:
    """Look up the arms of many clients in a period."""
    found = {arm.client_id: arm for arm in arms(tx, row.period, list(clients))}
    known.learn(tx, _PERIOD, {row.period: row})
    known.learn(tx, _ARMS, {(row.period, client): found.get(client) for client in clients})


def arms(tx: Tx, period: str, clients: Sequence[str]) -> list[HoldoutArm]:
    """The arms of clients, of those who have one."""
    told = [known.recall(tx, _ARMS, (period, client)) for client in clients]
    if known.MISSING not in told:
        return [arm for arm in told if arm is not None]
    return list(tx.session.scalars(_ARMS_OF, {"period": period, "client_ids": list(clients)}))


_ARMS_OF: Final = select(HoldoutArm).where(  # unscoped: decides what the desk does, shown to nobody
    HoldoutArm.period == bindparam("period"),
    HoldoutArm.client_id.in_(bindparam("client_ids", expanding=True)),
)


def all_arms(tx: Tx, period: str) -> Iterator[Any]:
    """Every arm of a period in the order of its blocks, streamed."""
    statement = (
        select(  # unscoped: an audit repeats the draw of the whole book
            HoldoutArm.client_id, HoldoutArm.arm, HoldoutArm.stratum
        )
        .where(HoldoutArm.period == period)
        .order_by(HoldoutArm.stratum, HoldoutArm.client_id)
    )
    yield from tx.session.execute(statement.execution_options(yield_per=10_000))


def forget(tx: Tx, client_id: str) -> None:
    """Take away what a score said of a client at the draws (rule PI-4); the arms stay."""
    tx.session.execute(
        update(HoldoutArm)  # unscoped: the client's own word
        .where(HoldoutArm.client_id == client_id)
        .values(probability=None, tier=None)
    )


def model_of(tx: Tx, generation_id: int) -> str | None:
    """The model behind a generation's scores."""
    generation = tx.session.get(Generation, generation_id)
    return generation.model_version if generation else None


def period_row(tx: Tx, period: str) -> HoldoutPeriod | None:
    """A period that was begun."""
    told: HoldoutPeriod | None = known.recall(tx, _PERIOD, period)
    if told is not known.MISSING:
        return told
    return tx.session.get(HoldoutPeriod, period)


def latest(tx: Tx) -> HoldoutPeriod | None:
    """The newest period drawn."""
    return tx.session.scalars(
        select(HoldoutPeriod).order_by(HoldoutPeriod.period.desc()).limit(1)
    ).first()


def totals(tx: Tx, period: str) -> tuple[int, int]:
    """How many clients were drawn and held out, over the whole book."""
    row = tx.session.execute(
        select(  # unscoped: two counts over everybody
            func.coalesce(func.sum(HoldoutBlock.clients), 0),
            func.coalesce(func.sum(HoldoutBlock.held_out), 0),
        ).where(HoldoutBlock.period == period)
    ).one()
    return int(row[0]), int(row[1])


def alone(tx: Tx, period: str) -> int:
    """How many clients were drawn one by one, over the whole book."""
    statement = select(  # unscoped: a count over everybody
        func.coalesce(func.sum(HoldoutBlock.clients), 0)
    ).where(HoldoutBlock.period == period, HoldoutBlock.stratum == HoldoutBlock.manager_id + "/-")
    return int(tx.session.scalar(statement) or 0)


def by_manager(tx: Tx, actor: Actor, period: str, limit: int, cursor: str | None) -> list[Any]:
    """Managers with their clients drawn and held out; one more than the limit to tell the end."""
    statement = (
        select(  # unscoped: narrowed to the managers of visible clients below
            HoldoutBlock.manager_id,
            func.sum(HoldoutBlock.clients),
            func.sum(HoldoutBlock.held_out),
        )
        .where(HoldoutBlock.period == period)
        .group_by(HoldoutBlock.manager_id)
    )
    if actor.scope is not Scope.ALL:
        theirs = book.visible(tx, actor, Client.manager_id)
        statement = statement.where(HoldoutBlock.manager_id.in_(theirs))
    columns = [(HoldoutBlock.manager_id, False)]
    if cursor:
        statement = statement.where(after(columns, decode_cursor(cursor, [str])))
    ordered = statement.order_by(HoldoutBlock.manager_id).limit(limit + 1)
    return [(m, int(clients), int(held)) for m, clients, held in tx.session.execute(ordered)]
