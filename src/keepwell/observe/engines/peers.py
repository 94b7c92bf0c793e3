"""Peers: how a client stands among clients of like wealth and risk level.

The norms of a day are made once, at the midnight that begins it, of what was known at that
midnight: an event that comes later never rewrites them, and a refresh of few clients within the day
needs no look at the others. A client's own number is of as_of; so is the group that it falls into.

The group: clients of the same risk level and of the same fifth of `total_assets`. Edge k of the
fifths, k from 1 to 4, is the ceil(k n / 5)-th smallest total_assets of the n clients for whom it is
above 0; a client above 0 belongs to the fifth that is the number of edges below its total_assets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keepwell.observe.indicators.needs import PEER_GROUP, Need
from keepwell.observe.indicators.registry import INDICATORS, Indicator

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIFTHS = 5
LEVELS = 5
MINIMUM = 20
"""Least number of members with a value for which anything is said about a group."""


def bases(items: Iterable[Indicator]) -> list[Indicator]:
    """Indicators that some items compare with peers, and those that make the groups, by id.

    Empty where none of the items asks about peers.
    """
    asked = {need.measure for item in items for need in item.needs if need.table == "peer"}
    return [INDICATORS[id] for id in sorted(asked | set(PEER_GROUP))] if asked else []


@dataclass(frozen=True)
class Norms:
    """What is usual among peers on one day.

    Attributes:
        edges: upper edges of the lower four fifths of total assets, minor units; NaN without any.
        values: per indicator the members' values, group after group, ascending in each; float64.
        start: per indicator the first value of each group, and the end; int64 [groups + 1].
    """

    edges: Array
    values: Mapping[str, Array]
    start: Mapping[str, Ints]

    @staticmethod
    def of(columns: Mapping[str, Array], ids: Iterable[str]) -> Norms:
        """The norms of a population.

        Args:
            columns: float64 [n] per indicator id, `PEER_GROUP` among them.
            ids: what is compared.
        """
        assets = columns[PEER_GROUP[0]]
        funded = np.sort(assets[assets > 0])
        n = len(funded)
        places = [-(-k * n // FIFTHS) - 1 for k in range(1, FIFTHS)]
        edges = funded[places] if n else np.full(FIFTHS - 1, np.nan)
        group = _group(edges, columns)
        members = [np.flatnonzero(group == g) for g in range(FIFTHS * LEVELS)]
        values, start = {}, {}
        for id in ids:
            found = [columns[id][some] for some in members]
            found = [np.sort(some[~np.isnan(some)]) for some in found]
            values[id] = np.concatenate(found)
            start[id] = np.cumsum([0, *map(len, found)]).astype(np.int64)
        return Norms(edges, values, start)

    def group(self, columns: Mapping[str, Array]) -> Ints:
        """Group of each client, fifth * 5 + level - 1; -1 without one; int64 [n]."""
        return _group(self.edges, columns)

    def size(self, id: str) -> Ints:
        """Members with a value of an indicator, per group; int64 [groups]."""
        return np.diff(self.start[id])

    def median(self, id: str, least: int) -> Array:
        """Median of an indicator per group; float64 [groups], NaN below `least` members."""
        values, start, count = self.values[id], self.start[id][:-1], self.size(id)
        out = np.full(len(count), np.nan)
        ready = np.flatnonzero(count >= max(least, 1))
        low = values[start[ready] + (count[ready] - 1) // 2]
        out[ready] = (low + values[start[ready] + count[ready] // 2]) / 2.0
        return out

    def rank(self, id: str, own: Array, group: Ints, least: int) -> Array:
        """Share of a client's group below it, those equal to it counted half; float64 [n]."""
        out = np.full(len(own), np.nan)
        told = ~np.isnan(own)
        for g in np.flatnonzero(self.size(id) >= max(least, 1)):
            members = self.values[id][self.start[id][g] : self.start[id][g + 1]]
            some = told & (group == g)
            below = np.searchsorted(members, own[some], "left")
            upto = np.searchsorted(members, own[some], "right")
            out[some] = (below + upto) / (2.0 * len(members))
        return out


def answers(
    norms: Norms, columns: Mapping[str, Array], least: int = MINIMUM
) -> Callable[[Need], Array]:
    """Answers to what is asked about peers.

    Args:
        norms: of the day.
        columns: the clients' own values by indicator id, `PEER_GROUP` among them; float64 [n].
        least: members with a value below which a group says nothing.
    """
    group = norms.group(columns)

    def answer(need: Need) -> Array:
        own = columns[need.measure]
        if need.stat == "own":
            found = own.copy()
        elif need.stat == "rank":
            found = norms.rank(need.measure, own, group, least)
        else:
            median = np.append(norms.median(need.measure, least), np.nan)
            found = median[group]  # -1, without a group, is the last one: absent
        found.flags.writeable = False
        return found

    return answer


@dataclass(frozen=True, slots=True)
class PeerGroup:
    """The peers of one client, as an indicator sees them.

    Attributes:
        indicator: what is compared.
        fifth: 1 (least wealthy) to 5.
        level: risk level, C1 = 1 to C5 = 5.
        low, high: total assets of the fifth, above `low` and up to `high`, minor units; None open.
        members: clients of the group with a value.
        median: of them; None below `least` members.
        least: members below which the group says nothing.
    """

    indicator: str
    fifth: int
    level: int
    low: float | None
    high: float | None
    members: int
    median: float | None
    least: int


def describe(
    norms: Norms, columns: Mapping[str, Array], ids: Sequence[str], least: int = MINIMUM
) -> list[PeerGroup]:
    """The group of the first client, for each of some indicators; empty where it has none.

    Args:
        norms: of the day.
        columns: the client's own values by indicator id, `PEER_GROUP` among them; float64 [1].
        ids: what is compared.
        least: members with a value below which a group says nothing.
    """
    group = int(norms.group(columns)[0])
    if group < 0:
        return []
    fifth, level = divmod(group, LEVELS)
    edges = [None, *norms.edges.tolist(), None]
    found = []
    for id in ids:
        median = float(norms.median(id, least)[group])
        found.append(
            PeerGroup(
                id, fifth + 1, level + 1, edges[fifth], edges[fifth + 1],
                int(norms.size(id)[group]), None if np.isnan(median) else median, least,
            )
        )  # fmt: skip
    return found


def _group(edges: Array, columns: Mapping[str, Array]) -> Ints:
    assets, level = (columns[id] for id in PEER_GROUP)
    known = (assets > 0) & (level >= 1) & (level <= LEVELS) & ~np.isnan(edges).any()
    fifth = np.searchsorted(edges, np.where(known, assets, 0.0), "left")
    place = fifth * LEVELS + np.where(known, level, 1.0).astype(np.int64) - 1
    return np.where(known, place, -1).astype(np.int64)


__all__ = ["FIFTHS", "MINIMUM", "Norms", "PeerGroup", "answers", "bases", "describe"]
