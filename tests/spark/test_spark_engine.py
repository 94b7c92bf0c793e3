"""The engine on a cluster of two workers gives the local engine's answers, to the last bit."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from keepwell.core.days import local_day, midnight
from keepwell.core.errors import DataError, UsageError
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.engines.spark import SparkEngine
from keepwell.observe.engines.spark.layout import DONE
from keepwell.testing.engine_suite import EngineSuite
from tests.learn.broker import write
from tests.oracle.load import lake_world
from tests.oracle.world import draw_world

from .conftest import SETTINGS


def opened(folder, cluster, seed, clients=60):
    """A random world on both engines, and midnights to ask at."""
    world = draw_world(seed, clients=clients)
    workspace = lake_world(world, folder)
    local = LocalEngine.open(workspace)
    instants = sorted({midnight(local_day(t, local.zone), local.zone) for t in world.as_ofs})
    engine = SparkEngine.open(workspace, cluster.master, buckets=3, settings=SETTINGS)
    return local, engine, [instants[0], instants[-1]]


@pytest.fixture(scope="module")
def both(tmp_path_factory, cluster):
    return opened(tmp_path_factory.mktemp("world"), cluster, seed=2)


class TestSpark(EngineSuite):
    @pytest.fixture
    def pair(self, both):
        return both


def test_two_workers_take_part(both, executors):
    status = both[1].session.sparkContext._jsc.sc().getExecutorMemoryStatus()
    assert status.size() == 3  # the driver counts as one
    assert len(executors) == 2


@pytest.mark.parametrize("seed", [5])
def test_another_world_has_the_same_bits(seed, tmp_path, cluster):
    local, engine, instants = opened(tmp_path, cluster, seed)
    mine, theirs = (one.compute(instants[-1], min_peers=3) for one in (engine, local))
    assert (mine.clients, mine.coverage) == (theirs.clients, theirs.coverage)
    assert mine.values.tobytes() == theirs.values.tobytes()


def test_buckets_are_made_once_per_state_of_the_lake(both, cluster):
    _, engine, instants = both
    before = {p: p.stat().st_mtime_ns for p in engine.buckets.folder.rglob("*.parquet")}
    again = SparkEngine.open(engine.workspace, cluster.master, buckets=3, settings=SETTINGS)
    assert {p: p.stat().st_mtime_ns for p in again.buckets.folder.rglob("*.parquet")} == before
    again.clients(instants[0])
    assert not any(again.buckets.results.iterdir())


def test_what_a_kill_left_half_made_is_made_anew(both, cluster):
    local, engine, instants = both
    marker = engine.buckets.folder / DONE
    marker.unlink()
    torn = next(engine.buckets.folder.glob("tiles/trade/bucket=*/*.parquet"))
    torn.write_bytes(torn.read_bytes()[:100])
    again = SparkEngine.open(engine.workspace, cluster.master, buckets=3, settings=SETTINGS)
    assert marker.is_file()
    mine, theirs = (one.compute(instants[0], min_peers=3) for one in (again, local))
    assert np.array_equal(mine.values, theirs.values, equal_nan=True)


def test_a_killed_executor_changes_nothing(both, executors):
    local, engine, instants = both
    killed = threading.Timer(0.3, lambda: executors[0].send_signal(signal.SIGKILL))
    killed.start()
    names = list(local.compute(instants[0]).names)
    until = time.monotonic() + 60
    while killed.is_alive() and time.monotonic() < until:
        mine = engine.compute(instants[0], indicators=names[:20])
    mine = engine.compute(instants[0], indicators=names[:20])
    theirs = local.compute(instants[0], indicators=names[:20])
    assert np.array_equal(mine.values, theirs.values, equal_nan=True)
    assert not executors[0].is_running()


def test_an_instant_within_a_day_is_refused(both):
    _, engine, instants = both
    with pytest.raises(UsageError) as found:
        engine.clients(instants[0].replace(minute=30))
    assert found.value.code == "spark.instant-inside"


def test_what_failed_on_an_executor_is_said(both):
    with pytest.raises(DataError) as found:
        both[1].spread(int, ["no number"])
    assert found.value.code == "spark.job-failed"
    assert "ValueError: invalid literal" in str(found.value)
    assert "no number" in str(found.value)


def test_a_master_that_is_not_there_is_told_at_once(tmp_path, both):
    with pytest.raises(UsageError) as found:
        SparkEngine.open(both[1].workspace, "spark://127.0.0.1:1")
    assert found.value.code == "spark.master-unreachable"


def test_an_empty_lake_is_told_before_a_cluster_is_asked(tmp_path: Path):
    workspace = write(tmp_path / "ws", {})
    with pytest.raises(DataError) as found:
        SparkEngine.open(workspace, "spark://127.0.0.1:1")
    assert found.value.code == "tiles.lake-empty"
