"""Queries of the evidence log."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    event,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, SessionTransaction

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.trust.access.policy import Actor, Scope
from keepwell.trust.book.repo import scoped
from keepwell.trust.evidence import merkle
from keepwell.trust.evidence.attest import Attested
from keepwell.trust.evidence.model import (
    EvidenceCheckpoint,
    EvidenceEntry,
    EvidenceLeaf,
    EvidenceLog,
    EvidenceNode,
    EvidenceOpening,
    EvidencePending,
    EvidenceSalt,
)
from keepwell.trust.evidence.policy import client_token

AnyRow = Row[*tuple[Any, ...]]
_SALTS = "keepwell.evidence.salts"
_UNWRITTEN = "keepwell.evidence.unwritten"

# Salts


@dataclass(frozen=True, slots=True)
class Salt:
    """A client's salt and the token that follows from it."""

    client_id: str
    token: str
    salt: bytes


_SALTS_OF: Final = select(  # unscoped: whom an effect is about
    EvidenceSalt.client_id, EvidenceSalt.token, EvidenceSalt.salt
).where(EvidenceSalt.client_id.in_(bindparam("client_ids", expanding=True)))


def salts(tx: Tx, client_ids: Iterable[str]) -> dict[str, Salt]:
    """The salts that there are, by client; none for clients without one or whose was destroyed.

    Asked of the database each time: a salt may have been destroyed, or its making rolled back.
    """
    wanted = sorted(set(client_ids))
    found: dict[str, Salt] = {}
    for start in range(0, len(wanted), 500):
        for row in tx.rows(_SALTS_OF, {"client_ids": wanted[start : start + 500]}):
            found[row.client_id] = Salt(row.client_id, row.token, bytes(row.salt))
    return found


def make_salts(tx: Tx, client_ids: Iterable[str]) -> dict[str, Salt]:
    """The salts of all these clients; missing ones are made.

    Within a transaction each is asked for once: an alert writes several entries about one client.
    """
    known: dict[str, Salt] = tx.session.info.setdefault(_SALTS, {})
    wanted = set(client_ids)
    fresh = wanted - known.keys()
    if fresh:
        known |= _made(tx, fresh)
    return {client_id: known[client_id] for client_id in wanted}


def _made(tx: Tx, client_ids: Iterable[str]) -> dict[str, Salt]:
    wanted = sorted(client_ids)
    found = salts(tx, wanted)
    # In one order everywhere, so that two transactions seldom wait for each other.
    missing = [client_id for client_id in wanted if client_id not in found]
    if not missing:
        return found
    rows = []
    for client_id in missing:
        salt = secrets.token_bytes(32)
        rows.append({"client_id": client_id, "salt": salt, "token": client_token(salt, client_id)})
    upsert: Any = sqlite.insert if tx.is_sqlite else postgresql.insert
    for start in range(0, len(rows), 200):
        statement = upsert(EvidenceSalt).values(rows[start : start + 200])
        tx.session.execute(statement.on_conflict_do_nothing(index_elements=["client_id"]))
    # Read again: of two who make one at once, one does, and both take that one.
    return found | salts(tx, missing)


@event.listens_for(Session, "after_soft_rollback")
def _unknown(session: Session, transaction: SessionTransaction) -> None:
    session.info.pop(_SALTS, None)  # one that was made may be gone again
    unwritten: _Unwritten | None = session.info.get(_UNWRITTEN)
    mark = unwritten.marks.pop(id(transaction), None) if unwritten is not None else None
    if unwritten is not None and mark is not None:
        # What was recorded within the savepoint has not happened; what it wrote out of what was
        # recorded before is to be written again.
        del unwritten.rows[mark[0] :], unwritten.openings[mark[1] :]
        unwritten.written = mark[2]


def drop_client(tx: Tx, client_id: str) -> None:
    """Destroy a client's salt and every value that entries are committed to."""
    catch_up(tx)
    tx.session.info.get(_SALTS, {}).pop(client_id, None)
    tx.session.execute(delete(EvidenceOpening).where(EvidenceOpening.client_id == client_id))
    tx.session.execute(delete(EvidenceSalt).where(EvidenceSalt.client_id == client_id))


