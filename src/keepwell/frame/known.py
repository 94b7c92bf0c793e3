"""What a unit of work has looked up for many at once, so that it need not ask for each.

Whoever decides about many clients in one transaction holds their locks and lets the rooms look up
what they will be asked. The rooms' own functions then answer from here, the same for one client
and for many. What is written in between is forgotten: a room says which models its facts hang on.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from keepwell.frame.database import Base, Tx

_KNOWN: Final = "keepwell.known"
_HANGS_ON: Final[dict[str, set[str]]] = {}

MISSING: Final = object()
"""Nobody has looked this up."""


def hangs_on(fact: str, *models: type[Base]) -> str:
    """Name a kind of fact and the models whose rows it is made of.

    Args:
        fact: the name.
        *models: a row of one of these added, changed or deleted, all facts of the kind are
            forgotten.
    """
    for model in models:
        _HANGS_ON.setdefault(model.__tablename__, set()).add(fact)
    return fact


def learn(tx: Tx, fact: str, found: Mapping[Any, Any]) -> None:
    """Remember facts until the transaction ends or one of their rows is written.

    Args:
        tx: the unit of work; it holds whatever keeps others from changing them.
        fact: a name given by `hangs_on`.
        found: what is known, by key.
    """
    tx.session.flush()  # what waits to be written makes nothing known forgotten any more
    tx.session.info.setdefault(_KNOWN, {}).setdefault(fact, {}).update(found)


def recall(tx: Tx, fact: str, key: Hashable) -> Any:
    """What is known, or `MISSING`."""
    known = tx.session.info.get(_KNOWN)
    return MISSING if known is None else known.get(fact, {}).get(key, MISSING)


def unlearn(tx: Tx, fact: str, key: Hashable) -> None:
    """Forget one fact, which is about to change."""
    tx.session.info.get(_KNOWN, {}).get(fact, {}).pop(key, None)


def _forget(session: Session, table: str) -> None:
    for fact in _HANGS_ON.get(table, ()):
        session.info[_KNOWN].pop(fact, None)


@event.listens_for(Session, "before_flush")
def _written(session: Session, *_: Any) -> None:
    if session.info.get(_KNOWN):
        for rows in (session.new, session.dirty, session.deleted):
            for table in {row.__tablename__ for row in rows}:
                _forget(session, table)


@event.listens_for(Session, "do_orm_execute")
def _executed(state: ORMExecuteState) -> None:
    if not state.is_select and state.session.info.get(_KNOWN):
        table = getattr(state.statement, "table", None)
        if table is not None:
            _forget(state.session, table.name)


@event.listens_for(Session, "after_soft_rollback")
def _undone(session: Session, _: SessionTransaction) -> None:
    session.info.pop(_KNOWN, None)


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_KNOWN, None)
