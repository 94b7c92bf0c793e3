"""Statements that write and remove generations; the only ones that touch many clients at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy.dialects.postgresql as postgresql
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import String, delete, func, insert, select, update

from keepwell.frame import known
from keepwell.frame.database import Base, Tx
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.book.model import Client, Generation, Pointer

COLUMNS: Final[tuple[str, ...]] = tuple(column.name for column in Client.__table__.columns)
"""Columns of a client, in the order of the rows that are written."""

WIDTHS: Final[dict[str, int]] = {
    column.name: column.type.length
    for column in Client.__table__.columns
    if isinstance(column.type, String) and column.type.length is not None
}
"""Longest text of each text column."""

UNSCORED: Final[dict[str, Any]] = {
    "score": None, "rank_score": -1.0, "probability": None, "coverage": None, "tier": "none",
    "reasons": [], "top_reason": None, "value": None, "value_low": None, "value_high": None,
    "value_lost": None,
}  # fmt: skip
"""What a client without a score looks like; the value follows from the chance to leave."""


def write(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add clients, as tuples in the order of `COLUMNS`: dates and JSON as text.

    The driver's own bulk door is used: a publication writes millions of rows, and while it writes
    on SQLite nobody else does.
    """
    names = ", ".join(COLUMNS)
    connection = tx.session.connection()
    if tx.is_sqlite:
        marks = ", ".join("?" * len(COLUMNS))
        connection.exec_driver_sql(f"insert into client ({names}) values ({marks})", list(rows))
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"copy client ({names}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def insert_missing(tx: Tx, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Add rows whose key is not there yet."""
    dialect: Any = sqlite if tx.is_sqlite else postgresql
    tx.session.execute(dialect.insert(model).on_conflict_do_nothing(), list(rows))


def known_staff(tx: Tx) -> tuple[set[str], set[str]]:
    """Ids of all staff and of all branches."""
    staff = tx.session.scalars(select(Staff.staff_id)).all()
    return set(staff), set(tx.session.scalars(select(Branch.branch_id)).all())


def begin(tx: Tx, row: dict[str, Any]) -> int:
    """Add a generation; its number."""
    number = tx.session.execute(insert(Generation).values(row).returning(Generation.generation_id))
    return int(number.scalar_one())


def abandon(tx: Tx) -> int:
    """Mark generations that nobody builds any more; how many there were."""
    statement = update(Generation).where(Generation.state == "building").values(state="abandoned")
    return int(tx.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def unscore(tx: Tx, generation_id: int, refusing: Any) -> int:
    """Take scores away from clients of a generation who refuse profiling."""
    statement = (
        update(Client)
        .where(
            Client.generation_id == generation_id,
            Client.note != "refused",
            Client.client_id.in_(refusing),
        )
        .values(note="refused", **UNSCORED)
        .execution_options(synchronize_session=False)
    )
    return int(tx.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def forget(tx: Tx, client_id: str) -> int:
    """Take a client's scores away in every generation that still exists."""
    statement = (
        update(Client)
        .where(Client.client_id == client_id)
        .values(note="refused", **UNSCORED)
        .execution_options(synchronize_session="fetch" if tx.is_sqlite else "evaluate")
    )
    return int(tx.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def point(tx: Tx, generation_id: int, clients: int, scored: int) -> int | None:
    """Put a generation in force; the one before, if any."""
    pointer = tx.session.get(Pointer, 1, with_for_update=True)
    before = pointer.generation_id if pointer else None
    if pointer is None:
        tx.session.add(Pointer(one=1, generation_id=generation_id))
    else:
        pointer.generation_id = generation_id
    if before is not None:
        tx.session.execute(
            update(Generation).where(Generation.generation_id == before).values(state="retired")
        )
    tx.session.execute(
        update(Generation)
        .where(Generation.generation_id == generation_id)
        .values(state="current", clients=clients, scored=scored, published_at=tx.at)
    )
    return before


def superfluous(tx: Tx, keep: int) -> list[int]:
    """Generations to remove: the abandoned, and the retired but for the newest few.

    Args:
        tx: unit of work.
        keep: how many published generations stay, the one in force among them.
    """
    published = tx.session.scalars(
        select(Generation.generation_id)
        .where(Generation.state.in_(("current", "retired")))
        .order_by(Generation.generation_id.desc())
    ).all()
    abandoned = tx.session.scalars(
        select(Generation.generation_id).where(Generation.state == "abandoned")
    ).all()
    current = select(Pointer.generation_id).where(Pointer.one == 1)
    in_force = tx.session.scalar(current)
    return sorted(g for g in {*published[keep:], *abandoned} if g != in_force)


def remove_some(tx: Tx, generation_id: int, rows: int) -> int:
    """Delete some clients of a generation, and the generation once it is empty; how many."""
    some = (
        select(Client.client_id)  # unscoped: whole generations go, nobody reads them
        .where(Client.generation_id == generation_id)
        .order_by(Client.client_id)
        .limit(rows)
    )
    gone = tx.session.execute(
        delete(Client)
        .where(Client.generation_id == generation_id, Client.client_id.in_(some))
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]
    if not gone:
        tx.session.execute(delete(Generation).where(Generation.generation_id == generation_id))
    return int(gone)


def as_of(tx: Tx, generation_id: int) -> datetime:
    """The instant that a generation's scores are of."""
    return one(tx, generation_id).as_of


def value_basis(tx: Tx, generation_id: int) -> dict[str, Any] | None:
    """What a generation's values are made of; None where it has none."""
    return one(tx, generation_id).value_basis


_GENERATION = known.hangs_on("book.generation", Generation)


def one(tx: Tx, generation_id: int) -> Generation:
    """A generation."""
    found: Generation = known.recall(tx, _GENERATION, generation_id)
    if found is known.MISSING:
        found = tx.session.get_one(Generation, generation_id)
        known.learn(tx, _GENERATION, {generation_id: found})
    return found


def scored(tx: Tx, generation_id: int) -> int:
    """Clients of a generation who have a score."""
    statement = select(func.count()).where(  # unscoped: a count
        Client.generation_id == generation_id, Client.rank_score >= 0
    )
    return int(tx.session.scalar(statement) or 0)


def newest(tx: Tx, limit: int) -> list[Generation]:
    """The latest generations, newest first."""
    latest = select(Generation).order_by(Generation.generation_id.desc()).limit(limit)
    return list(tx.session.scalars(latest))


def in_force(tx: Tx) -> int | None:
    """Number of the generation in force; None before the first publication."""
    pointer = tx.session.get(Pointer, 1)
    return pointer.generation_id if pointer else None
