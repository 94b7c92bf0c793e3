"""Queries over exit requests and holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.intervene.exit.model import ExitHold, ExitRequest
from keepwell.intervene.exit.policy import OPEN
from keepwell.trust.access.policy import Actor
from keepwell.trust.book.repo import scoped

_OPEN = [state.value for state in OPEN]
_ORDER = ((ExitRequest.requested_at, True), (ExitRequest.request_id, True))


def page(
    tx: Tx, actor: Actor, client_id: str | None, state: str | None, limit: int, cursor: str | None
) -> Sequence[ExitRequest]:
    """Requests in the actor's scope, newest first, one more than the page."""
    statement = select(ExitRequest).where(scoped(tx, actor, ExitRequest.client_id))
    if client_id is not None:
        statement = statement.where(ExitRequest.client_id == client_id)
    if state is not None:
        statement = statement.where(ExitRequest.state == state)
    return tx.session.scalars(page_of(statement, _ORDER, (datetime, str), limit, cursor)).all()


def find(tx: Tx, actor: Actor, request_id: str, lock: bool = False) -> ExitRequest | None:
    """A request in the actor's scope."""
    statement: Any = select(ExitRequest).where(
        ExitRequest.request_id == request_id, scoped(tx, actor, ExitRequest.client_id)
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    found: ExitRequest | None = tx.session.scalar(statement)
    return found


_EXITS = known.hangs_on("exit.of-client", ExitRequest)


def foresee(tx: Tx, clients: Collection[str]) -> None:
    """Look up the requests of many clients, whom the caller holds."""
    found: dict[str, list[ExitRequest]] = {client: [] for client in clients}
    statement = (
        select(ExitRequest)  # unscoped: a rule asks about each
        .where(ExitRequest.client_id.in_(clients))
        .order_by(ExitRequest.requested_at.desc(), ExitRequest.request_id.desc())
    )
    for request in tx.session.scalars(statement):
        found[request.client_id].append(request)
    known.learn(tx, _EXITS, found)


_OF_CLIENT: Final = (
    select(ExitRequest)  # unscoped: a rule asks about one client
    .where(ExitRequest.client_id == bindparam("client_id"))
    .order_by(ExitRequest.requested_at.desc(), ExitRequest.request_id.desc())
)


def of_client(tx: Tx, client_id: str) -> Sequence[ExitRequest]:
    """All of a client's requests, newest first."""
    found: Sequence[ExitRequest] = known.recall(tx, _EXITS, client_id)
    if found is not known.MISSING:
        return found
    return tx.session.scalars(_OF_CLIENT, {"client_id": client_id}).all()


def open_of(tx: Tx, client_id: str) -> Sequence[ExitRequest]:
    """A client's open requests, newest first."""
    return open_among(of_client(tx, client_id))


def open_among(requests: Sequence[ExitRequest]) -> list[ExitRequest]:
    """Those that are open."""
    return [request for request in requests if request.state in _OPEN]


def open_in_scope(tx: Tx, actor: Actor, client_id: str) -> Sequence[ExitRequest]:
    """A client's open requests that an actor may see, newest first."""
    statement = (
        select(ExitRequest)
        .where(
            ExitRequest.client_id == client_id,
            ExitRequest.state.in_(_OPEN),
            scoped(tx, actor, ExitRequest.client_id),
        )
        .order_by(ExitRequest.requested_at.desc(), ExitRequest.request_id.desc())
    )
    return tx.session.scalars(statement).all()


def held(tx: Tx, request_id: str) -> ExitRequest | None:
    """A request by its number for the desk itself to change, locked."""
    return tx.session.get(ExitRequest, request_id, with_for_update=True, populate_existing=True)


def hold(tx: Tx, hold_id: str) -> ExitHold | None:
    """A hold on a request that the caller has found in its scope and locked."""
    return tx.session.get(ExitHold, hold_id)


def holds_of(tx: Tx, request_ids: Iterable[str]) -> dict[str, list[ExitHold]]:
    """Every hold ever placed on requests, oldest first."""
    statement = (
        select(ExitHold)  # unscoped: the caller has read the requests in its scope
        .where(ExitHold.request_id.in_(list(request_ids)))
        .order_by(ExitHold.hold_id)
    )
    found: dict[str, list[ExitHold]] = defaultdict(list)
    for hold in tx.session.scalars(statement):
        found[hold.request_id].append(hold)
    return found


def fallen_due(tx: Tx, since: datetime, until: datetime) -> Sequence[Any]:
    """Client, due and completed of the requests that fell due within a span."""
    return tx.session.execute(
        select(  # unscoped: summed over an arm
            ExitRequest.client_id, ExitRequest.due_at, ExitRequest.completed_at
        )
        .where(
            ExitRequest.due_at >= since, ExitRequest.due_at < until,
            ExitRequest.cancelled_at.is_(None),
        )
        .order_by(ExitRequest.request_id)
    ).all()  # fmt: skip
