"""Watching a world live, so that it can be compared with what is known of real brokers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from keepwell.world.people.draw import People
from keepwell.world.simulate import Day, World
from keepwell.world.state import SLOTS
from keepwell.world.terms import ANOMALY, NONE, OPEN, STAGED

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

YEAR: Final = 365
HALF: Final = 182
"""Days between the looks at what clients hold."""


def groups_of(people: People) -> dict[str, Flags]:
    """Masks of the parts of the book that the source gives figures of, by name; [n] each.

    Args:
        people: ages are those at the start, assets those brought in.
    """
    age, assets = people.person["age"], people.person["assets"]
    large_city = people.person["city_tier"] <= 2
    return {
        "aged 25-35": (age >= 25) & (age < 36),
        "aged 36-45": (age >= 36) & (age < 46),
        "other ages": (age < 25) | (age >= 46),
        "assets below 100k": assets < 1e5,
        "assets 100-500k": (assets >= 1e5) & (assets < 5e5),
        "assets above 500k": assets >= 5e5,
        "city tiers 1-2": large_city,
        "city tiers 3-4": ~large_city,
    }


@dataclass
class Habit:
    """What clients did while in no stage, and while in the anomaly stage of the staged path.

    `days` are weighed with that day's mean of clients in no stage, so that a busy market counts
    for neither.

    Attributes:
        trades: number of trades [n].
        commission: paid, fen [n].
        days: market-weighed days [n].
    """

    trades: Ints
    commission: Ints
    days: Floats

    @classmethod
    def empty(cls, n: int) -> Habit:
        """Nothing seen yet of n clients."""
        return cls(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n))

    def add(self, who: Flags, trades: Ints, commission: Ints, weight: float) -> None:
        """A day of the clients of a mask."""
        self.trades += trades * who
        self.commission += commission * who
        self.days += weight * who


@dataclass
class Held:
    """What clients held at one close.

    Attributes:
        t: days since the start.
        positions: number of instruments held [n].
        top: share of the largest of them [n]; NaN for who holds nothing.
    """

    t: int
    positions: Ints
    top: Floats


@dataclass
class Lived:
    """What was seen of a world.

    Attributes:
        people: who the clients are.
        start: day number of t = 0.
        days: days seen.
        open: open accounts on each day, whole and by group of `groups_of`; [days].
        step_day: t of each step from stage to stage [steps].
        steps: records of `state.EVENTS["step"]`, by time [steps].
        calm: trading in no stage.
        anomaly: trading in the anomaly stage of the staged path.
        trade_day, trade_client, trade_amount: t, client and fen of each trade.
        held: looks at the positions, every half-year.
        contacts: number of contacts, of those above the tolerated time, and of those above 48 h.
    """

    people: People
    start: int
    days: int
    open: dict[str, Ints]
    step_day: Ints
    steps: NDArray[Any]
    calm: Habit
    anomaly: Habit
    trade_day: Ints
    trade_client: Ints
    trade_amount: Ints
    held: list[Held]
    contacts: tuple[int, int, int]


@dataclass
class Watch:
    """Collects while a world lives; call `see` with each day right after its step.

    Attributes:
        world: the world that lives.
    """

    world: World
    _open: dict[str, list[int]] = field(default_factory=dict)
    _steps: list[tuple[int, NDArray[Any]]] = field(default_factory=list)
    _trades: list[tuple[int, Ints, Ints]] = field(default_factory=list)
    _held: list[Held] = field(default_factory=list)
    _contacts: list[int] = field(default_factory=lambda: [0, 0, 0])

    def __post_init__(self) -> None:
        n = len(self.world.state)
        self._groups = groups_of(self.world.people)
        self._calm, self._anomaly = Habit.empty(n), Habit.empty(n)

    def see(self, day: Day) -> None:
        """Take note of a day."""
        state = self.world.state
        there = state["status"] == OPEN
        self._open.setdefault("all", []).append(int(there.sum()))
        for name, mask in self._groups.items():
            self._open.setdefault(name, []).append(int((there & mask).sum()))
        # On day 0 the steps tell who was on the way before: no spell begins.
        if "step" in day.events and day.t > 0:
            self._steps.append((day.t, day.events["step"]))
        if "trade" in day.events:
            self._see_trades(day, there)
        if "contact" in day.events:
            hours = day.events["contact"]["resolve"] / 3600.0
            limits = (0.0, self.world.scenario.experience.tolerated_hours, 48.0)
            for k, limit in enumerate(limits):
                self._contacts[k] += int((hours >= limit).sum())
        if day.t % HALF == 0:
            self._held.append(self._look(day.t))

    def _see_trades(self, day: Day, there: Flags) -> None:
        trade, state = day.events["trade"], self.world.state
        n = len(state)
        self._trades.append((day.t, trade["client"].astype(np.int64), trade["amount"].copy()))
        if not self.world.market.days["trading"][day.t]:
            return
        count = np.bincount(trade["client"], minlength=n)
        paid = np.bincount(trade["client"], trade["commission"], n).astype(np.int64)
        calm = there & (state["stage"] == NONE)
        odd = there & (state["stage"] == ANOMALY) & (state["path"] == STAGED)
        weight = float(count[calm].mean()) if calm.any() else 0.0
        self._calm.add(calm, count, paid, weight)
        self._anomaly.add(odd, count, paid, weight)

    def _look(self, t: int) -> Held:
        state, close = self.world.state, self.world.market.close[t]
        value = np.zeros((len(state), SLOTS))
        full = (state["slot"] >= 0) & (state["quantity"] > 0)
        value[full] = state["quantity"][full] * close[state["slot"][full]]
        total = value.sum(axis=1)
        top = np.divide(
            value.max(axis=1), total, out=np.full(len(state), np.nan), where=total > 0.0
        )
        return Held(t, full.sum(axis=1), top)

    def lived(self) -> Lived:
        """All that was seen."""
        sizes = [len(records) for _, records in self._steps]
        days = [t for t, _ in self._steps]
        bought = [len(clients) for _, clients, _ in self._trades]
        return Lived(
            people=self.world.people,
            start=self.world.market.start,
            days=len(self._open.get("all", [])),
            open={name: np.array(counts) for name, counts in self._open.items()},
            step_day=np.repeat(np.array(days, np.int64), sizes),
            steps=np.concatenate([records for _, records in self._steps]),
            calm=self._calm,
            anomaly=self._anomaly,
            trade_day=np.repeat(np.array([t for t, _, _ in self._trades], np.int64), bought),
            trade_client=np.concatenate([clients for _, clients, _ in self._trades]),
            trade_amount=np.concatenate([amounts for _, _, amounts in self._trades]),
            held=self._held,
            contacts=(self._contacts[0], self._contacts[1], self._contacts[2]),
        )


def live(world: World, days: int) -> Lived:
    """Let a world live, undisturbed, and watch it.

    Args:
        world: at its beginning.
        days: how many to live; a year and half of another are needed for all facts.
    """
    watch = Watch(world)
    for _ in range(days):
        watch.see(world.step())
    return watch.lived()