# Writing


@dataclass(slots=True)
class _Unwritten:
    """What a transaction has recorded, and how much of it is in the tables already.

    Attributes:
        rows: of entries.
        openings: of the values that they are committed to.
        written: how many rows and openings are written.
        marks: lengths and `written` as they were when each open savepoint began, by its identity.
    """

    rows: list[dict[str, object]] = field(default_factory=list)
    openings: list[dict[str, object]] = field(default_factory=list)
    written: tuple[int, int] = (0, 0)
    marks: dict[int, tuple[int, int, tuple[int, int]]] = field(default_factory=dict)


def _unwritten(session: Session) -> _Unwritten:
    found: _Unwritten = session.info.setdefault(_UNWRITTEN, _Unwritten())
    return found


def _write_out(session: Session) -> None:
    unwritten: _Unwritten | None = session.info.get(_UNWRITTEN)
    if unwritten is None:
        return
    entries, openings = unwritten.written
    rows, opened = unwritten.rows[entries:], unwritten.openings[openings:]
    # Before the statements: they may come here again.
    unwritten.written = len(unwritten.rows), len(unwritten.openings)
    if rows:
        session.execute(insert(EvidenceEntry), rows)
        waiting = [{"entry_id": row["entry_id"]} for row in rows]
        session.execute(insert(EvidencePending), waiting)
    if opened:
        session.execute(insert(EvidenceOpening), opened)


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        kept = _unwritten(session)
        kept.marks[id(transaction)] = (len(kept.rows), len(kept.openings), kept.written)


@event.listens_for(Session, "before_commit")
def _write_last(session: Session) -> None:
    if not session.in_nested_transaction():
        _write_out(session)


@event.listens_for(Session, "after_transaction_end")
def _unmark(session: Session, transaction: SessionTransaction) -> None:
    # A savepoint ends before it is known whether it was rolled back; its mark stays until then.
    if transaction.parent is None:
        session.info.pop(_UNWRITTEN, None)


def drop_openings(tx: Tx, client_id: str, fields: Iterable[str]) -> None:
    """Delete what opens some commitments about a client; the entries stay as they are."""
    catch_up(tx)
    tx.session.execute(
        delete(EvidenceOpening).where(
            EvidenceOpening.client_id == client_id, EvidenceOpening.field.in_(list(fields))
        )
    )


def add_entries(
    tx: Tx, rows: Sequence[dict[str, object]], openings: Sequence[dict[str, object]] = ()
) -> None:
    """Write entries, that they wait for a leaf, and the values they are committed to.

    They are written together with the transaction's others, at the latest when it commits.
    """
    unwritten = _unwritten(tx.session)
    unwritten.rows += rows
    unwritten.openings += openings


def catch_up(tx: Tx) -> None:
    """Write what was recorded; before anybody reads or deletes in these tables."""
    _write_out(tx.session)


def lock_head(tx: Tx) -> EvidenceLog | None:
    """The head of the log, held to the end of the transaction; None before the first entry."""
    # SQLite takes its one lock when a write begins, and leaves the clause out.
    statement = select(EvidenceLog).with_for_update()
    return tx.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def make_head(tx: Tx, verifier: str) -> None:
    """Begin the log; of two who begin it at once, one does."""
    upsert: Any = sqlite.insert if tx.is_sqlite else postgresql.insert
    statement = upsert(EvidenceLog).values(one=1, size=0, signed_size=0, verifier=verifier)
    tx.session.execute(statement.on_conflict_do_nothing(index_elements=["one"]))


def pending(tx: Tx, limit: int) -> list[tuple[str, str]]:
    """Entries that wait, with their text, oldest first."""
    catch_up(tx)
    statement = (
        select(EvidenceEntry.entry_id, EvidenceEntry.body)  # unscoped: the sequencer takes all
        .join(EvidencePending, EvidencePending.entry_id == EvidenceEntry.entry_id)
        .order_by(EvidencePending.entry_id)
        .limit(limit)
    )
    return [(row.entry_id, row.body) for row in tx.session.execute(statement)]


