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
    """A world, its engine, and what the oracle says at each of its instants."""

    world: World
    engine: LocalEngine
    answers: dict[datetime, Answer]

    def _compute(self, t: datetime, indicators: list[Any] | None) -> Any:
        return self.engine.compute(t, indicators=indicators, min_peers=LEAST)

    def found(self, indicators: list[Any] | None = None) -> set[str]:
        """Indicators on which engine and oracle part, at any instant."""
        names: set[str] = set()
        for t, answer in self.answers.items():
            names |= set(differences(self._compute(t, indicators), answer))
        return names


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Two whole worlds, one as it comes, two of a single table; engine and oracle agree on all."""
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
        workspace = lake_world(world, tmp_path_factory.mktemp("world"))
        oracle = Oracle(world)
        times = world.as_ofs if len(world.tables) > 1 else world.as_ofs[:1]
        case = Case(world, LocalEngine.open(workspace), {t: oracle.at(t) for t in times})
        assert not case.found()
        made.append(case)
    return made


def broken(change: Callable[[Any], Any]) -> list[Any]:
    """Every indicator of the catalogue with its result changed."""
    return [
        dataclasses.replace(item, function=lambda w, f=item.function: change(np.array(f(w))))
        for item in INDICATORS.values()
    ]


def missed(cases: list[Case], indicators: list[Any]) -> list[str]:
    """Indicators whose fault no case shows."""
    return sorted(set(INDICATORS).difference(*(case.found(indicators) for case in cases)))


def test_a_slightly_wrong_number_is_found(cases: list[Case]):
    assert missed(cases, broken(lambda x: x * (1 + 1e-8) + 1e-8)) == []


def test_absent_shown_as_zero_is_found(cases: list[Case]):
    assert missed(cases, broken(np.nan_to_num)) == []


def test_a_number_shown_as_absent_is_found(cases: list[Case]):
    def drop_last(x: Any) -> Any:
        told = np.flatnonzero(~np.isnan(x))
        x[told[-1:]] = np.nan
        return x

    assert missed(cases, broken(drop_last)) == []


def test_another_clients_number_is_found(cases: list[Case]):
    assert missed(cases, broken(lambda x: np.roll(x, 1))) == sorted(MARKET_ONLY)


@pytest.mark.parametrize("step", [-DAY, DAY], ids=["a day early", "a day late"])
def test_windows_that_are_a_day_off_are_found(cases: list[Case], step: timedelta):
    found: set[str] = set()
    for case in cases:
        for t, answer in case.answers.items():
            found |= parted(case.engine, t + step, answer)
    assert sorted(set(INDICATORS) - found) == []


def parted(engine: LocalEngine, t: datetime, answer: Answer) -> set[str]:
    """Indicators on which the engine at ``t`` and an answer part, over the clients both know."""
    clients = sorted(set(engine.clients(t)) & set(answer.clients))
    rows = [answer.clients.index(client) for client in clients]
    values = {name: column[rows] for name, column in answer.values.items()}
    frame = engine.compute(t, clients=clients, min_peers=LEAST)
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
        values = [change(at) for at in table.column("at").to_pylist()]
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
    found: set[str] = set()
    for number, case in enumerate(cases[:3] if alter in TIMELESS else cases[:2]):
        t = case.world.as_ofs[min(1 + number, 2)]
        folder = tmp_path / f"{number}"
        folder.mkdir()
        engine = LocalEngine.open(lake_world(alter(case.world, t), folder))
        times = case.answers if alter in TIMELESS else [t]
        for time in times:
            found |= parted(engine, time, case.answers[time])
    assert sorted(expected - found) == []
    assert found
