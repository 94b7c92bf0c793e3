"""A world as a folder: keepwell.yaml, a file per table and day, and the truth beside them.

    OUT/keepwell.yaml
    OUT/data/<table>/<YYYY-MM-DD>.parquet          one shard
    OUT/data/<table>/<YYYY-MM-DD>-<shard>.parquet  several
    OUT/truth/...                                  never named in keepwell.yaml

All of it is made in OUT.part and moved to OUT when it is whole. While a day is lived the day before
is written, so that no more than two days of events are in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from keepwell.core.errors import UsageError
from keepwell.core.version import __version__
from keepwell.observe.contract import TABLES
from keepwell.world.files import truth
from keepwell.world.files.daily import DayWriter
from keepwell.world.files.folder import WorldFolder
from keepwell.world.files.mapping import mapping_text
from keepwell.world.files.tables import ShardTables
from keepwell.world.outcomes import potential, potential_table
from keepwell.world.simulate import World
from keepwell.world.words import Words

if TYPE_CHECKING:
    from keepwell.world.market.draw import Market
    from keepwell.world.scenario import Scenario

SHARD = 300_000
"""Most clients that are simulated at a time."""

MARKER = Path("truth") / "world.json"
"""Says that a folder is a world of ours."""

DECIDED: Final = 180
"""Days between two days of decision, for which the truth keeps all potential outcomes."""

SOLVED: Final = 10
"""Days until everything that a day brings is known: no contact takes longer."""

HORIZON: Final = 90
"""Days that potential outcomes look ahead."""

POTENTIALS: Final = 20_000
"""Most clients of a shard whose potential outcomes are kept."""

Progress = Callable[[int, int, int], None]
"""Told (days written, days in all, rows so far); the days of every shard count."""

Policy = Callable[[World], Any]
"""Asked before each day what staff do on it: `actions` of `World.step`."""


@dataclass(frozen=True)
class Written:
    """What a world came to.

    Attributes:
        folder: where it is.
        rows: rows per table of the contract.
        truth: rows per table of the truth.
        seconds: how long it took.
    """

    folder: Path
    rows: dict[str, int]
    truth: dict[str, int]
    seconds: float


def write_world(
    scenario: Scenario,
    clients: int,
    days: int,
    seed: int,
    out: Path,
    start: date | None = None,
    progress: Progress | None = None,
    shard_size: int = SHARD,
    *,
    policy: Policy | None = None,
) -> Written:
    """Simulate a world and write it.

    Args:
        scenario: its parameters.
        clients: number of clients, newcomers included.
        days: number of days.
        seed: the same seed gives the same files, whatever the number of cores.
        out: folder; made if absent. A world that is there already is replaced, with the lake made
            of it.
        start: first day; default: the scenario's.
        progress: told how far it is.
        shard_size: most clients at a time.
        policy: what staff do; default: nothing beyond the usual.

    Raises:
        UsageError: `world.folder-taken` when the folder holds something else; `world.size-wrong`
            for numbers below 1; `world.end-future` when the world would end after today.
    """
    begun = time.monotonic()
    if start is not None:
        scenario = scenario.model_copy(update={"start": start})
    _check(scenario.start, clients, days, shard_size)
    target = out.absolute()
    part = _begin(target)
    shards = [min(shard_size, clients - low) for low in range(0, clients, shard_size)]
    folder = WorldFolder(part, many=len(shards) > 1)
    told = progress or _silent
    market: Market | None = None
    words = Words.make(seed)
    with ThreadPoolExecutor(1, "keepwell-world-write") as writer:
        for shard, size in enumerate(shards):
            world = World(scenario, seed, size, days, shard=shard, market=market)
            market = world.market
            tables = ShardTables(world.people, market, words, seed, market.start)
            before, total = shard * days, len(shards) * days
            files = DayWriter(folder, world, tables, True, writer)
            for done in _lived(world, files, policy):
                told(before + done, total, folder.total)
    folder.close(scenario.start)
    numbers = {"clients": clients, "days": days, "seed": seed, "shard_size": shard_size}
    _finish(folder, scenario, numbers, target)
    return Written(out, dict(folder.rows), dict(folder.truths), time.monotonic() - begun)


def _silent(done: int, days: int, rows: int) -> None:
    del done, days, rows


def _check(start: date, clients: int, days: int, shard_size: int) -> None:
    for name, value in (("clients", clients), ("days", days), ("shard_size", shard_size)):
        if value < 1:
            raise UsageError("world.size-wrong", name=name, value=value)
    # Rows of the last days become known later: a contact when it is solved.
    until = start + timedelta(days=days + SOLVED)
    # What lies in the future is refused by every ingest.
    if until > date.today():  # noqa: DTZ011 - a guard for people, a day more or less is no matter
        raise UsageError("world.end-future", until=until)


def _begin(out: Path) -> Path:
    """An empty OUT.part; the marker comes first, so that a killed run's rest is known as ours."""
    if out.exists() and not (out.is_dir() and ((out / MARKER).is_file() or not any(out.iterdir()))):
        raise UsageError("world.folder-taken", folder=out)
    part = out.with_name(out.name + ".part")
    if part.exists():
        if not (part / MARKER).is_file():
            raise UsageError("world.folder-taken", folder=part)
        shutil.rmtree(part)
    (part / MARKER).parent.mkdir(parents=True)
    (part / MARKER).write_text("{}\n", "utf-8")
    return part


def _finish(folder: WorldFolder, scenario: Scenario, numbers: dict[str, int], out: Path) -> None:
    part, days, seed = folder.root, numbers["days"], numbers["seed"]
    title = scenario.title
    text = mapping_text(title.en, title.zh, seed, scenario.start, days)
    (part / "keepwell.yaml").write_text(text, "utf-8")
    (part / "truth" / "scenario.yaml").write_text(scenario.dump(), "utf-8")
    about = {
        "keepwell": __version__,
        "scenario": title.en,
        "start": str(scenario.start),
        **numbers,
        "rows": {name: folder.rows[name] for name in TABLES},
        "truth": dict(sorted(folder.truths.items())),
    }
    (part / MARKER).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if out.exists():
        old = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        out.rename(old)
        part.rename(out)
        shutil.rmtree(old)
    else:
        part.rename(out)


def _lived(world: World, files: DayWriter, policy: Policy | None) -> Iterator[int]:
    """Live all days, and tell how many are written; while one is lived, the last is written."""
    for t in range(world.days):
        if t and t % DECIDED == 0 and t + HORIZON <= world.days:
            outcomes = potential(world, HORIZON, first=POTENTIALS)
            files.folder.tell("potential", potential_table(world, outcomes))
        files.add(world.step(actions=policy(world) if policy else None))
        if t:
            yield t
    files.wait()
    clients = truth.clients(world.people, files.tables.names, world.state)
    files.folder.tell("clients", clients)
    yield world.days
