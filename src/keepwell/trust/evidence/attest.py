"""Rows that entries vouch for: what of a row never changes, and its digest.

A room says once which columns of a table are vouched for; whoever writes such a row attests it,
and the next entry about the client commits to its digest. The audit computes every digest again
from the tables. Score and tier are never part of it: a client who refuses profiling has them
removed (rule PI-4).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import rfc8785
from sqlalchemy import Table, event
from sqlalchemy.orm import Session

from keepwell.frame.database import Tx
from keepwell.trust.evidence.policy import instant, opening_key

ERASABLE: Final = ("score", "tier")
"""Columns, and keys of JSON columns, that are no part of a digest."""

PROFILED: Final = (*ERASABLE, "old_tier", "recommended", "said")
"""Personal values of entries that are deleted when a client refuses profiling (rule PI-4)."""

_WAITING: Final = "keepwell.evidence.attested"
_SAFE: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Attested:
    """A table whose rows entries vouch for.

    Attributes:
        table: the table.
        key: columns that name a row.
        columns: columns of the digest; fixed for good, so that columns added later do no harm.
        version: column that counts the row's changes, if it may change; the newest entry counts.
        since: column without a value in rows from before the table was vouched for; no entry
            vouches for those.
    """

    table: Table
    key: tuple[str, ...]
    columns: tuple[str, ...]
    version: str | None = None
    since: str | None = None

    def name(self, values: Mapping[str, Any]) -> str:
        """The row's name in entries."""
        name = "/".join((self.table.name, *(str(values[column]) for column in self.key)))
        return name if self.version is None else f"{name}#{values[self.version]}"

    def digest(self, values: Mapping[str, Any]) -> bytes:
        """SHA-256 of the RFC 8785 form of the row's columns."""
        return hashlib.sha256(
            rfc8785.dumps({name: _stored(values[name]) for name in self.columns})
        ).digest()


TABLES: Final[dict[str, Attested]] = {}
"""Table name to what is vouched for in it; complete once all rooms are loaded."""


def vouch(
    table: Any,
    columns: Sequence[str],
    key: Sequence[str] = (),
    version: str | None = None,
    since: str | None = None,
) -> None:
    """Say that entries vouch for the rows of a table.

    Args:
        table: `__table__` of a model.
        columns: what of a row is part of its digest, besides its key.
        key: columns that name a row; default: the primary key.
        version: column that counts changes; None for rows whose digest never changes.
        since: one of the columns, null in rows from before the table was vouched for.
    """
    assert isinstance(table, Table)
    named = tuple(key or (column.name for column in table.primary_key))
    TABLES[table.name] = Attested(table, named, (*named, *columns), version, since)


def attest(tx: Tx, client_id: str, row: Any) -> None:
    """Let the next entry about a client vouch for a row.

    Args:
        tx: the transaction that writes both.
        client_id: whom the row is about.
        row: of a model that was named to `vouch`.
    """
    assert row.__tablename__ in TABLES, row.__tablename__
    tx.session.info.setdefault(_WAITING, {}).setdefault(client_id, []).append(row)


def taken(tx: Tx, client_id: str) -> dict[str, bytes]:
    """Names and digests of the rows attested about a client since the last entry."""
    rows = tx.session.info.get(_WAITING, {}).pop(client_id, ())
    found = {}
    for row in rows:
        if row in tx.session:  # not one that a savepoint took back
            told = TABLES[row.__tablename__]
            values = {name: getattr(row, name) for name in (*told.columns, told.version) if name}
            found[told.name(values)] = told.digest(values)
    return found


def seal(salt: bytes, entry_id: str, name: str, digest: bytes) -> str:
    """What an entry holds of a row's digest: it tells nothing once the client is forgotten."""
    key = opening_key(salt, entry_id, f"row\n{name}")
    return hmac.new(key, digest, hashlib.sha256).hexdigest()


def _stored(value: Any) -> Any:
    """A column's value in the one form that both databases give back."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE else float(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): _stored(v) for k, v in value.items() if k not in ERASABLE}
    if isinstance(value, (list, tuple)):
        return [_stored(v) for v in value]
    assert isinstance(value, float), type(value).__name__
    return value


@event.listens_for(Session, "before_commit")
def _nothing_waits(session: Session) -> None:
    """Refuse to commit rows that no entry vouches for: a caller attested them and wrote none."""
    waiting = session.info.get(_WAITING)
    if session.in_nested_transaction():
        return
    if waiting and any(row in session for rows in waiting.values() for row in rows):
        names = sorted({row.__tablename__ for rows in waiting.values() for row in rows})
        raise RuntimeError(f"no evidence entry vouches for rows of {', '.join(names)}")
