"""Who is at risk: open, funded, and long enough with us; the others get a note, not a score."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.core.places import Places
from keepwell.core.text import tr
from keepwell.observe.engines.base import Engine
from keepwell.warn.label import day_of, lake_query, lake_table

MIN_DAYS: Final = 30
"""Days since opening, or else since the first activity, before a client gets a score."""

# Tables whose rows are a client's own doing, and the column that dates them.
_ACTIVITY: Final = {
    "trade": "at",
    "first_purchase": "at",
    "cash_flow": "at",
    "session": "at",
    "contact": "at",
    "holding": "day",
    "balance": "day",
}


class Note(StrEnum):
    """Why a client has no score; 'scored' for those who have one."""

    SCORED = "scored"
    CLOSED = "closed"
    UNFUNDED = "unfunded"
    NEW = "new"


NOTES: Final[dict[Note, str]] = {
    Note.SCORED: "Scored.",
    Note.CLOSED: "Not scored: the account is closed.",
    Note.UNFUNDED: "Not scored: neither a position nor a balance is known.",
    Note.NEW: "Not scored: with us for fewer than 30 days.",
}


@dataclass(frozen=True)
class RiskSet:
    """Clients that exist at an as-of instant, and whether each is at risk.

    Attributes:
        clients: ids, sorted.
        note: [n] codes of `Note`.
    """

    clients: list[str]
    note: npt.NDArray[np.object_]

    @property
    def at_risk(self) -> list[str]:
        """Ids of the clients that get a score."""
        return [self.clients[i] for i in np.flatnonzero(self.note == Note.SCORED)]

    def allowed(self, clients: Sequence[str], newcomers: bool) -> npt.NDArray[np.bool_]:
        """Which of these clients are at risk (newcomers too, if wanted), bool [len(clients)]."""
        inside = self.note == Note.SCORED
        if newcomers:
            inside |= self.note == Note.NEW
        at = Places(self.clients).of(clients)
        return np.asarray((at >= 0) & np.append(inside, False)[at], np.bool_)

    def counts(self) -> dict[str, int]:
        """Clients by note."""
        return {str(note): int((self.note == note).sum()) for note in Note}

    def words(self, client: str, locale: str | None = None) -> str:
        """The note of one client in a language."""
        return tr(NOTES[self.note[self.clients.index(client)]], locale)


@dataclass(frozen=True)
class Means:
    """What clients hold and have at an instant.

    Attributes:
        positions: of all who exist.
        balance: columns client_id and assets, cash and securities of the newest balance in minor
            units; None where the lake has no balances.
    """

    positions: Any
    balance: pa.Table | None


def means(engine: Engine, as_of: datetime) -> Means:
    """What clients hold and have; who is at risk and what is at stake are both read from it.

    Args:
        engine: gives positions and the lake.
        as_of: the instant.
    """
    tables = engine.manifest.tables if engine.manifest else {}
    with ThreadPoolExecutor(1, "keepwell-means") as beside:
        balance = beside.submit(_balance, engine, as_of) if "balance" in tables else None
        positions = engine.positions(as_of)
    return Means(positions, balance.result() if balance else None)


def risk_set(engine: Engine, as_of: datetime, known: Means | None = None) -> RiskSet:
    """Decide for every client that exists at an instant, with what was known then.

    Args:
        engine: gives clients and positions.
        as_of: the instant.
        known: what they hold and have, where it was read already.
    """
    known = known or means(engine, as_of)
    clients = [str(c) for c in engine.clients(as_of)]
    places, day = Places(clients), day_of(engine, as_of)
    tables = set(engine.manifest.tables) if engine.manifest else set()
    funded = np.zeros(len(clients), np.bool_)
    held = np.asarray(known.positions.count) > 0
    places.put(funded, known.positions.clients, held)
    if known.balance is not None:
        rich = known.balance.filter(pc.greater(known.balance["assets"], 0))["client_id"]
        places.put(funded, rich, np.ones(len(rich), np.bool_))
    since, closed = _profile(engine, as_of, day, tables, places)
    # The first activity costs a look at every row, and only stands in for an unknown opening.
    unknown = np.isnan(since)
    if unknown.any():
        since[unknown] = _first_days(engine, as_of, day, tables, places)[unknown]
    note = np.full(len(clients), Note.UNFUNDED, object)
    note[funded] = Note.SCORED
    note[funded & (day - since < MIN_DAYS)] = Note.NEW
    note[closed] = Note.CLOSED
    return RiskSet(clients, note)


_SEEN = "known_at <= $t and (gone_at is null or gone_at > $t)"


def _balance(engine: Engine, as_of: datetime) -> pa.Table:
    return lake_table(
        engine,
        f"""select client_id, arg_max(coalesce(cash, 0) + coalesce(securities, 0), day) as assets
        from balance where {_SEEN} and day < {_date(day_of(engine, as_of))} group by client_id
        order by client_id""",
        t=as_of,
    )


def _first_days(
    engine: Engine, as_of: datetime, day: int, tables: set[str], places: Places
) -> npt.NDArray[np.float64]:
    """Day of each client's first activity, NaN without one."""
    out = np.full(len(places), np.nan)
    parts = [
        f"select client_id, min({_local(engine, column)}) as d from {table} where {_SEEN} "
        + (f"and day < {_date(day)}" if column == "day" else 'and "at" < $t')
        + " group by client_id"
        for table, column in _ACTIVITY.items()
        if table in tables
    ]
    if not parts:
        return out
    found = lake_query(
        engine,
        "select client_id, min(d) - date '1970-01-01' as d from ("
        + " union all ".join(parts)
        + ") group by client_id",
        t=as_of,
    )
    places.put(out, found["client_id"], np.asarray(found["d"], np.float64))
    return out


def _profile(
    engine: Engine, as_of: datetime, day: int, tables: set[str], places: Places
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Opening days (NaN: unknown), and which clients are closed, by the newest profile known."""
    opened, closed = np.full(len(places), np.nan), np.zeros(len(places), np.bool_)
    if "client" in tables:
        found = lake_table(
            engine,
            f"""select client_id, (opened_on - date '1970-01-01')::double as opened,
            coalesce(closed_on <= {_date(day)}, false) or coalesce(status = 'closed', false) as shut
            from client where {_SEEN} and valid_from <= $t
            qualify row_number() over (partition by client_id order by valid_from desc) = 1
            order by client_id""",
            t=as_of,
        )
        places.put(opened, found["client_id"], np.asarray(found["opened"], np.float64))
        places.put(closed, found["client_id"], np.asarray(found["shut"], np.bool_))
    return opened, closed


def _local(engine: Engine, column: str) -> str:
    if column == "day":
        return "day"
    return f"cast(\"{column}\" at time zone '{engine.workspace.zone.key}' as date)"


def _date(day: int) -> str:
    return f"(date '1970-01-01' + {day})"
