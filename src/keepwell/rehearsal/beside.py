"""Futures beside the desk's: rivals, and the world left alone, each lived a step behind it.

They need what the desk's staff did because it was owed, and nothing else of the desk, so that one
thread lives them while the desk lives its next step.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future as Pending
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType

from keepwell.learn.run import RunResult
from keepwell.rehearsal.future import Future
from keepwell.rehearsal.plan import KEEPWELL, Plan, Step
from keepwell.rehearsal.rivals import Flags, Rival, Service
from keepwell.rehearsal.truth import Tally
from keepwell.rehearsal.verdict import Verdict, estimate, judge
from keepwell.world.simulate import World

NOBODY = "nobody"


@dataclass
class Beside:
    """What is lived beside the desk; ends its thread and removes its folders at the end.

    Attributes:
        plan: of the rehearsal.
        branches: futures of the rivals, by name.
        alone: the world in which nobody is called to keep them.
        service: what was owed and done, as the desk's staff go on.
        first: the run before the loop.
    """

    plan: Plan
    branches: Mapping[str, Future]
    alone: World
    service: Service
    first: RunResult
    _rivals: list[Rival] = field(default_factory=list)
    _lived: list[tuple[str, Step, Pending[None]]] = field(default_factory=list)

    @classmethod
    def of(cls, plan: Plan, future: Future, service: Service, first: RunResult) -> Beside:
        """Branch off from a future, before it lives on."""
        root: Path = future.living.root
        branches = {
            name: future.branch(root.with_name(f"{root.name}.{name}.part"))
            for name in plan.policies if name != KEEPWELL
        }  # fmt: skip
        return cls(plan, branches, future.living.world.copy(), service, first)

    def __post_init__(self) -> None:
        self._tally = Tally.begin(self.alone)
        self._pool = ThreadPoolExecutor(1, "keepwell-rivals")
        # The desk lets go of the interpreter at each of its many statements, and would wait long
        # to have it back.
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(self._interval / 20)

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._interval)
        for branch in self.branches.values():
            branch.living.close()
            shutil.rmtree(branch.living.root)

    def step(self, step: Step, contact: Flags) -> None:
        """Live a step of every future; the desk has lived it.

        Args:
            step: which.
            contact: who may be called; the same at each step.
        """
        if not self._rivals:
            self._rivals = [
                Rival(self.plan, branch, name, contact, self.service, self.first)
                for name, branch in self.branches.items()
            ]
        self._lived.append((NOBODY, step, self._pool.submit(self._leave_alone, step)))
        for rival in self._rivals:
            self._lived.append((rival.name, step, self._pool.submit(rival.step, step)))

    def wait(self, tell: Callable[[str, Step], None]) -> None:
        """Wait until all that was begun is lived; what failed fails here."""
        for name, step, pending in self._lived:
            pending.result()
            tell(name, step)

    def verdicts(self, arms: tuple[Flags, Flags], until: datetime) -> list[Verdict]:
        """End all futures and judge the rivals.

        Args:
            arms: in contact, and held out; by place.
            until: the end.
        """
        found = []
        for rival in self._rivals:
            branch = rival.future
            branch.end()
            engine = branch.read(keep=False)
            measures = estimate(branch, engine, arms, self.first.ranking, until)
            found.append(judge(rival.name, branch, self.baseline, arms, rival.spent, measures))
        return found

    @property
    def baseline(self) -> Tally:
        """The truth of the world left alone, once it is lived."""
        if self._tally.status is None:
            self._tally.end()
        return self._tally

    def _leave_alone(self, step: Step) -> None:
        """Staff do what they owe, and nothing to keep anybody."""
        for day in range(step.first, step.first + step.days):
            self._tally.add(self.alone.step(actions=self.service.on(day)))
