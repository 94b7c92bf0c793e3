"""Days of a world written while the next ones are lived: by `write_world`, and by a living world.

A living world writes its files bit by bit beside a keepwell.yaml, as a broker's systems deliver
them: what was delivered since the last ingest lies in data/, and is put away when it is read.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from keepwell.observe.contract import TABLES
from keepwell.world.files import truth
from keepwell.world.files.folder import WorldFolder, file_schema, write_file
from keepwell.world.files.mapping import mapping_text
from keepwell.world.files.tables import ShardTables, Snapshot, snapshot
from keepwell.world.market.tables import market_tables
from keepwell.world.words import Words

if TYPE_CHECKING:
    from keepwell.world.simulate import Day, World

ENOUGH: Final = 200_000
"""Rows of a table that are worth a file."""

PAST: Final = "past"
"""Folder of the files that were read."""


@dataclass
class DayWriter:
    """Writes the days of one shard; a day is written while the next one is lived.

    Attributes:
        folder: where.
        world: whose days; all in their order.
        tables: makes the rows.
        truth: whether to write the truth as well.
        writer: the thread that writes.
    """

    folder: WorldFolder
    world: World
    tables: ShardTables
    truth: bool
    writer: ThreadPoolExecutor
    _pending: Future[None] | None = field(default=None, init=False)

    def add(self, day: Day) -> None:
        """Write the day that was lived last, when the one before is written."""
        shot = snapshot(day.day, day.t, day.events, self.world.state)
        self.wait()
        self._pending = self.writer.submit(self._write, day, shot)

    def wait(self) -> None:
        """Wait until all days are written."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _write(self, day: Day, shot: Snapshot) -> None:
        names, shard = self.tables.names, self.world.people.shard
        made = self.tables.day(shot)
        for name, table in made.items():
            self.folder.add(name, table, day.day, shard)
        if shard == 0:
            for name, table in market_tables(self.world.market, day.t).items():
                if table.num_rows:
                    self.folder.add(name, table, day.day, None)
        if self.truth:
            self.folder.tell("steps", truth.steps(names, shot.events["step"], day.day))
            self.folder.tell("texts", truth.texts(names, shot.events, made))
            treated = truth.treatments(names, day.day, day.clients, day.actions)
            self.folder.tell("treatments", treated)


@dataclass
class _Batches(WorldFolder):
    """Files of many days: to open a file a day and table would cost more than what is in it."""

    waiting: dict[str, list[pa.Table]] = field(default_factory=dict)
    written: int = 0

    def add(self, name: str, table: pa.Table, day: int, shard: int | None) -> None:
        """Keep a day of a table until there is enough of it."""
        del day, shard
        held = self.waiting.setdefault(name, [])
        held.append(table)
        self.rows[name] += table.num_rows
        if sum(one.num_rows for one in held) >= ENOUGH:
            self._write(name)

    def flush(self) -> None:
        """Write what waits."""
        for name in list(self.waiting):
            self._write(name)

    def _write(self, name: str) -> None:
        table = pa.concat_tables(self.waiting.pop(name), promote_options="permissive")
        self.written += 1
        write_file(table, self.root / "data" / name / f"{self.written:06d}.parquet")


class LivingWorld:
    """A world whose files are written as it is lived, for a workspace that reads them as it goes.

    Args:
        world: lived from its first day on by `step`; of one shard.
        root: the workspace's folder; must not be there yet.
        truth: whether the truth is written beside.

    Attributes:
        world: as given.
        root: as given.
    """

    def __init__(self, world: World, root: Path, *, truth: bool = True) -> None:
        words = Words.make(world.seed)
        tables = ShardTables(world.people, world.market, words, world.seed, world.market.start)
        self._begin(world, root, tables, truth)
        title = world.scenario.title
        text = mapping_text(title.en, title.zh, world.seed, world.scenario.start, world.days)
        (root / "keepwell.yaml").write_text(text, "utf-8")

    def _begin(self, world: World, root: Path, tables: ShardTables, truth: bool) -> None:
        self.world, self.root = world, root
        root.mkdir(parents=True, exist_ok=True)
        (root / "truth").mkdir(exist_ok=True)
        self._tables = tables
        self._batches = _Batches(root, many=False)
        self._files = DayWriter(
            self._batches, world, tables, truth,
            ThreadPoolExecutor(1, "keepwell-world-write"),
        )  # fmt: skip

    def copy(self, root: Path) -> LivingWorld:
        """The same world to be lived on differently; without the truth.

        Args:
            root: folder of the copy; must not be there yet. Only the mapping is copied to it: what
                was read so far is the caller's to bring there.
        """
        self._files.wait()
        other = copy(self)
        other._begin(self.world.copy(), root, self._tables.copy(), truth=False)
        shutil.copy(self.root / "keepwell.yaml", root)
        return other

    def step(self, actions: Any = None) -> Day:
        """Live a day and write it; arguments and errors as of `World.step`."""
        day = self.world.step(actions=actions)
        self._files.add(day)
        return day

    def delivered(self) -> None:
        """See to it that all that was lived lies in data/; a table without news gets no row."""
        self._files.wait()
        self._batches.flush()
        for name in TABLES:
            folder = self.root / "data" / name
            if not any(folder.iterdir()):
                write_file(file_schema(name).empty_table(), folder / "none.parquet")

    def put_away(self, *, keep: bool = True) -> None:
        """Take what was read out of data/.

        Args:
            keep: into past/, from where it can be read again; else it is deleted.
        """
        for name in TABLES:
            for file in (self.root / "data" / name).iterdir():
                if keep and file.stem != "none":
                    into = self.root / PAST / name
                    into.mkdir(parents=True, exist_ok=True)
                    file.rename(into / file.name)
                else:
                    file.unlink()

    def close(self) -> None:
        """End the truth's files."""
        self._files.wait()
        self._files.writer.shutdown()
        if self._files.truth:
            people, names = self.world.people, self._tables.names
            self._files.folder.tell("clients", truth.clients(people, names, self.world.state))
        for stream in self._files.folder.streams.values():
            stream.close()