def add_leaves(tx: Tx, start: int, entry_ids: Sequence[str], hashes: Sequence[bytes]) -> None:
    """Store leaves from an index on; their entries no longer wait."""
    rows = [
        {"leaf_index": start + i, "entry_id": entry_id, "hash": leaf}
        for i, (entry_id, leaf) in enumerate(zip(entry_ids, hashes, strict=True))
    ]
    tx.session.execute(insert(EvidenceLeaf), rows)
    for first in range(0, len(entry_ids), 500):
        # By name: a transaction that commits late may hold an older id than those taken here.
        some = entry_ids[first : first + 500]
        tx.session.execute(delete(EvidencePending).where(EvidencePending.entry_id.in_(some)))


def add_nodes(tx: Tx, made: Sequence[tuple[merkle.Place, bytes]]) -> None:
    """Store complete subtrees."""
    if made:
        rows = [{"level": at[0], "position": at[1], "hash": value} for at, value in made]
        tx.session.execute(insert(EvidenceNode), rows)


def add_checkpoint(tx: Tx, size: int, note: str) -> None:
    """Store a signed checkpoint."""
    row = {"size": size, "signed_at": tx.at, "note": note}
    tx.session.execute(insert(EvidenceCheckpoint).values(**row))


# The tree


def nodes(tx: Tx, places: Iterable[merkle.Place]) -> dict[merkle.Place, bytes]:
    """Hashes of complete subtrees, leaves among them."""
    wanted = set(places)
    leaves = [position for level, position in wanted if level == 0]
    inner = [place for place in wanted if place[0] > 0]
    found: dict[merkle.Place, bytes] = {}
    if leaves:
        statement = select(EvidenceLeaf.leaf_index, EvidenceLeaf.hash)
        for row in tx.session.execute(statement.where(EvidenceLeaf.leaf_index.in_(leaves))):
            found[0, row.leaf_index] = bytes(row.hash)
    for start in range(0, len(inner), 200):
        # By level, not by pairs: SQLite reads the whole table for a list of pairs.
        above = select(EvidenceNode.level, EvidenceNode.position, EvidenceNode.hash)
        for node in tx.session.execute(above.where(_at(inner[start : start + 200]))):
            found[node.level, node.position] = bytes(node.hash)
    return found


def _at(places: Sequence[merkle.Place]) -> ColumnElement[bool]:
    levels: dict[int, list[int]] = {}
    for level, position in places:
        levels.setdefault(level, []).append(position)
    return or_(
        *(
            and_(EvidenceNode.level == level, EvidenceNode.position.in_(positions))
            for level, positions in sorted(levels.items())
        )
    )


def span_hashes(tx: Tx, spans: Sequence[merkle.Span]) -> list[bytes]:
    """Hashes of spans, by one or two queries."""
    known = nodes(tx, [place for span in spans for place in merkle.subtrees(span)])
    return [merkle.span_hash(span, known.__getitem__) for span in spans]


def root_at(tx: Tx, size: int) -> bytes:
    """The root of the log's first entries."""
    return span_hashes(tx, [(0, size)])[0]


# Reading


def head(tx: Tx) -> EvidenceLog | None:
    """The head of the log, not held."""
    return tx.session.get(EvidenceLog, 1)


def waiting(tx: Tx) -> int:
    """How many entries wait for their leaf."""
    catch_up(tx)
    return tx.session.scalar(select(func.count()).select_from(EvidencePending)) or 0


def latest_checkpoint(tx: Tx) -> EvidenceCheckpoint | None:
    """The newest checkpoint."""
    statement = select(EvidenceCheckpoint).order_by(EvidenceCheckpoint.size.desc()).limit(1)
    return tx.session.scalars(statement).one_or_none()


def checkpoints(tx: Tx, until: int) -> Iterator[AnyRow]:
    """All checkpoints up to a size, smallest first: (size, signed_at, note)."""
    statement = (
        select(EvidenceCheckpoint.size, EvidenceCheckpoint.signed_at, EvidenceCheckpoint.note)
        .where(EvidenceCheckpoint.size <= until)
        .order_by(EvidenceCheckpoint.size)
    )
    yield from _streamed(tx, statement)


