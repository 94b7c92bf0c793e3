"""Queries of events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy.dialects.postgresql as postgresql
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import func, select

from keepwell.frame.database import Tx
from keepwell.intervene.event.model import EventBatch, EventMark


def find(tx: Tx, source: str, batch: str) -> EventBatch | None:
    """A batch by its sender's id."""
    found: EventBatch | None = tx.session.scalar(
        select(EventBatch).where(EventBatch.source == source, EventBatch.batch == batch)
    )
    return found


def held(tx: Tx, sequence: int) -> EventBatch | None:
    """A batch by its number, locked until the unit of work ends."""
    return tx.session.get(EventBatch, sequence, with_for_update=True)


def add(tx: Tx, values: dict[str, Any]) -> bool:
    """Add a batch unless its number is there already; whether it was added."""
    dialect: Any = sqlite if tx.is_sqlite else postgresql
    statement = dialect.insert(EventBatch.__table__).values(values).on_conflict_do_nothing()
    return bool(tx.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def known(tx: Tx, first: int, last: int) -> set[int]:
    """Numbers of the batches that the desk knows in [first, last]."""
    inside = select(EventBatch.sequence).where(EventBatch.sequence.between(first, last))
    return set(tx.session.scalars(inside).all())


def count(tx: Tx, first: int, last: int) -> int:
    """How many batches the desk knows in [first, last]."""
    inside = select(func.count()).where(EventBatch.sequence.between(first, last))
    return int(tx.session.scalar(inside) or 0)


def last(tx: Tx) -> int:
    """The newest number that the desk knows; 0 for none."""
    return int(tx.session.scalar(select(func.max(EventBatch.sequence))) or 0)


def unapplied(tx: Tx) -> tuple[int, int | None, datetime | None]:
    """Batches whose rows no rule has seen: how many, the first one's number, the oldest's time."""
    n, first, oldest = tx.session.execute(
        select(func.count(), func.min(EventBatch.sequence), func.min(EventBatch.received_at)).where(
            EventBatch.applied_at.is_(None)
        )
    ).one()
    return int(n), first, oldest


def behind(tx: Tx, drained: int) -> list[tuple[str, int, datetime]]:
    """Batches beyond a number by table: how many, and when the oldest was stored."""
    statement = (
        select(EventBatch.table, func.count(), func.min(EventBatch.received_at))
        .where(EventBatch.sequence > drained)
        .group_by(EventBatch.table)
    )
    return [(str(table), int(n), oldest) for table, n, oldest in tx.session.execute(statement)]


def refused(tx: Tx) -> int:
    """Rows of all batches that contradicted what the desk knew."""
    statement = select(func.coalesce(func.sum(EventBatch.refused), 0))
    return int(tx.session.scalar(statement) or 0)


def mark(tx: Tx, name: str) -> int | None:
    """How far something has been read; None: not at all."""
    found = tx.session.get(EventMark, name)
    return None if found is None else found.value


def set_mark(tx: Tx, name: str, value: int) -> None:
    """Note how far something has been read."""
    found = tx.session.get(EventMark, name)
    if found is None:
        tx.session.add(EventMark(name=name, value=value))
    else:
        found.value = max(found.value, value)
