"""What things are called in the files: ids of clients, staff, instruments, and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.world import terms
from keepwell.world.files.columns import Ids, Numbers, Words, digits, glued, numbered

if TYPE_CHECKING:
    from keepwell.world.market.draw import Market
    from keepwell.world.people.draw import People

PAGES = 32
"""Pages that views of a topic other than instruments can be of."""

_PRODUCTS = 1000
_SPECIALISTS = 5


class Names:
    """The names of one shard.

    Args:
        people: its clients and staff.
        market: the market, for the instruments' codes.

    Attributes:
        shard: number of the shard, part of every id.
        clients: ids of the clients.
        managers: ids of the managers, by their number; `advisers` and `branches` likewise.
        staff: managers, then advisers.
        instruments: codes of the instruments.
    """

    def __init__(self, people: People, market: Market) -> None:
        self.shard = people.shard
        self.clients = Ids(people.ids)
        staff = people.staff
        self.managers = self._staff("M", staff.managers)
        self.advisers = self._staff("A", staff.advisers)
        self.branches = self._staff("B", staff.branches)
        self.staff = Words([*self.managers.pool.to_pylist(), *self.advisers.pool.to_pylist()])
        self.instruments = Words(market.codes)
        self._count = len(market.codes)
        topics = [f"{topic}-{page:02d}" for topic in terms.TOPICS for page in range(PAGES)]
        self._subjects = Words([*market.codes, *topics])

    def _staff(self, letter: str, count: int) -> Words:
        return Words([f"{letter}{self.shard:02d}-{number:05d}" for number in range(count)])

    def rows(self, letter: str, t: int, count: int) -> pa.Array:
        """Ids of a day's rows of one kind, in their order.

        Args:
            letter: says of which kind.
            t: days since the start.
            count: number of rows.
        """
        return numbered(f"{letter}{self.shard:02d}-{t:05d}-", count)

    def case(self, letter: str, client: Numbers, day: Numbers, second: Numbers) -> pa.Array:
        """Ids of matters that go on: of a client and the instant at which they began."""
        return glued(
            f"{letter}{self.shard:02d}",
            digits(client, 6),
            "-",
            digits(day, 5),
            "-",
            digits(second, 5),
        )

    def subjects(self, topic: Numbers, subject: Numbers) -> pa.Array:
        """What views are of: an instrument, or a page of the topic."""
        page = self._count + topic.astype(np.int32) * PAGES + subject % PAGES
        return self._subjects.column(np.where(topic == terms.V_INSTRUMENT, subject, page))

    def products(self, kind: Numbers, product: Numbers) -> pa.Array:
        """Names of subscribed products, by kind and number."""
        code = kind.astype(np.int32) * _PRODUCTS + product % _PRODUCTS
        used, place = np.unique(code, return_inverse=True)
        names = [f"{terms.SUBSCRIPTIONS[c // _PRODUCTS]}-{c % _PRODUCTS:04d}" for c in used]
        return Words(names).column(place)

    def team(self, manager: Numbers, adviser: Numbers, branch: Numbers) -> pa.Array:
        """Members of a service team of 1 + 3 + 5: manager, three advisers, five specialists."""
        count = len(self.advisers.pool)
        others = [self._number("A", (adviser + step) % count) for step in range(3)]
        desk = [
            glued(f"S{self.shard:02d}-", digits(branch, 3), f"{place:02d}")
            for place in range(_SPECIALISTS)
        ]
        return pc.binary_join_element_wise(self._number("M", manager), *others, *desk, ",")

    def _number(self, letter: str, number: npt.NDArray[np.int32]) -> pa.Array:
        return glued(f"{letter}{self.shard:02d}-", digits(number, 5))
