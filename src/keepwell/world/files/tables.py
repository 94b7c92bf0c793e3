"""A day of a shard as tables of the contract.

Instants are UTC, money is decimal yuan, quantities are decimal units; every row carries `known_at`:
contacts are known when resolved, complaints and exit requests when they are made and again when
they are done (revision 1), a day's closes at the next local midnight, the rest at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from keepwell.world.files.dealing import DEALING, Columns
from keepwell.world.files.naming import Names
from keepwell.world.files.people import Register
from keepwell.world.files.signals import SIGNALS, Speech, touch
from keepwell.world.state import EVENTS

if TYPE_CHECKING:
    from keepwell.world.market.draw import Market
    from keepwell.world.people.draw import People
    from keepwell.world.words import Words

_STATEFUL = ("client", "service", "touch")
_NONE = {kind: np.empty(0, dtype) for kind, dtype in EVENTS.items()}


class Snapshot(NamedTuple):
    """What a day's tables need of the world, apart from its later days.

    Attributes:
        day: day number.
        t: days since the start.
        events: the day's events by kind, `EVENTS`; all kinds.
        state: CLIENT records after the day, of the clients of the events `client`, `service` and
            `touch`, row by row.
        held: instruments in each client's slots after the first day [n, SLOTS]; on that day only.
    """

    day: int
    t: int
    events: dict[str, Any]
    state: dict[str, Any]
    held: Any | None


def snapshot(day: int, t: int, events: Mapping[str, Any], state: Any) -> Snapshot:
    """Keep what a day's tables need, so that the world may go on while they are made.

    Args:
        day: day number.
        t: days since the start.
        events: the day's events; not copied. Kinds without any may be left out.
        state: CLIENT records of all clients after the day.
    """
    whole = {kind: events.get(kind, none) for kind, none in _NONE.items()}
    of = {kind: state[whole[kind]["client"]] for kind in _STATEFUL}
    return Snapshot(day, t, whole, of, state["slot"].copy() if t == 0 else None)


class ShardTables:
    """Makes the tables of one shard; every day once, in order.

    Args:
        people: the shard's clients and staff.
        market: the market, for the instruments' codes.
        words: the grammar of what clients write.
        seed: the world's.
        start: day number of the first day.

    Attributes:
        names: what clients, staff, instruments and rows are called.
    """

    def __init__(self, people: People, market: Market, words: Words, seed: int, start: int) -> None:
        self.names = Names(people, market)
        self._register = Register(people, self.names, seed, start)
        self._speech = Speech(words, people.person["english"])

    def copy(self) -> ShardTables:
        """The same, to go on with another future of the same people."""
        other = copy(self)
        other._register, other._speech = self._register.copy(), self._speech.copy()
        return other

    def day(self, shot: Snapshot) -> dict[str, pa.Table]:
        """A day's rows of the contract's tables; tables without rows are left out.

        Columns are named as in the contract, plus `known_at` and, where rows are corrected,
        `revision`. Words may be dictionary columns.
        """
        made: dict[str, Columns] = {}
        for kind, build in (DEALING | SIGNALS | self._speech.rows).items():
            if len(shot.events[kind]):
                made[kind] = build(self.names, shot.events[kind], shot.day, shot.t)
        if len(shot.events["touch"]):
            serving = shot.state["touch"]
            made["touch"] = touch(
                self.names,
                shot.events["touch"],
                shot.day,
                shot.t,
                serving["manager"],
                serving["adviser"],
            )
        made |= self._register.rows(shot.day, shot.events, shot.state)
        if shot.held is not None:
            made["first_purchase"] = self._register.first_purchases(shot.held)
        tables = {kind: pa.table(columns) for kind, columns in made.items()}
        return {kind: table for kind, table in tables.items() if table.num_rows}
