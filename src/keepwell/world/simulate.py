"""The world in time: one shard of a brokerage, lived day by day, with whatever staff do in it.

Example:
    >>> from keepwell.world.scenario import Scenario
    >>> world = World(Scenario(), seed=7, clients=200, days=40)
    >>> first = world.step()
    >>> day = world.step(actions=(np.arange(200), np.full(200, ACTIONS.index("manager_call"))))
    >>> "touch" in day.events
    True
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import day_number, to_date
from keepwell.core.errors import UsageError, nearest
from keepwell.world.dynamics.chance import key_of
from keepwell.world.dynamics.day import act, live
from keepwell.world.dynamics.frame import frame_type, taken
from keepwell.world.dynamics.start import seed_state
from keepwell.world.market.draw import Market, draw_market
from keepwell.world.people.draw import People, draw_people
from keepwell.world.scenario import Scenario
from keepwell.world.state import CLIENT, EVENTS, MATES
from keepwell.world.terms import ACTIONS, NEVER, OPEN, UNOPENED

BLOCK: Final = 1 << 14
"""Clients that one thread takes at a time."""

Events = dict[str, npt.NDArray[np.void]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Day:
    """What happened on one day.

    Attributes:
        t: days since the start.
        day: day number.
        events: records of `state.EVENTS` by kind, sorted by client; kinds without any left out.
        clients: places of the clients that staff acted on; int64.
        actions: what they did; codes of `terms.ACTIONS`, int64.
    """

    t: int
    day: int
    events: Events
    clients: Ints
    actions: Ints


class World:
    """One shard.

    Args:
        scenario: all parameters.
        seed: the luck; the same seed gives the same world on any machine with any cores.
        clients: how many; newcomers of the days ahead included.
        days: how many days can be lived.
        shard: number of the shard; each has its own people.
        market: shared by the shards; default: drawn from the scenario.
        cores: threads; default: all.

    Attributes:
        scenario: as given.
        seed: as given.
        people: who the clients are.
        market: prices, outages, news.
        state: CLIENT records [n], as of the last close.
        t: days lived.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        clients: int,
        days: int,
        *,
        shard: int = 0,
        market: Market | None = None,
        cores: int | None = None,
    ) -> None:
        start = day_number(scenario.start)
        self.scenario, self.seed, self.days = scenario, seed, days
        self.market = market or draw_market(scenario, seed, days)
        self.people: People = draw_people(scenario, seed, shard, clients, start, days)
        self.state = _new_state(self.people)
        self.t = 0
        self._cores = cores or os.cpu_count() or 1
        self._key = np.uint64(key_of(seed, "life", shard))
        self._p = scenario.record()
        self._heat = np.zeros(clients, np.float32)
        _meet_advisers(self.state, scenario, self.people, start)
        seed_state(self.state, self.people, scenario, seed, start)
        self._lanes = [self._lane() for _ in range(self._cores)]
        self._place: dict[str, int] | None = None

    @property
    def today(self) -> date:
        """The day that the next step lives."""
        return to_date(self.market.start + self.t)

    def copy(self, clients: int | None = None) -> World:
        """The same world in the same state, to be lived on differently.

        Args:
            clients: only so many, the first; they must then be told the contagion they feel, as
                `pass_day` allows. Default: all.
        """
        other = object.__new__(World)
        other.__dict__.update(self.__dict__)
        other.state = self.state[:clients].copy()
        other._heat = self._heat[:clients].copy()
        return other

    def step(
        self,
        day: date | None = None,
        actions: Mapping[str, str] | tuple[Ints, Ints] | None = None,
    ) -> Day:
        """Live one day.

        Args:
            day: must be `today`; default: it.
            actions: what staff do before the day begins: action by client id, or places of
                clients and codes of actions. A client may be named once; leaving alone is doing
                nothing.

        Raises:
            UsageError: not the day that comes next, no days left, an unknown client or action.
        """
        if day is not None and day != self.today:
            raise UsageError("world.day-order", day=day, expected=self.today)
        if self.t >= self.days:
            raise UsageError("world.days-over", days=self.days)
        clients, codes = self._chosen(actions)
        self._feel_others()
        return self._live(clients, codes)

    def pass_day(
        self,
        actions: tuple[Ints, Ints] | None = None,
        pressure: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Live one day as `step` does, but keep none of its events.

        Args:
            actions: places of clients and codes of actions.
            pressure: contagion that clients feel, float32 [n]; default: of who left before today.

        Raises:
            UsageError: no days left, an unknown client.
        """
        if self.t >= self.days:
            raise UsageError("world.days-over", days=self.days)
        clients, codes = self._chosen(actions)
        if pressure is None:
            self._feel_others()
        else:
            self.state["pressure"] = pressure
        self._live(clients, codes, quiet=True)

    def _live(self, clients: Ints, codes: Ints, *, quiet: bool = False) -> Day:
        n = len(self.state)
        made: list[Events] = []
        # Nothing can be done to who is not a client on the day.
        there = self.state["status"][clients] == OPEN
        clients, codes = clients[there], codes[there]
        for first in range(0, len(clients), BLOCK):
            part = slice(first, first + BLOCK)
            w = self._frame(0)
            act(w, self.people.person, self.state, clients[part], codes[part])
            made.append(_hand_over(w, quiet))
        blocks = [(low, min(low + BLOCK, n)) for low in range(0, n, BLOCK)]
        if self._cores == 1 or len(blocks) == 1:
            made += [self._block(0, low, high, quiet) for low, high in blocks]
        else:
            lanes = [blocks[k :: self._cores] for k in range(self._cores)]
            with ThreadPoolExecutor(self._cores) as pool:
                done = list(
                    pool.map(
                        lambda k: [
                            (low, self._block(k, low, high, quiet)) for low, high in lanes[k]
                        ],
                        range(self._cores),
                    )
                )
            made += [events for _, events in sorted((x for lane in done for x in lane), key=_low)]
        day = Day(self.t, self.market.start + self.t, _joined(made), clients, codes)
        left = self.state["left_day"] == day.day
        self._heat *= np.float32(np.exp(-1.0 / self.scenario.contagion.lately))
        self._heat[left] = 1.0
        self.t += 1
        return day

    def _block(self, lane: int, low: int, high: int, quiet: bool) -> Events:
        w = self._frame(lane)
        parts = []
        while low < high:
            low = int(live(w, self.people.person, self.state, low, high))
            parts.append(_hand_over(w, quiet))
        return _joined(parts)

    def _lane(self) -> Any:
        """A frame for one thread."""
        market = self.market
        lane = np.zeros(1, frame_type(self._p.dtype))[0]
        lane["p"], lane["key"], lane["choice"] = self._p, self._key, market.choice
        lane["money_fund"] = market.money_fund
        n = len(market.lot)
        for name, values in (
            ("lot", market.lot), ("matures", market.maturity)
        ):  # fmt: skip
            lane[name][:n] = values
        return lane

    def _frame(self, lane: int) -> Any:
        """The frame of a thread, set to today."""
        w, market, t = self._lanes[lane], self.market, self.t
        w["day"] = market.days[t]
        n = market.close.shape[1]
        w["price"][:n], w["before"][:n] = market.close[t], market.close[max(t - 1, 0)]
        return w

    def _feel_others(self) -> None:
        """Contagion of today, from who left before today."""
        self.state["pressure"] = pressure(self.people, self.state, self._heat, self.scenario)

    def _chosen(self, actions: Mapping[str, str] | tuple[Ints, Ints] | None) -> tuple[Ints, Ints]:
        if actions is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        if isinstance(actions, tuple):
            clients, codes = (np.ascontiguousarray(a, np.int64) for a in actions)
            unknown = (codes < 0) | (codes >= len(ACTIONS))
            if len(clients) != len(codes) or unknown.any():
                wrong_code = int(codes[unknown][0]) if unknown.any() else len(codes)
                raise UsageError("world.action-unknown", action=wrong_code, nearest="–")
            wrong = (clients < 0) | (clients >= len(self.state))
            if wrong.any():
                raise UsageError("world.client-unknown", client=int(clients[wrong][0]), nearest="–")
        else:
            clients = np.array([self._find(client) for client in actions], np.int64)
            codes = np.array([_action(name) for name in actions.values()], np.int64)
        order = np.argsort(clients, kind="stable")
        clients, codes = clients[order], codes[order]
        if (np.diff(clients) == 0).any():
            twice = int(clients[1:][np.diff(clients) == 0][0])
            raise UsageError("world.client-twice", client=str(self.people.ids[twice]))
        return clients, codes

    def _find(self, client: str) -> int:
        if self._place is None:
            ids = self.people.ids.to_pylist()
            self._place = {c: i for i, c in enumerate(ids)}
        if client not in self._place:
            raise UsageError(
                "world.client-unknown", client=client,
                nearest=nearest(client, list(self._place)[:10_000]) or "–",
            )  # fmt: skip
        return self._place[client]


def _low(pair: tuple[int, Events]) -> int:
    return pair[0]


def _action(name: str) -> int:
    if name not in ACTIONS:
        raise UsageError(
            "world.action-unknown", action=name, nearest=nearest(name, list(ACTIONS)) or "–"
        )
    return ACTIONS.index(name)


def _new_state(people: People) -> npt.NDArray[np.void]:
    state = np.zeros(len(people.person), CLIENT)
    state["status"], state["cause"], state["slot"] = UNOPENED, -1, -1
    for name in ("left_day", "first_large", "treated_day", "complaint_day", "exit_day"):
        state[name] = NEVER
    for name in ("manager", "adviser", "wecom"):
        state[name] = people.person[name]
    state["treated"] = -1
    # Nobody is in a burst of trading yet, and nobody has traded.
    state["burst_until"] = state["last_trade"] = -(2**30)
    return state


def departures(
    scenario: Scenario, people: People, start: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Which advisers leave the broker: the k-th departure takes the k-th by assets.

    Departures beyond the number of advisers do not happen, nor that of the last one.

    Returns:
        Day of leaving int32, how strongly it is felt float32, and the heir int32; [advisers] each.
    """
    staff, n = people.staff, people.staff.advisers
    day, hurt = np.full(n, NEVER, np.int32), np.zeros(n, np.float32)
    book = np.bincount(people.person["adviser"], people.person["assets"], n)
    stars = np.argsort(-book, kind="stable")
    events = [h for h in scenario.happenings if h.kind == "adviser_leaves"]
    for star, happening in zip(stars, events, strict=False):
        day[star], hurt[star] = start + happening.day, happening.strength
    heir = np.arange(n, dtype=np.int32)
    for adviser in np.flatnonzero(day != NEVER):
        stays = np.flatnonzero(day == NEVER)
        near = stays[staff.adviser_branch[stays] == staff.adviser_branch[adviser]]
        others = near if len(near) else stays
        heir[adviser] = others[0] if len(others) else adviser
    # The last one cannot leave: nobody is left to take over.
    day[heir == np.where(day != NEVER, np.arange(n), -1)] = NEVER
    return day, hurt, heir


def pressure(
    people: People, state: npt.NDArray[np.void], heat: npt.NDArray[np.float32], scenario: Scenario
) -> npt.NDArray[np.float32]:
    """Contagion on each client, float32 [n].

    Args:
        people: whose households, referrers and advisers count.
        state: for the adviser of today, and who is still there.
        heat: 1 for who left yesterday, fading with `contagion.lately`; float32 [n].
        scenario: gives the strengths.
    """
    c = scenario.contagion
    out = np.zeros(len(heat), np.float32)
    padded = np.append(heat, np.float32(0.0))
    if c.household:
        for k in range(MATES):
            out += np.float32(c.household) * padded[people.person["mates"][:, k]]
    if c.referrer:
        out += np.float32(c.referrer) * padded[people.person["referrer"]]
    if c.adviser:
        adviser = state["adviser"]
        n = people.staff.advisers
        hot = np.bincount(adviser, heat, n)
        book = np.bincount(adviser, state["status"] == OPEN, n) + hot
        out += np.float32(c.adviser) * (hot / np.maximum(book, 1.0)).astype(np.float32)[adviser]
    return out


def _hand_over(w: Any, quiet: bool) -> Events:
    events = {} if quiet else taken(w)
    w["count"][:] = 0
    return events


def _meet_advisers(
    state: npt.NDArray[np.void], scenario: Scenario, people: People, start: int
) -> None:
    """Give each client the numbers of her adviser and branch, where the kernels read them."""
    staff, adviser = people.staff, people.person["adviser"]
    day, hurt, heir = departures(scenario, people, start)
    state["skill"] = staff.adviser_skill[adviser]
    state["branch_wait"] = staff.branch_wait[people.person["branch"]]
    state["left_us"], state["left_hurt"] = day[adviser], hurt[adviser]
    state["heir"] = heir[adviser]
    state["heir_skill"] = staff.adviser_skill[heir[adviser]]


def _joined(parts: list[Events]) -> Events:
    """One array per kind, by client; what staff do comes first on its day."""
    if len(parts) == 1:
        return parts[0]
    out: Events = {}
    for name in EVENTS:
        found = [part[name] for part in parts if name in part]
        if not found:
            continue
        whole = np.concatenate(found)
        client = whole["client"]
        if len(found) > 1 and (np.diff(client) < 0).any():
            whole = whole[np.argsort(client, kind="stable")]
        out[name] = whole
    return out