@dataclass(frozen=True, slots=True)
class Search:
    """What entries are looked for; None does not matter.

    Attributes:
        kind: of the entry.
        subject: id of what it happened to.
        actor: user id.
        token: of the client.
        since: not before.
        until: before.
        below: with a leaf before this index.
        without: not of kinds that begin so.
    """

    kind: str | None = None
    subject: str | None = None
    actor: str | None = None
    token: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: int | None = None
    without: str | None = None

    def about(self, token: str) -> Search:
        """The same, about one client."""
        return replace(self, token=token)


def _matching(tx: Tx, actor: Actor, search: Search) -> Select[Any]:
    catch_up(tx)
    entry = EvidenceEntry
    columns = (entry.entry_id, entry.at, entry.body, EvidenceLeaf.leaf_index)
    chosen: Any = select(*columns)  # unscoped: scoped at the end
    own_leaf = EvidenceLeaf.entry_id == entry.entry_id
    statement: Select[Any] = chosen.join(EvidenceLeaf, own_leaf, isouter=search.below is None)
    for column, value in (
        (entry.kind, search.kind), (entry.subject, search.subject),
        (entry.actor, search.actor), (entry.client, search.token),
    ):  # fmt: skip
        if value is not None:
            statement = statement.where(column == value)
    if search.since is not None:
        statement = statement.where(entry.at >= search.since)
    if search.until is not None:
        statement = statement.where(entry.at < search.until)
    if search.below is not None:
        statement = statement.where(EvidenceLeaf.leaf_index < search.below)
    if search.without is not None:
        statement = statement.where(entry.kind.not_like(f"{search.without}%"))
    if actor.scope is not Scope.ALL:
        salts = select(EvidenceSalt.token)  # unscoped: scoped on the next line
        statement = statement.where(
            entry.client.in_(salts.where(scoped(tx, actor, EvidenceSalt.client_id)))
        )
    return statement


ORDER = ((EvidenceEntry.at, True), (EvidenceEntry.entry_id, True))


def search_entries(
    tx: Tx, actor: Actor, search: Search, limit: int, cursor: str | None
) -> list[AnyRow]:
    """Entries that the actor may see, newest first, one more than a page."""
    statement = page_of(_matching(tx, actor, search), ORDER, (datetime, str), limit, cursor)
    return list(tx.session.execute(statement))


def find_entry(tx: Tx, actor: Actor, entry_id: str) -> AnyRow | None:
    """An entry that the actor may see."""
    statement = _matching(tx, actor, Search()).where(EvidenceEntry.entry_id == entry_id)
    return tx.session.execute(statement).one_or_none()


def stream_entries(tx: Tx, actor: Actor, search: Search) -> Iterator[AnyRow]:
    """Entries with a leaf, in the log's order."""
    statement = _matching(tx, actor, search).order_by(EvidenceLeaf.leaf_index)
    yield from _streamed(tx, statement)


def openings(tx: Tx, entry_ids: Sequence[str]) -> dict[str, list[EvidenceOpening]]:
    """Values that entries are committed to, by entry; the caller has checked who may see them."""
    catch_up(tx)
    found: dict[str, list[EvidenceOpening]] = {}
    for start in range(0, len(entry_ids), 500):
        some = entry_ids[start : start + 500]
        wanted = EvidenceOpening.entry_id.in_(some)
        statement = select(EvidenceOpening).where(wanted)  # unscoped: of entries found in scope
        for row in tx.session.scalars(statement.order_by(EvidenceOpening.field)):
            found.setdefault(row.entry_id, []).append(row)
    return found


# The audit reads everything


