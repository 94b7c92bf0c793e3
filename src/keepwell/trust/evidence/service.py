"""Verbs of the evidence log: record and forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence import repo
from keepwell.trust.evidence.attest import seal, taken
from keepwell.trust.evidence.policy import (
    EvidenceKind,
    commitment,
    compose,
    following_id,
    opening_key,
    plain,
)

CHUNK = 1000
_LAST = "keepwell.evidence.last"
_STAMP = len("ev_") + 10


@dataclass(frozen=True, slots=True)
class Fact:
    """What one entry says, for `record_many`; fields as the parameters of `record`."""

    client_id: str | None = None
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)


def record(
    tx: Tx,
    actor: Actor,
    kind: EvidenceKind,
    *,
    client_id: str | None = None,
    subject: str = "",
    data: Mapping[str, Any] | None = None,
    personal: Mapping[str, str] | None = None,
) -> str:
    """Write an entry in the caller's transaction; its leaf follows within a second.

    It vouches for the rows attested about the client since the entry before (`attest`).

    Args:
        tx: the transaction of the effect.
        actor: who did it.
        kind: what happened.
        client_id: whom it is about; the entry holds only a token.
        subject: id of what it happened to.
        data: codes, ids and numbers; never names, phone numbers or free text.
        personal: personal values by name; the entry holds only commitments, which can be opened
            until the client is forgotten.

    Returns:
        The entry's id.

    Raises:
        ValueError: personal values without a client, or data that are not plain.
    """
    fact = Fact(client_id, subject, data or {}, personal or {})
    salt = repo.make_salts(tx, [client_id])[client_id] if client_id is not None else None
    row, openings = _entry(tx, actor, kind, fact, salt)
    repo.add_entries(tx, [row], openings)
    return str(row["entry_id"])


def sealed(**values: str | float | None) -> dict[str, str]:
    """What a model says of a client, as personal values: the log keeps commitments alone.

    Args:
        **values: such as tier and score; those that say nothing are left out.
    """
    return {n: str(v) for n, v in values.items() if v is not None and v != "none"}


def record_many(tx: Tx, actor: Actor, kind: EvidenceKind, facts: Iterable[Fact]) -> int:
    """Write many entries of one kind, in chunks; for draws, sweeps and publications.

    Args:
        tx: the transaction of the effects.
        actor: who did them.
        kind: what happened.
        facts: one for each entry.

    Returns:
        How many.
    """
    total = 0
    chunk: list[Fact] = []
    for fact in facts:
        chunk.append(fact)
        if len(chunk) == CHUNK:
            total += _record_chunk(tx, actor, kind, chunk)
            chunk = []
    return total + (_record_chunk(tx, actor, kind, chunk) if chunk else 0)


def _record_chunk(tx: Tx, actor: Actor, kind: EvidenceKind, facts: list[Fact]) -> int:
    salts = repo.make_salts(tx, [f.client_id for f in facts if f.client_id is not None])
    made = [_entry(tx, actor, kind, fact, salts.get(fact.client_id or "")) for fact in facts]
    repo.add_entries(tx, [row for row, _ in made], [o for _, some in made for o in some])
    return len(made)


def _entry(
    tx: Tx, actor: Actor, kind: EvidenceKind, fact: Fact, salt: repo.Salt | None
) -> tuple[dict[str, object], list[dict[str, object]]]:
    if fact.personal and fact.client_id is None:
        raise ValueError("personal values need the client whose salt covers them")
    kind, client_id = EvidenceKind(kind), fact.client_id
    entry_id = _next_id(tx)
    token = salt.token if salt else None
    sealed = {
        name: commitment(opening_key(salt.salt, entry_id, name), value)
        for name, value in fact.personal.items()
        if salt
    }
    vouched = taken(tx, client_id) if client_id is not None else {}
    rows = {n: seal(salt.salt, entry_id, n, digest) for n, digest in vouched.items() if salt}
    subject = str(plain(fact.subject, client_id, token))
    body = compose(
        entry_id=entry_id, kind=kind, at=tx.at, actor=actor.user_id, via=actor.via, subject=subject,
        client=token, data=plain(fact.data, client_id, token), personal=sealed,
        rows=rows,
    )  # fmt: skip
    row: dict[str, object] = {
        "entry_id": entry_id, "kind": kind.value, "at": tx.at, "actor": actor.user_id,
        "subject": subject, "client": token, "body": body,
    }  # fmt: skip
    openings: list[dict[str, object]] = [
        {"entry_id": entry_id, "field": name, "client_id": client_id, "value": value}
        for name, value in fact.personal.items()
    ]
    return row, openings


def _next_id(tx: Tx) -> str:
    """An id that sorts after those of the transaction's earlier entries: cause before effect."""
    fresh, last = new_id("ev", tx.at), tx.session.info.get(_LAST, "")
    if fresh <= last and fresh[:_STAMP] == last[:_STAMP]:
        fresh = following_id(last)
    tx.session.info[_LAST] = fresh
    return fresh


def prepare(tx: Tx, client_ids: Iterable[str]) -> None:
    """Make the salts of many clients at once, in one order, before entries about them.

    Two transactions that record about the same new clients in different orders could otherwise
    wait for each other on PostgreSQL.

    Args:
        tx: the transaction that will record.
        client_ids: about whom.
    """
    repo.make_salts(tx, client_ids)


def forget(tx: Tx, actor: Actor, client_id: str) -> bool:
    """Destroy what leads from entries to a client; every proof still verifies.

    Args:
        tx: the transaction.
        actor: who does it.
        client_id: who is forgotten.

    Returns:
        Whether there was anything to forget.
    """
    if not repo.salts(tx, [client_id]):
        return False
    record(tx, actor, EvidenceKind.CLIENT_FORGOTTEN, client_id=client_id)
    repo.drop_client(tx, client_id)
    return True
