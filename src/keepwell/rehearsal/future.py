"""One future of a broker: a living world, the workspace that reads it, and the truth of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import midnight
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from keepwell.rehearsal.truth import Tally
from keepwell.world.files.daily import LivingWorld
from keepwell.world.simulate import Day

Ints = npt.NDArray[np.int64]

NOBODY: Final = (np.zeros(0, np.int64), np.zeros(0, np.int64))

_LINKED: Final = frozenset({".parquet", ".npy", ".bin"})
"""Files that are never changed in place."""


@dataclass
class Future:
    """A broker that lives on.

    Attributes:
        living: the world with its files.
        workspace: reads them.
        tally: the truth, from the loop's beginning on.
    """

    living: LivingWorld
    workspace: Workspace
    tally: Tally | None = None
    place: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, living: LivingWorld) -> Future:
        """A future of its own workspace."""
        ids = living.world.people.ids.to_pylist()
        place = {client: i for i, client in enumerate(ids)}
        return cls(living, Workspace.open(living.root), place=place)

    def branch(self, root: Path) -> Future:
        """Another future of the same broker from today on, with a copy of what is known so far.

        Args:
            root: the new workspace's folder; must not be there yet.
        """
        other = self.living.copy(root)
        for name in ("lake", "tiles"):
            _copy(self.workspace.state / name, root / ".keepwell" / name)
        made = Future(other, Workspace.open(root), None, self.place)
        made.begin()
        return made

    def begin(self) -> None:
        """Count the truth from now on."""
        self.tally = Tally.begin(self.living.world)

    @property
    def today(self) -> int:
        """Number of the day that is lived next."""
        return self.living.world.market.start + self.living.world.t

    def live(self, actions: tuple[Ints, Ints] = NOBODY) -> Day:
        """Live a day on which staff do this."""
        day = self.living.step(actions)
        if self.tally is not None and self.tally.status is None:
            self.tally.add(day)
        return day

    def end(self) -> None:
        """Count the truth no longer, and live a day more: only then all is known of the last."""
        if self.tally is not None:
            self.tally.end()
        self.live()

    def read(self, *, keep: bool = True) -> Engine:
        """Read what was delivered since the last time into the lake.

        Args:
            keep: the files, for another time.
        """
        self.living.delivered()
        ingest(self.workspace)
        self.living.put_away(keep=keep)
        return LocalEngine.open(self.workspace)

    def morning(self, day: int) -> datetime:
        """The instant at which a day begins."""
        return midnight(day, self.workspace.zone)

    def places(self, clients: Sequence[str]) -> Ints:
        """Places of clients in the world, by id; int64."""
        return np.array([self.place[client] for client in clients], np.int64)


def _copy(from_: Path, to: Path) -> None:
    """Copy a folder of data; large files that never change are only linked."""

    def one(source: str, target: str) -> str:
        if Path(source).suffix in _LINKED:
            os.link(source, target)
        else:
            shutil.copy2(source, target)
        return target

    shutil.copytree(from_, to, copy_function=one)
