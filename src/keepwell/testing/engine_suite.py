"""What every engine must do: the answers of the local engine, to the last bit.

In a test module::

    from keepwell.testing.engine_suite import EngineSuite

    class TestMine(EngineSuite):
        @pytest.fixture
        def pair(self):
            return LocalEngine.open(workspace), MyEngine.open(workspace), [midnight, ...]

The workspace should hold what is awkward: corrections, deletions, ties between clients, peers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import numpy as np

from keepwell.core.errors import KeepwellError
from keepwell.observe.engines.base import Engine
from keepwell.observe.indicators.registry import INDICATORS

LEAST = 3
"""Members from which a group of peers says something: the suite's workspaces are small."""

Pair = tuple[Engine, Engine, Sequence[datetime]]


class EngineSuite:
    """Subclass, give a fixture `pair`, and pytest does the rest."""

    def test_it_reads_the_same_manifest(self, pair: Pair) -> None:
        """Both answer from one manifest, in one zone and currency."""
        reference, engine, _ = pair
        assert engine.manifest == reference.manifest
        assert (engine.zone, engine.currency, engine.index) == (
            reference.zone, reference.currency, reference.index,
        )  # fmt: skip

    def test_the_same_clients_exist(self, pair: Pair) -> None:
        """At each instant, in the same order."""
        reference, engine, instants = pair
        for t in instants:
            assert engine.clients(t) == reference.clients(t)

    def test_every_indicator_has_the_same_bits(self, pair: Pair) -> None:
        """The whole catalogue for everybody, with the covered shares."""
        reference, engine, instants = pair
        for t in instants:
            mine = engine.compute(t, min_peers=LEAST)
            theirs = reference.compute(t, min_peers=LEAST)
            assert (mine.clients, mine.names) == (theirs.clients, theirs.names)
            assert (mine.coverage, mine.as_of) == (theirs.coverage, theirs.as_of)
            wrong = [
                name
                for name in theirs.names
                if not np.array_equal(mine.column(name), theirs.column(name), equal_nan=True)
            ]
            assert not wrong, f"at {t}: {wrong}"
            assert len(theirs.present) > len(INDICATORS) // 4, "the workspace says too little"

    def test_some_clients_and_indicators_can_be_asked(self, pair: Pair) -> None:
        """In any order, with those who do not exist yet left out; float32 where wanted."""
        reference, engine, instants = pair
        first, last = instants[0], instants[-1]
        clients = engine.clients(last)[::-3]
        names = list(INDICATORS)[::-7]
        for t in (first, last):
            mine = engine.compute(t, clients, names, dtype=np.float32)
            theirs = reference.compute(t, clients, names, dtype=np.float32)
            assert (mine.clients, mine.names) == (theirs.clients, theirs.names)
            assert mine.values.dtype == np.float32
            assert np.array_equal(mine.values, theirs.values, equal_nan=True)

    def test_nobody_is_an_answer(self, pair: Pair) -> None:
        """An empty list of clients gives no rows, not all."""
        _, engine, instants = pair
        assert engine.compute(instants[0], []).values.shape == (0, len(INDICATORS))

    def test_positions_and_prices_agree(self, pair: Pair) -> None:
        """With the knowledge of the instant, and with later knowledge."""
        reference, engine, instants = pair
        for t in instants:
            assert np.array_equal(engine.prices(t), reference.prices(t))
            for known in (t, instants[-1]):
                mine, theirs = engine.positions(t, known), reference.positions(t, known)
                assert (mine.clients, mine.instruments) == (theirs.clients, theirs.instruments)
                for what in ("known", "count", "units", "value_minor"):
                    a, b = getattr(mine, what), getattr(theirs, what)
                    assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), what

    def test_peer_groups_agree(self, pair: Pair) -> None:
        """The group of a client, for an indicator that compares."""
        reference, engine, instants = pair
        item = next(item for item in INDICATORS.values() if item.compares)
        for client in engine.clients(instants[-1])[:2]:
            mine = engine.peer_groups(client, item, instants[-1], LEAST)
            assert mine == reference.peer_groups(client, item, instants[-1], LEAST)

    def test_an_unknown_client_is_told(self, pair: Pair) -> None:
        """By the code that every engine uses."""
        _, engine, instants = pair
        code = ""
        try:
            engine.compute(instants[0], ["nobody"])
        except KeepwellError as error:
            code = error.code
        assert code == "engine.client-unknown"

    def test_work_in_parts_reaches_every_client_once(self, pair: Pair) -> None:
        """A task sees an engine that knows its clients; pieces keep their order."""
        reference, engine, instants = pair
        t = instants[-1]
        clients = engine.clients(t)
        found: dict[str, float] = {}
        task = partial(_column, as_of=t, name=_COMPARING)
        for ids, values in engine.parts(task, clients, 4, peers_at=t):
            assert 0 < len(ids) <= 4
            assert not found.keys() & set(ids)
            found.update(zip(ids, values, strict=True))
        assert sorted(found) == clients
        wanted = reference.compute(t, clients).column(_COMPARING)
        assert np.array_equal([found[client] for client in clients], wanted, equal_nan=True)
        assert engine.spread(_squared, [3, 1, 2]) == [9, 1, 4]


_COMPARING = next(id for id, item in INDICATORS.items() if item.compares)


def _column(engine: Engine, clients: list[str], as_of: datetime, name: str) -> list[float]:
    frame = engine.compute(as_of, clients, [name])
    return [float(value) for value in frame.column(name)]


def _squared(number: int) -> int:
    return number * number
