"""The same staff without keepwell: calling by risk alone, or at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from keepwell.learn.ranking import Ranking, rank
from keepwell.rehearsal.future import Future
from keepwell.rehearsal.plan import RISK, Plan, Step
from keepwell.world.terms import FIRST_ACTION, MANAGER_CALL, OPEN

if TYPE_CHECKING:
    from keepwell.learn.run import RunResult

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MINUTES: Final = 15
"""A manager's call takes as long as keepwell's service call."""

REST: Final = 90
"""Days within which nobody is called twice."""

LONG_AGO: Final = -(10**6)


@dataclass(frozen=True)
class Service:
    """What staff owe whatever the policy, as keepwell's staff did it: it is the law.

    Attributes:
        deeds: day number -> places of clients and codes of actions.
        minutes: step -> manager -> minutes that it took.
    """

    deeds: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)
    minutes: dict[int, dict[int, int]] = field(default_factory=dict)

    def on(self, day: int) -> tuple[Ints, Ints]:
        """What was owed on a day."""
        none = np.zeros(0, np.int64)
        return self.deeds.get(day, (none, none))


@dataclass
class Spent:
    """What a policy took.

    Attributes:
        contacts: with clients, to keep them.
        minutes: for them.
        services: owed to clients, and their minutes.
        service_minutes: minutes for what is owed.
        refusing: contacts with clients who had refused them, which the law forbids.
    """

    contacts: int = 0
    minutes: int = 0
    services: int = 0
    service_minutes: int = 0
    refusing: int = 0


@dataclass
class Rival:
    """Staff who call, each their own clients, as many as their time allows.

    Attributes:
        plan: of the rehearsal.
        future: in which they work.
        name: 'risk' or 'random'.
        contact: who may be called: not in the hold-out; bool [clients].
        service: what is owed.
        trained: the result of the run before the loop, for its model.
    """

    plan: Plan
    future: Future
    name: str
    contact: Flags
    service: Service
    trained: RunResult
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        n = len(self.future.living.world.state)
        self._called = np.full(n, LONG_AGO, np.int64)
        self._refused = np.zeros(n, np.bool_)
        self._unwilling = self.future.living.world.people.person["marketing"] == 0
        self._luck = np.random.default_rng([self.plan.seed, 3])

    def step(self, step: Step) -> None:
        """Live one step: choose whom to call, and call them on its working days."""
        calls = self._calls(step)
        for day in range(step.first, step.first + step.days):
            owed, codes = self.service.on(day)
            today = np.setdiff1d(calls.get(day, np.zeros(0, np.int64)), owed)
            everybody = np.concatenate([owed, today])
            what = np.concatenate([codes, np.full(len(today), MANAGER_CALL, np.int64)])
            lived = self.future.live((everybody, what))
            self._called[today] = day
            self.spent.contacts += len(today)
            self.spent.refusing += int(self._unwilling[today].sum())
            self.spent.minutes += MINUTES * len(today)
            touched = lived.events.get("touch")
            if touched is not None:
                said_no = (touched["campaign"] >= FIRST_ACTION) & (touched["refused"] != 0)
                self._refused[touched["client"][said_no]] = True

    def _calls(self, step: Step) -> dict[int, Ints]:
        """Day -> whom to call."""
        world = self.future.living.world
        order = self._ranked(step)
        may = (
            self.contact & (world.state["status"] == OPEN) & ~self._refused
            & (self._called <= step.first - REST)
        )  # fmt: skip
        order = order[may[order]]
        manager = world.state["manager"][order]
        spent = self.service.minutes.get(step.number, {})
        whole = self.plan.minutes * step.days // 7
        days = step.working
        out: dict[int, list[int]] = {day: [] for day in days}
        taken: dict[int, int] = {}
        for client, boss in zip(order.tolist(), manager.tolist(), strict=True):
            number = taken.get(boss, 0)
            room = (whole - spent.get(boss, 0)) // MINUTES
            if number < room:
                out[days[(number * len(days)) // room]].append(client)
                taken[boss] = number + 1
        return {day: np.array(clients, np.int64) for day, clients in out.items() if clients}

    def _ranked(self, step: Step) -> Ints:
        """Clients in the order in which they are called."""
        if self.name != RISK:
            return self._luck.permutation(len(self._called)).astype(np.int64)
        ranking = self._scores(step)
        return self.future.places([ranking.clients[i] for i in ranking.order()])

    def _scores(self, step: Step) -> Ranking:
        """What this future's own data say, by the same model."""
        if not step.number:
            return self.trained.ranking
        engine = self.future.read(keep=False)
        version = self.trained.version
        return rank(engine, version.trained, version.definition, self.future.morning(step.first), 0)