def stream_leaves(tx: Tx) -> Iterator[AnyRow]:
    """Every leaf with its entry, in the log's order; the entry's columns are null if it is gone."""
    catch_up(tx)
    entry = EvidenceEntry
    statement = (
        select(  # unscoped: the audit reads everything
            EvidenceLeaf.leaf_index, EvidenceLeaf.entry_id, EvidenceLeaf.hash,
            entry.kind, entry.at, entry.actor, entry.subject, entry.client, entry.body,
        )
        .join(entry, entry.entry_id == EvidenceLeaf.entry_id, isouter=True)
        .order_by(EvidenceLeaf.leaf_index)
    )  # fmt: skip
    yield from _streamed(tx, statement)


def lost_entries(tx: Tx) -> list[str]:
    """Entries that have no leaf and do not wait for one, or both, at most a hundred."""
    catch_up(tx)
    has_leaf = exists().where(EvidenceLeaf.entry_id == EvidenceEntry.entry_id)
    waits = exists().where(EvidencePending.entry_id == EvidenceEntry.entry_id)
    wrong = or_(and_(~has_leaf, ~waits), and_(has_leaf, waits))
    statement = select(EvidenceEntry.entry_id).where(wrong).limit(100)  # unscoped: the audit
    return list(tx.session.scalars(statement))


def count_nodes(tx: Tx) -> int:
    """How many complete subtrees are stored above the leaves."""
    return tx.session.scalar(select(func.count()).select_from(EvidenceNode)) or 0


def stream_pending(tx: Tx) -> Iterator[AnyRow]:
    """Every entry that waits for its leaf, by id."""
    catch_up(tx)
    waits = EvidencePending.entry_id == EvidenceEntry.entry_id
    statement = (
        select(EvidenceEntry.body)  # unscoped: the audit reads everything
        .join(EvidencePending, waits)
        .order_by(EvidenceEntry.entry_id)
    )
    yield from _streamed(tx, statement)


def stream_openings(tx: Tx) -> Iterator[AnyRow]:
    """Every value that an entry is committed to."""
    catch_up(tx)
    opening = EvidenceOpening
    statement = select(  # unscoped: the audit reads everything
        opening.entry_id, opening.field, opening.client_id, opening.value
    ).order_by(opening.entry_id, opening.field)
    yield from _streamed(tx, statement)


def stream_salts(tx: Tx) -> Iterator[AnyRow]:
    """Every client's token and salt."""
    columns = (EvidenceSalt.client_id, EvidenceSalt.token, EvidenceSalt.salt)
    yield from _streamed(tx, select(*columns))  # unscoped: the audit reads everything


def stream_attested(tx: Tx, told: Attested) -> Iterator[AnyRow]:
    """Every row of a table that entries vouch for."""
    names = (*told.columns, told.version) if told.version else told.columns
    columns = [told.table.c[name] for name in names]
    statement: Select[Any] = select(*columns)  # unscoped: the audit reads everything
    if told.since is not None:
        statement = statement.where(told.table.c[told.since].is_not(None))
    yield from _streamed(tx, statement)


def hold_still(tx: Tx) -> None:
    """Let a transaction that has read nothing yet see one state of the database to its end."""
    if not tx.is_sqlite and not tx.session.in_transaction():
        tx.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _streamed(tx: Tx, statement: Select[*tuple[Any, ...]]) -> Iterator[AnyRow]:
    """Rows a thousand at a time; who stops early leaves no cursor open behind."""
    with tx.session.execute(statement.execution_options(yield_per=1000)) as result:
        yield from result


def blocks(rows: Iterable[AnyRow], size: int) -> Iterator[list[AnyRow]]:
    """Rows in lists of at most `size`."""
    source = iter(rows)
    while block := list(islice(source, size)):
        yield block


def clients_of(tx: Tx, actor: Actor, tokens: Iterable[str]) -> dict[str, str]:
    """The clients behind some tokens, as far as the actor may see them and they are not forgotten.

    Args:
        tx: the transaction.
        actor: whose scope.
        tokens: at most a page of them.
    """
    statement = select(EvidenceSalt.token, EvidenceSalt.client_id).where(
        EvidenceSalt.token.in_(list(tokens)), scoped(tx, actor, EvidenceSalt.client_id)
    )
    return {str(token): str(client) for token, client in tx.session.execute(statement)}
