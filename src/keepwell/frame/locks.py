"""Locks by name, for decisions that depend on what another transaction may be writing just now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import text

from keepwell.frame.database import Tx

CLIENT: Final = "client"
"""Held before anybody decides whether a client may be warned about, and by whatever changes it."""

# In one order for all, so that two transactions do not wait for each other.
_HOLD = text(
    "SELECT count(pg_advisory_xact_lock(key)) FROM "
    "(SELECT key FROM unnest(CAST(:keys AS bigint[])) AS key ORDER BY key) AS ordered"
)


def hold(tx: Tx, kind: str, ids: Iterable[str]) -> None:
    """Wait until nobody else holds these, then hold them until the transaction ends.

    Call it before the state is read that a decision depends on, and before rows are locked. On
    SQLite, where one transaction writes at a time, there is nothing to do.

    Args:
        tx: a unit of work that writes.
        kind: of what, such as `CLIENT`.
        ids: which; one held already is held again at no harm.
    """
    if tx.is_sqlite:
        return
    keys = sorted({_key(kind, name) for name in ids})
    if keys:
        tx.session.execute(_HOLD, {"keys": keys})


def _key(kind: str, name: str) -> int:
    digest = hashlib.blake2b(f"{kind}\n{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
