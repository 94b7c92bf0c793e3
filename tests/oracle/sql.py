"""The oracle: every indicator of the catalogue once more, in plain SQL.

Written by hand from the catalogue's text (name, definition, unit) and the contract; it imports
nothing of keepwell. One expression per indicator id; NULL means absent.

Example:
    >>> from tests.oracle.world import draw_world
    >>> world = draw_world(1)
    >>> answer = Oracle(world).at(world.as_ofs[0])
    >>> len(answer.clients) == len(answer.values["trade_count_30d"])
    True
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from .sql_contacts import DIGITAL_MORE, MARKET_MORE, MARKETING, SERVICE_MORE
from .sql_digital import DIGITAL
from .sql_funding import FUNDING
from .sql_holdings import PORTFOLIO_MORE, RELATIONSHIP
from .sql_money import ACTIVITY_MORE, FUNDING_MORE, PERFORMANCE, RHYTHM_MORE
from .sql_peers import PEERS, USED, note_norms
from .sql_portfolio import CLIENT, PORTFOLIO
from .sql_selling import SELLING, note_sales
from .sql_service import MARKET, SERVICE
from .sql_trading import RHYTHM, TRADING
from .terms import gather
from .views import look, open_world
from .world import World, local_day, midnight

SQL: dict[str, str] = {
    **TRADING,
    **RHYTHM,
    **FUNDING,
    **DIGITAL,
    **SERVICE,
    **PORTFOLIO,
    **CLIENT,
    **MARKET,
    **ACTIVITY_MORE,
    **RHYTHM_MORE,
    **FUNDING_MORE,
    **PERFORMANCE,
    **DIGITAL_MORE,
    **SERVICE_MORE,
    **MARKETING,
    **PORTFOLIO_MORE,
    **RELATIONSHIP,
    **MARKET_MORE,
    **SELLING,
    **PEERS,
}
"""Indicator id to its SQL expression for one client ``c``."""


@dataclass(frozen=True)
class Answer:
    """What the oracle says at one instant.

    Attributes:
        clients: Ids of the clients that exist, sorted.
        values: Indicator id to float64 values, one per client; NaN = absent.
    """

    clients: list[str]
    values: dict[str, npt.NDArray[np.float64]]


class Oracle:
    """The oracle of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._con = open_world(world)

    def at(self, t: datetime, ids: list[str] | None = None) -> Answer:
        """Answers for all indicators, or those named, at ``t``."""
        zone = self._world.zone
        start = midnight(local_day(t, zone), zone)
        for moment in sorted({start, t}):
            look(self._con, self._world, moment)
            gather(self._con, USED if moment < t else None)
            if moment == start:
                note_norms(self._con)
        note_sales(self._con, self._world.full_days)
        clients = [
            row[0]
            for row in self._con.execute(
                "select client_id from people order by client_id"
            ).fetchall()
        ]
        wanted = ids or list(SQL)
        # One query for all that only combine aggregates; DuckDB plans subqueries best one by one.
        plain = [name for name in wanted if "select" not in SQL[name]]
        values = self._columns(plain)
        for name in wanted:
            if name not in values:
                values |= self._columns([name])
        return Answer(clients, values)

    def _columns(self, ids: list[str]) -> dict[str, npt.NDArray[np.float64]]:
        if not ids:
            return {}
        chosen = ", ".join(f"({SQL[name]})::double as {name}" for name in ids)
        table = self._con.execute(
            f"select {chosen} from people as c join measures as m using (client_id) "
            "order by c.client_id"
        ).fetchnumpy()
        return {name: np.ma.filled(table[name].astype(np.float64), np.nan) for name in ids}
