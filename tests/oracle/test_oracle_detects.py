"""Breaking any indicator makes the comparison with the oracle fail.

Each test breaks every indicator of the catalogue in one way and asserts that the comparison of
:mod:`tests.oracle.compare` names each of them on at least one world. An indicator whose values were
the same for everyone, or never absent, or never at a window's edge, would slip through: then the
worlds have to become more varied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators.registry import INDICATORS

from .compare import differences
from .load import lake_world
from .sql import Answer, Oracle
from .sql_peers import LEAST
from .views import EVENTS
from .world import MICRO, World, draw_world, local_day

DAY = timedelta(days=1)
AROUND = {"index_price", "news", "outage"}
MARKET_ONLY = {name for name, item in INDICATORS.items() if set(item.sources) <= AROUND}


@dataclasses.dataclass
class Case:
    """A world, its engine, and what the oracle says at its instants, asked when it is needed."""

    world: World
    engine: LocalEngine
    oracle: Oracle
    times: list[datetime]
    told: dict[datetime, Answer] = dataclasses.field(default_factory=dict)

    def answer(self, t: datetime) -> Answer:
        """What the oracle says at an instant, with which the engine as it is agrees."""
        if t not in self.told:
            self.told[t] = self.oracle.at(t)
            assert not differences(self.engine.compute(t, min_peers=LEAST), self.told[t])
        return self.told[t]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Two whole worlds, one as it comes, two of a single table."""
    lone = draw_world(6, clients=6, whole=True)
    worlds = [
        draw_world(14, clients=60, whole=True),
        draw_world(5, clients=60, whole=True),
        draw_world(3),
        *(
            lone.replace(tables=dict.fromkeys(set(lone.tables) - {only}))
            for only in ("trade", "session")
        ),
    ]
    made = []
    for world in worlds:
        engine = LocalEngine.open(lake_world(world, tmp_path_factory.mktemp("world")))
        times = world.as_ofs if len(world.tables) > 1 else world.as_ofs[:1]
        made.append(Case(world, engine, Oracle(world), list(times)))
    return made


def looks(cases: list[Case]) -> list[tuple[Case, datetime]]:
    return [(case, t) for case in cases for t in case.times]


def missed(cases: list[Case], change: Callable[[Any], Any]) -> list[str]:
    """Indicators whose changed result no case shows at any of its instants."""
    left = {
        name: dataclasses.replace(item, function=lambda w, f=item.function: change(np.array(f(w))))
        for name, item in INDICATORS.items()
    }
    for case, t in looks(cases):
        if left:
            frame = case.engine.compute(t, indicators=list(left.values()), min_peers=LEAST)
            for name in differences(frame, case.answer(t)):
                del left[name]
    return sorted(left)


def test_a_slightly_wrong_number_is_found(cases: list[Case]):
    assert missed(cases, lambda x: x * (1 + 1e-8) + 1e-8) == []


def test_absent_shown_as_zero_is_found(cases: list[Case]):
    assert missed(cases, np.nan_to_num) == []


def test_a_number_shown_as_absent_is_found(cases: list[Case]):
    def drop_last(x: Any) -> Any:
        told = np.flatnonzero(~np.isnan(x))
        x[told[-1:]] = np.nan
        return x

    assert missed(cases, drop_last) == []


def test_another_clients_number_is_found(cases: list[Case]):
    assert missed(cases, lambda x: np.roll(x, 1)) == sorted(MARKET_ONLY)


@pytest.mark.parametrize("step", [-DAY, DAY], ids=["a day early", "a day late"])
def test_windows_that_are_a_day_off_are_found(cases: list[Case], step: timedelta):
    left = set(INDICATORS)
    for case, t in looks(cases):
        if left:
            left -= parted(case.engine, t + step, case.answer(t), left)
    assert sorted(left) == []


def parted(engine: LocalEngine, t: datetime, answer: Answer, names: set[str]) -> set[str]:
    """Indicators on which the engine at ``t`` and an answer part, over the clients both know."""
    clients = sorted(set(engine.clients(t)) & set(answer.clients))
    rows = [answer.clients.index(client) for client in clients]
    values = {name: column[rows] for name, column in answer.values.items()}
    frame = engine.compute(t, clients, indicators=sorted(names), min_peers=LEAST)
    return set(differences(frame, Answer(clients, values)))


def known_at_once(world: World, t: datetime) -> World:
    """What an engine would see that forgot ``known_at``: everything known when it happened."""

    def at_once(table: pa.Table) -> pa.Table:
        first = pa.scalar(t - timedelta(days=3000), pa.timestamp("us", "UTC"))
        index = table.schema.get_field_index("known_at")
        return table.set_column(index, "known_at", pa.repeat(first, table.num_rows))

    return world.replace(tables={name: at_once(table) for name, table in world.tables.items()})


def first_revisions(world: World, t: datetime) -> World:
    """What an engine would see that forgot corrections."""
    kept = {n: x.filter(pc.equal(x.column("revision"), 0)) for n, x in world.tables.items()}
    return world.replace(tables=kept)


def edges_moved(world: World, t: datetime) -> World:
    """What an engine would see whose windows begin a day late: facts on the first day moved out."""
    d = local_day(t, world.zone)
    firsts = {d - w for w in (7, 30, 90, 180, 365, 366)}

    def moved(at: datetime) -> datetime:
        return at - 2 * DAY if local_day(at, world.zone) in firsts else at

    return _with_instants(world, moved)


def as_of_included(world: World, t: datetime) -> World:
    """What an engine would see that counts facts at as_of itself."""
    return _with_instants(world, lambda at: at - MICRO if at == t else at)


def _with_instants(world: World, change: Callable[[datetime], datetime]) -> World:
    tables = {}
    for name in EVENTS:
        table = world.tables[name]
        values = [at and change(at) for at in table.column("at").to_pylist()]
        index = table.schema.get_field_index("at")
        tables[name] = table.set_column(index, "at", pa.array(values, pa.timestamp("us", "UTC")))
    return world.replace(tables=tables)


TIMELESS = (known_at_once, first_revisions)
"""Alterations that do not depend on the instant looked at."""


def windowed(*sources: str) -> set[str]:
    """Indicators over windows of event tables, by the catalogue's text.

    Of the first list only: rows of the rarer tables seldom lie on the first day of a window, and
    it is the same kernel that adds them up.
    """
    return {
        name
        for name, item in INDICATORS.items()
        if item.input_list == 1
        and "window of" in item.definition
        and set(item.sources) & set(sources)
    }


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (known_at_once, set(INDICATORS)),
        # A subscription's instant is part of its key: no correction can move it.
        (first_revisions, set(INDICATORS) - {"days_since_subscription"}),
        (edges_moved, windowed(*EVENTS)),
        (as_of_included, {"trade_count_7d", "login_count_7d"}),
    ],
)
def test_a_kernel_that_forgets_a_rule_is_found(
    cases: list[Case],
    alter: Callable[[World, datetime], World],
    expected: set[str],
    tmp_path: Path,
):
    """The engine runs on altered data: what it would see if it ignored one rule of time."""
    left = set(expected)
    for number, case in enumerate(cases[:3] if alter in TIMELESS else cases[:2]):
        if not left:
            break
        t = case.world.as_ofs[min(1 + number, 2)]
        folder = tmp_path / f"{number}"
        folder.mkdir()
        engine = LocalEngine.open(lake_world(alter(case.world, t), folder))
        for time in case.times if alter in TIMELESS else [t]:
            left -= parted(engine, time, case.answer(time), left) if left else set()
    assert sorted(left) == []
